"""Sample weights of losses and metrics that have one value per sample."""

from keras import ops


def per_sample(sample_weight):
    """One weight per sample from `sample_weight`, `(batch,)`, or `None` from `None`.

    A weight per pixel has no meaning for a loss on a whole sample, and multiplied with one value
    per sample it would fail obscurely or, where sizes happen to agree, count wrongly.

    Args:
        sample_weight: `None`, or weights, `(batch,)` or with more axes of size 1.

    Returns:
        The weights, `(batch,)`, or `None`.

    Raises:
        ValueError: If there is more than one weight per sample.

    Example:
    >>> import numpy as np
    >>> from kerasadv import ops
    >>> ops.per_sample(np.ones((3, 1))).shape.as_list()
    [3]
    """
    if sample_weight is None:
        return None
    sample_weight = ops.convert_to_tensor(sample_weight)
    if len(sample_weight.shape) == 0 or any(size != 1 for size in sample_weight.shape[1:]):
        raise ValueError(
            "`sample_weight`: expected one weight per sample, (batch,); class weights and weights "
            "per pixel do not apply to a loss or metric on whole samples. "
            f"Received: shape {tuple(sample_weight.shape)}"
        )
    return ops.reshape(sample_weight, (-1,))
