"""Model cards: their tables are written by what made the numbers, into parts that are marked."""

import re
from pathlib import Path

from kerasadv.training.run_files import write_text
from zoo import catalogue

CARD = "README.md"
# The part of a card that tells of published weights.
WEIGHTS = "weights"


def card(folder: str) -> Path:
    """The card of the model in a folder of `zoo`."""
    return catalogue.HOME / folder / CARD


def folders() -> list[str]:
    """The models that have a card."""
    return sorted(path.parent.name for path in catalogue.HOME.glob(f"*/{CARD}"))


def read(path: Path) -> str:
    """The Markdown in a file that is to become a part of a card.

    Raises:
        ValueError: If the file is not there, is empty or no text, or has marks of parts in it.
    """
    if not path.is_file():
        raise ValueError(f"{path}: expected a file with Markdown. Received: no file")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected Markdown, text in UTF-8. Received: {error}") from None
    mark = re.search("<!--.*", text)
    if not text.strip():
        received = "nothing"
    elif "\0" in text:
        received = "bytes that are no text"
    elif mark:
        received = f"{mark[0]}, where a card marks its parts"
    else:
        return text
    raise ValueError(f"{path}: expected Markdown for a part of a card. Received: {received}")


def fill(path: Path, part: str, text: str) -> None:
    """Replace a part of a card: what is between `<!-- PART -->` and `<!-- end of PART -->`.

    Raises:
        ValueError: If the card has no such part, or several.
        OSError: If it cannot be read or written.

    Example:
    >>> import tempfile
    >>> from pathlib import Path
    >>> from zoo.cards import fill
    >>> path = Path(tempfile.mkdtemp()) / "README.md"
    >>> _ = path.write_text("# U-Net\\n<!-- dice -->\\nold\\n<!-- end of dice -->\\n")
    >>> fill(path, "dice", "0.9")
    >>> path.read_text()
    '# U-Net\\n<!-- dice -->\\n0.9\\n<!-- end of dice -->\\n'
    """
    begin, end = f"<!-- {part} -->\n", f"<!-- end of {part} -->\n"
    card = path.read_text(encoding="utf-8")
    before, found, rest = card.partition(begin)
    old, ended, after = rest.partition(end)
    if not found or not ended or begin in old + after:
        several = ended and begin in old + after
        parts = ", ".join(re.findall("^<!-- end of (.*) -->$", card, re.MULTILINE)) or "none"
        raise ValueError(
            f"{path}: expected one part between {begin.strip()} and {end.strip()}. Received: "
            f"{'several' if several else 'none'}; parts of this card: {parts}"
        )
    write_text(path, before + begin + text.rstrip() + "\n" + end + after)


def weights_table(rows: dict[str, catalogue.Published]) -> str:
    """The published weights of a model, by their names: a table, and the command of each."""
    lines = [
        "| weights | size | learned from | licence | minutes | result |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        minutes = "" if row.minutes is None else f"{row.minutes:g}"
        lines.append(
            f"| `{name}` | {row.size / 1e6:.1f} MB | {row.data} | {row.licence} | {minutes} | "
            f"{row.headline} |"
        )
    commands = [f"{row.command}  # {name}" for name, row in rows.items()]
    return "\n".join([*lines, "", "```", *commands, "```"])
