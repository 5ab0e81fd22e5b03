"""Photos of any size: large ones are painted in parts, which fit together without seams."""

import keras
import numpy as np
from keras import ops

from kerasadv.layers import ConditionalInstanceNormalization
from zoo.style_transfer.model import transform

# A megapixel painted at once takes about a gigabyte of memory.
WHOLE = 1024
TILE = 640
PATCH = 256


class Painter:
    """Paints photos of any size with a trained network, in bounded memory.

    Instance normalization looks at the whole photo. For a large one its statistics are taken from
    a mosaic: squares from all over the photo, a megapixel in all. With these known, scale and shift
    go into the convolutions, and what is left of the network looks only so far: parts of the photo,
    painted apart with as much around them, are what they would be in the whole.

    Args:
        model: A `zoo.StyleTransfer`.
    """

    def __init__(self, model: keras.Model):
        self.model = model
        self._norms = [
            layer for layer in model.layers if isinstance(layer, ConditionalInstanceNormalization)
        ]
        residual_blocks = sum(isinstance(layer, keras.layers.Add) for layer in model.layers)
        self._statistics = keras.Model(
            model.inputs, [ops.moments(norm.input[0], axes=(1, 2)) for norm in self._norms]
        )
        inputs = keras.Input((None, None, 3))
        filters = model.get_layer("enter_conv").filters
        self._fixed = keras.Model(inputs, transform(inputs, filters, residual_blocks))
        self._margin = -(-_radius(residual_blocks) // 4) * 4

    def __call__(self, image: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Paint a photo.

        Args:
            image: uint8, `(height, width, 3)`.
            shares: Weights of the styles, `(num_styles,)`.

        Returns:
            The painted photo, uint8, of the same size.
        """
        if max(image.shape) <= WHOLE:
            return _paint(self.model, image, shares)
        self.fix(mosaic(image), shares)
        return self.in_tiles(image)

    def fix(self, sample: np.ndarray, shares: np.ndarray) -> None:
        """Choose the styles, and the image with the statistics, for `in_tiles`."""
        moments = self._statistics.predict_on_batch(
            [sample[None].astype("float32"), shares[None].astype("float32")]
        )
        for norm, (mean, variance) in zip(self._norms, moments):
            name = f"{norm.name.removesuffix('_norm')}_conv"
            (kernel,) = self.model.get_layer(name).get_weights()
            gamma, beta = (shares @ np.asarray(x) for x in norm.get_weights())
            scale = gamma / np.sqrt(variance[0] + norm.epsilon)
            self._fixed.get_layer(name).set_weights([kernel * scale, beta - mean[0] * scale])
        last = self.model.get_layer("leave_conv").get_weights()
        self._fixed.get_layer("leave_conv").set_weights(last)

    def in_tiles(self, image: np.ndarray, tile: int = TILE) -> np.ndarray:
        """Paint a photo part by part, with styles and statistics as `fix` left them.

        Args:
            image: uint8, `(height, width, 3)`.
            tile: Height and width of what is painted at once, a multiple of 4.

        Returns:
            The painted photo.
        """
        painted = np.empty_like(image)
        columns = list(_windows(image.shape[1], tile, self._margin))
        for top, bottom, first, last in _windows(image.shape[0], tile, self._margin):
            for left, right, start, stop in columns:
                part = _paint(self._fixed, image[top:bottom, left:right])
                inner = part[first - top : last - top, start - left : stop - left]
                painted[first:last, start:stop] = inner
        return painted


def mosaic(image: np.ndarray) -> np.ndarray:
    """Squares spread evenly over a large image, side by side; a small one as it is."""
    rows, columns = (_spread(length) for length in image.shape[:2])
    return image[rows][:, columns]


def _spread(length):
    if length <= WHOLE:
        return np.arange(length)
    starts = np.linspace(0, length - PATCH, WHOLE // PATCH).astype(int)
    return (starts[:, None] + np.arange(PATCH)).ravel()


def _windows(length, tile, margin):
    """Where to cut, and which part of it to keep: `(start, stop, first kept, first after)`.

    Cuts begin at multiples of 4, as do the steps of a network that works at a quarter of the size.
    """
    kept = 0
    while kept < length:
        start = max(0, kept - margin)
        stop = min(start + tile, length)
        until = length if stop == length else stop - margin
        yield start, stop, kept, until
        kept = until


def _radius(residual_blocks):
    """How far from a pixel the network looks when statistics are fixed.

    Convolutions of 9 and 3 at full size, 3 at half of it, two of 3 in each block at a quarter; on
    the way back up, 3 at half and 3 and 9 at full size, and the pixels that share a larger one.
    """
    return 4 + 1 + 2 + 2 * 4 * residual_blocks + 3 + 2 + 1 + 1 + 4


def _paint(model, image, shares=None):
    inputs = image[None].astype("float32")
    if shares is not None:
        inputs = [inputs, shares[None].astype("float32")]
    return np.asarray(model.predict_on_batch(inputs))[0].round().astype("uint8")
