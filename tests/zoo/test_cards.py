"""Model cards: marked parts that commands fill."""

import re

import pytest

from zoo import __main__ as command
from zoo import cards, catalogue

FOLDERS = sorted({name.split("/")[0] for name in catalogue.tables()})


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_card_tells_of_the_weights_that_are_published(folder):
    text = cards.card(folder).read_text()
    _, _, rest = text.partition("<!-- weights -->")
    told, end, _ = rest.partition("<!-- end of weights -->")
    assert end
    assert told.strip() == cards.weights_table(catalogue.table(folder))
    for name, row in catalogue.table(folder).items():
        assert f"| `{name}` | {row.size / 1e6:.1f} MB | {row.data} | {row.licence} |" in told
        assert f"\n{row.command}  # {name}\n" in told


def test_a_part_is_replaced_and_the_rest_is_left_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(catalogue, "HOME", tmp_path)
    card = tmp_path / "unet" / "README.md"
    card.parent.mkdir()
    card.write_text("a\n<!-- x -->\nold\n<!-- end of x -->\nb\n<!-- y -->\n<!-- end of y -->\n")
    table = tmp_path / "table.md"
    table.write_text("| 1 |\n\n")
    command.main(["card", "unet", "y", str(table)])
    command.main(["card", "unet", "y", str(table)])
    expected = "a\n<!-- x -->\nold\n<!-- end of x -->\nb\n<!-- y -->\n| 1 |\n<!-- end of y -->\n"
    assert card.read_text() == expected
    assert "README.md: y is that of" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content, received",
    [
        (b"", "Received: nothing"),
        (b" \n\n", "Received: nothing"),
        (b"\x89PNG\r\n\x1a\n", "text in UTF-8. Received: .* byte 0x89"),
        ("| 1 |".encode("utf-16-le"), "Received: bytes that are no text"),
        (b"| 1 |\n<!-- end of x -->\n", "Received: <!-- end of x -->, where"),
        (None, "Received: no file"),
    ],
)
def test_what_is_no_markdown_does_not_get_into_a_card(
    content, received, tmp_path, monkeypatch, refused
):
    monkeypatch.setattr(catalogue, "HOME", tmp_path)
    card, table = tmp_path / "unet" / "README.md", tmp_path / "table.md"
    card.parent.mkdir()
    card.write_text("<!-- x -->\nold\n<!-- end of x -->\n")
    before = card.read_text()
    if content is not None:
        table.write_bytes(content)
    message = refused(command.main, "card", "unet", "x", table)
    assert "table.md: expected" in message and re.search(received, message)
    assert card.read_text() == before


def test_a_model_without_a_card_is_told_those_that_have_one(refused):
    message = refused(command.main, "card", "u-net", "x", "table.md")
    assert "noisy_labels, style_transfer, unet. Received: 'u-net'" in message


@pytest.mark.parametrize(
    "text, received",
    [
        ("# no parts\n", "none; parts of this card: none"),
        ("<!-- y -->\n<!-- end of y -->\n<!-- z -->\n<!-- end of z -->\n", "none; .*: y, z"),
        ("<!-- x -->\nno end\n", "none"),
        (2 * "<!-- x -->\n<!-- end of x -->\n", "several"),
    ],
)
def test_a_card_without_the_part_is_left_alone(text, received, tmp_path):
    card = tmp_path / "README.md"
    card.write_text(text)
    with pytest.raises(ValueError, match=f"expected one part .*Received: {received}"):
        cards.fill(card, "x", "new")
    assert card.read_text() == text
