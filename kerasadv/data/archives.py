"""Zip archives of pictures, read once by tensorflow-datasets, each fault named with its file."""

import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock
from PIL import Image

from kerasadv.data.files import DataError, open_picture


class Archive(zipfile.ZipFile):
    """A zip archive of pictures whose faults are `DataError`s of one line.

    Args:
        path: The file.

    Raises:
        DataError: If it cannot be read as a zip archive.
    """

    def __init__(self, path: Path):
        try:
            super().__init__(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise DataError(f"{path}: cannot be read as a zip archive ({error})") from None
        self.path = path

    def files(self, start: str = "", part: str = "") -> list[str]:
        """Sorted names that begin with `start` and have `part` in them; no directories."""
        names = (n for n in self.namelist() if n.startswith(start) and part in n)
        return sorted(n for n in names if not n.endswith("/"))

    def read(self, name, pwd=None) -> bytes:
        """The contents of a file."""
        try:
            return super().read(name, pwd)
        except (KeyError, OSError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"{self.path}: {name} cannot be read ({error})") from None

    def picture(self, name: str) -> Image.Image:
        """A picture, decoded."""
        return open_picture(self.read(name), f"{self.path}: {name}")


def find_archive(data_dir: str | os.PathLike, names: Sequence[str], source: str) -> Path:
    """The first file with one of these names in a directory or below it.

    Args:
        data_dir: The directory.
        names: File names, in order of preference.
        source: What an error calls what is missing, and where to get it.

    Raises:
        DataError: If there is no such directory, or no such file in it.
    """
    root = Path(data_dir)
    if not root.is_dir():
        raise DataError(f"{root}: there is no such directory; name the one with {source}")
    for name in names:
        for path in sorted(root.rglob(name)):
            return path
    raise DataError(f"{root}: holds no {' or '.join(names)}; put {source} there")


def prepared(
    name: str,
    archive: Path,
    read: Callable[[Path], Iterator[dict[str, Any]]],
    images: dict[str, int],
    source: str,
    citation: str,
) -> list[dict[str, Any]]:
    """Examples of an archive, read by tensorflow-datasets once and kept where it keeps its own.

    That is `TFDS_DATA_DIR`, and in it a folder named by the contents of the archive, so that
    another archive is never taken for this one.

    Args:
        name: Name of the set.
        archive: The file.
        read: Function of its path that yields examples: dictionaries with `"name"`, no two alike,
            and images: uint8, `(height, width, channels)`, or a JPEG or PNG file opened to read.
        images: For each image of an example the number of its channels.
        source: What an error calls what it expected in the archive.
        citation: Where the set comes from.

    Returns:
        The examples.

    Raises:
        DataError: If there are no examples, or two of one name.
    """
    import tensorflow_datasets as tfds  # Takes seconds to import, and only these sets need it.

    dataset, features = name, {"name": tfds.features.Text()}
    for key, channels in images.items():
        features[key] = tfds.features.Image(shape=(None, None, channels))

    class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
        name = dataset
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features), citation=citation
            )

        def _split_generators(self, dl_manager):
            return {"examples": self._generate_examples()}

        def _generate_examples(self):
            for example in read(archive):
                yield example["name"], example

    digest = hashlib.sha256(archive.read_bytes()).hexdigest()[:16]
    builder = Builder(data_dir=Path(tfds.core.constants.DATA_DIR) / "kerasadv" / digest)
    home = Path(builder.data_dir)
    home.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(f"{home}.lock"):  # Other workers may be about to do the same.
            builder.download_and_prepare()
    except AssertionError:  # What tensorflow-datasets says of no examples, or two of one name.
        raise DataError(f"{archive}: expected {source}, with images of different names") from None
    examples = builder.as_dataset(split="examples", shuffle_files=False).as_numpy_iterator()
    return [example | {"name": example["name"].decode()} for example in examples]
