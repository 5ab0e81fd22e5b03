"""Padding that continues an image as its mirror image, so that its edges look like the rest."""

import keras
from keras import ops

from kerasadv.saving import register


@register
class ReflectionPadding2D(keras.layers.Layer):
    """Pads images with their own reflection, as `keras.layers.ZeroPadding2D` does with zeros.

    The outermost pixel is the mirror and is not repeated: `a b c d` padded by 2 on both sides is
    `c b a b c d c b`. A convolution on zeros sees an edge that is not in the picture, and networks
    that make pictures draw it; on a reflection they do not.

    Args:
        padding: Pixels to add: a whole number for all four sides, a pair for height and width, or
            a pair of pairs, `((top, bottom), (left, right))`. Defaults to 1.
        **kwargs: `name` and `dtype`, as for every Keras layer.

    Input shape:
        `(batch, height, width, channels)`, height and width greater than the padding.

    Output shape:
        `(batch, top + height + bottom, left + width + right, channels)`.

    Raises:
        ValueError: If `padding` is not as described, or the image is no larger than the padding.

    Example:
    >>> import numpy as np
    >>> import kerasadv
    >>> row = np.array([1, 2, 3, 4], "float32").reshape(1, 1, 4, 1)
    >>> layer = kerasadv.layers.ReflectionPadding2D((0, 2))
    >>> np.array(layer(row)).ravel()
    array([3., 2., 1., 2., 3., 4., 3., 2.], dtype=float32)

    Reference:
        Dumoulin et al., "A learned representation for artistic style", ICLR 2017, appendix.
    """

    def __init__(self, padding=1, **kwargs):
        super().__init__(**kwargs)
        pair = [padding, padding] if isinstance(padding, int) else padding
        try:
            sides = [[side, side] if isinstance(side, int) else list(side) for side in pair]
        except TypeError:
            sides = []
        if [len(side) for side in sides] != [2, 2] or not all(
            isinstance(n, int) and n >= 0 for side in sides for n in side
        ):
            raise ValueError(
                "`padding`: expected a whole number of at least 0, a pair of them or a pair of "
                f"pairs. Received: padding={padding!r}"
            )
        self.padding = sides

    def build(self, input_shape):
        self.built = True

    def call(self, inputs):
        self._check(inputs.shape)
        return ops.pad(inputs, [[0, 0], *self.padding, [0, 0]], mode="reflect")

    def compute_output_shape(self, input_shape):
        self._check(input_shape)
        batch, height, width, channels = input_shape
        height, width = (
            None if size is None else size + sum(side)
            for size, side in zip((height, width), self.padding)
        )
        return (batch, height, width, channels)

    def _check(self, shape):
        if len(shape) != 4 or any(
            size is not None and size <= max(side) for size, side in zip(shape[1:3], self.padding)
        ):
            raise ValueError(
                "`inputs`: expected images, (batch, height, width, channels), larger than the "
                f"padding {self.padding}, which mirrors them. Received: shape {tuple(shape)}"
            )

    def get_config(self):
        return {**super().get_config(), "padding": self.padding}
