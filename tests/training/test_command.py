"""The command line of a training, with a training that takes no time."""

import json
import time
from dataclasses import dataclass

import pytest

from kerasadv.training import recipe
from kerasadv.training.command import command


@dataclass(frozen=True)
class Recipe:
    data: str = recipe.field("drawn", "what to learn from")
    data_dir: str | None = recipe.field(None, "where it is")
    epochs: int = recipe.field(2, "how long")


def train(chosen, run):
    """Leaves what it was asked to do; is stopped by data in "stop", fails with that in "fail"."""
    run.mkdir(parents=True, exist_ok=True)
    if not (run / "recipe.json").exists():
        recipe.save(chosen, run / "recipe.json")
    if chosen.data_dir == "stop":
        raise KeyboardInterrupt
    if chosen.data_dir == "fail":
        raise OSError("disk: is full\nand more")
    if chosen.data_dir == "full":
        raise OSError(28, "No space left on device")
    (run / "result.json").write_text(json.dumps({"did": [chosen.data_dir, chosen.epochs]}))


def start(*argv):
    argv = list(map(str, argv))
    run, result = command("zoo.toy.train", "Trains a toy.", Recipe, train, argv=argv)
    assert result["minutes"] == "?"  # Which this training does not tell.
    return run, result["did"]


def ended(*argv):
    with pytest.raises(SystemExit) as caught:
        start(*argv)
    return caught.value.code


def test_a_new_run_gets_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run, result = start("--epochs", 3)
    assert result == [None, 3]
    assert run.parent.name == "runs" and run.name.startswith("toy-drawn-2")
    assert start("--output", "mine/run")[0].is_relative_to("mine")


def test_a_stopped_run_goes_on_with_its_recipe_where_files_have_moved(tmp_path, capsys):
    run = tmp_path / "run"
    assert ended("--output", run, "--data-dir", "stop", "--epochs", 5) == 130
    assert f"to go on: python -m zoo.toy.train --resume {run}" in capsys.readouterr().out
    assert start("--resume", run, "--data-dir", "moved") == (run, ["moved", 5])
    assert start("--resume", run) == (run, ["moved", 5])
    assert "has finished already" in capsys.readouterr().out


# 2 is the default of --epochs: it is still an option that cannot be had.
@pytest.mark.parametrize("other", [("--epochs", 2), ("--epochs", 7), ("--output", "elsewhere")])
def test_nothing_else_may_be_given_to_a_run_that_goes_on(other, tmp_path):
    run = start("--output", tmp_path / "run")[0]
    message = ended("--resume", run, *other)
    assert message.endswith(f"give --data-dir with it, if they have changed, and nothing else. "
                            f"Received: {other[0]}")  # fmt: skip


def test_a_folder_with_the_same_recipe_is_gone_on_with(tmp_path, capsys):
    arguments = ("--output", tmp_path / "run", "--epochs", 5)
    assert ended(*arguments, "--data-dir", "stop") == 130
    assert start(*arguments, "--data-dir", "moved") == (tmp_path / "run", ["moved", 5])
    start(*arguments)
    assert "has finished already" in capsys.readouterr().out


def test_what_was_launched_together_shares_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    moment = time.mktime((2026, 1, 2, 3, 4, 5, 0, 0, -1))  # By the clock on the wall.
    monkeypatch.setenv("KERASADV_LAUNCHED", str(moment))
    assert str(start()[0]) == "runs/toy-drawn-20260102-030405"


def test_no_folder_is_overwritten_and_none_resumed_that_holds_no_run(tmp_path):
    run = start("--output", tmp_path / "run")[0]
    other = ended("--output", run, "--epochs", 7)
    assert "is there already, with another recipe; go on with it by --resume" in other
    (tmp_path / "other").mkdir()
    assert "other: holds no run to resume" in ended("--resume", tmp_path / "other")
    (tmp_path / "other" / "thesis.txt").write_text("years of work")
    assert ended("--output", tmp_path / "other").endswith("is there already; name another")
    assert ended("--output", tmp_path / "other" / "thesis.txt").endswith("name another")
    start("--output", tmp_path / "other" / "new")


def test_errors_are_one_line(tmp_path):
    assert ended("--output", tmp_path / "run", "--data-dir", "fail") == "error: disk: is full"
    run = tmp_path / "full"
    line = f"error: [Errno 28] No space left on device: '{run}'"
    assert ended("--output", run, "--data-dir", "full") == line
