"""The files that a run leaves: written whole or not at all, and named where they are bad."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

M = TypeVar("M")

# The file beside the weights with the arguments of the model that they belong to.
MODEL = "model.json"


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a text file so that, whatever is killed when, nobody ever finds half of it.

    Args:
        path: The file; one that is there is replaced.
        text: What it shall hold.

    Example:
    >>> import tempfile
    >>> from kerasadv.training.run_files import read_json, write_text
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_text(f"{folder}/result.json", '{"dice": 0.5}')
    ...     read_json(f"{folder}/result.json")
    {'dice': 0.5}
    """
    path = Path(path)
    # Two processes may write the same file.
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)  # Only there if something failed, such as a full disk.


def write_json(path: str | os.PathLike, value) -> None:
    """Write a value as JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def keep_row(path: str | os.PathLike, epoch: int, numbers: dict) -> None:
    """Add an epoch's row to a JSON file with a row for each.

    A resumed training goes on with the rows of the epochs before; what lies behind them goes.

    Args:
        path: The file; made in epoch 0.
        epoch: As callbacks count, from 0.
        numbers: By name.

    Example:
    >>> import tempfile
    >>> from kerasadv.training.run_files import keep_row, read_json
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for epoch in (0, 1, 1):
    ...         keep_row(f"{folder}/history.json", epoch, {"loss": 2})
    ...     read_json(f"{folder}/history.json")
    [{'epoch': 1, 'loss': 2.0}, {'epoch': 2, 'loss': 2.0}]
    """
    rows = read_json(path)[:epoch] if epoch else []
    rows.append({"epoch": epoch + 1, **{name: float(value) for name, value in numbers.items()}})
    write_json(path, rows)


def read_json(path: str | os.PathLike):
    """Read a JSON file.

    Raises:
        ValueError: If it holds something else; the message names the file.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: expected JSON. Received: {error}") from None


def load_model(weights: str | os.PathLike, build: Callable[..., M]) -> M:
    """A model from the weights that a training left, and the arguments beside them.

    Args:
        weights: The file with the weights; `model.json` lies in the same folder.
        build: Takes what is in `model.json` as keywords, and the file as `weights`.

    Raises:
        ValueError: If the weights or their `model.json` are not there or do not fit each other.
    """
    path = Path(weights)
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file; name the model.weights.h5 of a run")
    beside = path.with_name(MODEL)
    if not beside.is_file():
        raise ValueError(f"{beside}: is missing; it belongs beside the weights")
    try:
        return build(**read_json(beside), weights=path)
    except (TypeError, ValueError, KeyError, OSError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ValueError(f"{path}: does not fit {MODEL} ({reason})") from None
