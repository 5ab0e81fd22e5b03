"""What a discriminator says of images: one score for each, or one for each patch."""

import numbers

import keras
from keras import ops


def per_sample_mean(function, *scores):
    """The mean over the patches of a sample of a function of scores, in float32 at least.

    Args:
        function: Function of as many tensors as there are `scores`, value by value.
        *scores: Tensors of one shape, `(batch, ...)`.

    Returns:
        The means, `(batch,)`, float32 at least: squares of scores leave the range of float16.

    Example:
    >>> import numpy as np
    >>> from kerasadv.ops.scores import per_sample_mean
    >>> patches = np.array([[[1.0], [3.0]], [[5.0], [5.0]]], "float32")
    >>> [float(mean) for mean in per_sample_mean(lambda x: 2 * x, patches)]
    [4.0, 10.0]
    """
    scores = [ops.convert_to_tensor(x) for x in scores]
    wide = keras.backend.result_type(scores[-1].dtype, "float32")
    values = function(*(ops.cast(x, wide) for x in scores))
    return ops.mean(values, axis=tuple(range(1, len(values.shape))))


def check_label_smoothing(label_smoothing):
    """What the target of real images is below 1.

    Raises:
        ValueError: If it is no share from 0 to below 1.
    """
    if not isinstance(label_smoothing, numbers.Real) or not 0 <= label_smoothing < 1:
        raise ValueError(
            "`label_smoothing`: expected a share from 0 to below 1. "
            f"Received: label_smoothing={label_smoothing!r}"
        )
    return label_smoothing
