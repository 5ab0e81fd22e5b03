"""Adds weights to the tables, checks them, and makes the folder that a web server serves."""

import dataclasses
import importlib
import os
import re
import shlex
import shutil
from pathlib import Path

import numpy as np

from kerasadv.training.run_files import MODEL, read_json, write_json
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
        run: The folder that the training left.
        name: As `"unet/dsb2018"`: the folder of the model, and the name of the weights.
        data: What it learned from.
        licence: The licence of that.

    Raises:
        ValueError: If the name has no such model, or the folder is not that of a finished run.
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
    # Nothing is written before everything has been found right.
    target.mkdir(parents=True, exist_ok=True)
    if target.resolve() != run.resolve():
        for file in (MODEL, "result.json", "model.weights.h5"):
            _copy(run / file, target / file)
        write_json(target / "recipe.json", recipe)
    rows = catalogue.table(folder) | {short: row}
    table = catalogue.HOME / folder / catalogue.TABLE
    rows = {key: rows[key] for key in sorted(rows)}
    write_json(table, {key: dataclasses.asdict(row) for key, row in rows.items()})
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
    """What is wrong with the file of a row, on this machine; nothing if it is as published."""
    path = catalogue.here(row)
    if path is None:
        return "not here"
    try:
        check_file(path, row.size, row.sha256)
        made = fingerprint(getattr(models, row.model)(**row.arguments, weights=path))
    except ValueError as error:
        return str(error)
    limit = _TOLERANCE * max(map(abs, row.fingerprint))
    alike = len(made) == len(row.fingerprint)
    if not alike or not np.allclose(made, row.fingerprint, rtol=0, atol=limit):
        return f"{path}: expected the fingerprint {row.fingerprint}. Received: {made}"
    return ""


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
        card = cards.card(name)
        if card.is_file():
            made.append(Path(shutil.copyfile(card, folder / f"{name}.md")))
    # Last: who finds it finds all the rest.
    write_json(folder / MANIFEST, {name: dataclasses.asdict(row) for name, row in rows.items()})
    return [*made, folder / MANIFEST]
