"""The images a U-Net learns from: drawn ones, three public sets, or a folder of your own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kerasadv.data import DataError, Example, read_folder, read_image, read_mask, split_by_name
from kerasadv.data.archives import Archive, find_archive, prepared
from kerasadv.data.files import check_size
from zoo.unet.cells import draw_cells


class Data(NamedTuple):
    """Examples to train on, examples held back, and the names of the classes."""

    training: list[Example]
    held_back: list[Example]
    classes: list[str]


def load(name: str, data_dir: str | None = None) -> Data:
    """Load a set of images and masks and hold a tenth of it back, by a hash of the names.

    Args:
        name: `"cells"` (drawn, needs nothing), `"dsb2018"`, `"isbi2012"`, `"magnetic_tile"` (their
            archives lie in `data_dir`), or `"folder"` (`images/` and `masks/` in `data_dir`).
        data_dir: The directory.

    Returns:
        The data.

    Raises:
        DataError: If something is wrong with the directory or a file in it.
    """
    if name == "cells":
        examples, classes = draw_cells(), ["background", "cell"]
    elif data_dir is None:
        where = SETS[name].source if name in SETS else "folders images/ and masks/"
        raise DataError(f"{name}: name the directory that holds {where} with --data-dir")
    elif name == "folder":
        examples, classes = read_folder(data_dir)
    else:
        examples, classes = _prepared(SETS[name], data_dir), SETS[name].classes
    if len(examples) < 2:
        raise DataError(f"{data_dir}: holds {len(examples)} images; it takes two, one to hold back")
    held_back = split_by_name(e.name for e in examples)
    if len(held_back) == len(examples):
        raise DataError(f"{data_dir}: all its images are held back by their names; add some more")
    training = [e for e in examples if e.name not in held_back]
    if not any(e.mask.any() for e in training):
        raise DataError(f"{data_dir}: the masks of its training images hold nothing but background")
    return Data(training, [e for e in examples if e.name in held_back], classes)


class Set(NamedTuple):
    """A public set: its archives, how to read them, and what tensorflow-datasets says of it."""

    name: str
    archives: dict[str, Callable[[Path], Iterator[Example]]]
    source: str
    channels: int
    classes: list[str]
    citation: str


def _dsb2018_repacked(path: Path) -> Iterator[Example]:
    with _Archive(path) as archive:
        for image in archive.files("images/"):
            mask = f"instances/{Path(image).stem}.png"
            # Instance numbers become 0 and 1; they may need 16 bits, so not `read_mask`.
            instances = np.asarray(archive.picture(mask))
            yield archive.example(Path(image).stem, image, mask, (instances > 0).astype("uint8"))


def _dsb2018_kaggle(path: Path) -> Iterator[Example]:
    with _Archive(path) as archive:
        for image in archive.files("", "/images/"):
            folder = image.split("/images/")[0]
            nuclei = archive.files(f"{folder}/masks/")
            masks = [np.asarray(archive.picture(n).convert("L")) > 0 for n in nuclei]
            if len({mask.shape for mask in masks}) != 1:
                raise DataError(f"{path}: {folder}/masks: expected masks, all of one size")
            mask = np.any(masks, axis=0).astype("uint8")
            yield archive.example(Path(image).stem, image, folder, mask)


def _isbi2012(path: Path) -> Iterator[Example]:
    with _Archive(path) as archive:
        for image in archive.files("image/"):
            name = f"label/{Path(image).stem}.png"
            interior = read_mask(archive.read(name), 2, f"{path}: {name}")
            yield archive.example(Path(image).stem, image, name, 1 - interior, channels=1)


def _magnetic_tile(path: Path) -> Iterator[Example]:
    with _Archive(path) as archive:
        for image in archive.files("", ".jpg"):
            name = f"{image[:-4]}.png"
            mask = read_mask(archive.read(name), 2, f"{path}: {name}")
            yield archive.example(image[:-4].replace("/", "-"), image, name, mask, channels=1)


_SETS = (
    Set(
        name="dsb2018",
        archives={"dsb2018_stage1.zip": _dsb2018_repacked, "stage1_train.zip": _dsb2018_kaggle},
        source="stage1_train.zip of the 2018 Data Science Bowl (kaggle.com, or BBBC038)",
        channels=3,
        classes=["background", "nucleus"],
        citation="Caicedo et al., Nucleus segmentation across imaging experiments, 2019",
    ),
    Set(
        name="isbi2012",
        archives={"isbi2012_train.zip": _isbi2012},
        source="isbi2012_train.zip with image/NN.png and label/NN.png",
        channels=1,
        classes=["interior", "membrane"],
        citation="Arganda-Carreras et al., Crowdsourcing the creation of image segmentation "
        "algorithms for connectomics, 2015",
    ),
    Set(
        name="magnetic_tile",
        archives={"mtd_small.zip": _magnetic_tile},
        source="mtd_small.zip with CLASS/name.jpg and CLASS/name.png",
        channels=1,
        classes=["intact", "defect"],
        citation="Huang et al., Surface defect saliency of magnetic tile, 2020",
    ),
)
SETS = {dataset.name: dataset for dataset in _SETS}


class _Archive(Archive):
    def example(self, name, image_name, mask_name, mask, channels=3) -> Example:
        image = read_image(self.read(image_name), channels, f"{self.path}: {image_name}")
        check_size(image, mask, f"{self.path}: {mask_name}")
        return Example(name, image, mask)


def _prepared(dataset: Set, data_dir: str) -> list[Example]:
    """Examples of a set, prepared by tensorflow-datasets once per archive."""
    path = find_archive(data_dir, list(dataset.archives), dataset.source)

    def read(path: Path):
        for e in dataset.archives[path.name](path):
            yield {"name": e.name, "image": e.image, "mask": e.mask[..., None]}

    images = {"image": dataset.channels, "mask": 1}
    examples = prepared(dataset.name, path, read, images, dataset.source, dataset.citation)
    return [Example(e["name"], e["image"], e["mask"][..., 0]) for e in examples]
