"""The exponential linear unit, exact for small and for large negative inputs."""

import keras
from keras import ops

from kerasadv.saving import register


@register
class ELU(keras.layers.Layer):
    """Exponential linear unit.

    `f(x) = x` for `x > 0`, else `alpha * (exp(x) - 1)`; the slope is `1` for `x > 0`, else
    `alpha * exp(x)`. Value and slope keep full relative precision in every dtype: TensorFlow's own
    `elu` gives 0 for small negative inputs and a slope of 0 below -17 (float32), -8 (float16).

    Args:
        alpha: Minus the value at minus infinity, a finite number of at least 0. Defaults to 1.
        **kwargs: `name`, `dtype` and `trainable`, as for every Keras layer.

    Input shape:
        Any.

    Output shape:
        That of the input.

    Raises:
        ValueError: If `alpha` is negative or not finite.

    Example:
    >>> import numpy as np
    >>> import kerasadv
    >>> layer = kerasadv.layers.ELU()
    >>> [float(x) for x in layer(np.array([-1e-8, 2.0], "float32"))]
    [-9.99999993922529e-09, 2.0]

    Reference:
        Clevert et al., "Fast and accurate deep network learning by exponential linear units
        (ELUs)", ICLR 2016.
    """

    def __init__(self, alpha=1.0, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= alpha < float("inf"):
            raise ValueError(
                f"`alpha`: expected a finite number of at least 0. Received: alpha={alpha}"
            )
        self.alpha = alpha
        self.supports_masking = True

    def build(self, input_shape):
        self.built = True

    def call(self, inputs):
        return _elu(inputs, self.alpha)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "alpha": self.alpha}


def _elu(inputs, alpha):
    dtype = inputs.dtype
    # Half precision has no accurate `expm1` of its own.
    wide = "float32" if keras.backend.standardize_dtype(dtype) in ("float16", "bfloat16") else dtype

    # The slope from its own formula: `alpha * exp(x)` as `f(x) + alpha` cancels to 0.
    @ops.custom_gradient
    def elu(x):
        def grad(*args, upstream=None):
            upstream = args[0] if upstream is None else upstream
            return ops.where(x > 0, upstream, upstream * (alpha * ops.exp(ops.minimum(x, 0))))

        return ops.where(x > 0, x, alpha * ops.expm1(ops.minimum(x, 0))), grad

    return ops.cast(elu(ops.cast(inputs, wide)), dtype)
