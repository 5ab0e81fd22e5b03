"""Every tutorial runs from top to bottom, on smaller numbers, and opens as a notebook."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TUTORIALS = sorted((Path(__file__).parents[1] / "tutorials").glob("*.py"))

# For each tutorial: the text to replace with what, and the files that it promises to leave.
SMALLER = {
    "1_segment_rare_things.py": (
        {
            "SEEDS = (0, 1, 2)": "SEEDS = (0,)",
            "NUM_IMAGES = 240": "NUM_IMAGES = 16",
            "NUM_HELD_BACK = 256": "NUM_HELD_BACK = 8",
            "IMAGE_SIZE = 64": "IMAGE_SIZE = 32",
            "FILTERS = 6": "FILTERS = 2",
            "EPOCHS = 16": "EPOCHS = 3",
            "WARM_UP = 4": "WARM_UP = 1",
        },
        [
            "segment_rare_things/examples.png",
            "segment_rare_things/distance_maps.png",
            "segment_rare_things/two_mistakes.png",
            "segment_rare_things/predictions.png",
        ],
    ),
    "2_labels_that_lie.py": (
        {
            "SEEDS = (0, 1, 2, 3, 4, 5)": "SEEDS = (0,)",
            "NUM_POINTS = 400": "NUM_POINTS = 50",
            "STEPS = 400": "STEPS = 50",
            "EPOCHS = 24": "EPOCHS = 1",
            # Each loss and each setting costs seconds for the compiler alone.
            '    "bounded": (0.2, 1.0),\n': "",
            '    "heavy tail": (1.0, 4.0),\n': "",
            '    "cross-entropy, fast": (1.0, 1.0, 0.002),\n': "",
            '    "mild": (0.5, 1.5, 0.002),\n': "",
        },
        [
            "labels_that_lie/loss.png",
            "labels_that_lie/probabilities.png",
            "labels_that_lie/regions.png",
            "labels_that_lie/curves.png",
            "labels_that_lie/suspects.png",
        ],
    ),
    "3_paint_in_a_style.py": (
        {
            # No download. An untrained network sees nothing that is worth looking at.
            'WEIGHTS = "imagenet"': "WEIGHTS = None",
            "SIZE = 160": "SIZE = 64",
            '("block2_conv2", "block4_conv2", "block5_conv2")': '("block2_conv2",)',
            '("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv1")': '("block1_conv2",)',
            "REBUILD_STEPS = 40": "REBUILD_STEPS = 2",
            "TEXTURE_STEPS = 80": "TEXTURE_STEPS = 2",
            "STYLE_WEIGHTS = (0.05, 0.5, 5.0)": "STYLE_WEIGHTS = (0.5,)",
            "PAINT_STEPS = 40": "PAINT_STEPS = 2",
            "NUM_CROPS = 50": "NUM_CROPS = 2",
            "CROP = 128": "CROP = 32",
            "EPOCHS = 5": "EPOCHS = 1",
        },
        [
            "paint_in_a_style/photo_and_painting.png",
            "paint_in_a_style/what_vgg_sees.png",
            "paint_in_a_style/rebuilt.png",
            "paint_in_a_style/textures.png",
            "paint_in_a_style/painted.png",
            "paint_in_a_style/network.png",
            "paint_in_a_style/painter.keras",
        ],
    ),
    "4_two_players.py": (
        {
            "LINE_STEPS = 600": "LINE_STEPS = 5",
            "CIRCLE_STEPS = 600": "CIRCLE_STEPS = 20",
            "RING_EPOCHS = 60": "RING_EPOCHS = 6",
            "NUM_POINTS = 2048": "NUM_POINTS = 128",
            "NUM_DIGITS = 3000": "NUM_DIGITS = 128",
            "DIGIT_EPOCHS = 24": "DIGIT_EPOCHS = 12",
            "FILTERS = 24": "FILTERS = 2",
        },
        [
            "two_players/best_discriminator.png",
            "two_players/saturating.png",
            "two_players/circles.png",
            "two_players/ring.png",
            "two_players/ring_curves.png",
            "two_players/alone.png",
            "two_players/collapse.png",
            "two_players/digits.png",
            "two_players/walks.png",
        ],
    ),
    "5_from_one_device_to_a_cluster.py": (
        {"NUM_DIGITS = 2048": "NUM_DIGITS = 256", "EPOCHS = 4": "EPOCHS = 2"},
        ["cluster/shares.png", "cluster/losses.png"],
    ),
}


def test_there_are_tutorials():
    assert TUTORIALS


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.name)
def test_tutorial_runs_on_smaller_numbers_and_leaves_its_pictures(path, tmp_path):
    assert path.name in SMALLER, f"add {path.name!r} to SMALLER, with the numbers to make smaller"
    replacements, promised = SMALLER[path.name]
    text = path.read_text()
    for old, new in replacements.items():
        assert text.count(old) == 1, f"{path.name} has {old!r} {text.count(old)} times, not once"
        text = text.replace(old, new)
    script = tmp_path / path.name
    script.write_text(text)
    done = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    missing = [name for name in promised if not (tmp_path / name).is_file()]
    assert not missing, f"{path.name} did not write {missing}"


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.name)
def test_tutorial_opens_as_a_notebook(path):
    jupytext = pytest.importorskip("jupytext")
    notebook = jupytext.read(path)
    kinds = {cell.cell_type for cell in notebook.cells}
    assert {"markdown", "code"} <= kinds
    assert notebook.metadata["kernelspec"]["name"] == "python3"
