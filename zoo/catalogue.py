"""What is published, and where its files are: in the checkout, in the cache or at an address."""

import contextlib
import dataclasses
import json
import os
from pathlib import Path

from zoo.download import (
    WeightsMismatch,
    WeightsMissing,
    WeightsUnreachable,
    check_file,
    fetch,
)

# The folders of the models; their tables are in the wheel, too.
HOME = Path(__file__).parent
# In a checkout weights lie here; a wheel has none.
BESIDE = HOME / "weights"
TABLE = "published.json"
# Where else they are: the base address of a folder that `python -m zoo publish` made.
ADDRESS = "KERASADV_ZOO_URL"


@dataclasses.dataclass(frozen=True)
class Published:
    """Weights that can be had: a row of the table `published.json` in the folder of their model."""

    model: str  # The function in `zoo` that builds it.
    file: str  # Under `zoo/weights/` in a checkout.
    size: int  # Bytes.
    sha256: str
    arguments: dict  # Of the model.
    fingerprint: list[float]  # See `zoo.weights.fingerprint`.
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
    >>> from zoo.catalogue import table
    >>> table("unet")["dsb2018"].model
    'UNet'
    """
    path = HOME / folder / TABLE
    rows = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {name: Published(**row) for name, row in rows.items()}


def named(weights: str | os.PathLike, folder: str) -> Published | None:
    """The published weights of a name, such as `"dsb2018"` or `"unet/dsb2018"`, if there are."""
    return table(folder).get(os.fspath(weights).removeprefix(f"{folder}/"))


def tables() -> dict[str, Published]:
    """All published weights, by folder and name, such as `"unet/dsb2018"`."""
    folders = sorted(path.parent.name for path in HOME.glob(f"*/{TABLE}"))
    return {f"{f}/{name}": row for f in folders for name, row in table(f).items()}


def cache() -> Path:
    """Where downloads go: `kerasadv` in Keras' own folder, `KERAS_HOME` or `~/.keras`."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "kerasadv"


def address(row: Published) -> str:
    """Where the file is below the zoo's address; weights that once had its name are elsewhere."""
    return f"{row.file.removesuffix('.weights.h5')}-{row.sha256[:12]}.weights.h5"


def cached(row: Published) -> Path:
    """The file of these weights in the cache."""
    return cache() / address(row)


def everywhere(row: Published) -> list[Path]:
    """The files with these weights that this machine has: in the checkout, and in the cache."""
    return [path for path in (BESIDE / row.file, cached(row)) if path.is_file()]


def here(row: Published) -> Path | None:
    """The file with these weights, if this machine has it: in the checkout, else in the cache."""
    return next(iter(everywhere(row)), None)


def find(row: Published) -> Path:
    """The verified file with these weights, downloaded if need be.

    Raises:
        WeightsMissing: If there is no such file, or no address to get it from.
        WeightsUnreachable: If the address does not answer, or does not do so in time.
        WeightsMismatch: If the file in the checkout, or what comes, is another one; or that in the
            cache, which is removed, and nothing can be had in its place.
    """
    path, damaged = here(row), None
    if path is not None:
        try:
            check_file(path, row.size, row.sha256)
            return path
        except WeightsMismatch as error:
            if path != cached(row):
                raise
            removed = f"{error}; it is removed, and `python -m zoo download` gets it anew"
            damaged = WeightsMismatch(removed)
            with contextlib.suppress(OSError):  # Others' caches cannot be mended.
                path.unlink()
    base = os.environ.get(ADDRESS)
    if not base:
        raise damaged or WeightsMissing(
            f"{row.file}: is neither in {BESIDE} nor in {cache()}. Set {ADDRESS} to the address of "
            "a published zoo, or KERAS_HOME to where it has been downloaded"
        )
    path = cached(row)
    try:
        fetch(f"{base.rstrip('/')}/{address(row)}", path, row.size, row.sha256)
    except WeightsUnreachable:
        if damaged:
            raise damaged from None
        raise
    return path
