"""Batches of images and masks for training, the same ones whenever training is resumed."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf


class Example(NamedTuple):
    """An image with its mask: uint8 `(height, width, channels)` and labels `(height, width)`."""

    name: str
    image: np.ndarray
    mask: np.ndarray


def training_batches(
    examples: Sequence[Example],
    size: int,
    batch_size: int,
    epochs: int,
    initial_epoch: int = 0,
    seed: int = 0,
) -> tf.data.Dataset:
    """Endlessly varied crops for the epochs from `initial_epoch` on.

    Each epoch takes every example once, in an order of its own, `len(examples) // batch_size`
    batches. From each a square is cut at a random place and scale, flipped and turned, image and
    mask alike; then the brightness, contrast and colours of the image change, and some are
    inverted. Everything random is a function of `seed`, epoch and example, so a training that is
    resumed sees the batches that it would have seen.

    Args:
        examples: Images, which may differ in size, and masks. They are kept in memory.
        size: Height and width of the crops, in pixels.
        batch_size: Number of crops in a batch, at most the number of examples.
        epochs: Epoch to stop before.
        initial_epoch: Epoch to start with.
        seed: A whole number.

    Returns:
        Batches of images, float32 in [0, 255], `(batch, size, size, channels)`, and labels, uint8,
        `(batch, size, size, 1)`.

    Raises:
        ValueError: If there are fewer examples than a batch takes.

    Example:
    >>> import numpy as np
    >>> from kerasadv.data import Example, training_batches
    >>> image, mask = np.zeros((40, 50, 3), "uint8"), np.zeros((40, 50), "uint8")
    >>> batches = training_batches([Example("a", image, mask)], size=32, batch_size=1, epochs=2)
    >>> [tuple(images.shape) for images, masks in batches]
    [(1, 32, 32, 3), (1, 32, 32, 3)]
    """
    if not 1 <= batch_size <= len(examples):
        raise ValueError(
            f"`batch_size`: expected 1 to {len(examples)}, the number of examples. "
            f"Received: batch_size={batch_size}"
        )
    # All pixels in one vector, as images of different sizes do not stack.
    packed = [np.dstack([e.image, e.mask]) for e in examples]
    pixels = tf.constant(np.concatenate([image.ravel() for image in packed]))
    shapes = tf.constant([image.shape for image in packed], tf.int64)
    ends = np.cumsum([image.size for image in packed], dtype="int64")
    starts = tf.constant(ends - [image.size for image in packed], tf.int64)
    depth = packed[0].shape[-1]
    count = len(examples)

    def epoch_of(epoch):
        order = tf.random.experimental.stateless_shuffle(
            tf.range(count, dtype=tf.int64), seed=tf.stack([tf.cast(seed, tf.int64), epoch])
        )
        order = order[: count // batch_size * batch_size]
        return tf.data.Dataset.from_tensor_slices(order).map(lambda i: (epoch * count + i, i))

    def crop_of(key, index):
        shape = shapes[index]
        image = pixels[starts[index] : starts[index] + tf.reduce_prod(shape)]
        draws = tf.random.stateless_uniform([16], seed=tf.stack([tf.cast(seed, tf.int64), key]))
        return _augment(tf.reshape(image, shape), size, depth, draws)

    return (
        tf.data.Dataset.range(initial_epoch, epochs)
        .flat_map(epoch_of)
        .map(crop_of, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(batch_size, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def fixed_batches(examples: Sequence[Example], size: int, batch_size: int) -> tf.data.Dataset:
    """The middle of each example, to validate on: padded by reflection where it is too small.

    Args:
        examples: Images and masks.
        size: Height and width of the crops, in pixels.
        batch_size: Number of crops in a batch; the last batch may be smaller.

    Returns:
        Batches as from `training_batches`, in the order of `examples`.
    """
    images, masks = zip(*(middle(example, size) for example in examples))
    data = (np.stack(images).astype("float32"), np.stack(masks)[..., None])
    return tf.data.Dataset.from_tensor_slices(data).batch(batch_size)


def middle(example: Example, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The middle square of an example's image and mask, `size` pixels wide and high."""
    height, width = example.mask.shape
    extra = [(max(size - n, 0) // 2, (max(size - n, 0) + 1) // 2) for n in (height, width)]
    image = np.pad(example.image, [*extra, (0, 0)], mode="symmetric")
    mask = np.pad(example.mask, extra, mode="symmetric")
    top, left = (mask.shape[0] - size) // 2, (mask.shape[1] - size) // 2
    window = (slice(top, top + size), slice(left, left + size))
    return image[window], mask[window]


def _augment(pixels, size, depth, draws):
    """A random crop of `(height, width, channels + mask)`, geometry first, then colours."""
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
    image, mask = both[..., :-1] / 255.0, tf.cast(both[..., -1:], tf.uint8)
    image = image ** tf.exp((draws[5] - 0.5) * 0.8)  # gamma 0.67 to 1.49
    gain = tf.exp((draws[8 : 8 + depth - 1] - 0.5) * 0.3)  # each channel by 0.86 to 1.16
    image = tf.where(draws[6] < 0.15, 1.0 - image, image) * gain
    return image * 255.0, mask
