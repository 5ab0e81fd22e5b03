"""The tempered softmax: probabilities with heavy tails, or with exact zeros."""

import keras

from kerasadv.ops.tempered import temperature, tempered_softmax
from kerasadv.saving import register


@register
class TemperedSoftmax(keras.layers.Layer):
    """Tempered softmax: what a model that was trained with a bi-tempered loss predicts with.

    `p = exp_t(inputs - normalizer)` with the normalizer for which `p` sums to 1. At `t = 1` it is
    the softmax; above, tails are heavy; below, classes far behind get exactly 0 (`t = 0` is
    sparsemax). For a model trained with `BiTempered(t1, t2)`, `t` is `t2`. For single logits there
    is `kerasadv.ops.tempered_sigmoid`.

    Args:
        t: Temperature, at least 0.
        axis: The axis of the classes. Defaults to the last.
        **kwargs: `name`, `dtype` and `trainable`, as for every Keras layer.

    Input shape:
        `(batch, ..., classes)`: logits.

    Output shape:
        That of the input.

    Raises:
        ValueError: If `t` is negative or not finite.

    Example:
    >>> import numpy as np
    >>> import kerasadv
    >>> layer = kerasadv.layers.TemperedSoftmax(t=2.0)
    >>> np.array(layer(np.array([[0.0, -1.5]], "float32"))).round(4)  # 1 / 1.5 and 1 / 3
    array([[0.6667, 0.3333]], dtype=float32)

    Reference:
        Amid et al., "Robust bi-tempered logistic loss based on Bregman divergences", NeurIPS 2019.
    """

    def __init__(self, t, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.t = temperature("t", t)
        self.axis = axis
        self.supports_masking = True

    def build(self, input_shape):
        self.built = True

    def call(self, inputs):
        return tempered_softmax(inputs, self.t, self.axis)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "t": self.t, "axis": self.axis}
