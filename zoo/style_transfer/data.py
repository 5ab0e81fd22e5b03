"""Photos to paint and paintings to paint them like: archives, folders, and crops for training."""

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from kerasadv.data import DataError, EpochOrder, read_image, split_by_name
from kerasadv.data.archives import Archive, find_archive, prepared
from kerasadv.data.files import pictures

# Smaller pictures than these have nothing to paint, and the network cannot mirror their edges.
SMALLEST = 16


class Photos(NamedTuple):
    """Photos to train on and photos held back, uint8, `(height, width, 3)`, by name."""

    training: dict[str, np.ndarray]
    held_back: dict[str, np.ndarray]


def load_photos(name: str, data_dir: str | None) -> Photos:
    """Load photos and hold one in fifty back, by a hash of their names.

    Args:
        name: `"photos_caltech101"` (`caltech101_photos.zip` lies in `data_dir`) or `"folder"`
            (pictures lie in `data_dir`).
        data_dir: The directory.

    Returns:
        The photos.

    Raises:
        DataError: If something is wrong with the directory or a file in it.
    """
    if data_dir is None:
        raise DataError(f"{name}: name the directory that holds {_SOURCES[name]} with --data-dir")
    if name == "folder":
        photos = _folder(data_dir)
    else:
        archive = find_archive(data_dir, ["caltech101_photos.zip"], _SOURCES[name])
        examples = prepared(name, archive, _caltech101, {"image": 3}, _SOURCES[name], _CITATION)
        photos = {example["name"]: example["image"] for example in examples}
    for photo, image in photos.items():
        check_size(image, photo)
    held_back = split_by_name(photos, 0.02)
    if len(photos) < 2 or len(held_back) == len(photos):
        raise DataError(f"{data_dir}: holds {len(photos)} photos; it takes more, to hold one back")
    return Photos(
        {photo: image for photo, image in photos.items() if photo not in held_back},
        {photo: image for photo, image in photos.items() if photo in held_back},
    )


def load_paintings(directory: str | None) -> dict[str, np.ndarray]:
    """Load the paintings of a folder by the names of their styles.

    A style is called as its file is, in small letters; of `artist_title_year` the title alone.

    Args:
        directory: The folder.

    Returns:
        The paintings, uint8, `(height, width, 3)`, sorted by file.

    Raises:
        DataError: If something is wrong with the folder or a file in it.
    """
    if directory is None:
        raise DataError("styles: name the folder that holds the paintings with --styles")
    paintings: dict[str, np.ndarray] = {}
    for file, image in _folder(directory).items():
        style = re.sub(r"[^a-z0-9]+", "_", Path(file).stem.lower()).strip("_")
        style = re.sub(r"^[a-z]+_(.+)_\d{4}$", r"\1", style)
        if style in paintings or style in ("", "all"):
            why = (
                f"{style!r} is taken" if style else "letters from a to z, or digits, are its style"
            )
            raise DataError(f"{Path(directory) / file}: needs another name; {why}")
        paintings[style] = check_size(image, file)
    return paintings


def check_size(image: np.ndarray, name: str) -> np.ndarray:
    """The image, or a `DataError` if it is too small to be painted."""
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST:
        raise DataError(
            f"{name}: is {width} x {height} pixels; it takes {SMALLEST} x {SMALLEST} or more"
        )
    return image


def resize(image: np.ndarray, short: int) -> np.ndarray:
    """An image made smaller or larger, so that its shorter side has `short` pixels."""
    height, width = image.shape[:2]
    scale = short / min(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


def middle_square(image: np.ndarray, size: int) -> np.ndarray:
    """The middle square of an image, as a square of `size` pixels."""
    image = resize(image, size)
    top, left = (image.shape[0] - size) // 2, (image.shape[1] - size) // 2
    return image[top : top + size, left : left + size]


def with_shares(images, shares):
    """Images, or one, with the share of each painting as a channel behind, for `Perceptual`.

    A single painting needs no share.
    """
    if shares.shape[-1] == 1:
        return images
    behind = tf.ones_like(images[..., :1]) * shares[..., None, None, :]
    return tf.concat([images, behind], axis=-1)


class Crops(keras.callbacks.Callback):
    """Ever new squares of photos, each with a style: batches for `fit`, and their callback.

    Each epoch takes each photo once, in an order of its own; squares are cut at a random place and
    scale, from `size` pixels to the whole shorter side, and mirrored every other time. Styles come
    in turn. Everything random is a function of `seed`, epoch and photo, so a training that is
    resumed with `initial_epoch` sees the batches that it would have seen.

    Args:
        photos: uint8, `(height, width, 3)`, of any sizes. They are kept in memory.
        num_styles: Number of styles.
        size: Height and width of the crops, in pixels.
        batch_size: Number of crops in a batch; what does not fill a batch is left out.
        seed: A whole number.

    Raises:
        ValueError: If there are fewer photos than a batch takes.
    """

    def __init__(
        self,
        photos: Sequence[np.ndarray],
        num_styles: int,
        size: int,
        batch_size: int,
        seed: int = 0,
    ):
        super().__init__()
        self.num_styles, self.size, self.batch_size = num_styles, size, batch_size
        # All pixels in one vector, as images of different sizes do not stack.
        self._pixels = tf.constant(np.concatenate([photo.ravel() for photo in photos]))
        self._shapes = tf.constant([photo.shape for photo in photos], tf.int64)
        ends = np.cumsum([photo.size for photo in photos], dtype="int64")
        self._starts = tf.constant(ends - [photo.size for photo in photos], tf.int64)
        self._seed = tf.constant(seed, tf.int64)
        self._order = EpochOrder(range(len(photos)), batch_size, seed)
        self.steps_per_epoch = self._order.steps_per_epoch

    def on_epoch_begin(self, epoch, logs=None):
        self._order.on_epoch_begin(epoch, logs)

    def skip(self, steps: int) -> None:
        """Leave out the first batches of an epoch, as `EpochOrder.skip` does."""
        self._order.skip(steps)

    def batches(self, workers: int = 1) -> tf.data.Dataset:
        """One epoch's batches, those of the epoch that is under way when they are iterated.

        Args:
            workers: As of `kerasadv.data.EpochOrder.made`.

        Returns:
            `((images, styles), targets)`, float32: images, `(batch, size, size, 3)`, one-hot
            styles, `(batch, num_styles)`, and the images with the shares of paintings behind.
        """
        return self._order.made(self._crop, workers)

    def _crop(self, key, index):
        start, shape = self._starts[index], self._shapes[index]
        photo = tf.reshape(self._pixels[start : start + tf.reduce_prod(shape)], shape)
        draws = tf.random.stateless_uniform([4], seed=tf.stack([self._seed, key]))
        height, width = shape[0], shape[1]
        short = tf.cast(tf.minimum(height, width), tf.float32)
        side = short * tf.minimum(1.0, self.size / short) ** draws[0]
        side = tf.cast(side, tf.int64)
        top = tf.cast(draws[1] * tf.cast(height - side + 1, tf.float32), tf.int64)
        left = tf.cast(draws[2] * tf.cast(width - side + 1, tf.float32), tf.int64)
        crop = tf.cast(photo[top : top + side, left : left + side], tf.float32)
        image = tf.image.resize(crop, (self.size, self.size), antialias=True)
        image = tf.where(draws[3] < 0.5, image[:, ::-1], image)
        style = tf.one_hot(key % self.num_styles, self.num_styles)
        image = tf.ensure_shape(image, (self.size, self.size, 3))
        return (image, style), with_shares(image, style)


_SOURCES = {
    "photos_caltech101": "caltech101_photos.zip, photos of Caltech 101",
    "folder": "your photos",
}
_CITATION = "Li et al., Caltech 101, 2022, doi:10.22002/D1.20086"


def _caltech101(path: Path):
    with Archive(path) as archive:
        for name in archive.files("", ".jpg"):
            photo = archive.picture(name)
            plain = photo.mode == "RGB" and photo.format == "JPEG" and not photo.getexif()
            content = archive.read(name)
            # As it is, where that says it all: decoded and written again it were five times larger.
            yield {"name": name, "image": io.BytesIO(content) if plain else read_image(content)}


def _folder(directory) -> dict[str, np.ndarray]:
    root = Path(directory)
    if not root.is_dir():
        raise DataError(f"{root}: there is no such directory")
    return {path.name: read_image(path, background="white") for path in pictures(root)}
