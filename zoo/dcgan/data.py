"""The pictures a generator learns to make more of: drawn digits, two public sets, or your own."""

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps

from kerasadv.data import DataError, EpochOrder, read_image
from kerasadv.data.archives import find_archive, prepared
from kerasadv.data.files import open_picture, pictures
from zoo.noisy_labels.data import fashion_mnist
from zoo.noisy_labels.digits import draw_digits

SETS = ("digits", "fashion_mnist", "twemoji64", "folder")


def load(name: str, data_dir: str | None = None, image_size: int | None = None) -> np.ndarray:
    """Load a set of square pictures.

    Args:
        name: `"digits"` (drawn, needs nothing), `"fashion_mnist"` (its four original files lie in
            `data_dir`), `"twemoji64"` (its sheet and names lie in `data_dir`), or `"folder"`
            (pictures of any size lie in `data_dir`; the middle square of each is taken).
        data_dir: The directory.
        image_size: Height and width of the pictures. By default those of the set: 28 for the first
            two, 64 for the others.

    Returns:
        The pictures, uint8, `(number, image_size, image_size, channels)`; one channel where they
        are grey, else three.

    Raises:
        DataError: If something is wrong with the directory or a file in it.
    """
    if image_size is not None and image_size < 1:
        raise DataError(f"image_size: expected at least 1. Received: {image_size}")
    if name == "digits":
        return draw_digits(5000, size=image_size or 28)[0]
    if name == "fashion_mnist":
        ((images, _),), _ = fashion_mnist(data_dir, ["train"])
    elif name == "twemoji64":
        images = _twemoji64(data_dir)
    elif name == "folder":
        return _folder(data_dir, image_size or 64)
    else:
        known = f"{', '.join(SETS[:-1])} or {SETS[-1]}"
        raise DataError(f"data: expected {known}. Received: {name!r}")
    if image_size in (None, images.shape[1]):
        return images
    return np.stack([_square(image, image_size) for image in images])


def scale(images):
    """Pictures with values from 0 to 255 as networks take them: float32, from -1 to 1."""
    return keras.ops.cast(images, "float32") / 127.5 - 1.0


def unscale(images) -> np.ndarray:
    """What a generator makes, from -1 to 1, as pictures: uint8, from 0 to 255."""
    images = keras.ops.convert_to_numpy(images)
    return np.round((images + 1.0) * 127.5).clip(0, 255).astype("uint8")


def batches(order: EpochOrder, images: np.ndarray) -> tf.data.Dataset:
    """One epoch's batches of scaled pictures, `(batch, height, width, channels)`.

    Args:
        order: The order of the pictures, and their number in a batch.
        images: uint8, `(number, height, width, channels)`.
    """
    return order.batches(images).map(scale)


_SIDE, _COLUMNS = 64, 60
_SHEET, _NAMES = "twemoji64_white.webp", "names.txt"
_SOURCE = f"{_SHEET}, emoji of {_SIDE} x {_SIDE} pixels, {_COLUMNS} in a row, and {_NAMES}"
_CITATION = "Twemoji, Twitter and other contributors, CC BY 4.0, github.com/jdecked/twemoji"


def _twemoji64(data_dir: str | None) -> np.ndarray:
    if data_dir is None:
        raise DataError(f"twemoji64: name the directory that holds {_SOURCE} with --data-dir")
    sheet = find_archive(data_dir, [_SHEET], _SOURCE)
    examples = prepared("twemoji64", sheet, _emoji, {"image": 3}, _SOURCE, _CITATION)
    return np.stack([example["image"] for example in examples])


def _emoji(path: Path) -> Iterator[dict]:
    """The pictures of a sheet, from left to right and from top to bottom, by their names."""
    beside = path.with_name(_NAMES)
    if not beside.is_file():
        raise DataError(f"{beside}: is missing; it names the pictures of {_SHEET}, one a line")
    names = beside.read_text(encoding="utf-8", errors="replace").split()
    sheet = open_picture(path).convert("RGB")
    rows = -(-len(names) // _COLUMNS)
    if sheet.size != (_COLUMNS * _SIDE, rows * _SIDE):
        raise DataError(
            f"{path}: expected {_COLUMNS * _SIDE} x {rows * _SIDE} pixels, for the {len(names)} "
            f"names in {_NAMES}. Received: {sheet.width} x {sheet.height}"
        )
    pixels = np.asarray(sheet)
    for place, name in enumerate(names):
        top, left = place // _COLUMNS * _SIDE, place % _COLUMNS * _SIDE
        yield {"name": name, "image": pixels[top : top + _SIDE, left : left + _SIDE]}


def _folder(data_dir: str | None, size: int) -> np.ndarray:
    if data_dir is None:
        raise DataError("folder: name the directory that holds your pictures with --data-dir")
    root = Path(data_dir)
    if not root.is_dir():
        raise DataError(f"{root}: there is no such directory; name the one with your pictures")
    squares, errors = [], []
    for path in pictures(root):
        try:
            # Reduced at once: in full size many pictures would not fit into memory.
            squares.append(_square(read_image(path, background="white"), size))
        except DataError as error:  # All of them at once: there may be many pictures.
            errors.append(error)
    if errors:
        raise DataError("; ".join(map(str, errors)))
    images = np.stack(squares)
    return images[..., :1] if (images == images[..., :1]).all() else images


def _square(image: np.ndarray, size: int) -> np.ndarray:
    """The middle square of a picture, made larger or smaller."""
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    fitted = np.asarray(ImageOps.fit(picture, (size, size), Image.Resampling.LANCZOS))
    return fitted.reshape(size, size, image.shape[-1])
