"""The command line of a training: a recipe and a run folder, made or gone on with."""

import argparse
import dataclasses
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import tensorflow as tf

from kerasadv.training import cluster
from kerasadv.training import recipe as recipes
from kerasadv.training.checkpoint import Terminated
from kerasadv.training.distribution import strategy
from kerasadv.training.loss_terms import NotANumber
from kerasadv.training.run_files import read_json

R = TypeVar("R")


def command(
    program: str,
    about: str | None,
    recipe: type[R],
    train: Callable[[R, Path], object],
    movable: Sequence[str] = ("data_dir", "strategy"),
    argv: Sequence[str] | None = None,
) -> tuple[Path, dict]:
    """Parse options, train in a new folder or go on in an old one, and give back the result.

    Every field of the recipe is an option; `--output` names the folder, where a training of the
    same recipe goes on, and `--resume` one to go on in with the recipe that lies there. What is
    wrong ends the program with one line; so do Ctrl-C and SIGTERM, with the command that goes on.
    With the strategy `multi_worker` all workers train, and all but the first end here.

    Args:
        program: Name of the module, as in `python -m NAME`.
        about: What `--help` begins with.
        recipe: The frozen dataclass, its fields made with `recipe.field`; one of them is `data`.
        train: Takes a recipe and the folder, and leaves `recipe.json` there before it trains and
            `result.json` as the last thing.
        movable: Fields that only say where files are, or which devices compute: they may have
            changed since a run began.
        argv: The options; those of the process by default.

    Returns:
        The folder and the contents of its `result.json`, with `minutes`, "?" if nobody knows.
    """
    name = f"python -m {program}"
    family = program.split(".")[-2]
    fields = [field.name for field in dataclasses.fields(recipe)]  # type: ignore[arg-type]
    movable = [field for field in movable if field in fields]
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
    # Workers that were launched together, and those that take their place, share a folder.
    made = float(os.environ.get("KERASADV_LAUNCHED", time.time()))
    named = f"runs/{family}-{data}-%Y%m%d-%H%M%S"
    run = Path(resume or output or time.strftime(named, time.localtime(made)))
    try:
        if resume:
            chosen = _resumed(
                run, recipe, options | ({"output": output} if output else {}), movable
            )
        else:
            chosen = recipe(**options)
            _check_folder(run, chosen, recipe, movable)
        # Workers find each other before anything is computed.
        workers = strategy(getattr(chosen, "strategy", "none"))
        chief = cluster.is_chief(workers)
        if not (resume or output):  # Where each was started by itself, by the clock of the first.
            run = Path(time.strftime(named, time.localtime(cluster.of_chief(workers, made))))
        if not (run / "result.json").exists():  # The last thing that a training leaves.
            train(chosen, run)
        elif chief:
            print(f"{run}: has finished already")
        if not chief:
            sys.exit()
        # Of some trainings that have finished, nobody kept the time.
        return run, {"minutes": "?"} | read_json(run / "result.json")
    except (ValueError, OSError, NotANumber) as error:
        # One line: what is wrong, and with what. Every argument and file is named in it.
        if isinstance(error, OSError) and error.errno and not error.filename:
            error.filename = str(run)  # A disk that is full does not say where.
        _fail(run, (str(error) or repr(error)).splitlines()[0])
    except tf.errors.OpError as error:
        reason = (error.message or repr(error)).splitlines()[0][:300]
        if isinstance(error, _DISK):
            _fail(run, reason)
        task = cluster.task()
        if not isinstance(error, _BROKEN) or task is None or len(task.workers) == 1:
            raise
        _fail(
            run,
            f"another worker has gone, and its own output may say why ({reason}); to go on after "
            f"the last checkpoint, start all workers again with --resume {run}",
        )
    except (KeyboardInterrupt, Terminated) as ended:
        why = str(ended) or "stopped"
        task = cluster.task()
        alone = task is None or len(task.workers) == 1
        how = f"{name} --resume {run}" if alone else f"start all workers again with --resume {run}"
        if _recipe_of(run).exists():
            print(f"\n{why}; to go on: {how}", flush=True)
        sys.exit(128 + (signal.SIGTERM if isinstance(ended, Terminated) else signal.SIGINT))


def _fail(run: Path, message: str) -> NoReturn:
    if _recipe_of(run).exists():
        print(flush=True)  # A line of its own, below what a progress bar has left.
    sys.exit(f"error: {message}")


# What TensorFlow raises where it cannot write, and where there is no room, on disk or in memory.
_DISK = (tf.errors.PermissionDeniedError, tf.errors.ResourceExhaustedError)
# And where a worker does not answer any more.
_BROKEN = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)


def _check_folder(run: Path, chosen: R, recipe: type[R], movable: Sequence[str]) -> None:
    """Raise a `ValueError` for a folder that holds anything but a training of the same recipe."""
    # A kill may leave a file that was being written.
    if not run.exists() or run.is_dir() and all(f.suffix == ".partial" for f in run.iterdir()):
        return
    if not _recipe_of(run).exists():
        raise ValueError(f"{run}: is there already; name another")
    there = recipes.load(_recipe_of(run), recipe)
    moved = {field: getattr(chosen, field) for field in movable}
    if dataclasses.replace(there, **moved) != chosen:  # type: ignore[type-var]
        raise ValueError(
            f"{run}: is there already, with another recipe; go on with it by --resume {run} alone, "
            "or name another"
        )


def _resumed(run: Path, recipe: type[R], given: dict[str, Any], movable: Sequence[str]) -> R:
    """The recipe of a run; files and devices may be others now, nothing else may change."""
    if not _recipe_of(run).exists():
        raise ValueError(f"{run}: holds no run to resume, which would have a recipe.json")
    other = sorted(set(given) - set(movable))
    if other:
        raise ValueError(
            f"--resume: goes on with the recipe of the run; give {_options(movable)} with it, if "
            f"they have changed, and nothing else. Received: {_options(other)}"
        )
    return dataclasses.replace(recipes.load(_recipe_of(run), recipe), **given)  # type: ignore


def _options(fields: Sequence[str]) -> str:
    return ", ".join(f"--{field.replace('_', '-')}" for field in fields)


def _recipe_of(run: Path) -> Path:
    return run / "recipe.json"
