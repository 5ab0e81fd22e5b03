"""Pictures to be written: of a kind that can be, and whole or not at all."""

import io
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from kerasadv.data import DataError
from kerasadv.training.run_files import write_bytes

_KINDS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}


def check_target(target: Path, inputs: Iterable[str | os.PathLike] = ()) -> Path:
    """The path of a picture to write, if one can be written there; its folder is made.

    Raises:
        DataError: If its ending is that of no picture, or it is a directory or one of `inputs`.
    """
    if target.suffix.lower() not in _KINDS:
        raise DataError(f"{target}: expected one of {', '.join(_KINDS)} at the end; try .png")
    if target.is_dir():
        raise DataError(f"{target}: is a directory; name a file")
    if target.resolve() in [Path(path).resolve() for path in inputs]:
        raise DataError(f"{target}: is one of the photos, which would be lost")
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def write_picture(image: np.ndarray | Image.Image, target: Path) -> None:
    """Write a picture in the kind that its ending tells; one that is there is replaced.

    Args:
        image: uint8, `(height, width)` or `(height, width, channels)` with 1 or 3 channels, or a
            picture of Pillow.
        target: The file.

    Raises:
        DataError: If the kind cannot hold such a picture: WebP has at most 16,383 pixels a side.
        OSError: If it cannot be written; what was there is as it was.
    """
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image[..., 0] if image.shape[2:] == (1,) else image)
    encoded = io.BytesIO()
    try:
        image.save(encoded, _KINDS[target.suffix.lower()], quality=92)
    except (OSError, ValueError) as error:
        size = f"{image.width} x {image.height} pixels"
        raise DataError(f"{target}: cannot hold {size} ({error}); try .png") from None
    write_bytes(target, encoded.getbuffer())
