"""Published weights: beside the code, in the cache or at the address of the zoo; verified."""

import dataclasses
import functools
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import keras
import numpy as np

from kerasadv.training.run_files import load_model, read_json
from zoo.download import WeightsMismatch, WeightsMissing, check_file, fetch
from zoo.weights_layout import load

# The folders of the models; their tables are in the wheel, too.
HOME = Path(__file__).parent
# In a checkout weights lie here; a wheel has none.
BESIDE = HOME / "weights"
TABLE = "published.json"
# Where else they are: the base address of a folder that `python -m zoo publish` made.
ADDRESS = "KERASADV_ZOO_URL"

M = TypeVar("M")


@dataclasses.dataclass(frozen=True)
class Published:
    """Weights that can be had: a row of the table `published.json` in the folder of their model."""

    model: str  # The function in `zoo` that builds it.
    file: str  # Under `zoo/weights/` in a checkout.
    size: int  # Bytes.
    sha256: str
    arguments: dict  # Of the model.
    fingerprint: list[float]  # See the function of this name.
    data: str  # What it learned from.
    licence: str  # That of the data.
    result: dict
    command: str  # That of the training.
    minutes: float | None = None
    labels: list[str] = dataclasses.field(default_factory=list)  # Styles, in order.

    @property
    def headline(self) -> str:
        """The first number of its result that is no count, and what it is called."""
        numbers = ((name, x) for name, x in self.result.items() if isinstance(x, float))
        return next((f"{name.replace('_', ' ')} {x:.4g}" for name, x in numbers), "")


def table(folder: str) -> dict[str, Published]:
    """The published weights of the model in a folder of `zoo`, by their names.

    Example:
    >>> from zoo.weights import table
    >>> table("unet")["dsb2018"].model
    'UNet'
    """
    path = HOME / folder / TABLE
    rows = read_json(path) if path.is_file() else {}
    return {name: Published(**row) for name, row in rows.items()}


def tables() -> dict[str, Published]:
    """All published weights, by folder and name, such as `"unet/dsb2018"`."""
    folders = sorted(path.parent.name for path in HOME.glob(f"*/{TABLE}"))
    return {f"{f}/{name}": row for f in folders for name, row in table(f).items()}


def published(build: Callable[..., keras.Model]) -> Callable[..., keras.Model]:
    """Give a function that builds a model its argument `weights`.

    `weights` is `None`, the path of a `.weights.h5` file, or a name in the table of the folder
    that the function is in. A name brings the arguments that fit; others that are given must agree.
    """
    folder, signature = _folder(build), inspect.signature(build)
    defaults = {name: parameter.default for name, parameter in signature.parameters.items()}

    @functools.wraps(build)
    def model(*args, **kwargs):
        given = signature.bind(*args, **kwargs).arguments
        weights = given.pop("weights", None)
        if weights is None:
            return build(**given)
        if not isinstance(weights, (str, os.PathLike)):
            raise ValueError(f"`weights`: expected None, a name or a path. Received: {weights!r}")
        rows, short = table(folder), str(weights).removeprefix(f"{folder}/")
        if short in rows:
            row = rows[short]
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
            raise WeightsMissing(
                f"`weights`: expected None, a file, or one of {', '.join(rows) or 'none'}. "
                f"Received: {str(weights)!r}"
            )
        made = build(**given)
        load(made, path)
        return made

    return model


def trained(weights: str | Path, build: Callable[..., M]) -> M:
    """A trained model, as the `--weights` of a command names it.

    Args:
        weights: A published name, or the file with the weights that a training left.
        build: The function of `zoo` that builds the model, or one in the same folder.

    Raises:
        ValueError: If a file does not fit the `model.json` beside it.
        OSError: If there is no such name or file, or published weights cannot be had.
    """
    folder = _folder(build)
    rows = table(folder)
    if str(weights).removeprefix(f"{folder}/") in rows:
        return build(weights=weights)
    if not Path(weights).is_file():
        known = ", ".join(["the model.weights.h5 of a run", *rows])
        raise WeightsMissing(f"{weights}: there is no such file; there are: {known}")
    return load_model(weights, build)


def _folder(build: Callable) -> str:
    """The folder of `zoo` that a function is in."""
    return build.__module__.split(".")[-2]


def _plain(value):
    """JSON has no tuples."""
    return list(value) if isinstance(value, tuple) else value


def cache() -> Path:
    """Where downloads go: `kerasadv` in Keras' own folder, `KERAS_HOME` or `~/.keras`."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "kerasadv"


def address(row: Published) -> str:
    """Where the file is below the zoo's address; weights that once had its name are elsewhere."""
    return f"{row.file.removesuffix('.weights.h5')}-{row.sha256[:12]}.weights.h5"


def cached(row: Published) -> Path:
    """The file of these weights in the cache."""
    return cache() / address(row)


def here(row: Published) -> Path | None:
    """The file with these weights, if this machine has it: in the checkout, else in the cache."""
    return next((path for path in (BESIDE / row.file, cached(row)) if path.is_file()), None)


def find(row: Published) -> Path:
    """The verified file with these weights, downloaded if need be.

    Raises:
        WeightsMissing: If there is no such file, or no address to get it from.
        WeightsUnreachable: If the address does not answer, or does not do so in time.
        WeightsMismatch: If the file in the checkout, or what comes, is another one.
    """
    path = here(row)
    if path is not None:
        try:
            check_file(path, row.size, row.sha256)
            return path
        except WeightsMismatch:
            if path != cached(row):
                raise
    base = os.environ.get(ADDRESS)
    if not base:
        raise WeightsMissing(
            f"{row.file}: is neither in {BESIDE} nor in {cache()}. Set {ADDRESS} to the address of "
            "a published zoo, or KERAS_HOME to where it has been downloaded"
        )
    path = cached(row)
    fetch(f"{base.rstrip('/')}/{address(row)}", path, row.size, row.sha256)
    return path


def fingerprint(model: keras.Model) -> list[float]:
    """What a model makes of `waves`: mean, standard deviation and six values of its output.

    Example:
    >>> import keras
    >>> from zoo.weights import fingerprint
    >>> half = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Rescaling(0.5)])
    >>> [round(x) for x in fingerprint(half)]  # 127.5 (1 + sin(0.7 k)) / 2, k = 0, 1, 2, 3
    [103, 24, 64, 64, 105, 105, 127, 119]
    """
    inputs = waves(model)
    output = np.asarray(model.predict_on_batch(inputs if len(inputs) > 1 else inputs[0]))
    output = output.astype("float64").ravel()
    values = output[np.linspace(0, output.size - 1, 6).astype(int)]
    return [float(f"{x:.6g}") for x in (output.mean(), output.std(), *values)]


def waves(
    model: keras.Model, height: int = 64, width: int = 64, batch: int = 1
) -> list[np.ndarray]:
    """Inputs that are the same everywhere: images with values from 0 to 255, others from -1 to 1.

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
        wave = np.sin(0.7 * np.arange(batch * np.prod(shape))).reshape(batch, *shape)
        inputs.append((127.5 * (1 + wave) if len(shape) == 3 else wave).astype("float32"))
    return inputs
