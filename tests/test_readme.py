"""What the README promises: two commands, and five lines that run."""

import re
from pathlib import Path

import numpy as np

README = (Path(__file__).resolve().parents[1] / "README.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


def test_the_first_shell_block_is_two_commands():
    commands = blocks("sh")[0].strip().splitlines()
    assert len(commands) == 2
    assert "-m zoo.unet.train" in commands[0] and "-m pytest" in commands[1]


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, 32, 32, 1)).astype("float32")
    names = {"images": images, "masks": rng.integers(0, 2, (4, 32, 32))}
    five_lines, three_classes, devices, wrong_labels, two_players, weights = blocks("python")
    exec(five_lines, names)
    assert {"loss", "dice", "dice_loss", "boundary"} <= set(names["model"].history.history)
    assert any((tmp_path / "runs/unet").rglob("events*"))
    exec(three_classes, names | {"masks": rng.integers(0, 3, (4, 32, 32))})
    assert (tmp_path / "three.keras").exists()
    exec(devices, names)
    assert names["shared"].history.history["loss"]
    pictures = rng.integers(0, 256, (8, 28, 28, 1)).astype("float32")
    exec(wrong_labels, names | {"pictures": pictures, "labels": rng.integers(0, 10, 8)})
    real = rng.uniform(-1, 1, (4, 28, 28, 1)).astype("float32")
    exec(two_players, names | {"real": real})
    assert (tmp_path / "gan.keras").exists() and any((tmp_path / "runs/gan").rglob("events*"))
    exec(weights, names)
    assert names["nuclei"].output_shape == (None, None, None, 1)
    assert names["clothes"].output_shape == (None, 10)
