"""The pictures a classifier learns from, and the labels it is told, some of which are wrong."""

import functools
import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from kerasadv.data import DataError, read_image, split_by_name
from kerasadv.data.files import pictures
from zoo.noisy_labels.digits import draw_digits
from zoo.noisy_labels.noise import corrupt, parse


class Data(NamedTuple):
    """Three parts of a set of pictures. The noise is in the first two and never in the third."""

    images: np.ndarray  # uint8, (number, height, width, channels), to train on
    labels: np.ndarray  # those that training is given, int64, (number,)
    true_labels: np.ndarray  # those that are right, for the report
    names: list[str]  # of the pictures to train on
    validation_images: np.ndarray
    validation_labels: np.ndarray  # With noise: who has no clean labels cannot choose by them.
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: list[str]


class _Parts(NamedTuple):
    """What a set holds before any noise."""

    training: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    names: list[str]
    classes: list[str]


def load(name: str, data_dir: str | None = None, noise: str = "0", seed: int = 0) -> Data:
    """Load a set of labelled pictures and make some labels of all but the test part wrong.

    Args:
        name: `"digits"` (drawn, needs nothing), `"fashion_mnist"` (its four original files lie in
            `data_dir`), or `"folder"` (a folder of pictures per class in `data_dir`).
        data_dir: The directory.
        noise: As `zoo.noisy_labels.noise.corrupt` takes it. The labels of a folder are believed to
            be right before that.
        seed: Of the noise. The split does not depend on it.

    Returns:
        The data.

    Raises:
        DataError: If something is wrong with the directory or a file in it.
        ValueError: If the noise is none that there is, or the seed negative.
    """
    parse(noise)  # What is none fails before anything is read.
    if seed < 0:
        raise ValueError(f"`seed`: expected a whole number of at least 0. Received: seed={seed}")
    if name == "digits":
        parts = _digits()
    elif name == "fashion_mnist":
        parts = _fashion_mnist(data_dir)
    elif name == "folder":
        parts = _folder(data_dir)
    else:
        raise DataError(f"data: expected digits, fashion_mnist or folder. Received: {name!r}")
    (images, labels), (validation_images, validation_labels), test, names, classes = parts
    return Data(
        images,
        corrupt(images, labels, len(classes), noise, [seed, 0]),
        labels,
        names,
        validation_images,
        corrupt(validation_images, validation_labels, len(classes), noise, [seed, 1]),
        *test,
        classes,
    )


@functools.cache  # The comparison loads them for each of its trainings.
def _digits() -> _Parts:
    parts = [draw_digits(number, seed) for seed, number in enumerate((2000, 500, 1000))]
    names = [f"digit-{k:04}" for k in range(2000)]
    return _Parts(parts[0], parts[1], parts[2], names, list("0123456789"))


def _fashion_mnist(data_dir: str | None) -> _Parts:
    splits = ("train[:20000]", "train[20000:25000]", "test")
    (training, validation, test), classes = fashion_mnist(data_dir, splits)
    return _Parts(training, validation, test, [f"train-{k:05}" for k in range(20000)], classes)


def fashion_mnist(
    data_dir: str | None, splits: Sequence[str]
) -> tuple[list[tuple[np.ndarray, np.ndarray]], list[str]]:
    """Parts of Fashion-MNIST, read by tensorflow-datasets from its four original files.

    Args:
        data_dir: The directory that holds them; once they have been read, it may be `None`.
        splits: Parts as tensorflow-datasets names them, such as `"train[:20000]"`.

    Returns:
        For each part its images, uint8, `(number, 28, 28, 1)`, and their labels, int64; and the
        names of the classes.

    Raises:
        DataError: If something is wrong with the directory or a file in it.
    """
    import tensorflow_datasets as tfds  # Takes seconds to import, and only this set needs it.

    builder = tfds.builder("fashion_mnist")
    if not builder.is_prepared():
        _prepare(builder, data_dir)
    parts = []
    # In the order of tensorflow-datasets, which is shuffled, and the same everywhere.
    for split in splits:
        part = builder.as_dataset(split=split, batch_size=-1, shuffle_files=False)
        part = tfds.as_numpy(part)
        parts.append((part["image"], part["label"].astype("int64")))
    return parts, builder.info.features["label"].names


def _prepare(builder, data_dir: str | None) -> None:
    """Let tensorflow-datasets read the original files, without a network."""
    import tensorflow_datasets as tfds

    expected = {Path(url).name: info for url, info in builder.url_infos.items()}
    files = ", ".join(sorted(expected))
    if data_dir is None:
        raise DataError(f"fashion_mnist: name the directory that holds {files} with --data-dir")
    root = Path(data_dir)
    if not root.is_dir():
        raise DataError(f"{root}: there is no such directory; name the one with {files}")
    found = {name: path for name in expected for path in sorted(root.rglob(name))}
    for name in sorted(set(expected) - set(found)):
        raise DataError(f"{root}: holds no {name}; put {files} there")
    for name, path in found.items():
        # tensorflow-datasets would try to download what it finds to be another file.
        if hashlib.sha256(path.read_bytes()).hexdigest() != expected[name].checksum:
            raise DataError(f"{path}: is not the original file of Fashion-MNIST, or is damaged")
    # Apart from what other sets download: theirs have files of the same names. And the directory
    # of the data may be read-only.
    with tempfile.TemporaryDirectory() as apart:
        manual = Path(apart) / "manual"
        manual.mkdir()
        for name, path in found.items():
            (manual / name).symlink_to(path.resolve())
        builder.download_and_prepare(
            download_dir=apart,
            download_config=tfds.download.DownloadConfig(manual_dir=manual),
        )


def _folder(data_dir: str | None, size: int = 28) -> _Parts:
    """A folder of pictures per class; the middle square of each, in grey, reduced to one size."""
    if data_dir is None:
        raise DataError(
            "folder: name the directory with a folder of pictures per class (--data-dir)"
        )
    root = Path(data_dir)
    if not root.is_dir():
        raise DataError(f"{root}: there is no such directory; name the one with your classes")
    classes = sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    if len(classes) < 2:
        raise DataError(f"{root}: expected two folders or more, one per class; found {classes}")
    labels = {p: k for k, c in enumerate(classes) for p in pictures(root / c)}
    names = {path: path.relative_to(root).as_posix() for path in labels}
    test = split_by_name(names.values())
    # A tenth to test on and, by a hash of its own, a tenth to validate on.
    validation = {n.removeprefix("v ") for n in split_by_name(f"v {n}" for n in names.values())}
    arrays: dict[str, list] = {"training": [], "validation": [], "test": []}
    kept, errors = [], []
    for path, label in labels.items():
        name = names[path]
        part = "test" if name in test else "validation" if name in validation else "training"
        try:
            picture = Image.fromarray(read_image(path, 1)[..., 0])
        except DataError as error:  # All of them at once: there may be many pictures.
            errors.append(error)
            continue
        middle = ImageOps.fit(picture, (size, size), Image.Resampling.LANCZOS)
        arrays[part].append((np.asarray(middle)[..., None], label))
        if part == "training":
            kept.append(name)
    if errors:
        raise DataError("; ".join(map(str, errors)))
    for part, rows in arrays.items():
        if not rows:
            raise DataError(f"{root}: leaves no pictures for the {part} part; add some more")
    training, held_back, last = (
        (np.stack([image for image, _ in rows]), np.array([label for _, label in rows]))
        for rows in arrays.values()
    )
    return _Parts(training, held_back, last, kept, classes)
