"""The command line of a training: a recipe and a run folder, made or gone on with."""

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from kerasadv.training import recipe as recipes
from kerasadv.training.loss_terms import NotANumber
from kerasadv.training.run_files import read_json

R = TypeVar("R")


def command(
    program: str,
    about: str | None,
    recipe: type[R],
    train: Callable[[R, Path], object],
    movable: Sequence[str] = ("data_dir",),
    argv: Sequence[str] | None = None,
) -> tuple[Path, dict]:
    """Parse options, train in a new folder or go on in an old one, and give back the result.

    Every field of the recipe is an option; `--output` names the folder and `--resume` one to go on
    in, with the recipe that lies there. What is wrong ends the program with one line; so does
    Ctrl-C, with the command that goes on.

    Args:
        program: Name of the module, as in `python -m NAME`.
        about: What `--help` begins with.
        recipe: The frozen dataclass, its fields made with `recipe.field`; one of them is `data`.
        train: Takes a recipe and the folder, and leaves `recipe.json` there before it trains and
            `result.json` as the last thing.
        movable: Fields that only say where files are, which may have moved since a run began.
        argv: The options; those of the process by default.

    Returns:
        The folder and the contents of its `result.json`.
    """
    name = f"python -m {program}"
    family = program.split(".")[-2]
    parser = argparse.ArgumentParser(
        name, description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    recipes.add_arguments(parser, recipe)
    parser.add_argument(
        "--output", metavar="RUN", help=f"folder to make (default: runs/{family}-...)"
    )
    parser.add_argument("--resume", metavar="RUN", help="go on with the training in this folder")
    options = vars(parser.parse_args(argv))
    output, resume = options.pop("output"), options.pop("resume")
    data = options.get("data", recipe.data)  # type: ignore[attr-defined]
    made = time.strftime("%Y%m%d-%H%M%S")
    run = Path(resume or output or f"runs/{family}-{data}-{made}")
    try:
        if resume:
            chosen = _resumed(
                run, recipe, options | ({"output": output} if output else {}), movable
            )
        else:
            chosen = recipe(**options)
            if run.exists() and (not run.is_dir() or any(run.iterdir())):
                go_on = f"go on with --resume {run}, or " if _recipe_of(run).exists() else ""
                raise ValueError(f"{run}: is there already; {go_on}name another")
        if (run / "result.json").exists():  # The last thing that a training leaves.
            print(f"{run}: has finished already")
        else:
            train(chosen, run)
        return run, read_json(run / "result.json")
    except (ValueError, OSError, NotANumber) as error:
        # One line: what is wrong, and with what. Every argument and file is named in it.
        sys.exit(f"error: {(str(error) or repr(error)).splitlines()[0]}")
    except KeyboardInterrupt:
        if _recipe_of(run).exists():
            print(f"\nstopped; to go on: {name} --resume {run}")
        sys.exit(130)


def _resumed(run: Path, recipe: type[R], given: dict[str, Any], movable: Sequence[str]) -> R:
    """The recipe of a run; its files may have moved since, nothing else may change."""
    if not _recipe_of(run).exists():
        raise ValueError(f"{run}: holds no run to resume, which would have a recipe.json")
    other = sorted(set(given) - set(movable))
    if other:
        raise ValueError(
            f"--resume: goes on with the recipe of the run; give {_options(movable)} with it, if "
            f"files have moved, and nothing else. Received: {_options(other)}"
        )
    return dataclasses.replace(recipes.load(_recipe_of(run), recipe), **given)  # type: ignore


def _options(fields: Sequence[str]) -> str:
    return ", ".join(f"--{field.replace('_', '-')}" for field in fields)


def _recipe_of(run: Path) -> Path:
    return run / "recipe.json"
