"""Photos of any size: large ones are painted in parts, which fit together without seams."""

import keras
import numpy as np
from keras import ops

from kerasadv.layers import ConditionalInstanceNormalization
from kerasadv.saving import register
from zoo.style_transfer.model import transform

# A megapixel painted at once takes about a gigabyte of memory.
WHOLE = 1024
TILE = 640
# Pixels mirrored around a photo, and cut off again: networks learn to paint a narrow frame, since
# what judges them sees a plain grey beyond the edges.
EDGE = 16
# The sample that tells the statistics of a large photo: so many squares each way, of such a size.
SQUARES = 4
SQUARE = 256


class Painter:
    """Paints photos of any size with a trained network, in bounded memory.

    Instance normalization looks at the whole photo. For a large one its statistics are those of a
    sample: squares from all over the photo, a megapixel in all, normalized as if they were one.
    With these known, scale and shift go into the convolutions, and what is left of the network
    looks only so far: parts of the photo, painted apart with as much around them, are what they
    would be in the whole.

    Args:
        model: A `zoo.StyleTransfer`.
    """

    def __init__(self, model: keras.Model):
        self.model = model
        filters = model.get_layer("enter_conv").filters
        residual_blocks = sum(isinstance(layer, keras.layers.Add) for layer in model.layers)
        self._names = [
            layer.name.removesuffix("_norm")
            for layer in model.layers
            if isinstance(layer, ConditionalInstanceNormalization)
        ]

        def normalize(x, name):
            epsilon = model.get_layer(f"{name}_norm").epsilon
            return JointNormalization(epsilon, name=f"{name}_norm")(x)

        inputs = keras.Input((None, None, 3))
        self._joint = keras.Model(inputs, transform(inputs, filters, residual_blocks, normalize))
        norms = [self._joint.get_layer(f"{name}_norm") for name in self._names]
        self._moments = keras.Model(
            inputs, [ops.moments(norm.input, axes=(0, 1, 2)) for norm in norms]
        )
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
        height, width = image.shape[:2]
        edge = min(EDGE, height - 1, width - 1)  # No more than there is to mirror.
        framed = np.pad(image, ((edge, edge), (edge, edge), (0, 0)), mode="reflect")
        if max(image.shape) <= WHOLE:
            painted = _paint(self.model, framed, shares)
        else:
            self.fix(sample(image), shares)
            painted = self.in_tiles(framed)
        return painted[edge : edge + height, edge : edge + width]

    def fix(self, images: np.ndarray, shares: np.ndarray) -> None:
        """Choose the styles, and the images whose statistics as one count, for `in_tiles`."""
        last = self.model.get_layer("leave_conv").get_weights()
        gammas, betas = {}, {}
        for name in self._names:
            weights = self.model.get_layer(f"{name}_norm").get_weights()
            gammas[name], betas[name] = (shares @ x for x in weights)
            self._joint.get_layer(f"{name}_norm").set_weights([gammas[name], betas[name]])
            kernel = self.model.get_layer(f"{name}_conv").get_weights()
            self._joint.get_layer(f"{name}_conv").set_weights(kernel)
        moments = self._moments.predict_on_batch(images.astype("float32"))
        for name, (mean, variance) in zip(self._names, moments):
            (kernel,) = self.model.get_layer(f"{name}_conv").get_weights()
            epsilon = self.model.get_layer(f"{name}_norm").epsilon
            scale = gammas[name] / np.sqrt(variance + epsilon)
            self._fixed.get_layer(f"{name}_conv").set_weights(
                [kernel * scale, betas[name] - mean * scale]
            )
        self._fixed.get_layer("leave_conv").set_weights(last)

    def in_tiles(self, image: np.ndarray, tile: int = TILE) -> np.ndarray:
        """Paint a photo part by part, with styles and statistics as `fix` left them.

        Args:
            image: uint8, `(height, width, 3)`.
            tile: Height and width of what is painted at once: a multiple of 4, and more than twice
                what the network looks at around a pixel.

        Returns:
            The painted photo.

        Raises:
            ValueError: If `tile` is another number.
        """
        if tile % 4 or tile <= 2 * self._margin:
            raise ValueError(
                f"`tile`: expected a multiple of 4 above {2 * self._margin}. Received: {tile}"
            )
        painted = np.empty_like(image)
        columns = list(_windows(image.shape[1], tile, self._margin))
        for top, bottom, first, last in _windows(image.shape[0], tile, self._margin):
            for left, right, start, stop in columns:
                part = _paint(self._fixed, image[top:bottom, left:right])
                inner = part[first - top : last - top, start - left : stop - left]
                painted[first:last, start:stop] = inner
        return painted


def sample(image: np.ndarray) -> np.ndarray:
    """Squares spread evenly over a large image, `(number, height, width, 3)`."""
    rows, columns = (_spread(length) for length in image.shape[:2])
    return np.stack([image[row][:, column] for row in rows for column in columns])


def _spread(length):
    size = min(SQUARE, length)
    starts = np.linspace(0, length - size, SQUARES if length > size else 1).astype(int)
    return [slice(start, start + size) for start in starts]


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


@register
class JointNormalization(keras.layers.Layer):
    """Instance normalization that takes all images of a batch for one.

    Args:
        epsilon: Added to the variance.
        **kwargs: `name` and `dtype`, as for every Keras layer.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        That of the input.
    """

    def __init__(self, epsilon, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape):
        self.gamma = self.add_weight(name="gamma", shape=input_shape[-1:], initializer="ones")
        self.beta = self.add_weight(name="beta", shape=input_shape[-1:], initializer="zeros")
        self.built = True

    def call(self, inputs):
        mean, variance = ops.moments(inputs, axes=(0, 1, 2))
        return (inputs - mean) * (self.gamma * ops.rsqrt(variance + self.epsilon)) + self.beta

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}
