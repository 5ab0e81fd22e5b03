"""Training two players from the command line: what is left behind, resumed, and refused."""

import json

import numpy as np
import pytest
from PIL import Image

import kerasadv
import zoo
from zoo.dcgan import sample, train
from zoo.dcgan.train import Recipe

RNG = np.random.default_rng(0)
SMALL = ["--image-size", "8", "--epochs", "2", "--batch-size", "4", "--filters", "2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of ten pictures: two whole batches of four, and two left over."""
    root = tmp_path_factory.mktemp("pictures")
    for k in range(10):
        coarse = Image.fromarray(RNG.integers(0, 256, (3, 4, 3), "uint8"))
        coarse.resize((16, 12)).save(root / f"{k}.png")
    return root


def options(folder, *more):
    return ["--data", "folder", "--data-dir", str(folder), *SMALL, *map(str, more)]


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "run"
    train.main(options(folder, "--output", path))
    return path


def read(run, name="result.json"):
    return json.loads((run / name).read_text())


def test_leaves_everything_in_the_run_folder(run):
    assert {p.name for p in run.iterdir()} == {
        "recipe.json",
        "model.json",
        "model.weights.h5",
        "result.json",
        "history.json",
        "samples.png",
        "checkpoint",
        "logs",
    }
    rows, result = read(run, "history.json"), read(run)
    assert [row["epoch"] for row in rows] == [1, 2]
    shown = {"loss", "spread", "real_accuracy", "fake_accuracy"}
    shown |= {f"{p}_{x}" for p in ("generator", "discriminator") for x in ("loss", "gradient_norm")}
    for row in rows:
        assert set(row) == {"epoch", *shown} and np.isfinite(list(row.values())).all()
    assert {name: result[name] for name in shown} == {name: rows[-1][name] for name in shown}
    assert result["training_images"] == 10
    assert {"minutes", "processor_minutes"} <= set(result)


def test_leaves_the_average_of_the_generator_and_pictures_of_it(run, folder, tmp_path):
    arguments = read(run, "model.json")
    generator = zoo.DCGANGenerator(**arguments, weights=run / "model.weights.h5")
    recipe = kerasadv.training.recipe.load(run / "recipe.json", Recipe)
    gan = kerasadv.training.GAN(
        zoo.DCGANGenerator(**arguments),
        zoo.DCGANDiscriminator(8, 3, filters=2, batch_normalization=True),
        ema_momentum=train.ema_momentum(4),
    )
    gan.compile(
        train.optimizer(recipe, 4), train.optimizer(recipe, 4), penalties=train.penalties(recipe)
    )
    assert kerasadv.training.Checkpoint(run / "checkpoint").restore(gan) == 2
    for got, average in zip(generator.get_weights(), gan.averaged.get_weights(), strict=True):
        np.testing.assert_array_equal(got, average)
    last = gan.generator.get_weights()
    assert any((a != b).any() for a, b in zip(generator.get_weights(), last))
    # What `sample` gives without any option.
    sample.main(["--weights", str(run / "model.weights.h5"), "--output", str(tmp_path / "a.png")])
    assert (tmp_path / "a.png").read_bytes() == (run / "samples.png").read_bytes()


def test_tensorboard_shows_pictures_of_the_same_latents_and_both_players(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logs = {}
    for part in ("train", "validation"):
        logs[part] = EventAccumulator(str(run / "logs" / part), {"tensors": 0})
        logs[part].Reload()
    shown = set(logs["train"].Tags()["tensors"])
    assert {"generator_loss", "discriminator_loss", "real_accuracy", "fake_accuracy"} <= shown
    pictures = logs["validation"].Tensors("pictures")
    assert len(pictures) == 2  # One after each epoch.
    import tensorflow as tf

    last = tf.io.decode_png(pictures[-1].tensor_proto.string_val[2]).numpy()
    with Image.open(run / "samples.png") as page:
        np.testing.assert_array_equal(last, np.asarray(page))


@pytest.mark.parametrize(
    "loss, penalty, game, pays",
    [
        ("non_saturating", 1.0, "minimax", "r1"),
        ("minimax", 0.0, "minimax", None),
        ("hinge", 0.0, "hinge_gan", None),
        ("lsgan", 2.0, "lsgan", "r1"),
        ("wgan", 10.0, "wgan", "gradient_penalty"),
    ],
)
def test_the_games_are_what_their_names_say(loss, penalty, game, pays):
    recipe = Recipe(loss=loss, penalty=penalty)
    assert train.loss(recipe).name == game
    if game == "minimax":
        assert train.loss(recipe).saturating == (loss == "minimax")
    found = train.penalties(recipe)
    assert [p.name for p in found] == ([pays] if pays else [])
    assert all(p.weight == penalty for p in found)


def test_every_activation_goes_to_both_players_and_into_the_model_file(
    folder, tmp_path, monkeypatch
):
    built = []
    for name in ("DCGANGenerator", "DCGANDiscriminator"):
        build = getattr(train, name)
        monkeypatch.setattr(
            train, name, lambda *a, build=build, **k: built.append(build(*a, **k)) or built[-1]
        )
    train.main(
        options(
            folder, "--activation", "prelu", "--loss", "hinge", "--penalty", 0.5, "--epochs", 1,
            "--output", tmp_path / "run",
        )
    )  # fmt: skip
    assert len(built) == 3  # Two players, and the generator that is left.
    assert all(model.get_layer("stage1_prelu") for model in built)
    assert read(tmp_path / "run", "model.json")["activation"] == "prelu"
    # A penalty takes the place of the discriminator's batch normalization.
    assert "r1" in read(tmp_path / "run")
    assert [bool(model.count_params() - trained(model)) for model in built] == [True, False, True]


def trained(model):
    """Number of weights that are not statistics of batches."""
    return sum(np.prod(w.shape) for w in model.trainable_weights)


def test_the_average_looks_back_over_a_twentieth_of_the_training():
    for steps in (100, 2000, 20000):
        assert 1 / (1 - train.ema_momentum(steps)) == pytest.approx(steps / 20)
    assert train.ema_momentum(10**6) == 0.999
    assert train.ema_momentum(1) == 0.5  # GAN takes 0 for no average.


def same(whole, parts):
    weights = [(path / "model.weights.h5").read_bytes() for path in (whole, parts)]
    assert weights[0] == weights[1]
    assert read(whole, "history.json") == read(parts, "history.json")
    assert (whole / "samples.png").read_bytes() == (parts / "samples.png").read_bytes()
    results = [
        {k: v for k, v in read(path).items() if "minutes" not in k} for path in (whole, parts)
    ]
    assert results[0] == results[1]


def test_a_resumed_training_ends_as_an_uninterrupted_one(
    run, folder, tmp_path, stopped_after_one_epoch, capsys
):
    parts = tmp_path / "parts"
    stopped_after_one_epoch(train.main, options(folder), parts)
    assert f"python -m zoo.dcgan.train --resume {parts}" in capsys.readouterr().out
    # A kill between the end of an epoch and its checkpoint leaves a row too many.
    rows = read(parts, "history.json")
    (parts / "history.json").write_text(json.dumps([*rows, {"epoch": 2, "loss": 9.0}]))
    # The files may have moved.
    (tmp_path / "moved").symlink_to(folder)
    train.main(["--resume", str(parts), "--data-dir", str(tmp_path / "moved")])
    same(run, parts)


def test_two_replicas_end_where_one_does_though_they_were_stopped(
    run, folder, tmp_path, stopped_after_one_epoch
):
    stopped_after_one_epoch(train.main, options(folder, "--strategy", "mirrored"), tmp_path / "two")
    train.main(["--resume", str(tmp_path / "two")])
    one, two = (
        zoo.DCGANGenerator(**read(path, "model.json"), weights=path / "model.weights.h5")
        for path in (run, tmp_path / "two")
    )
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    for a, b in zip(*(read(path, "history.json") for path in (run, tmp_path / "two")), strict=True):
        # Each replica sees how far the pictures of its own share spread.
        assert a.pop("spread") == pytest.approx(b.pop("spread"), rel=0.5)
        assert a == pytest.approx(b, abs=1e-4)


def test_learns_how_bright_pictures_are(tmp_path):
    for k in range(160):
        Image.new("L", (8, 8), 230 + k % 8).save(tmp_path / f"{k}.png")
    bright = options(tmp_path, "--learning-rate", 0.01, "--output", tmp_path / "run")
    train.main(bright)
    with Image.open(tmp_path / "run" / "samples.png") as page:
        pictures = np.asarray(page).astype(float)
    assert pictures.shape == (82, 82)  # Grey as they are.
    # An untrained one makes a middle grey, 128; the gaps between pictures are white.
    inside = pictures[pictures < 255]
    assert len(inside) > 1000 and inside.mean() > 190


def test_bad_recipes_are_refused_before_anything_is_made(folder, tmp_path, monkeypatch, refused):
    monkeypatch.chdir(tmp_path)
    for option, value in (
        ("--image-size", 7),
        ("--image-size", 0),
        ("--penalty", -1),
        ("--penalty", "nan"),
        ("--epochs", 0),
        ("--batch-size", 0),
        ("--batch-size", 11),
        ("--filters", 0),
        ("--learning-rate", -1),
        ("--seed", -1),
    ):
        message = refused(train.main, *options(folder), option, value)
        assert option.strip("-").replace("-", "_") in message.replace("-", "_")
        assert str(value) in message
    assert "--penalty: " in refused(train.main, *options(folder), "--loss", "wgan", "--penalty", 0)
    batch = options(folder, "--strategy", "mirrored", "--batch-size", 3)
    assert "multiple of 2, the number of devices" in refused(train.main, *batch)
    assert "no such directory" in refused(train.main, "--data", "folder", "--data-dir", "nowhere")
    assert "gone: holds no run to resume" in refused(train.main, "--resume", "gone")
    assert list(tmp_path.iterdir()) == []


def test_nan_ends_with_one_line(folder, tmp_path, refused):
    message = refused(
        train.main, *options(folder, "--output", tmp_path / "run", "--learning-rate", "1e30")
    )
    assert "loss became" in message or "NaN or infinity" in message
