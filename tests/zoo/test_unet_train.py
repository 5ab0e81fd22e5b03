"""Training and prediction from the command line: what is left behind, resumed, and refused."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasadv.training.run_files import load_model
from zoo import UNet
from zoo.unet import predict, train
from zoo.unet.cells import draw_cells

SMALL = ["--epochs", "2", "--batch-size", "4", "--image-size", "32", "--filters", "2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of drawn cells, of two sizes."""
    root = tmp_path_factory.mktemp("cells")
    for part in ("images", "masks"):
        (root / part).mkdir()
    for k, example in enumerate([*draw_cells(14, 48), *draw_cells(6, 70, seed=1)]):
        Image.fromarray(example.image[..., 0]).save(root / "images" / f"{k}.png")
        Image.fromarray(example.mask * 255).save(root / "masks" / f"{k}.png")
    return root


def options(folder, *more):
    return ["--data", "folder", "--data-dir", str(folder), *SMALL, *more]


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "run"
    train.main(options(folder, "--output", str(path)))
    return path


def size_of(path):
    with Image.open(path) as picture:
        return picture.size


def test_leaves_everything_in_the_run_folder(run):
    assert {p.name for p in run.iterdir()} == {
        "recipe.json",
        "model.json",
        "model.weights.h5",
        "result.json",
        "predictions.png",
        "checkpoint",
        "logs",
    }
    result = json.loads((run / "result.json").read_text())
    assert len(result["images"]) == result["held_back_images"] > 0
    assert result["dice"] == pytest.approx(np.mean(list(result["images"].values())), abs=1e-4)
    assert size_of(run / "predictions.png")[0] > 3 * 256


def test_says_what_it_made(folder, tmp_path, capsys):
    train.main(options(folder, "--output", str(tmp_path / "run"), "--strategy", "mirrored"))
    out = capsys.readouterr().out
    for words in (
        "Dice 0.",
        "IoU 0.",
        "predictions.png",
        "model.weights.h5",
        "tensorboard --logdir",
    ):
        assert words in out


def weights(path):
    return (path / "model.weights.h5").read_bytes()


@pytest.mark.parametrize("strategy", ["none", "mirrored"])
def test_a_resumed_training_ends_as_an_uninterrupted_one(
    strategy, folder, tmp_path, stopped_after_one_epoch
):
    arguments = options(folder, "--strategy", strategy)
    train.main([*arguments, "--output", str(tmp_path / "whole")])
    stopped_after_one_epoch(train.main, arguments, tmp_path / "parts")
    train.main(["--resume", str(tmp_path / "parts")])
    assert weights(tmp_path / "whole") == weights(tmp_path / "parts")


def test_a_killed_training_resumes_as_if_nothing_had_happened(folder, tmp_path):
    path = tmp_path / "run"
    command = [sys.executable, "-m", "zoo.unet.train", *options(folder, "--output", str(path))]
    command += ["--epochs", "12"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    try:
        while not any(path.glob("checkpoint/epoch-000[2-9]*")) and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert not (path / "model.weights.h5").exists()
    half = path / "checkpoint" / "epoch-0009-step-000000-0123456789abcdef.weights.h5.77.partial"
    half.write_bytes(b"the kill came while saving")
    train.main(["--resume", str(path)])
    train.main(options(folder, "--output", str(tmp_path / "whole"), "--epochs", "12"))
    assert weights(path) == weights(tmp_path / "whole")


def test_a_run_is_not_overwritten_nor_resumed_with_other_options(run, folder, capsys, refused):
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    other = options(folder, "--output", run, "--seed", 7)
    assert "is there already, with another recipe" in refused(train.main, *other)
    message = refused(train.main, "--resume", run, "--epochs", 5)
    assert "nothing else. Received: --epochs" in message
    train.main(["--resume", str(run)])
    assert "has finished already" in capsys.readouterr().out
    assert before == {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}


def test_predicts_a_mask_and_an_overlay(run, tmp_path, capsys):
    example = draw_cells(1, 75, seed=3)[0]
    Image.fromarray(example.image[..., 0]).save(tmp_path / "cell.png")
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as done:
        predict.main(
            [
                str(tmp_path / "cell.png"),
                "--weights",
                str(run / "model.weights.h5"),
                "--output",
                str(out),
            ]
        )
    assert done.value.code == 0
    with Image.open(out / "cell_mask.png") as mask:
        assert mask.size == (75, 75) and set(np.unique(mask)) <= {0, 255}
    assert size_of(out / "cell_overlay.png") == (75, 75)
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_pictures_of_one_name_do_not_overwrite_each_other(run, refused):
    weights = run / "model.weights.h5"
    assert "b: several pictures" in refused(
        predict.main, "a.png", "x/b.png", "b.jpg", "--weights", weights
    )


def test_learns_several_classes(folder, tmp_path, capsys):
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    for k, example in enumerate(draw_cells(20, 40)):
        Image.fromarray(example.image[..., 0]).save(tmp_path / "images" / f"{k}.png")
        labels = example.mask * (1 + (np.arange(40) > 20).astype("uint8"))
        Image.fromarray(labels).save(tmp_path / "masks" / f"{k}.png")
    (tmp_path / "classes.txt").write_text("background\nleft\nright\n")
    train.main(options(tmp_path, "--output", str(tmp_path / "run")))
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert list(result["dice_by_class"]) == ["left", "right"]
    assert json.loads((tmp_path / "run" / "model.json").read_text())["num_classes"] == 3


def test_one_broken_picture_does_not_stop_the_others(run, tmp_path, capsys):
    Image.fromarray(np.zeros((20, 9), "uint8")).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"bad")
    weights = str(run / "model.weights.h5")
    pictures = [str(tmp_path / name) for name in ("bad.png", "gone.png", "good.png")]
    with pytest.raises(SystemExit) as done:
        predict.main([*pictures, "--weights", weights, "--output", str(tmp_path)])
    assert done.value.code == 1 and (tmp_path / "good_mask.png").exists()
    errors = capsys.readouterr().err.splitlines()
    assert "bad.png: cannot be read" in errors[0] and "gone.png: there is no" in errors[1]


def test_batches_that_the_devices_cannot_share_are_refused(folder, refused):
    arguments = options(folder, "--strategy", "mirrored", "--batch-size", "3")
    assert "multiple of 2, the number of devices" in refused(train.main, *arguments)


def test_bad_recipes_are_refused_before_anything_is_made(folder, tmp_path, monkeypatch, refused):
    monkeypatch.chdir(tmp_path)
    for option, value in (
        ("--image-size", 40),
        ("--epochs", 0),
        ("--batch-size", 500),
        ("--filters", 0),
        ("--learning-rate", -1),
        ("--activation", "relux"),
    ):
        message = refused(train.main, *options(folder), option, value)
        assert str(value) in message
    assert "no such directory" in refused(train.main, "--data", "folder", "--data-dir", "nowhere")
    assert not (tmp_path / "runs").exists()


def test_the_published_weights_give_the_result_beside_them(real_data):
    published = Path(train.__file__).parents[1] / "weights" / "unet-dsb2018"
    model = load_model(published / "model.weights.h5", UNet)
    recorded = json.loads((published / "result.json").read_text())["images"]
    held_back = train.datasets.load("dsb2018", str(real_data)).held_back
    assert {example.name for example in held_back} == set(recorded)
    for example in [e for e in held_back if e.mask.size <= 256 * 256][:8]:
        dice = train.overlap(example.mask == 1, predict.label(model, example.image) == 1)
        assert dice == pytest.approx(recorded[example.name], abs=2e-3)


def test_a_run_that_is_not_there_is_named(tmp_path, refused):
    assert "gone: holds no run to resume" in refused(train.main, "--resume", tmp_path / "gone")


def test_weights_that_do_not_fit_are_named(run, tmp_path, refused):
    picture, weights = tmp_path / "p.png", tmp_path / "model.weights.h5"
    assert "no such file" in refused(predict.main, picture, "--weights", weights)
    weights.write_bytes((run / "model.weights.h5").read_bytes())
    assert "model.json: is missing" in refused(predict.main, picture, "--weights", weights)
    (tmp_path / "model.json").write_text('{"filters": 3}')
    assert "does not fit model.json" in refused(predict.main, picture, "--weights", weights)
    weights.write_bytes(b"hostile")
    assert "does not fit model.json" in refused(predict.main, picture, "--weights", weights)


def test_nan_ends_with_one_line_that_names_the_term(folder, tmp_path, refused):
    arguments = options(folder, "--output", tmp_path / "run", "--learning-rate", "1e30")
    message = refused(train.main, *arguments)
    assert "loss became" in message and "'crossentropy'" in message
