"""Model cards: marked parts that commands fill."""

import pytest

from zoo import __main__ as command
from zoo import cards, weights

FOLDERS = sorted({name.split("/")[0] for name in weights.tables()})


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_card_tells_of_the_weights_that_are_published(folder):
    text = cards.card(folder).read_text()
    _, _, rest = text.partition("<!-- weights -->")
    told, end, _ = rest.partition("<!-- end of weights -->")
    assert end
    assert told.strip() == cards.weights_table(weights.table(folder))
    for name, row in weights.table(folder).items():
        assert f"| `{name}` | {row.size / 1e6:.1f} MB | {row.data} | {row.licence} |" in told
        assert f"\n{row.command}  # {name}\n" in told


def test_a_part_is_replaced_and_the_rest_is_left_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(weights, "HOME", tmp_path)
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
    "text, received",
    [
        ("# no parts\n", "none"),
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
