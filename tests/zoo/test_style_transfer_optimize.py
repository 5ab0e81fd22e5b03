"""Painting by direct optimization: the loss falls, and it can be watched."""

import signal

import numpy as np
import pytest
from PIL import Image

from zoo.style_transfer import optimize as module
from zoo.style_transfer.data import with_shares
from zoo.style_transfer.objective import Objective
from zoo.style_transfer.optimize import optimize

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def objective():
    paintings = {k: RNG.integers(0, 256, (40, 30, 3), "uint8") for k in ("one", "two")}
    return Objective(paintings, "random", 5.0)


@pytest.mark.parametrize("start", ["photo", "noise"])
def test_the_loss_of_a_photo_falls(objective, start):
    photo = np.full((24, 20, 3), 100, "uint8")
    shares = np.array([1, 0], "float32")
    found = []
    picture = optimize(objective, photo, shares, 7, start, lambda *step: found.append(step))
    assert [iteration for iteration, _ in found] == list(range(8))
    values = [loss for _, loss in found]
    assert values == sorted(values, reverse=True) and values[-1] < 0.85 * values[0]
    assert picture.min() >= 0 and picture.max() <= 255
    # The value is that of the objective.
    assert value(objective, photo, shares, picture) == pytest.approx(values[-1], rel=1e-3)


def value(objective, photo, shares, picture):
    targets = with_shares(photo[None].astype("float32"), shares[None])
    return float(sum(objective.terms(targets, picture[None]).values())[0])


def test_it_stops_when_it_is_told_to(objective):
    photo = np.full((24, 20, 3), 100, "uint8")
    shares = np.array([0, 1], "float32")
    found = []

    def watch(iteration, loss):
        found.append(loss)
        return iteration == 2

    picture = optimize(objective, photo, shares, 50, watch=watch)
    assert len(found) == 3
    assert value(objective, photo, shares, picture) == pytest.approx(found[-1], rel=1e-3)


def test_the_size_of_the_loss_does_not_matter(objective, monkeypatch):
    photo = np.full((24, 20, 3), 100, "uint8")
    found = {}
    for scale in (1.0, 1e-9):

        def scaled(target, picture, scale=scale):
            return [scale * x for x in Objective.value_and_gradient(objective, target, picture)]

        monkeypatch.setattr(objective, "value_and_gradient", scaled)
        losses = found[scale] = []
        shares = np.array([1, 0], "float32")
        optimize(objective, photo, shares, 5, watch=lambda _, loss, to=losses: to.append(loss))
    np.testing.assert_allclose(np.array(found[1e-9]) * 1e9, found[1.0], rtol=1e-3)


def test_from_noise_it_begins_far_from_the_photo(objective):
    photo = np.full((24, 20, 3), 100, "uint8")
    shares = np.array([1, 0], "float32")
    first = optimize(objective, photo, shares, 5, "noise", lambda *step: True)
    assert first.std() == pytest.approx(255 / 12**0.5, rel=0.05)  # of even noise
    np.testing.assert_array_equal(
        optimize(objective, photo, shares, 5, "photo", lambda *step: True), photo
    )


def test_a_painting_is_looked_at_in_the_size_that_is_asked_for():
    painting = RNG.integers(0, 256, (64, 96, 3), "uint8")
    small = np.asarray(Image.fromarray(painting).resize((24, 16), Image.Resampling.LANCZOS))
    got = Objective({"a": painting}, "random", 5.0, 16)
    features = got.extractor(small[None].astype("float32"))
    for layer, matrix in got.paintings.items():
        f = np.asarray(features[layer]).reshape(-1, matrix.shape[-1])
        np.testing.assert_allclose(matrix[0], f.T @ f / f.size, rtol=1e-3, atol=1e-4)


def test_the_command_paints_a_photo(tmp_path, capsys):
    for name in ("photo", "painting"):
        Image.fromarray(RNG.integers(0, 256, (30, 40, 3), "uint8")).save(tmp_path / f"{name}.png")
    module.main(
        [
            str(tmp_path / "photo.png"), "--painting", str(tmp_path / "painting.png"),
            "--vgg", "random", "--iterations", "2", "--size", "24",
            "--output", str(tmp_path / "out.png"),
        ]
    )  # fmt: skip
    with Image.open(tmp_path / "out.png") as painted:
        assert painted.size == (24, 18)
    assert "out.png" in capsys.readouterr().out


def test_who_stops_it_gets_the_picture_of_that_moment(tmp_path, monkeypatch, capsys):
    Image.fromarray(RNG.integers(0, 256, (18, 24, 3), "uint8")).save(tmp_path / "p.png")
    handler, seen = signal.getsignal(signal.SIGINT), []

    def evaluated(self, target, picture):
        seen.append(np.array(picture[0]))
        if len(seen) == 3:
            signal.raise_signal(signal.SIGINT)
        return Objective.value_and_gradient(self, target, picture)

    slow = type("Slow", (Objective,), {"value_and_gradient": evaluated})
    monkeypatch.setattr(module, "Objective", slow)
    photo, out = str(tmp_path / "p.png"), tmp_path / "out.png"
    module.main([photo, "--painting", photo, "--vgg", "random", "--output", str(out)])
    with Image.open(out) as picture:
        assert any((np.asarray(picture) == x.round()).all() for x in seen[1:])
    assert "stopped after" in capsys.readouterr().err
    assert len(seen) < 10 and signal.getsignal(signal.SIGINT) is handler


def test_who_stops_it_sees_no_traceback(tmp_path, monkeypatch, capsys):
    Image.new("RGB", (24, 18)).save(tmp_path / "p.png")
    monkeypatch.setattr(module, "reduced", interrupted)
    photo = str(tmp_path / "p.png")
    with pytest.raises(SystemExit) as stopped:
        module.main([photo, "--painting", photo, "--output", str(tmp_path / "out.png")])
    assert stopped.value.code == 130 and "stopped" in capsys.readouterr().err


def interrupted(*arguments):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "change, message",
    [
        ({"photo": "gone.png"}, "gone.png: there is no such file"),
        ({"--painting": "gone.png"}, "gone.png: there is no such file"),
        ({"--vgg": "gone.h5"}, "gone.h5', where there is none"),
        ({"--output": "o.psd"}, "o.psd: expected one of .png"),
        ({"--output": "p.png"}, "p.png: is one of the photos, which would be lost"),
        ({"--size": "9"}, "--size: expected at least 16. Received: 9"),
        ({"--style-weight": "-1"}, "--style-weight: expected a number of at least 0. Received: -1"),
        ({"--style-weight": "nan"}, "--style-weight: expected a number"),
        ({"--iterations": "0"}, "--iterations: expected at least 1. Received: 0"),
        ({"--painting-size": "3"}, "--painting-size: expected at least 16. Received: 3"),
    ],
)
def test_faults_are_one_line(change, message, tmp_path):
    Image.fromarray(RNG.integers(0, 256, (30, 40, 3), "uint8")).save(tmp_path / "p.png")
    given = {"photo": "p.png", "--painting": "p.png", "--vgg": "random"} | change
    argv = [str(tmp_path / given.pop("photo"))]
    for option, value in given.items():
        argv += [option, str(tmp_path / value) if value.endswith(("png", "h5", "psd")) else value]
    with pytest.raises(SystemExit) as caught:
        module.main(argv)
    text = str(caught.value.code)
    assert text.startswith("error: ") and message in text and "\n" not in text
