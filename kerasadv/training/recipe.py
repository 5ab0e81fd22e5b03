"""A frozen dataclass becomes a command line and a JSON file."""

import argparse
import dataclasses
import os
import types
import typing
from pathlib import Path
from typing import Any, Literal, TypeVar

from kerasadv.training.run_files import MODEL, read_json, write_json

R = TypeVar("R")


def field(default: Any, help: str) -> Any:
    """A field of a recipe: its default, and the reason that `--help` gives for it."""
    return dataclasses.field(default=default, metadata={"help": help})


def add_arguments(parser: argparse.ArgumentParser, recipe: type) -> None:
    """Add one `--option` per field of a recipe to a parser.

    The type of a field decides what the option takes: `int`, `float`, `str`, `bool`
    (`--x`/`--no-x`), a `Literal` (its choices), each with or without `| None`. The parsed arguments
    have only those that were given.

    Args:
        parser: The parser to add to.
        recipe: The dataclass, its fields made with `field`.

    Example:
    >>> import argparse, dataclasses
    >>> from kerasadv.training import recipe
    >>> @dataclasses.dataclass(frozen=True)
    ... class Recipe:
    ...     epochs: int = recipe.field(3, "times through the data")
    >>> parser = argparse.ArgumentParser()
    >>> recipe.add_arguments(parser, Recipe)
    >>> Recipe(**vars(parser.parse_args(["--epochs", "5"])))
    Recipe(epochs=5)
    """
    hints = typing.get_type_hints(recipe)
    for item in dataclasses.fields(recipe):
        kind = hints[item.name]
        if _is_union(kind):
            kind = next(part for part in typing.get_args(kind) if part is not type(None))
        options: dict[str, Any] = {"default": argparse.SUPPRESS}
        if typing.get_origin(kind) is Literal:
            options["choices"] = typing.get_args(kind)
        elif kind is bool:
            options["action"] = argparse.BooleanOptionalAction
        else:
            options["type"] = kind
            options["metavar"] = kind.__name__.upper()
        shown = "" if item.default is None else f" (default: {item.default})"
        parser.add_argument(
            f"--{item.name.replace('_', '-')}", help=item.metadata["help"] + shown, **options
        )


def save(recipe: Any, path: str | os.PathLike) -> None:
    """Write a recipe as JSON."""
    write_json(path, dataclasses.asdict(recipe))


def begin(recipe: Any, run: Path, arguments: dict, resumed: bool) -> None:
    """Write the first files of a training: what it shall do, and what its model is made of.

    To be called once everything that could be wrong has been built, and by the chief alone.

    Args:
        recipe: A frozen dataclass.
        run: The folder of the training; made if needed.
        arguments: Those of the model.
        resumed: Whether the training goes on; then its recipe is there.
    """
    run.mkdir(parents=True, exist_ok=True)
    if not resumed:
        save(recipe, run / "recipe.json")
    write_json(run / MODEL, arguments)


def load(path: str | os.PathLike, recipe: type[R]) -> R:
    """Read a recipe that `save` wrote.

    Raises:
        ValueError: If the file does not hold a recipe of that kind.
    """
    values = read_json(path)
    try:
        read = recipe(**values)
    except TypeError as error:
        raise ValueError(f"{path}: expected a recipe as JSON. Received: {error}") from None
    for name, kind in typing.get_type_hints(recipe).items():
        value = getattr(read, name)
        if not _fits(value, kind):
            raise ValueError(f"{path}: expected `{name}` to be {kind}. Received: {value!r}")
    return read


def _is_union(kind: Any) -> bool:
    # `int | None` is of the one kind; `Literal["a"] | None`, before Python 3.14, of the other.
    return typing.get_origin(kind) in (types.UnionType, typing.Union)


def _fits(value: Any, kind: Any) -> bool:
    if _is_union(kind):
        return any(_fits(value, part) for part in typing.get_args(kind))
    if typing.get_origin(kind) is Literal:
        return value in typing.get_args(kind)
    # JSON has one kind of number, and writes 1.0 as 1 where others wrote it.
    return type(value) is kind or (kind is float and type(value) is int)
