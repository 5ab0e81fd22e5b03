"""Training a style network from the command line: what is left behind, resumed, and refused."""

import functools
import json

import numpy as np
import pytest
from PIL import Image

from zoo.style_transfer import objective, train

RNG = np.random.default_rng(0)
SMALL = ["--epochs", "2", "--batch-size", "2", "--image-size", "24", "--filters", "2"]


@pytest.fixture(scope="module", autouse=True)
def shallow():
    """Fewer layers of both networks, as building them takes most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objective, "CONTENT", "block2_conv1")
        patch.setattr(objective, "STYLE", ("block1_conv1", "block2_conv1"))
        network = functools.partial(train.StyleTransfer, residual_blocks=1)
        patch.setattr(train, "StyleTransfer", network)
        yield


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """A folder of photos, and one of paintings."""
    root = tmp_path_factory.mktemp("material")
    for part, names in (("photos", range(6)), ("paintings", ("a_red_1900", "blue"))):
        (root / part).mkdir()
        for name in names:
            coarse = Image.fromarray(RNG.integers(0, 256, (6, 7, 3), "uint8"))
            coarse.resize((42, 36)).save(root / part / f"{name}.png")
    return root


def options(material, *more):
    return [
        "--data", "folder", "--data-dir", str(material / "photos"),
        "--styles", str(material / "paintings"), "--vgg", "random", *SMALL, *map(str, more),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def run(material, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "run"
    train.main(options(material, "--output", path))
    return path


def test_leaves_everything_in_the_run_folder(run):
    assert {p.name for p in run.iterdir()} == {
        "recipe.json",
        "model.json",
        "model.weights.h5",
        "result.json",
        "painted.png",
        "checkpoint",
        "logs",
    }
    assert json.loads((run / "model.json").read_text())["styles"] == ["red", "blue"]
    result = json.loads((run / "result.json").read_text())
    terms = result["terms"]
    assert result["loss"] == pytest.approx(sum(terms.values()) / 2)
    assert set(terms) == {
        f"{term}/{style}"
        for term in ("content", "style", "total_variation")
        for style in ("red", "blue")
    }
    assert all(np.isfinite(value) and value > 0 for value in terms.values())
    with Image.open(run / "painted.png") as page:
        assert page.width > 3 * 24  # the photo and two styles


def test_tensorboard_shows_the_photos_in_every_style_and_each_term_by_style(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    seen = {}
    for part in ("train", "validation"):
        log = EventAccumulator(str(run / "logs" / part), {"tensors": 0, "images": 0})
        log.Reload()
        seen[part] = set(log.Tags()["tensors"])
    assert {"loss", "content", "style", "perceptual", "total_variation", "learning_rate"} <= seen[
        "train"
    ]
    assert {"painted", "content/red", "style/red", "style/blue"} <= seen["validation"]


def test_the_loss_falls(material, tmp_path):
    falling = options(
        material, "--output", tmp_path / "run", "--epochs", 12, "--learning-rate", 0.01
    )
    first, last = [], []
    fit = train.keras.Model.fit

    def watched(self, *args, **kwargs):
        history = fit(self, *args, **kwargs)
        first.append(history.history["loss"][0])
        last.append(history.history["loss"][-1])
        return history

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.keras.Model, "fit", watched)
        train.main(falling)
    assert last[0] < 0.8 * first[0]


def test_a_training_goes_on_with_the_paintings_it_began_with(
    material, tmp_path, stopped_after_one_epoch, refused
):
    stopped_after_one_epoch(train.main, options(material), tmp_path / "run")
    others = tmp_path / "others"
    others.mkdir()
    for file in sorted((material / "paintings").iterdir()):
        (others / f"other{file.name}").write_bytes(file.read_bytes())
    message = refused(train.main, "--resume", tmp_path / "run", "--styles", others)
    assert message.startswith("error: --styles: expected paintings of ['") and "other" in message


@pytest.mark.parametrize("strategy", ["none", "mirrored"])
def test_a_resumed_training_ends_as_an_uninterrupted_one(
    strategy, material, tmp_path, stopped_after_one_epoch
):
    arguments = options(material, "--strategy", strategy)
    train.main([*arguments, "--output", str(tmp_path / "whole")])
    stopped_after_one_epoch(train.main, arguments, tmp_path / "parts")
    # The files may have moved.
    moved = tmp_path / "moved"
    moved.symlink_to(material / "paintings")
    train.main(["--resume", str(tmp_path / "parts"), "--styles", str(moved)])
    whole, parts = (
        (tmp_path / name / "model.weights.h5").read_bytes() for name in ("whole", "parts")
    )
    assert whole == parts


def test_bad_recipes_are_refused_before_anything_is_made(material, tmp_path, monkeypatch, refused):
    monkeypatch.chdir(tmp_path)
    for option, value in (
        ("--image-size", 15),
        ("--epochs", 0),
        ("--batch-size", 500),
        ("--filters", 0),
        ("--learning-rate", -1),
        ("--style-weight", -2.5),
        ("--vgg", "gone.h5"),
    ):
        assert str(value) in refused(train.main, *options(material), option, value)
    batch = options(material, "--strategy", "mirrored", "--batch-size", 3)
    assert "multiple of 2, the number of devices" in refused(train.main, *batch)
    assert "--styles" in refused(train.main, "--data", "folder", "--data-dir", material / "photos")
    assert "gone: holds no run to resume" in refused(train.main, "--resume", "gone")
    assert not (tmp_path / "runs").exists()
