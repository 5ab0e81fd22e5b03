"""Painting by direct optimization: descent on known functions, and on a photo."""

import itertools

import numpy as np
import pytest
from PIL import Image

from zoo.style_transfer import optimize as module
from zoo.style_transfer.objective import Objective
from zoo.style_transfer.optimize import adam, lbfgs, optimize

RNG = np.random.default_rng(0)


def rosenbrock(x):
    """The banana: a curved valley with its minimum, 0, at (1, 1)."""
    a, b = x
    loss = (1 - a) ** 2 + 100 * (b - a * a) ** 2
    return loss, np.array([2 * (a - 1) - 400 * a * (b - a * a), 200 * (b - a * a)])


def losses(method, function, start, iterations, **kwargs):
    steps = method(function, np.array(start, "float64"), **kwargs)
    return [loss for loss, _ in itertools.islice(steps, iterations)]


def test_lbfgs_goes_down_a_curved_valley_to_its_minimum():
    found = losses(lbfgs, rosenbrock, [-1.2, 1.0], 60)
    assert found[0] == pytest.approx(24.2)  # by hand
    assert all(b <= a for a, b in zip(found, found[1:]))
    assert found[-1] < 1e-12


def test_lbfgs_stays_where_no_step_helps():
    assert losses(lbfgs, rosenbrock, [1.0, 1.0], 3) == [0, 0, 0]


def test_lbfgs_steps_back_from_where_the_loss_is_no_number():
    def steep(x):
        if x[0] < 0.5:
            return float("nan"), np.array([float("nan")])
        return float((x[0] - 0.5) ** 2), 2 * (x - 0.5)

    assert losses(lbfgs, steep, [2.0], 40)[-1] < 1e-6


def test_adam_is_the_optimizer_of_keras():
    import keras

    found = losses(adam, rosenbrock, [-1.2, 1.0], 6, rate=0.1)
    x = keras.Variable(np.array([-1.2, 1.0]), dtype="float64")
    theirs = keras.optimizers.Adam(0.1, epsilon=1e-8)
    for loss in found:
        expected, gradient = rosenbrock(np.array(x))
        assert loss == pytest.approx(expected, rel=1e-3)
        theirs.apply([gradient], [x])


@pytest.fixture(scope="module")
def objective():
    paintings = {k: RNG.integers(0, 256, (40, 30, 3), "uint8") for k in ("one", "two")}
    return Objective(paintings, "random", 5.0)


@pytest.mark.parametrize("method", ["lbfgs", "adam"])
def test_the_loss_of_a_photo_falls(objective, method):
    photo = np.full((24, 20, 3), 100, "uint8")
    shares = np.array([1, 0], "float32")
    steps = list(itertools.islice(optimize(objective, photo, shares, method=method), 8))
    found = [loss for loss, _ in steps]
    assert found[-1] < 0.85 * found[0]
    np.testing.assert_array_equal(steps[0][1], photo)
    # The value is that of the objective.
    from zoo.style_transfer.data import with_shares

    targets = with_shares(photo[None].astype("float32"), shares[None])
    terms = objective.terms(targets, steps[-1][1][None])
    assert float(sum(terms.values())[0]) == pytest.approx(found[-1], rel=1e-3)


def test_from_noise_it_begins_far_from_the_photo(objective):
    photo = np.full((24, 20, 3), 100, "uint8")
    shares = np.array([1, 0], "float32")
    _, first = next(optimize(objective, photo, shares, start="noise"))
    assert first.std() == pytest.approx(255 / 12**0.5, rel=0.05)  # of even noise


def test_the_command_paints_a_photo(tmp_path, capsys):
    for name in ("photo", "painting"):
        Image.fromarray(RNG.integers(0, 256, (30, 40, 3), "uint8")).save(tmp_path / f"{name}.png")
    module.main(
        [
            str(tmp_path / "photo.png"), "--painting", str(tmp_path / "painting.png"),
            "--vgg", "random", "--iterations", "2", "--size", "20",
            "--output", str(tmp_path / "out.png"),
        ]
    )  # fmt: skip
    with Image.open(tmp_path / "out.png") as painted:
        assert painted.size == (20, 15)
    assert "out.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change, message",
    [
        ({"photo": "gone.png"}, "gone.png: there is no such file"),
        ({"--painting": "gone.png"}, "gone.png: there is no such file"),
        ({"--vgg": "gone.h5"}, "gone.h5', where there is none"),
        ({"--iterations": "0"}, "--iterations"),
    ],
)
def test_faults_are_one_line(change, message, tmp_path):
    Image.fromarray(RNG.integers(0, 256, (30, 40, 3), "uint8")).save(tmp_path / "p.png")
    given = {"photo": "p.png", "--painting": "p.png", "--vgg": "random"} | change
    argv = [str(tmp_path / given.pop("photo"))]
    for option, value in given.items():
        argv += [option, str(tmp_path / value) if value.endswith(("png", "h5")) else value]
    with pytest.raises(SystemExit) as caught:
        module.main(argv)
    text = str(caught.value.code)
    assert text.startswith("error: ") and message in text and "\n" not in text
