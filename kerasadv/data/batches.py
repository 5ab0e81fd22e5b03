"""Batches of images and masks for training, the same ones whenever training is resumed."""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from kerasadv.data.epoch_order import EpochOrder, untuned


class Example(NamedTuple):
    """An image with its mask: uint8 `(height, width, channels)` and labels `(height, width)`."""

    name: str
    image: np.ndarray
    mask: np.ndarray


def standardize(image: np.ndarray) -> np.ndarray:
    """An image brought to mean 0 and standard deviation 1, float32, as `zoo.UNet` does by itself.

    Crops of an image are to be cut from the standardized whole: standardized one by one, an empty
    corner of it would look as lively as its centre.
    """
    mean, deviation = _statistics(image)
    return ((image - mean) / deviation).astype("float32")


class TrainingCrops(keras.callbacks.Callback):
    """Ever new crops of standardized images: batches for `fit`, and the callback that renews them.

    Each epoch has an order of its own and takes an image n times the size of a crop (the root of
    its area) n times, any other once. A square is cut at a random place and scale, flipped and
    turned, image and mask alike; then brightness, contrast and colours change, and some images are
    inverted. Everything random is a function of `seed`, epoch and crop, so a training that is
    resumed with `initial_epoch` sees the batches that it would have seen.

    Args:
        examples: Images, which may differ in size, and masks. They are kept in memory.
        size: Height and width of the crops, in pixels.
        batch_size: Number of crops in a batch; what does not fill a batch is left out.
        seed: A whole number.

    Raises:
        ValueError: If an epoch has fewer crops than a batch takes.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from kerasadv.data import Example, TrainingCrops
    >>> example = Example("a", np.zeros((40, 50, 3), "uint8"), np.zeros((40, 50), "uint8"))
    >>> crops = TrainingCrops([example], size=32, batch_size=1)
    >>> model = keras.Sequential([keras.layers.Conv2D(1, 1)])
    >>> model.compile("sgd", "mse")
    >>> _ = model.fit(crops.batches(), epochs=2, callbacks=[crops], shuffle=False, verbose=0)
    """

    def __init__(self, examples: Sequence[Example], size: int, batch_size: int, seed: int = 0):
        super().__init__()
        self.size = size
        self.batch_size = batch_size
        turns = [
            index
            for index, example in enumerate(examples)
            for _ in range(max(1, round(example.mask.size**0.5 / size)))
        ]
        if not 1 <= batch_size <= len(turns):
            raise ValueError(
                f"`batch_size`: expected 1 to {len(turns)}, the number of crops in an epoch. "
                f"Received: batch_size={batch_size}"
            )
        # All pixels in one vector, as images of different sizes do not stack.
        packed = [np.dstack([e.image, e.mask]) for e in examples]
        self._pixels = tf.constant(np.concatenate([image.ravel() for image in packed]))
        self._shapes = tf.constant([image.shape for image in packed], tf.int64)
        ends = np.cumsum([image.size for image in packed], dtype="int64")
        self._starts = tf.constant(ends - [image.size for image in packed], tf.int64)
        self._statistics = tf.constant([_statistics(e.image) for e in examples], tf.float32)
        self._depth = packed[0].shape[-1]
        self._seed = tf.constant(seed, tf.int64)
        self._order = EpochOrder(turns, batch_size, seed)

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in an epoch."""
        return self._order.steps_per_epoch

    def on_epoch_begin(self, epoch, logs=None):
        self._order.on_epoch_begin(epoch, logs)

    def skip(self, steps: int) -> None:
        """Leave out the first batches of an epoch, as `EpochOrder.skip` does."""
        self._order.skip(steps)

    def batches(self, workers: int = 1) -> tf.data.Dataset:
        """One epoch's batches, those of the epoch that is under way when they are iterated.

        Args:
            workers: Number of workers that share the batches, each of which cuts its crops and no
                others, as of `EpochOrder.made`.

        Returns:
            Images, float32, `(batch, size, size, channels)`, and labels, uint8,
            `(batch, size, size, 1)`.
        """
        return self._order.made(self._crop, workers)

    def _crop(self, key, index):
        start, shape = self._starts[index], self._shapes[index]
        pixels = tf.reshape(self._pixels[start : start + tf.reduce_prod(shape)], shape)
        draws = tf.random.stateless_uniform([16], seed=tf.stack([self._seed, key]))
        image, mask = _crop(pixels, self.size, self._depth, draws)
        mean, deviation = tf.unstack(self._statistics[index])
        return _recolour((image - mean) / deviation, draws), mask


def fixed_batches(examples: Sequence[Example], size: int, batch_size: int) -> tf.data.Dataset:
    """The middle of each standardized image, to validate on.

    Args:
        examples: Images and masks.
        size: Height and width of the crops, in pixels.
        batch_size: Number of crops in a batch; the last batch may be smaller.

    Returns:
        Batches as from `TrainingCrops`, in the order of `examples`.
    """
    images, masks = zip(*(middle(example, size) for example in examples))
    data = (np.stack(images), np.stack(masks)[..., None])
    return tf.data.Dataset.from_tensor_slices(data).batch(batch_size).with_options(untuned())


def middle(example: Example, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The middle square of a standardized image, `(size, size, channels)`, and of its mask.

    What is too small is padded by reflection.
    """
    height, width = example.mask.shape
    extra = [(max(size - n, 0) // 2, (max(size - n, 0) + 1) // 2) for n in (height, width)]
    image = np.pad(standardize(example.image), [*extra, (0, 0)], mode="symmetric")
    mask = np.pad(example.mask, extra, mode="symmetric")
    top, left = (mask.shape[0] - size) // 2, (mask.shape[1] - size) // 2
    window = (slice(top, top + size), slice(left, left + size))
    return image[window], mask[window]


def _statistics(image: np.ndarray) -> tuple[float, float]:
    # The small number is the one of the first layer of `zoo.UNet`: a flat image becomes 0.
    return float(image.mean()), float(np.sqrt(image.var(dtype="float64") + 1e-6))


def _crop(pixels, size, depth, draws):
    """A random square of `(height, width, channels + mask)`, scaled, flipped and turned."""
    height, width = tf.shape(pixels)[0], tf.shape(pixels)[1]
    zoom = tf.exp((draws[0] - 0.5) * 0.9)  # 0.64 to 1.57
    side = tf.minimum(tf.cast(size * zoom, tf.int32), tf.minimum(height, width))
    top = tf.cast(draws[1] * tf.cast(height - side + 1, tf.float32), tf.int32)
    left = tf.cast(draws[2] * tf.cast(width - side + 1, tf.float32), tf.int32)
    crop = pixels[top : top + side, left : left + side]
    image = tf.image.resize(tf.cast(crop[..., :-1], tf.float32), (size, size))
    mask = tf.image.resize(crop[..., -1:], (size, size), method="nearest")
    both = tf.concat([image, tf.cast(mask, tf.float32)], axis=-1)
    both = tf.where(draws[3] < 0.5, both[::-1], both)
    both = tf.image.rot90(both, tf.cast(draws[4] * 4, tf.int32))
    both = tf.ensure_shape(both, (size, size, depth))
    return both[..., :-1], tf.cast(both[..., -1:], tf.uint8)


def _recolour(image, draws):
    """Another contrast and brightness, a tint, and one time in ten a negative."""
    contrast = tf.exp((draws[5] - 0.5) * 0.6)  # 0.74 to 1.35
    contrast = tf.where(draws[6] < 0.1, -contrast, contrast)
    channels = image.shape[-1]
    tint = (draws[8 : 8 + channels] - 0.5) * 0.3 * tf.cast(channels > 1, tf.float32)
    return image * contrast + (draws[7] - 0.5) * 0.4 + tint
