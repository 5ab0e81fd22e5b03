"""The command `python -m zoo` as a program: quick where it needs no model."""

import os
import subprocess
import sys

import pytest

import zoo
from zoo import catalogue


def run(*words, **environment):
    done = subprocess.run(
        [sys.executable, *words],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("words", [[], ["--help"], ["download", "unet/dsb2018"]])
def test_lists_and_fetches_files_without_loading_keras(words):
    done = run("-X", "importtime", "-m", "zoo", *words)
    # Python says of each module that it loads how long it took, the name at the end.
    loaded = {line.split("|")[-1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "zoo.catalogue" in loaded and not loaded & {"keras", "tensorflow", "kerasadv"}
    assert "unet/dsb2018" in done.stdout


def test_commands_that_need_models_find_them(tmp_path):
    done = run("-m", "zoo", "verify")
    assert done.stdout.count("as published") == len(catalogue.tables())


def test_a_program_with_such_words_of_its_own_gets_all_models(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import zoo\nprint(zoo.UNet, sorted(zoo.__all__))")
    assert str(sorted(zoo.__all__)) in run(program, "-m", "zoo").stdout
