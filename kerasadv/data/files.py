"""Images and masks from files, each fault found before training starts and named with its file."""

import contextlib
import hashlib
import io
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from kerasadv.data.batches import Example

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


class DataError(ValueError):
    """Something is wrong with the data; the message says in one line with which file, and what."""


def read_image(
    source: str | os.PathLike | bytes,
    channels: int = 3,
    name: str | None = None,
    background: str | None = None,
) -> np.ndarray:
    """Read a picture of any common format: grey, RGB, RGBA, palette, 16 bit, rotated by EXIF.

    Args:
        source: A path, or the bytes of a file.
        channels: 1 for grey, 3 for RGB.
        name: What an error calls the picture. Defaults to its path.
        background: A colour to see through transparent parts. By default nothing is transparent.

    Returns:
        The picture, uint8, `(height, width, channels)`.

    Raises:
        DataError: If it cannot be read.
    """
    picture = open_picture(source, name)
    # A damaged EXIF block does not say how to turn the picture; its pixels are fine.
    with contextlib.suppress(Exception):
        picture = ImageOps.exif_transpose(picture)
    if picture.mode in ("I", "I;16", "I;16B", "I;16L", "F"):
        picture = _eight_bits(picture)
    if background is not None and picture.has_transparency_data:
        below = Image.new("RGBA", picture.size, background)
        picture = Image.alpha_composite(below, picture.convert("RGBA"))
    picture = picture.convert("L" if channels == 1 else "RGB")
    return np.asarray(picture).reshape(picture.height, picture.width, channels)


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Grey of 16 bit, or of any numbers, as 8 bit; what is see-through stays so."""
    values = np.asarray(picture).astype("float64")
    wide = picture.mode.startswith("I;16") or picture.mode == "I" and values.max(initial=0) > 255
    if picture.mode == "F" and values.max(initial=0) <= 1:
        values = 255 * values  # Where it is no picture in black, that is what 1 means.
    # 65535 becomes 255.
    grey = (values / 257 if wide else values).clip(0, 255).round().astype("uint8")
    hidden = picture.info.get("transparency")
    if not isinstance(hidden, int):
        return Image.fromarray(grey)
    alpha = np.where(values == hidden, 0, 255).astype("uint8")
    return Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)])


def read_mask(
    source: str | os.PathLike | bytes, num_classes: int = 2, name: str | None = None
) -> np.ndarray:
    """Read a mask whose grey values are class labels; 0 and 255 are read as two classes.

    Args:
        source: A path, or the bytes of a file.
        num_classes: Number of classes, background included.
        name: What an error calls the mask. Defaults to its path.

    Returns:
        Labels in `[0, num_classes)`, uint8, `(height, width)`.

    Raises:
        DataError: If it cannot be read, has colours, or holds other labels.
    """
    picture = open_picture(source, name)
    called = _called(source, name)
    labels = np.asarray(picture)
    if labels.ndim == 3:
        colours = labels[..., :3] if labels.shape[-1] >= 3 else labels[..., :1]
        if (colours != colours[..., :1]).any():
            raise DataError(
                f"{called}: a mask holds one label per pixel as a grey value; this one has colours"
            )
        labels = colours[..., 0]
    labels = labels.astype("int64")
    found = np.unique(labels)
    if num_classes == 2 and np.isin(found, (0, 255)).all():
        labels = labels // 255
    elif found.min(initial=0) < 0 or found.max(initial=0) >= num_classes:
        wrong = [int(value) for value in found if not 0 <= value < num_classes]
        listed = ", ".join(map(str, wrong[:5])) + (" ..." if len(wrong) > 5 else "")
        raise DataError(
            f"{called}: labels of {num_classes} classes lie in 0 to {num_classes - 1}; "
            f"this mask holds {listed} (classes.txt names the classes of a folder; "
            "JPEG files change labels)"
        )
    return labels.astype("uint8")


def read_folder(directory: str | os.PathLike, channels: int = 3) -> tuple[list[Example], list[str]]:
    """Read a folder with pictures in `images/` and masks of the same names in `masks/`.

    A file `classes.txt`, one class a line, names the labels from 0 on; without it there are two,
    background and foreground.

    Args:
        directory: The folder.
        channels: 1 for grey, 3 for RGB.

    Returns:
        The examples, sorted by name, and the names of the classes.

    Raises:
        DataError: If a folder is missing or empty, a picture has no mask or one of another size, or
            a file cannot be read.
    """
    root = Path(directory)
    if not root.is_dir():
        raise DataError(f"{root}: there is no such directory; name the one that holds your data")
    for part in ("images", "masks"):
        if not (root / part).is_dir():
            raise DataError(
                f"{root}: expected a folder {part!r} in it, beside the other of the two"
            )
    classes = ["background", "foreground"]
    if (root / "classes.txt").exists():
        classes = (root / "classes.txt").read_text().split("\n")
        classes = [line.strip() for line in classes if line.strip()]
        if not 2 <= len(classes) <= 256:
            raise DataError(f"{root / 'classes.txt'}: expected 2 to 256 classes, one a line")
    images, others = (pictures(root / part) for part in ("images", "masks"))
    for found in (images, others):
        for one, next_one in zip(found, found[1:]):
            if one.stem == next_one.stem:
                raise DataError(f"{one}: {next_one.name} has the same name but for its ending")
    masks = {path.stem: path for path in others}
    for stem in sorted(set(masks) - {path.stem for path in images}):
        raise DataError(f"{masks[stem]}: there is no image of this name in {root / 'images'}")
    examples = []
    for path in images:
        if path.stem not in masks:
            raise DataError(f"{path}: there is no mask of this name in {root / 'masks'}")
        image = read_image(path, channels)
        mask = read_mask(masks[path.stem], len(classes))
        check_size(image, mask, masks[path.stem])
        examples.append(Example(path.stem, image, mask))
    return examples, classes


def check_size(image: np.ndarray, mask: np.ndarray, name: str | os.PathLike) -> None:
    """Raise a `DataError` if a mask is not as large as its image."""
    if image.shape[:2] != mask.shape[:2]:
        raise DataError(
            f"{name}: this mask is {mask.shape[1]} x {mask.shape[0]} pixels, its image "
            f"{image.shape[1]} x {image.shape[0]}; make them the same"
        )


def split_by_name(names: Iterable[str], fraction: float = 0.1) -> set[str]:
    """The names held back from training: a stable share, chosen by a hash of each name alone.

    A name stays on its side whatever other names come or go, on every machine.

    Args:
        names: Names of the examples.
        fraction: Share to hold back, in (0, 1).

    Returns:
        The names held back: at least one, where there are two or more.

    Example:
    >>> from kerasadv.data import split_by_name
    >>> len(split_by_name(f"image {k}" for k in range(1000)))
    95
    """

    def rank(name: str) -> float:
        return int(hashlib.sha256(name.encode()).hexdigest()[:12], 16) / 16**12

    ranked = sorted((rank(name), name) for name in names)
    held_back = {name for share, name in ranked if share < fraction}
    if not held_back and len(ranked) > 1:
        held_back = {ranked[0][1]}
    return held_back


def pictures(directory: Path) -> list[Path]:
    """Paths of the pictures in a directory, sorted; a `DataError` if there are none."""
    found = sorted(p for p in directory.iterdir() if p.suffix.lower() in _SUFFIXES)
    if not found:
        raise DataError(f"{directory}: holds no pictures ({', '.join(_SUFFIXES)})")
    return found


def _called(source, name: str | None) -> str:
    return name or (str(source) if isinstance(source, (str, os.PathLike)) else "the picture")


def open_picture(source: str | os.PathLike | bytes, name: str | None = None) -> Image.Image:
    """Open and decode a picture, or raise a `DataError` that names it."""
    called = _called(source, name)
    try:
        if isinstance(source, (str, os.PathLike)):
            source = Path(source).read_bytes()
        picture = Image.open(io.BytesIO(source))
        picture.load()
    except FileNotFoundError:
        raise DataError(f"{called}: there is no such file") from None
    except UnidentifiedImageError:
        raise DataError(f"{called}: cannot be read as a picture (no known format)") from None
    except Exception as error:  # Of a malformed file Pillow's readers raise anything.
        reason = getattr(error, "strerror", None) or str(error).split("\n")[0]
        raise DataError(f"{called}: cannot be read as a picture ({reason})") from None
    return picture
