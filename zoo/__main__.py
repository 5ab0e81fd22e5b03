"""The zoo's published weights: what there is, downloaded, verified, published.

python -m zoo                            a table of what there is
python -m zoo download unet/dsb2018      fetch weights now, to use them offline later
python -m zoo verify                     look at every file: size, SHA-256, what the model makes
python -m zoo export unet/dsb2018 --format onnx --output exported
python -m zoo publish FOLDER             a folder for any web server; KERASADV_ZOO_URL names it
python -m zoo add RUN unet/mine --data "my cells" --licence CC0
python -m zoo card style_transfer measured DIR/measured.md    a table goes into a model card
"""

import argparse
import signal
import sys
from pathlib import Path

# What loads Keras, which takes seconds, is imported by the commands that need it.
from zoo.catalogue import Published, cache, find, here, tables
from zoo.download import WeightsMissing
from zoo.formats import FORMATS, PRECISIONS


def main(argv: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        "python -m zoo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(act=show)
    commands = parser.add_subparsers(metavar="COMMAND")

    def add_command(act, help):
        made = commands.add_parser(act.__name__, help=help)
        made.set_defaults(act=act)
        return made.add_argument

    argument = add_command(download, "fetch weights into the cache")
    argument("names", nargs="+", help="as in the table, or all")
    argument = add_command(verify, "look at every file that is here")
    argument("names", nargs="*", help="as in the table (default: all)")
    argument = add_command(export, "write a model for programs without Keras")
    argument("name", help="as in the table")
    argument("--format", required=True, choices=list(FORMATS))
    argument("--size", help="HEIGHTxWIDTH of images (default: free, where the model's is)")
    argument(
        "--precision",
        default="float32",
        choices=PRECISIONS,
        help="of the weights, with litert; how far outputs are off is measured (default: float32)",
    )
    argument("--output", type=Path, default=Path("."), help="folder (default: here)")
    argument = add_command(publish, "make a folder that any web server can serve")
    argument("folder", type=Path)
    argument = add_command(add, "publish what a training left")
    argument("run", type=Path, help="the folder that it left")
    argument("name", help="such as unet/cells")
    argument("--data", required=True, help="what it learned from")
    argument("--licence", required=True, help="that of the data")
    argument = add_command(card, "put a table that was measured into a model card")
    argument("folder", help="of the model, such as unet")
    argument("part", help="of the card: what is between <!-- PART --> and <!-- end of PART -->")
    argument("file", type=Path, help="a file with the table, in Markdown")
    options = vars(parser.parse_args(argv))
    try:
        options.pop("act")(**options)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {(str(error) or repr(error)).splitlines()[0]}")
    except KeyboardInterrupt:
        sys.exit(130)


def show() -> None:
    """Print the table."""
    head = ["weights", "model", "size", "result", "data", "licence", "here"]
    lines = [head, *([name, *_cells(row)] for name, row in tables().items())]
    widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def _cells(row: Published) -> list[str]:
    size = f"{row.size / 1e6:.1f} MB"
    return [row.model, size, row.headline, row.data, row.licence, "yes" if here(row) else "no"]


def download(names: list[str]) -> None:
    """Fetch weights that are not here yet."""
    wanted = {name: _row(name) for name in (tables() if names == ["all"] else names)}
    for name, row in wanted.items():
        print(f"{name}: {find(row)}")


def export(name: str, format: str, size: str | None, precision: str, output: Path) -> None:
    """Write a model in another format, and say how far it is off."""
    from zoo import models
    from zoo.export import export as write

    row, pair = _row(name), None
    if size is not None:
        sides = size.split("x")
        if len(sides) != 2 or not all(side.isdecimal() and int(side) for side in sides):
            raise ValueError(f"--size: expected HEIGHTxWIDTH, as in 256x256. Received: {size!r}")
        pair = (int(sides[0]), int(sides[1]))
    parts = [name.replace("/", "-"), *([size] if size else [])]
    parts += [precision] if precision != "float32" else []
    target = output / ("-".join(parts) + FORMATS[format][0])
    model = getattr(models, row.model)(weights=name)
    found = write(model, format, target, pair, precision, row.labels)
    print(
        f"{target}: {found['bytes'] / 1e6:.1f} MB; outputs of up to {found['largest_output']:g} "
        f"are off by at most {found['largest_difference']:.2g}, "
        f"{found['mean_difference']:.2g} in the mean"
    )


def _row(name: str) -> Published:
    rows = tables()
    if name not in rows:
        raise ValueError(f"{name}: expected one of {', '.join(rows)}")
    return rows[name]


def verify(names: list[str]) -> None:
    """Look at files; end with an error if one is wrong."""
    from zoo import publishing

    wrong, found = [], 0
    for name, row in ({name: _row(name) for name in names} or tables()).items():
        found += here(row) is not None
        reason = publishing.verify(row)
        print(f"{name}: {reason or 'as published'}", flush=True)
        if reason and here(row):
            wrong.append(name)
    if wrong:
        raise ValueError(
            f"{', '.join(wrong)}: not as published, see above; remove what is wrong and download "
            "it again"
        )
    if not found:
        raise WeightsMissing(f"{cache()}: holds no weights to verify; download some first")


def publish(folder: Path) -> None:
    """Make the folder, and say what to do with it."""
    from zoo import publishing

    for path in publishing.publish(folder):
        print(path)
    print(f"\nserve it:  python -m http.server --directory {folder}")
    print("use it:    KERASADV_ZOO_URL=http://localhost:8000 python -m zoo download all")


def add(run: Path, name: str, data: str, licence: str) -> None:
    """Add a row to a table, its files beside it."""
    from zoo import publishing

    row = publishing.add(run, name, data, licence)
    print(f"{name}: {row.size} bytes, from {row.command}")


def card(folder: str, part: str, file: Path) -> None:
    """Fill a part of a card from a file."""
    from zoo import cards

    if folder not in cards.folders():
        known = ", ".join(cards.folders())
        raise ValueError(f"folder: expected a model with a card: {known}. Received: {folder!r}")
    cards.fill(cards.card(folder), part, cards.read(file))
    print(f"{cards.card(folder)}: {part} is that of {file}")


if __name__ == "__main__":
    # An end like any other: what is half made is taken away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
