"""Makes pictures with a trained generator: a sheet as PNG, or an array of thousands.

python -m zoo.dcgan.sample
python -m zoo.dcgan.sample --interpolate --seed 1 --output walks.png
python -m zoo.dcgan.sample --weights runs/dcgan-.../model.weights.h5 --number 10000 --npz FILE
"""

import argparse
import os
import sys
from pathlib import Path

import keras
import numpy as np

from kerasadv.data import DataError
from kerasadv.training.sampling import generated, sheet
from zoo.dcgan.data import unscale
from zoo.dcgan.model import DCGANGenerator
from zoo.pictures import check_target, write_picture
from zoo.weights import trained

# Pictures in a row that walks from one latent to another.
WALK = 8
# Pictures made at once: large enough to be quick, small enough for any memory.
_BATCH = 100


def latents(number: int, size: int, seed: int) -> np.ndarray:
    """Normally distributed latents, float32, `(number, size)`, the first ones whatever `number`.

    Example:
    >>> from zoo.dcgan.sample import latents
    >>> (latents(2, 3, seed=1) == latents(5, 3, seed=1)[:2]).all()
    np.True_
    """
    return np.random.default_rng(seed).standard_normal((number, size), "float32")


def walks(ends: np.ndarray, steps: int = WALK) -> np.ndarray:
    """Latents on the arcs from each to the next: first to second, third to fourth, ...

    A straight line would lead through latents that are shorter than any the generator has seen.

    Args:
        ends: Latents, an even number of them, `(number, size)`.
        steps: Latents of a walk, its ends included, at least 2.

    Returns:
        The latents, float32, `(number / 2 * steps, size)`.

    Example:
    >>> import numpy as np
    >>> from zoo.dcgan.sample import walks
    >>> walks(np.array([[2.0, 0.0], [0.0, 2.0]]), steps=3).round(3)
    array([[2.   , 0.   ],
           [1.414, 1.414],
           [0.   , 2.   ]], dtype=float32)

    Reference:
        White, "Sampling generative networks", 2016.
    """
    first, last = ends[::2, None].astype("float64"), ends[1::2, None].astype("float64")
    lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(last, axis=-1)
    cosine = (first * last).sum(axis=-1) / np.maximum(lengths, 1e-12)
    angle = np.arccos(cosine.clip(-1, 1))[..., None]
    share = np.linspace(0, 1, steps)[:, None]
    # Where both lie on one line there is no arc; the straight line is its limit.
    flat = np.sin(angle) < 1e-6
    sine = np.where(flat, 1, np.sin(angle))
    before = np.where(flat, 1 - share, np.sin((1 - share) * angle) / sine)
    after = np.where(flat, share, np.sin(share * angle) / sine)
    return (before * first + after * last).reshape(-1, ends.shape[1]).astype("float32")


def make(generator: keras.Model, latents: np.ndarray, progress: bool = False) -> np.ndarray:
    """Pictures from latents, a batch at a time.

    Args:
        generator: A `DCGANGenerator`.
        latents: `(number, latent_size)`.
        progress: Whether to show a bar.

    Returns:
        The pictures, uint8, `(number, height, width, channels)`.
    """
    images = np.empty((len(latents), *generator.output_shape[1:]), "uint8")
    bar = keras.utils.Progbar(len(latents), unit_name="picture") if progress else None
    done = 0
    for part in generated(generator, latents, _BATCH):
        images[done : done + len(part)] = unscale(part)
        done += len(part)
        if bar is not None:
            bar.update(done)
    return images


def save(images: np.ndarray, target: Path, columns: int | None = None) -> None:
    """Write pictures as one sheet."""
    write_picture(sheet(images, columns), target)


def main(argv: list[str] | None = None) -> None:
    """The command line: a sheet of pictures, or an array of them, or both."""
    parser = argparse.ArgumentParser(
        "python -m zoo.dcgan.sample",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--weights",
        default="fashion_mnist",
        help="published weights, or model.weights.h5 of a run (default: fashion_mnist)",
    )
    parser.add_argument("--number", type=int, default=64, help="how many pictures (default: 64)")
    parser.add_argument(
        "--seed", type=int, default=0, help="the same pictures for the same seed (default: 0)"
    )
    parser.add_argument(
        "--interpolate",
        action="store_true",
        help=f"rows of {WALK} that walk from one picture to another",
    )
    parser.add_argument("--output", help="sheet to write (default: sheet.png, without --npz)")
    parser.add_argument("--npz", help="file for the array `images`, uint8, in NumPy's format")
    arguments = parser.parse_args(argv)
    try:
        for path in _made(arguments):
            print(path)
    except (ValueError, OSError, MemoryError) as error:
        sys.exit(f"error: {(str(error) or repr(error)).splitlines()[0]}")


def _made(arguments) -> list[Path]:
    """Make what the command line asks for."""
    number, walk = arguments.number, arguments.interpolate
    output = arguments.output or (None if arguments.npz else "sheet.png")
    if number < 1:
        raise DataError(f"--number: expected at least 1. Received: {number}")
    if walk and number % WALK:
        raise DataError(
            f"--number: expected a multiple of {WALK}, the pictures of a walk, with --interpolate. "
            f"Received: {number}"
        )
    if arguments.seed < 0:
        raise DataError(
            f"--seed: expected a whole number of at least 0. Received: {arguments.seed}"
        )
    targets = {kind: Path(p) for kind, p in (("png", output), ("npz", arguments.npz)) if p}
    _check(targets, Path(arguments.weights))
    generator = trained(arguments.weights, "dcgan", DCGANGenerator)
    drawn = latents(
        2 * number // WALK if walk else number, generator.input_shape[1], arguments.seed
    )
    images = make(generator, walks(drawn) if walk else drawn, progress=True)
    if "png" in targets:
        save(images, targets["png"], WALK if walk else None)
    if "npz" in targets:
        _save_array(images, targets["npz"])
    return list(targets.values())


def _check(targets: dict[str, Path], weights: Path) -> None:
    """Raise a `DataError` for files that cannot be written, before anything is made."""
    for kind, target in targets.items():
        if target.resolve() == weights.resolve():
            raise DataError(f"{target}: are the weights, which would be lost")
        if kind == "png":
            check_target(target)
            continue
        if target.suffix != ".npz":
            raise DataError(f"--npz: expected a file that ends in .npz. Received: {target}")
        if target.is_dir():
            raise DataError(f"{target}: is a directory; name a file")
        target.parent.mkdir(parents=True, exist_ok=True)


def _save_array(images: np.ndarray, target: Path) -> None:
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as file:
            np.savez(file, images=images)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
