"""Paints photos in the styles of paintings.

python -m zoo.style_transfer.paint photo.jpg --style great_wave --output painted.png
python -m zoo.style_transfer.paint photo.jpg --style great_wave,starry_night
python -m zoo.style_transfer.paint photo.jpg --style great_wave:0.3,starry_night:0.7
python -m zoo.style_transfer.paint *.jpg --style all --output sheet.png
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from PIL import Image, ImageDraw

from kerasadv.data import DataError, read_image
from kerasadv.training.run_files import MODEL, read_json
from zoo.catalogue import named, table
from zoo.pictures import check_target, write_picture
from zoo.style_transfer.data import SMALLEST, check_size
from zoo.style_transfer.model import StyleTransfer
from zoo.style_transfer.tiles import Painter
from zoo.weights import trained

# Pixels of the longer side of a photo in a sheet.
SHEET = 384


def load(weights: str | Path) -> tuple[keras.Model, list[str]]:
    """A network, by its published name or the weights that a training left, and its styles.

    Raises:
        ValueError: If the weights, or the `model.json` beside them, do not fit.
        OSError: If there are no such weights.
    """
    published = named(weights, "style_transfer")
    if published is not None:
        return StyleTransfer(weights=weights), published.labels

    def build(styles, **arguments):
        return StyleTransfer(num_styles=len(styles), **arguments), list(styles)

    return trained(weights, "style_transfer", build)


def known_styles(weights: str | Path) -> list[str]:
    """The styles of weights, without the network where that is possible.

    Raises:
        ValueError, OSError: As `load`.
    """
    published = named(weights, "style_transfer")
    if published is not None:
        return published.labels
    try:
        return list(read_json(Path(weights).with_name(MODEL))["styles"])
    except (OSError, ValueError, KeyError, TypeError):
        return load(weights)[1]  # Which says what is wrong.


def blend(text: str, styles: Sequence[str]) -> np.ndarray:
    """Shares of the styles: `"scream"`, `"scream,udnie"` or `"scream:0.3,udnie:0.7"`.

    Args:
        text: One style, or several: in equal shares, or with shares that add up to 1.
        styles: Those that there are.

    Returns:
        The shares, float32, one for each of `styles`.

    Raises:
        DataError: If a style is unknown or named twice, or only some have a share, or the shares do
            not add up to 1.

    Example:
    >>> from zoo.style_transfer.paint import blend
    >>> blend("scream:0.25,udnie:0.75", ["scream", "udnie", "wreck"])
    array([0.25, 0.75, 0.  ], dtype=float32)
    >>> blend("scream,wreck", ["scream", "udnie", "wreck"])
    array([0.5, 0. , 0.5], dtype=float32)
    """
    shares: dict[str, float] = {}
    parts = text.split(",")
    equal = ":" not in text
    for part in parts:
        style, _, share = part.strip().partition(":")
        if style not in styles:
            known = ", ".join(styles)
            raise DataError(f"--style: there is no style {style!r}; there are {known}, and all")
        if style in shares:
            raise DataError(f"--style: {style} is named twice in {text!r}")
        try:
            shares[style] = 1 / len(parts) if equal else float(share)
        except ValueError:
            shares[style] = float("nan")
        if not 0 <= shares[style] <= 1:
            raise DataError(
                f"--style: expected a share from 0 to 1 for {style}, as in {style}:0.5, or no "
                f"shares at all, for equal ones. Received: {text!r}"
            )
    if abs(sum(shares.values()) - 1) > 1e-3:
        raise DataError(
            f"--style: the shares of a blend add up to 1; those of {text!r} to "
            f"{sum(shares.values()):g}"
        )
    return np.array([shares.get(style, 0.0) for style in styles], "float32")


def sheet(rows: Sequence[Sequence[np.ndarray]], titles: Sequence[str]) -> np.ndarray:
    """Pictures in rows under a line of titles, uint8; each row as high as its first picture."""
    gap, line = 6, 18
    width = max(row[0].shape[1] for row in rows)
    height = sum(row[0].shape[0] + gap for row in rows) + line + gap
    page = Image.new("RGB", (len(titles) * (width + gap) + gap, height), "white")
    for column, title in enumerate(titles):
        place = (gap + column * (width + gap), gap)
        ImageDraw.Draw(page).text(place, title, fill="black")
    top = line + gap
    for row in rows:
        for column, picture in enumerate(row):
            page.paste(Image.fromarray(picture), (gap + column * (width + gap), top))
        top += row[0].shape[0] + gap
    return np.asarray(page)


def main(argv: list[str] | None = None) -> None:
    """The command line: a painted picture for each photo, or one sheet of photos and styles."""
    parser = argparse.ArgumentParser(
        "python -m zoo.style_transfer.paint",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "photos", nargs="+", help="PNG, JPEG, WebP or TIFF files; what is transparent is white"
    )
    parser.add_argument(
        "--style",
        required=True,
        help="a style; several, as in a,b, or with their shares, as in a:0.3,b:0.7; or all, for a "
        "sheet. Those of the published weights: "
        + ", ".join(table("style_transfer")["paintings"].labels),
    )
    parser.add_argument(
        "--size",
        type=int,
        help="pixels to reduce the longer side to at first: small photos get broad strokes "
        f"(default: as it is; {SHEET} in a sheet)",
    )
    parser.add_argument(
        "--weights",
        default="paintings",
        help="published weights, or model.weights.h5 of a run (default: paintings)",
    )
    parser.add_argument(
        "--output",
        help="for one photo, the picture to write, or a folder; for several, the folder, with "
        "PHOTO_STYLE.png for each (default: here); for --style all, the one picture to write, a "
        "sheet of all photos in all styles (default: sheet.png)",
    )
    arguments = parser.parse_args(argv)
    photos = [Path(photo) for photo in arguments.photos]
    try:
        if arguments.size is not None and arguments.size < SMALLEST:
            raise DataError(f"--size: expected at least {SMALLEST}. Received: {arguments.size}")
        styles = known_styles(arguments.weights)
        everything = arguments.style == "all"
        mixes = [blend(style, styles) for style in (styles if everything else [arguments.style])]
        model, _ = load(arguments.weights)  # This takes seconds.
        targets = _targets(photos, arguments.style, arguments.output)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    painter, rows, saved, failed = Painter(model), [], [], 0
    bar = keras.utils.Progbar(len(photos), unit_name="photo")
    for done, (photo, target) in enumerate(zip(photos, targets), start=1):
        try:
            image = read_image(photo, background="white")
            size = arguments.size or (SHEET if everything else max(image.shape))
            image, (height, width) = reduced(image, size), image.shape[:2]
            less = f" ({width} x {height} pixels, reduced)" if image.shape[1] < width else ""
            check_size(image, f"{photo}{less}")
            if everything:
                rows.append([image, *(painter(image, shares) for shares in mixes)])
            else:
                write_picture(painter(image, mixes[0]), target)
                saved.append(target)
        except (DataError, OSError) as error:  # The other photos are still worth painting.
            print(f"\nerror: {error}", file=sys.stderr)
            failed = 1
        except KeyboardInterrupt:
            print("\nstopped", file=sys.stderr)
            failed = 130
            break
        bar.update(done)
    if rows:
        try:
            write_picture(sheet(rows, ["photo", *styles]), targets[0])
            saved.append(targets[0])
        except (DataError, OSError) as error:
            sys.exit(f"\nerror: {error}")
    for target in saved:
        print(target)
    sys.exit(failed)


def _targets(photos: list[Path], style: str, output: str | None) -> list[Path]:
    """Where the painted picture of each photo goes; the same place for all in a sheet."""
    if style == "all":
        targets = [Path(output or "sheet.png")] * len(photos)
    elif len(photos) == 1 and output and Path(output).suffix and not Path(output).is_dir():
        targets = [Path(output)]
    else:
        folder = Path(output or ".")
        if folder.suffix and not folder.is_dir():
            raise DataError(f"--output: expected a folder for several photos. Received: {output}")
        label = style.replace(":", "").replace(",", "-").replace(" ", "")
        targets = [folder / f"{photo.stem}_{label}.png" for photo in photos]
        twice = {target for target in targets if targets.count(target) > 1}
        if twice:
            raise DataError(f"{min(twice)}: several photos of this name; paint them one by one")
    for target in targets:
        check_target(target, photos)
    return targets


def reduced(image: np.ndarray, long: int) -> np.ndarray:
    """An image made smaller where its longer side has more than `long` pixels."""
    picture = Image.fromarray(image)
    picture.thumbnail((long, long), Image.Resampling.LANCZOS)
    return np.asarray(picture)


if __name__ == "__main__":
    main()
