"""Photos of any size: large ones are painted in parts, which fit together without seams."""

import keras
import numpy as np
import tensorflow as tf
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
# The sample that tells the statistics of a large photo: so many squares of such a size.
SQUARES = 16
SQUARE = 256


class Painter:
    """Paints photos of any size with a trained network, in bounded memory.

    Instance normalization looks at the whole photo. For a large one its statistics are those of a
    sample: squares of all kinds that are in it, each counted as often as there are such. With these
    known, what is left of the network looks only so far: parts of the photo, painted apart with as
    much around them, are what they would be in the whole.

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

        def epsilon(name):
            return model.get_layer(f"{name}_norm").epsilon

        image = keras.Input((None, None, 3))
        parts, moments = keras.Input(()), []

        def jointly(x, name):
            x, *of_layer = JointNormalization(epsilon(name), name=f"{name}_norm")(x, parts)
            moments.append(of_layer)
            return x

        def fixed(x, name):
            known = keras.layers.BatchNormalization(epsilon=epsilon(name), name=f"{name}_norm")
            return known(x)

        transform(image, filters, residual_blocks, jointly)
        self._moments = keras.Model([image, parts], moments)
        self._fixed = keras.Model(image, transform(image, filters, residual_blocks, fixed))
        self._margin = -(-_radius(residual_blocks) // 4) * 4
        self._paint_whole, self._paint_part = _traced(model), _traced(self._fixed)
        self._look_at = _traced(self._moments)

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
            painted = _paint(self._paint_whole, framed, shares)
        else:
            self.fix(*sample(image), shares)
            painted = self.in_tiles(framed)
        return painted[edge : edge + height, edge : edge + width]

    def fix(self, squares: np.ndarray, parts: np.ndarray, shares: np.ndarray) -> None:
        """Choose what `in_tiles` paints with: statistics and styles.

        Args:
            squares: Images, `(number, height, width, 3)`, whose statistics to take.
            parts: How much each of them counts, `(number,)`, 1 together.
            shares: Weights of the styles, `(num_styles,)`.
        """
        named = self.model.get_layer
        for name in self._names:
            kernel = named(f"{name}_conv").get_weights()
            scale = [shares @ of_styles for of_styles in named(f"{name}_norm").get_weights()]
            self._moments.get_layer(f"{name}_norm").set_weights(scale)
            for network in (self._moments, self._fixed):
                network.get_layer(f"{name}_conv").set_weights(kernel)
        moments = self._look_at(squares.astype("float32"), parts.astype("float32"))
        for name, (mean, variance) in zip(self._names, moments):
            gamma, beta = self._moments.get_layer(f"{name}_norm").get_weights()
            # What varies by no more than rounding does not vary: a photo all of one colour.
            gamma = gamma * (np.asarray(variance) > 1e-9)
            self._fixed.get_layer(f"{name}_norm").set_weights([gamma, beta, mean, variance])
        self._fixed.get_layer("leave_conv").set_weights(named("leave_conv").get_weights())

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
                part = _paint(self._paint_part, image[top:bottom, left:right])
                inner = part[first - top : last - top, start - left : stop - left]
                painted[first:last, start:stop] = inner
        return painted


def sample(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squares that stand for a large image, `(number, height, width, 3)`, and for how much of it.

    Of the squares that cover it, one that is as most are, then again and again the one that differs
    most from all that have been chosen, in colour or contrast: a thing alone in the sky is among
    them. Each stands for all that it is nearest to.
    """
    rows, columns = (_cover(length) for length in image.shape[:2])
    places = [(row, column) for row in rows for column in columns]
    looks = np.array([_look(image[place]) for place in places])
    chosen = [np.linalg.norm(looks - looks.mean(axis=0), axis=1).argmin()]
    distances = [np.linalg.norm(looks - looks[chosen[0]], axis=1)]
    while len(chosen) < SQUARES and np.min(distances, axis=0).any():
        chosen.append(np.min(distances, axis=0).argmax())
        distances.append(np.linalg.norm(looks - looks[chosen[-1]], axis=1))
    nearest = np.argmin(distances, axis=0)
    parts = np.bincount(nearest, minlength=len(chosen)) / len(places)
    return np.stack([image[places[k]] for k in chosen]), parts.astype("float32")


def _cover(length):
    """As few slices as cover a side, evenly spread."""
    size = min(SQUARE, length)
    starts = np.linspace(0, length - size, -(-length // size)).astype(int)
    return [slice(start, start + size) for start in starts]


def _look(square):
    """Mean and standard deviation of each channel."""
    return np.concatenate([square.mean(axis=(0, 1)), square.std(axis=(0, 1))])


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
    the way back up, the pixels that share one of a quarter, 3 at half and 3 and 9 at full size.
    """
    return 4 + 1 + 2 + 2 * 4 * residual_blocks + 3 + 2 + 1 + 4


def _traced(model):
    """A model as one function for all sizes; `predict_on_batch` begins anew for each, and warns."""

    def run(*inputs):
        return model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)

    return tf.function(run, [tf.TensorSpec(tensor.shape) for tensor in model.inputs])


def _paint(network, image, shares=None):
    inputs = [x[None].astype("float32") for x in (image, shares) if x is not None]
    return np.asarray(network(*inputs))[0].round().astype("uint8")


@register
class JointNormalization(keras.layers.Layer):
    """Instance normalization that takes all images of a batch for parts of one.

    Args:
        epsilon: Added to the variance.
        **kwargs: `name` and `dtype`, as for every Keras layer.

    Input shape:
        `inputs`: features, `(batch, height, width, channels)`. `parts`: how much of the one image
        each of them is, `(batch,)`, 1 together.

    Output shape:
        That of `inputs`; then mean and variance, `(channels,)` each.
    """

    def __init__(self, epsilon, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, inputs_shape, parts_shape):
        self.gamma = self.add_weight(name="gamma", shape=inputs_shape[-1:], initializer="ones")
        self.beta = self.add_weight(name="beta", shape=inputs_shape[-1:], initializer="zeros")
        self.built = True

    def call(self, inputs, parts):
        mean = _mean(inputs, parts)
        variance = _mean(ops.square(inputs - mean), parts)
        scale = self.gamma * ops.rsqrt(variance + self.epsilon)
        return (inputs - mean) * scale + self.beta, mean, variance

    def compute_output_shape(self, inputs_shape, parts_shape):
        return inputs_shape, inputs_shape[-1:], inputs_shape[-1:]

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


def _mean(features, parts):
    # One axis after the other, as sums over all at once are rounded more.
    return ops.matmul(parts, ops.mean(ops.mean(features, axis=1), axis=1))
