"""The files that a run leaves: written whole or not at all, and named where they are bad."""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import keras

M = TypeVar("M")

# The file beside the weights with the arguments of the model that they belong to.
MODEL = "model.json"
# And that with what was measured of them after the training.
MEASURED = "measured.json"


class InMemory(io.BytesIO):
    """A file of weights in memory; Keras tells files by how their names end."""

    def __str__(self):
        return "memory.weights.h5"


def weights_of(model: keras.Model) -> memoryview:
    """What `model.save_weights` writes to a file.

    Not written there by HDF5 itself, which ends the process where the disk is full.
    """
    file = InMemory()
    model.save_weights(file)
    return file.getbuffer()


def write_bytes(path: str | os.PathLike, data: bytes | memoryview) -> None:
    """Write a file so that, whatever is killed when, nobody ever finds half of it.

    Args:
        path: The file; one that is there is replaced.
        data: What it shall hold.

    Raises:
        OSError: If it cannot be written; the message names the file.

    Example:
    >>> import tempfile
    >>> from kerasadv.training.run_files import read_json, write_bytes
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_bytes(f"{folder}/result.json", b'{"dice": 0.5}')
    ...     read_json(f"{folder}/result.json")
    {'dice': 0.5}
    """
    path = Path(path)
    # Two processes may write the same file.
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        error.filename = error.filename or str(path)  # A full disk names no file.
        raise
    finally:
        partial.unlink(missing_ok=True)  # Only there if something failed, such as a full disk.


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all."""
    write_bytes(path, text.encode())


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
    except Exception as error:  # The file may ask for anything, such as 1000 GB of weights.
        reason = (str(error).strip() or repr(error)).split("\n")[0]
        raise ValueError(f"{path}: does not fit {MODEL} ({reason})") from None
