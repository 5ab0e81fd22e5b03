"""Weights by name for the functions that build models, and what tells that they are right."""

import functools
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import keras
import numpy as np

from kerasadv.training.run_files import load_model
from zoo.catalogue import find, named, table
from zoo.download import WeightsMissing
from zoo.weights_layout import load

M = TypeVar("M")


def published(build: Callable[..., keras.Model]) -> Callable[..., keras.Model]:
    """Give a function that builds a model its argument `weights`.

    `weights` is `None`, the path of a `.weights.h5` file, or a name in the table of the folder
    that the function is in. A name brings the arguments that fit; others that are given must agree.
    """
    folder, signature = build.__module__.split(".")[-2], inspect.signature(build)
    defaults = {name: parameter.default for name, parameter in signature.parameters.items()}

    @functools.wraps(build)
    def model(*args, **kwargs):
        given = signature.bind(*args, **kwargs).arguments
        weights = given.pop("weights", None)
        if weights is None:
            return build(**given)
        if not isinstance(weights, (str, os.PathLike)):
            raise ValueError(f"`weights`: expected None, a name or a path. Received: {weights!r}")
        row = named(weights, folder)
        if row is not None:
            for argument, value in given.items():
                expected = (defaults | row.arguments)[argument]
                if argument != "name" and _plain(value) != _plain(expected):
                    raise ValueError(
                        f"`{argument}`: expected {expected!r}, as the weights {weights!r} have it. "
                        f"Received: {value!r}"
                    )
            given = row.arguments | given
            path = find(row)
        elif os.path.isfile(weights):
            path = Path(weights)
        else:
            known = ", ".join(table(folder)) or "none"
            raise WeightsMissing(
                f"`weights`: expected None, a file, or one of {known}. Received: {str(weights)!r}"
            )
        made = build(**given)
        load(made, path, None if row is None else row.sha256)
        return made

    return model


def trained(weights: str | Path, folder: str, build: Callable[..., M]) -> M:
    """A trained model, as the `--weights` of a command names it.

    Args:
        weights: A published name, or the file with the weights that a training left.
        folder: The folder of `zoo` whose published names count.
        build: The function that builds the model.

    Raises:
        ValueError: If a file does not fit the `model.json` beside it.
        OSError: If there is no such name or file, or published weights cannot be had.
    """
    if named(weights, folder) is not None:
        return build(weights=weights)
    if not Path(weights).is_file():
        known = ", ".join(["the model.weights.h5 of a run", *table(folder)])
        raise WeightsMissing(f"{weights}: there is no such file; there are: {known}")
    return load_model(weights, build)


def _plain(value):
    """JSON has no tuples."""
    return list(value) if isinstance(value, tuple) else value


def fingerprint(model: keras.Model) -> list[float]:
    """What a model makes of four `waves`: mean, standard deviation and four values of each output.

    Example:
    >>> import keras
    >>> from zoo.weights import fingerprint
    >>> half = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Rescaling(0.5)])
    >>> [round(x) for x in fingerprint(half)[:6]]  # 127.5 (1 + sin(0.7 k)) / 2, k = 0, 1, 2, 3
    [103, 24, 64, 105, 127, 119]
    """
    inputs = waves(model, batch=4)
    outputs = np.asarray(model.predict_on_batch(inputs if len(inputs) > 1 else inputs[0]))
    found = []
    for sample, output in enumerate(outputs.astype("float64").reshape(len(outputs), -1)):
        # One place farther in each sample: of ten classes, all are looked at.
        places = np.linspace(0, output.size - 1, 4).astype(int) + sample
        found += [output.mean(), output.std(), *output[places % output.size]]
    return [float(f"{x:.6g}") for x in found]


def waves(
    model: keras.Model, height: int = 64, width: int = 64, batch: int = 1
) -> list[np.ndarray]:
    """Inputs that are the same everywhere: images with values from 0 to 255, others from -1 to 1.

    The wave of each sample is twice as long as that of the one before, so that one or the other
    leaves a classifier in doubt: where it is sure, a change of its weights does not show.

    Args:
        model: What they are for.
        height, width: Of images whose size is free.
        batch: How many samples.

    Returns:
        One float32 array for each of the model's inputs.
    """
    inputs = []
    for tensor in model.inputs:
        free = iter((height, width))
        shape = [next(free) if length is None else length for length in tensor.shape[1:]]
        steps = np.arange(np.prod(shape))
        wave = np.stack([np.sin(0.7 * steps / 2**k + k) for k in range(batch)])
        wave = wave.reshape(batch, *shape)
        inputs.append((127.5 * (1 + wave) if len(shape) == 3 else wave).astype("float32"))
    return inputs
