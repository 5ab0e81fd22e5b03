"""Measures a trained network by the iterations of direct optimization that its paintings are worth.

python -m zoo.style_transfer.measure PHOTOS --styles PATH --vgg PATH --output DIR

For each photo and style: the loss of the painted photo, and how many iterations `optimize` takes to
come below it. What has been measured is not measured again, so this may be stopped. At the end the
time of one pass through the network is set against that of 500 iterations.
"""

import argparse
import hashlib
import sys
import time
from pathlib import Path

import keras
import numpy as np

from kerasadv.data import read_image
from kerasadv.training.run_files import read_json, write_json, write_text
from zoo.style_transfer import data as datasets
from zoo.style_transfer.objective import STYLE_WEIGHT, Objective
from zoo.style_transfer.optimize import optimize
from zoo.style_transfer.paint import load


def worth(
    objective: Objective, photo: np.ndarray, shares: np.ndarray, loss: float, most: int, start: str
) -> int:
    """Iterations of `optimize` after which it is below a loss; `most` if it takes more.

    Args:
        objective, photo, shares, start: As for `optimize`.
        loss: What to come below.
        most: Where to stop.
    """
    below: list[int] = []

    def watch(iteration, value):
        if value < loss:
            below.append(iteration)
        return bool(below)

    optimize(objective, photo, shares, most, start, watch)
    return below[0] if below else most  # It may also end where no step helps any more.


def loss_of(objective: Objective, photo: np.ndarray, shares: np.ndarray, painted) -> float:
    """The loss of one painted photo, `(height, width, 3)`."""
    targets = datasets.with_shares(photo[None].astype("float32"), shares[None])
    return float(sum(objective.terms(targets, np.asarray(painted)[None]).values())[0])


def seconds(
    model: keras.Model, objective: Objective, size: int, rounds: int
) -> tuple[float, float]:
    """Medians of the time of one pass and of one iteration, in turns, on a square of noise."""
    photo = np.random.default_rng(0).integers(0, 256, (size, size, 3), "uint8")
    shares = np.eye(len(objective.styles), dtype="float32")[0]
    inputs = [photo[None].astype("float32"), shares[None]]
    model.predict_on_batch(inputs)
    clock: list[float] = []
    passes, iterations = [], []
    for _ in range(rounds):
        began = time.perf_counter()
        model.predict_on_batch(inputs)
        passes.append(time.perf_counter() - began)
        # The first iterations find the length of a step, and the first of all compiles.
        clock.clear()
        optimize(objective, photo, shares, 6, watch=lambda *_: clock.append(time.perf_counter()))
        iterations += list(np.diff(clock)[2:])
    return float(np.median(passes)), float(np.median(iterations))


def summary(rows: list[dict], most: int) -> str:
    """The table of a measurement: the median for each style, and for all."""
    styles = list(dict.fromkeys(row["style"] for row in rows))
    lines = ["| style | iterations, median | least | most |\n|---|---|---|---|\n"]
    for title, some in [(style, [style]) for style in styles] + [("all", styles)]:
        values = [row["iterations"] for row in rows if row["style"] in some]
        numbers = (np.median(values), min(values), max(values))
        cells = [f"{number:g}" + ("+" if number >= most else "") for number in numbers]
        lines.append(f"| {title.replace('_', ' ')} | {' | '.join(cells)} |\n")
    return "".join(lines)


def main(argv: list[str] | None = None) -> None:
    """The command line: all photos in all styles."""
    parser = argparse.ArgumentParser(
        "python -m zoo.style_transfer.measure",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("photos", nargs="+", help="PNG, JPEG, WebP or TIFF files that were not trained on")
    add("--weights", default="paintings", help="published weights, or those of a run")
    add("--styles", required=True, help="folder with the paintings that it was trained on")
    add("--vgg", default="imagenet", help="file with the weights of VGG19 (default: a download)")
    add(
        "--style-weight",
        type=float,
        default=STYLE_WEIGHT,
        help="as in training (default: %(default)s)",
    )
    add("--size", type=int, default=256, help="of the middle squares measured (default: 256)")
    add("--most", type=int, default=400, help="iterations to stop after (default: 400)")
    add("--start", choices=["noise", "photo"], default="noise", help="(default: noise)")
    add("--time-size", type=int, default=512, help="of the square timed (default: 512)")
    add("--rounds", type=int, default=5, help="of timing (default: 5)")
    add("--output", required=True, type=Path, help="folder for measured.json and measured.md")
    options = parser.parse_args(argv)
    try:
        for name, least in (("size", 16), ("most", 1), ("time_size", 16), ("rounds", 1)):
            if getattr(options, name) < least:
                raise ValueError(
                    f"--{name.replace('_', '-')}: expected at least {least}. "
                    f"Received: {getattr(options, name)}"
                )
        model, styles = load(options.weights)
        paintings = datasets.load_paintings(options.styles)
        if list(paintings) != styles:
            raise ValueError(f"--styles: expected paintings of {styles}. Received: {[*paintings]}")
        objective = Objective(paintings, options.vgg, options.style_weight)
        squares = {}
        for path in options.photos:
            if Path(path).stem in squares:
                raise ValueError(f"{path}: has the name of another photo; rename one of them")
            image = read_image(path, background="white")
            squares[Path(path).stem] = datasets.middle_square(image, options.size)
        options.output.mkdir(parents=True, exist_ok=True)
        _measure(model, objective, paintings, squares, options)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {(str(error) or repr(error)).splitlines()[0]}")
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here")
        sys.exit(130)


def _hash(arrays) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(x).tobytes() for x in arrays)).hexdigest()


def _measure(model, objective, paintings, squares, options):
    path = options.output / "measured.json"
    how = {name: getattr(options, name) for name in ("size", "style_weight", "most", "start")}
    how["weights"] = _hash(model.get_weights())
    # What VGG sees in the paintings would do for both, but is rounded otherwise on other machines.
    how["paintings"] = _hash(paintings.values())
    how["vgg"] = _hash(objective.extractor.get_weights())
    rows: list[dict] = []
    if path.exists():
        before = read_json(path)
        if before["how"] != how:
            raise ValueError(f"{path}: was measured with {before['how']}; name another folder")
        rows = before["rows"]
    pixels = {photo: _hash([square]) for photo, square in squares.items()}
    for row in rows:
        if pixels.get(row["photo"], row["pixels"]) != row["pixels"]:
            raise ValueError(
                f"{path}: was measured with another {row['photo']}; name another folder"
            )
    done = {(row["photo"], row["style"]) for row in rows}
    todo = [(p, s) for p in squares for s in objective.styles if (p, s) not in done]
    bar = keras.utils.Progbar(len(todo), unit_name="photo")
    for number, (photo, style) in enumerate(todo, start=1):
        shares = np.eye(len(objective.styles), dtype="float32")[objective.styles.index(style)]
        image = squares[photo]
        painted = model.predict_on_batch([image[None].astype("float32"), shares[None]])[0]
        loss = loss_of(objective, image, shares, painted)
        if not np.isfinite(loss):
            raise ValueError(
                f"--weights: expected a network that paints. {photo} in the style {style}: loss "
                f"{loss}"
            )
        iterations = worth(objective, image, shares, loss, options.most, options.start)
        row = {"photo": photo, "pixels": pixels[photo], "style": style}
        rows.append(row | {"loss": loss, "iterations": iterations})
        write_json(path, {"how": how, "rows": rows})
        bar.update(number)
    one, other = seconds(model, objective, options.time_size, options.rounds)
    table = summary(rows, options.most) + (
        f"\nOne pass at {options.time_size} x {options.time_size} takes {one:.2f} s, one iteration "
        f"{other:.2f} s: 500 of them take {500 * other / one:.0f} times as long as the pass.\n"
    )
    write_text(options.output / "measured.md", table)
    print(f"\n{table}")


if __name__ == "__main__":
    main()
