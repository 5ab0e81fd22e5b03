"""What a painting is worth in iterations, and the command that measures it."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import kerasadv
import zoo
from zoo.style_transfer import measure
from zoo.style_transfer.objective import Objective
from zoo.style_transfer.optimize import optimize

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Two photos, two paintings, and an untrained network that is called after them."""
    root = tmp_path_factory.mktemp("material")
    (root / "paintings").mkdir()
    for name in ("a", "b", "paintings/red", "paintings/blue"):
        Image.fromarray(RNG.integers(0, 256, (30, 26, 3), "uint8")).save(root / f"{name}.png")
    model = zoo.StyleTransfer(num_styles=2, filters=2, residual_blocks=1)
    model.save_weights(root / "model.weights.h5")
    arguments = {"styles": ["blue", "red"], "filters": 2, "residual_blocks": 1}
    (root / "model.json").write_text(json.dumps(arguments))
    return root


def argv(root, output, *more):
    return [
        *(str(root / name) for name in ("a.png", "b.png")),
        "--weights", str(root / "model.weights.h5"), "--styles", str(root / "paintings"),
        "--vgg", "random", "--size", "20", "--most", "3", "--time-size", "24", "--rounds", "1",
        "--output", str(output), *map(str, more),
    ]  # fmt: skip


def test_a_loss_is_worth_the_iterations_that_reach_it(monkeypatch):
    objective = Objective({"one": RNG.integers(0, 256, (40, 30, 3), "uint8")}, "random", 5.0)
    photo, shares = RNG.integers(0, 256, (20, 20, 3), "uint8"), np.ones(1, "float32")
    losses = []
    picture = optimize(objective, photo, shares, 6, watch=lambda _, loss: losses.append(loss))
    between = (losses[3] + losses[4]) / 2
    assert measure.worth(objective, photo, shares, between, 20, "photo") == 4
    assert measure.worth(objective, photo, shares, 0.0, 5, "photo") == 5
    assert measure.worth(objective, photo, shares, 2 * losses[0], 5, "photo") == 0
    # A loss that is never reached, although the search ends before that.
    monkeypatch.setattr(measure, "optimize", lambda *args: args[-1](0, 5.0) or args[-1](1, 4.0))
    assert measure.worth(objective, photo, shares, 3.0, 20, "photo") == 20
    assert measure.loss_of(objective, photo, shares, picture) == pytest.approx(losses[-1], rel=1e-3)


def test_every_photo_is_measured_in_every_style_and_only_once(material, tmp_path, capsys):
    measure.main(argv(material, tmp_path))
    path = tmp_path / "measured.json"
    first = json.loads(path.read_text())
    assert {(row["photo"], row["style"]) for row in first["rows"]} == {
        (photo, style) for photo in ("a", "b") for style in ("red", "blue")
    }
    assert all(0 <= row["iterations"] <= 3 and row["loss"] > 0 for row in first["rows"])
    table = (tmp_path / "measured.md").read_text()
    assert "| all |" in table and "500 of them" in table and table in capsys.readouterr().out
    # Stopped before the last two: the first two stay as they are.
    first["rows"] = [row | {"loss": 1.0} for row in first["rows"][:2]]
    path.write_text(json.dumps(first))
    measure.main(argv(material, tmp_path))
    second = json.loads(path.read_text())["rows"]
    assert len(second) == 4 and second[:2] == first["rows"]


def test_medians_that_reach_the_limit_are_marked():
    rows = [
        {"style": style, "iterations": n}
        for style, n in [("a_b", 1), ("a_b", 3), ("c", 9), ("c", 9)]
    ]
    # By hand.
    lines = measure.summary(rows, most=9).splitlines()[2:]
    assert lines == ["| a b | 2 | 1 | 3 |", "| c | 9+ | 9+ | 9+ |", "| all | 6 | 1 | 9+ |"]


@pytest.mark.parametrize(
    "change, message",
    [
        (["--weights", "gone.h5"], "gone.h5: there is no such file"),
        (["--vgg", "gone.h5"], "gone.h5', where there is none"),
        (["--time-size", "15"], "--time-size: expected at least 16. Received: 15"),
        (["--styles", "gone"], "gone: there is no such directory"),
    ],
)
def test_faults_are_one_line(change, message, material, tmp_path):
    with pytest.raises(SystemExit) as caught:
        measure.main(argv(material, tmp_path / "out", *change))
    assert message in str(caught.value.code) and "\n" not in str(caught.value.code)
    assert not (tmp_path / "out").exists()


def test_a_network_that_paints_no_numbers_is_refused(material, tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "loss_of", lambda *arguments: float("nan"))
    with pytest.raises(SystemExit) as caught:
        measure.main(argv(material, tmp_path / "out"))
    assert "expected a network that paints" in str(caught.value.code)


def test_photos_of_one_name_are_refused(material, tmp_path):
    (tmp_path / "a.png").write_bytes((material / "a.png").read_bytes())
    with pytest.raises(SystemExit, match="a.png: has the name of another photo"):
        measure.main([str(tmp_path / "a.png"), *argv(material, tmp_path / "out")])


def test_other_settings_need_another_folder(material, tmp_path):
    (tmp_path / "measured.json").write_text('{"how": {"size": 5}, "rows": []}')
    with pytest.raises(SystemExit, match="name another folder"):
        measure.main(argv(material, tmp_path))


def test_other_photos_paintings_and_networks_need_another_folder(material, tmp_path, monkeypatch):
    here = tmp_path / "material"
    shutil.copytree(material, here)

    def run():
        measure.main(argv(here, tmp_path / "out"))

    run()
    other = Image.fromarray(RNG.integers(0, 256, (30, 26, 3), "uint8"))
    for file in ("paintings/red.png", "a.png"):
        before = (here / file).read_bytes()
        other.save(here / file)
        with pytest.raises(SystemExit, match="name another folder"):
            run()
        (here / file).write_bytes(before)
    run()
    vgg = kerasadv.features.vgg
    monkeypatch.setattr(kerasadv.features, "vgg", lambda name, *rest: vgg("vgg16", *rest))
    with pytest.raises(SystemExit, match="name another folder"):
        run()
