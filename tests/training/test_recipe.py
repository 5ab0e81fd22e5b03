"""A dataclass as a command line and as JSON."""

import argparse
import json
from dataclasses import dataclass
from typing import Literal

import pytest

from kerasadv.training import recipe


@dataclass(frozen=True)
class Example:
    kind: Literal["a", "b"] = recipe.field("a", "what it is")
    path: str | None = recipe.field(None, "where it is")
    rate: float = recipe.field(1e-3, "how fast")
    fast_mode: bool = recipe.field(False, "whether to hurry")
    side: Literal["left", "right"] | None = recipe.field(None, "which side, if any")


def parse(*argv):
    parser = argparse.ArgumentParser()
    recipe.add_arguments(parser, Example)
    return Example(**vars(parser.parse_args(argv)))


def test_every_field_is_an_option():
    assert parse() == Example()
    got = parse(
        "--kind", "b", "--path", "here", "--rate", "0.5", "--fast-mode", "--side", "left"
    )  # fmt: skip
    assert got == Example("b", "here", 0.5, True, "left")


def test_help_gives_reasons_and_defaults(capsys):
    with pytest.raises(SystemExit):
        parse("--help")
    text = capsys.readouterr().out
    assert "how fast (default: 0.001)" in text and "{a,b}" in text


@pytest.mark.parametrize("argv", [["--kind", "c"], ["--rate", "fast"], ["--side", "up"]])
def test_other_values_are_refused(argv):
    with pytest.raises(SystemExit):
        parse(*argv)


def test_json_round_trip(tmp_path):
    for side in (None, "right"):
        recipe.save(Example("b", None, 0.25, True, side), tmp_path / "r.json")
        loaded = recipe.load(tmp_path / "r.json", Example)
        assert loaded == Example("b", None, 0.25, True, side)


def test_a_training_that_goes_on_keeps_the_recipe_it_began_with(tmp_path):
    run = tmp_path / "runs" / "first"
    recipe.begin(Example(rate=3.0), run, {"filters": 2}, resumed=False)
    recipe.begin(Example(rate=9.0), run, {"filters": 4}, resumed=True)
    assert recipe.load(run / "recipe.json", Example).rate == 3
    assert json.loads((run / "model.json").read_text()) == {"filters": 4}


@pytest.mark.parametrize("text", ["{", '{"unknown": 1}', "[1]", "5"])
def test_other_files_are_named(text, tmp_path):
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(ValueError, match="r.json: expected (a recipe as )?JSON"):
        recipe.load(tmp_path / "r.json", Example)


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": "c"}',
        '{"path": 5}',
        '{"rate": "fast"}',
        '{"rate": null}',
        '{"fast_mode": 1}',
        '{"side": "up"}',
    ],
)
def test_values_of_another_kind_are_named(text, tmp_path):
    (tmp_path / "r.json").write_text(text)
    name = text[2:].partition('"')[0]
    with pytest.raises(ValueError, match=f"r.json: expected `{name}` to be .* Received: "):
        recipe.load(tmp_path / "r.json", Example)
