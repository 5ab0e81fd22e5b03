"""Reads `.weights.h5` files that may come from anywhere: looked at, then loaded if they fit."""

import hashlib
from pathlib import Path

import h5py
import keras

from kerasadv.training.run_files import InMemory, weights_of
from zoo.download import WeightsMismatch

# Far more than any model of the zoo has.
_DEEPEST = 20
_MOST = 10_000
_ARRAY = "an array of shape "
# What HDF5 raises of files that are none.
_UNREADABLE = (
    OSError,
    RuntimeError,
    KeyError,
    ValueError,
    TypeError,
    OverflowError,
    MemoryError,
)


def load(model: keras.Model, path: str | Path, sha256: str | None = None) -> None:
    """Load the weights of a model from a file that holds these and nothing else.

    HDF5 files can point to other files, promise arrays larger than any memory, or name filters to
    load code from. So the file's layout is compared with what the model itself would save: names,
    shapes and types, before a single number is read. The file is read once, so that what is loaded
    is what was looked at.

    Args:
        model: A model that has been built.
        path: The `.weights.h5` file. The state of an optimizer in it is left alone.
        sha256: What it has to be, if that is known, in hexadecimal.

    Raises:
        WeightsMismatch: If it has another SHA-256.
        ValueError: If the file is no HDF5 file, or holds anything else than this model's weights.
    """
    path = Path(path)
    if not path.name.endswith(".weights.h5"):  # Keras takes others for other formats.
        raise ValueError(f"{path}: expected a file that ends in .weights.h5")
    own = weights_of(model)
    size, most = path.stat().st_size, 10 * len(own) + 2**20  # With what optimizers may add.
    if size > most:
        raise ValueError(f"{path}: expected at most {most} bytes. Received: {size}")
    data = path.read_bytes()
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise WeightsMismatch(f"{path}: is not the file any more whose SHA-256 is {sha256}")
    expected = layout(InMemory(own))
    try:
        found = layout(InMemory(data))
    except _UNREADABLE as error:
        raise ValueError(f"{path}: is no file of weights ({_line(error)})") from None
    for name in _misfits(expected, found):
        raise ValueError(
            f"{path}: does not fit {model.name}. At {name!a} expected "
            f"{expected.get(name, 'nothing')}. Received: {found.get(name, 'nothing')}"
        )
    try:
        model.load_weights(InMemory(data))
    except _UNREADABLE as error:
        raise ValueError(f"{path}: cannot be read ({_line(error)})") from None


def _misfits(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    """Where two layouts differ, arrays first.

    Layers without weights may be added, or left out, such as a softmax at the end. But one in the
    place of another makes another model: an activation, for example.
    """
    differing = [n for n in sorted(expected | found) if expected.get(n) != found.get(n)]
    arrays = [
        n for n in differing if any(x.get(n, "").startswith(_ARRAY) for x in (expected, found))
    ]
    replaced = all(any(n in x for n in differing) for x in (expected, found))
    elsewhere = [n for n in differing if not n.startswith("/layers/")]
    return arrays or (differing if replaced else elsewhere)


def layout(file: InMemory) -> dict[str, str]:
    """What a `.weights.h5` file holds, by path: names of layers, and shapes of arrays.

    Raises:
        ValueError: If something in it is neither a plain group nor a plain array of floats or
            integers.
        OSError: If it is no HDF5 file.
    """
    found: dict[str, str] = {}
    _check_heaps(file.getbuffer())
    with h5py.File(file, "r") as opened:
        if opened.id.get_create_plist().get_sizes() != (8, 8):
            raise ValueError("offsets and lengths are not 8 bytes long")
        for name in opened:
            _walk(opened, name, f"/{name}", found)
    # Of a model saved with `compile`: has to be as plain, and is not read.
    return {n: x for n, x in found.items() if not f"{n}/".startswith("/optimizer/")}


def _check_heaps(data: memoryview) -> None:
    """Raise a `ValueError` for a heap, which holds names, that HDF5 would walk through for ever.

    After a head of 16 bytes, with the size of the heap in the last 8, comes one thing after the
    other: 2 bytes for its number, 8 to 15 for its size, then the thing itself, in steps of 8 bytes.
    Number 0 is what is free, its head included in the size.
    """
    content = bytes(data)
    begin = content.find(b"GCOL\x01")
    while begin >= 0:
        place, end = begin + 16, begin + int.from_bytes(content[begin + 8 : begin + 16], "little")
        while place + 16 <= end:
            number = int.from_bytes(content[place : place + 2], "little")
            size = int.from_bytes(content[place + 8 : place + 16], "little")
            size = 16 + -(-size // 8) * 8 if number else size
            if not 16 <= size <= end - place or end > len(content):
                raise ValueError(f"the heap at byte {begin} is broken")
            place += size
        begin = content.find(b"GCOL\x01", begin + 1)


def _walk(group: h5py.Group, name: str, where: str, found: dict[str, str]) -> None:
    # Groups may hold each other, without end.
    if where.count("/") > _DEEPEST or len(found) > _MOST:
        raise ValueError(f"{where!a} is one thing too many")
    # Links are looked at, not followed.
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{where!a} points elsewhere")
    thing = group[name]
    if isinstance(thing, h5py.Group):
        named = "name" in thing.attrs and where != "/vars"  # That is the model, called as you like.
        found[where] = f"layer {ascii(thing.attrs['name'])}" if named else "a group"
        for child in thing:
            _walk(thing, child, f"{where}/{child}", found)
        return
    if not isinstance(thing, h5py.Dataset):
        raise ValueError(f"{where!a} is neither a group nor an array")
    plain = thing.external is None and not thing.is_virtual
    if not plain or thing.id.get_create_plist().get_nfilters():
        raise ValueError(f"{where!a} is stored elsewhere or compressed")
    if thing.dtype.kind not in "fiub":
        raise ValueError(f"{where!a} holds no numbers")
    found[where] = f"{_ARRAY}{thing.shape} of {thing.dtype.name}"


def _line(error: Exception) -> str:
    return (str(error) or repr(error)).splitlines()[0]
