"""Adds weights to the tables, checks them, and makes the folder that a web server serves."""

import dataclasses
import importlib
import os
import re
import shlex
import shutil
import tempfile
from pathlib import Path

import h5py
import numpy as np

from kerasadv.training.run_files import MEASURED, MODEL, read_json, write_json
from zoo import cards, catalogue, models
from zoo.download import check_file, digest
from zoo.weights import fingerprint

# The function in `zoo` that builds the model of a folder.
MODELS = {
    "dcgan": "DCGANGenerator",
    "noisy_labels": "ResidualClassifier",
    "style_transfer": "StyleTransfer",
    "unet": "UNet",
}
MANIFEST = "manifest.json"
# Fields of recipes that say where files lay on the machine of a training, which helps nobody.
_PLACES = ("data_dir", "styles", "vgg")
# How far outputs of other processors and releases may be off, of the largest number.
_TOLERANCE = 1e-3


def add(run: Path, name: str, data: str, licence: str) -> catalogue.Published:
    """Publish what a training left: copy it beside the code and write its row into the table.

    Args:
        run: The folder that the training left; what `measured.json` there holds goes before its
            result.
        name: As `"unet/dsb2018"`: the folder of the model, and the name of the weights.
        data: What it learned from.
        licence: The licence of that.

    Raises:
        ValueError: If the name has no such model, the folder is not that of a finished run, or the
            weights were saved with an optimizer.
    """
    folder, _, short = name.partition("/")
    if folder not in MODELS or not re.fullmatch("[a-z0-9_]+", short):
        raise ValueError(f"name: expected FOLDER/NAME of {', '.join(MODELS)}. Received: {name!r}")
    for file in (MODEL, "model.weights.h5", "recipe.json", "result.json"):
        if not (run / file).is_file():
            raise ValueError(f"{run}: holds no {file}, which a finished training leaves")
    target = catalogue.BESIDE / f"{folder}-{short}"
    defaults = {field.name: field.default for field in dataclasses.fields(_recipe(folder))}
    recipe = read_json(run / "recipe.json")
    # "random" is the only one that is no place.
    recipe |= {k: defaults[k] for k in _PLACES if k in recipe and recipe[k] != "random"}
    arguments, result = read_json(run / MODEL), read_json(run / "result.json")
    labels = arguments.pop("styles", [])
    if labels:
        arguments["num_styles"] = len(labels)
    path = run / "model.weights.h5"
    with h5py.File(path, "r") as file:
        if "optimizer" in file:
            raise ValueError(f"{path}: expected weights alone. Received: those of an optimizer too")
    if (run / MEASURED).is_file():  # First, so that a table shows them.
        result = read_json(run / MEASURED) | result
    row = catalogue.Published(
        model=MODELS[folder],
        file=f"{target.name}/{path.name}",
        size=path.stat().st_size,
        sha256=digest(path),
        arguments=arguments,
        fingerprint=fingerprint(getattr(models, MODELS[folder])(**arguments, weights=path)),
        data=data,
        licence=licence,
        result={k: v for k, v in result.items() if isinstance(v, (int, float)) and k != "minutes"},
        command=command(folder, recipe),
        minutes=result.get("minutes"),
        labels=labels,
    )
    # Nothing is written before everything has been found right, and nothing of an older
    # publication is touched before all of the new one is on the disk.
    rows = catalogue.table(folder) | {short: row}
    rows = {key: rows[key] for key in sorted(rows)}
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as new:
        for file in (MODEL, "result.json", MEASURED, "model.weights.h5"):
            if (run / file).is_file():
                shutil.copyfile(run / file, Path(new) / file)
        write_json(Path(new) / "recipe.json", recipe)
        table = catalogue.HOME / folder / catalogue.TABLE
        write_json(table, {key: dataclasses.asdict(row) for key, row in rows.items()})
        for path in Path(new).iterdir():
            os.replace(path, target / path.name)
    if cards.card(folder).is_file():
        cards.fill(cards.card(folder), cards.WEIGHTS, cards.weights_table(rows))
    return row


def command(folder: str, recipe: dict) -> str:
    """The command line of a training, from the recipe that it left."""
    words = [f"python -m zoo.{folder}.train"]
    for field in dataclasses.fields(_recipe(folder)):
        value = recipe.get(field.name, field.default)
        if field.name in _PLACES and value is None:
            value = "PATH"
        if value != field.default:
            words.append(f"--{field.name.replace('_', '-')} {shlex.quote(str(value))}")
    return " ".join(words)


def _copy(source: Path, target: Path) -> None:
    """Copy a file onto one that may be in use."""
    partial = target.with_name(target.name + ".partial")
    shutil.copyfile(source, partial)
    os.replace(partial, target)


def _recipe(folder: str):
    return importlib.import_module(f"zoo.{folder}.train").Recipe


def verify(row: catalogue.Published) -> str:
    """What is wrong with the files of a row, on this machine; nothing if they are as published."""
    paths = catalogue.everywhere(row)
    for path in paths:
        try:
            check_file(path, row.size, row.sha256)
            made = fingerprint(getattr(models, row.model)(**row.arguments, weights=path))
        except ValueError as error:
            return str(error)
        limit = _TOLERANCE * max(map(abs, row.fingerprint))
        alike = len(made) == len(row.fingerprint)
        if not alike or not np.allclose(made, row.fingerprint, rtol=0, atol=limit):
            return f"{path}: expected the fingerprint {row.fingerprint}. Received: {made}"
    return "" if paths else "not here"


def publish(folder: Path) -> list[Path]:
    """Fill a folder for any static web server: weights, cards and a manifest of all tables.

    Returns:
        The files in it.

    Raises:
        zoo.download.WeightsMissing, zoo.download.WeightsMismatch: If weights are not here, or bad.
    """
    rows, made = catalogue.tables(), []
    folder.mkdir(parents=True, exist_ok=True)
    for row in rows.values():
        source, target = catalogue.find(row), folder / catalogue.address(row)
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy(source, target)
        made.append(target)
    for name in sorted({name.split("/")[0] for name in rows}):
        home = cards.card(name).parent
        # A card and its pictures, in a folder of their own, so that its links lead to them.
        for path in sorted([*home.glob("README.md"), *home.glob("*.webp")]):
            (folder / name).mkdir(exist_ok=True)
            made.append(Path(shutil.copyfile(path, folder / name / path.name)))
    # Last: who finds it finds all the rest.
    write_json(folder / MANIFEST, {name: dataclasses.asdict(row) for name, row in rows.items()})
    return [*made, folder / MANIFEST]
