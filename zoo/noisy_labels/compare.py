"""Trains with each loss at each share of wrong labels, and draws what became of it.

python -m zoo.noisy_labels.compare --data fashion_mnist --data-dir PATH --search
python -m zoo.noisy_labels.compare --data fashion_mnist --data-dir PATH

Whatever has finished is not trained again and whatever was stopped goes on, so this may be stopped,
and started twice at a time with other --noise, --losses or --seeds.
"""

import argparse
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import keras

import kerasadv
from kerasadv.data import DataError
from kerasadv.training import recipe as recipes
from kerasadv.training.run_files import read_json, write_json, write_text
from zoo.noisy_labels import data as datasets
from zoo.noisy_labels.curves import draw_curves
from zoo.noisy_labels.noise import parse
from zoo.noisy_labels.train import Recipe, check, train

LOSSES = {
    "crossentropy": "cross-entropy",
    "generalized_crossentropy": "generalized cross-entropy",
    "bi_tempered": "bi-tempered",
}


class Setting(NamedTuple):
    """What is chosen for each loss at each noise."""

    learning_rate: float
    t1: float = Recipe.t1
    t2: float = Recipe.t2


# What the search tries; q of generalized cross-entropy is 1 - t1, and its authors' q is 0.7.
CANDIDATES = {
    "crossentropy": [Setting(rate) for rate in (0.0003, 0.001, 0.003, 0.01)],
    "generalized_crossentropy": [Setting(rate, 0.3) for rate in (0.003, 0.01, 0.03)],
    "bi_tempered": [
        *(Setting(rate, 0.8, 1.2) for rate in (0.001, 0.003, 0.01)),
        Setting(0.003, 0.5, 2.0),
        *(Setting(rate, 0.2, 4.0) for rate in (0.01, 0.03, 0.1)),
    ],
}
# Where nothing was searched: what was found on Fashion-MNIST at 40 %.
SETTINGS = {
    "crossentropy": Setting(0.0003),
    "generalized_crossentropy": Setting(0.01, 0.3),
    "bi_tempered": Setting(0.1, 0.2, 4.0),
}


def search(basis: Recipe, noises: list[str], losses: list[str], output: Path) -> None:
    """Train once, with seed 0, for each candidate; write the best of each loss and noise down.

    The best has the highest accuracy on the validation part, whose labels are as wrong as those of
    training, after the last epoch: it takes no right label to choose it.
    """
    for noise in noises:
        for loss in losses:
            for setting in CANDIDATES[loss]:
                recipe = _recipe(basis, noise, loss, setting, seed=0)
                name = "-".join(f"{value:g}" for value in setting)
                try:
                    train_once(recipe, output / "search" / _folder(noise) / f"{loss}-{name}")
                except kerasadv.training.NotANumber as error:  # Then it is not the best.
                    print(f"noise {noise}, {loss}-{name}: {error}")
    settings = searched(output)
    for noise, by_loss in settings.items():
        for loss, found in by_loss.items():
            print(f"noise {noise}, {loss}: {found}")


def searched(output: Path) -> dict[str, dict[str, dict[str, float]]]:
    """The best setting for each noise and loss of all trials that have finished; writes it too."""
    settings: dict[str, dict[str, dict[str, float]]] = {}
    table = []
    for recipe, result, _ in finished(output / "search"):
        best = settings.setdefault(recipe.noise, {})
        accuracy = result["validation_accuracy"]
        cells = [_title(recipe.noise), LOSSES[recipe.loss], _setting(recipe)]
        cells += [f"{100 * value:.1f}" for value in (accuracy, result["test_accuracy"])]
        table.append(_row(cells))
        if accuracy > best.get(recipe.loss, {}).get("validation_accuracy", -1):
            setting = Setting(recipe.learning_rate, recipe.t1, recipe.t2)
            best[recipe.loss] = {**setting._asdict(), "validation_accuracy": accuracy}
    if settings:
        write_json(output / "settings.json", settings)
        write_text(output / "search.md", _SEARCH_HEAD + "".join(table))
    return settings


def compare(
    basis: Recipe, noises: list[str], losses: list[str], seeds: list[int], output: Path
) -> None:
    """Train each loss at each noise with each seed, with the settings found by `search`."""
    settings = searched(output)
    for seed in seeds:
        for noise in noises:
            for loss in losses:
                found = settings.get(noise, {}).get(loss)
                setting = SETTINGS[loss]
                if found:
                    setting = Setting(found["learning_rate"], found["t1"], found["t2"])
                recipe = _recipe(basis, noise, loss, setting, seed)
                train_once(recipe, output / "grid" / _folder(noise) / f"{loss}-{seed}")
                summarize(output)


def train_once(recipe: Recipe, run: Path) -> None:
    """Train by a recipe in a folder, from where it was stopped if it was; not if it has finished.

    Raises:
        DataError: If the folder holds a training by another recipe.
    """
    if (run / "recipe.json").exists():
        before = recipes.load(run / "recipe.json", Recipe)
        if dataclasses.replace(before, data_dir=recipe.data_dir) != recipe:
            raise DataError(f"{run}: was trained with other settings; move it away to train anew")
    if (run / "result.json").exists():
        return
    data = datasets.load(recipe.data, recipe.data_dir, recipe.noise, recipe.seed)
    check(recipe, data)
    print(f"\n{run}", flush=True)
    train(recipe, data, run)
    keras.backend.clear_session()  # Dozens of models would fill the memory.


def finished(folder: Path) -> Iterator[tuple[Recipe, dict, list[dict]]]:
    """Recipe, result and history of each training in a folder that has finished."""
    for path in sorted(folder.glob("*/*/result.json")):
        yield (
            recipes.load(path.with_name("recipe.json"), Recipe),
            read_json(path),
            read_json(path.with_name("history.json")),
        )


def summarize(output: Path) -> None:
    """Write `results.json`, `results.md` and `curves.png` of all trainings that have finished."""
    rows = list(finished(output / "grid"))
    noises = sorted({recipe.noise for recipe, _, _ in rows}, key=_order)
    table: list[str] = []
    panels: dict[str, dict[str, list]] = {}
    for noise in noises:
        panels[_title(noise)] = {}
        for loss, called in LOSSES.items():
            some = [row for row in rows if (row[0].noise, row[0].loss) == (noise, loss)]
            if some:
                table.append(_line(called, noise, some))
                curves = [[epoch["test_accuracy"] for epoch in row[2]] for row in some]
                panels[_title(noise)][called] = curves
    runs = [{"recipe": dataclasses.asdict(row[0]), "result": row[1]} for row in rows]
    write_json(output / "results.json", runs)
    write_text(output / "results.md", _HEAD + "".join(table))
    draw_curves(
        panels, "Test accuracy, on right labels; thick: mean of the seeds", output / "curves.png"
    )


_SEARCH_HEAD = """\
Accuracy in percent after the last epoch, seed 0: on the validation part, with its wrong labels,
which is what settings are chosen by, and on the test part, whose labels are right.

| noise | loss | learning rate, t1, t2 | validation | test |
|---|---|---|---|---|
"""
_HEAD = """\
Test accuracy in percent, on right labels: mean over seeds and, in brackets, their range. Settings
were chosen with wrong labels in the validation part; the best epoch only those know who have right
labels. Repeated: wrong labels that the model has learnt by heart. Found: wrong labels among as many
of the most suspicious.

| noise | loss | learning rate, t1, t2 | seeds | last epoch | best epoch | repeated | found |
|---|---|---|---|---|---|---|---|
"""


def _line(called: str, noise: str, rows: list[tuple[Recipe, dict, list[dict]]]) -> str:
    keys = (
        "test_accuracy",
        "best_test_accuracy",
        "wrong_labels_memorized",
        "wrong_among_most_suspicious",
    )
    cells = [_mean_and_range([row[1][key] for row in rows if key in row[1]]) for key in keys]
    return _row([_title(noise), called, _setting(rows[0][0]), str(len(rows)), *cells])


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _setting(recipe: Recipe) -> str:
    used = {"crossentropy": 1, "generalized_crossentropy": 2, "bi_tempered": 3}[recipe.loss]
    return ", ".join(f"{value:g}" for value in (recipe.learning_rate, recipe.t1, recipe.t2)[:used])


def _mean_and_range(values: list[float]) -> str:
    if not values:
        return ""
    mean, low, high = (
        100 * value for value in (sum(values) / len(values), min(values), max(values))
    )
    return f"{mean:.1f}" + (f" ({low:.1f} to {high:.1f})" if len(values) > 1 else "")


def _title(noise: str) -> str:
    kind, _, share = noise.rpartition(":")
    return f"{float(share):.0%} wrong" + (f", {kind.replace('_', ' ')}" if kind else "")


def _order(noise: str):
    kind, _, share = noise.rpartition(":")
    return kind, float(share)


def _folder(noise: str) -> str:
    return f"noise-{noise.replace(':', '-')}"


def _recipe(basis: Recipe, noise: str, loss: str, setting: Setting, seed: int) -> Recipe:
    changes = {"noise": noise, "loss": loss, "seed": seed, **setting._asdict()}
    return dataclasses.replace(basis, **changes)


class _Help(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """The text as it is written, and every default."""


def main(argv: list[str] | None = None) -> None:
    """The command line: search, or train the grid."""
    parser = argparse.ArgumentParser(
        "python -m zoo.noisy_labels.compare",
        description=__doc__,
        formatter_class=_Help,
    )
    add = parser.add_argument
    add("--data", choices=["digits", "fashion_mnist", "folder"], default="digits", help="the set")
    add("--data-dir", metavar="DIR", help="directory with the files of the set")
    add("--output", metavar="DIR", default="runs/noisy_labels", type=Path, help="where all goes")
    add("--search", action="store_true", help="choose settings, with seed 0, instead")
    noises = ["0", "0.2", "0.4", "0.6"]
    add("--noise", nargs="+", default=noises, metavar="NOISE", help="each as in train")
    add("--losses", nargs="+", choices=list(LOSSES), default=list(LOSSES), help="some or all")
    add("--seeds", nargs="+", type=int, default=[1, 2, 3], metavar="SEED", help="not in a search")
    add("--epochs", type=int, default=Recipe.epochs, help="of each training")
    add("--activation", default=Recipe.activation, help="prelu, elu, or any of Keras")
    options = parser.parse_args(argv)
    basis = Recipe(
        data=options.data,
        data_dir=options.data_dir,
        epochs=options.epochs,
        activation=options.activation,
    )
    try:
        for noise in options.noise:
            parse(noise)
        options.output.mkdir(parents=True, exist_ok=True)
        if options.search:
            search(basis, options.noise, options.losses, options.output)
        else:
            compare(basis, options.noise, options.losses, options.seeds, options.output)
    except (ValueError, OSError, kerasadv.training.NotANumber) as error:
        sys.exit(f"error: {(str(error) or repr(error)).splitlines()[0]}")
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here")
        sys.exit(130)


if __name__ == "__main__":
    main()
