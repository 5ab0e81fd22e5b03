"""Pictures from a trained generator: sheets, walks, arrays, and what is refused."""

import json

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.dcgan import sample
from zoo.dcgan.data import unscale

RNG = np.random.default_rng(0)
MODEL = {"image_size": 8, "channels": 1, "latent_size": 6, "filters": 2, "activation": "relu"}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A generator whose pictures differ, with its `model.json`."""
    root = tmp_path_factory.mktemp("weights")
    model = zoo.DCGANGenerator(**MODEL)
    for variable in model.trainable_variables:
        variable.assign(RNG.normal(size=variable.shape))
    model.save_weights(root / "model.weights.h5")
    (root / "model.json").write_text(json.dumps(MODEL))
    return root / "model.weights.h5"


@pytest.fixture
def generator(weights):
    return zoo.DCGANGenerator(**MODEL, weights=weights)


@pytest.fixture(autouse=True)
def somewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(weights, *argv):
    sample.main([*map(str, argv), "--weights", str(weights)])


def read(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def cut(page, columns, side=8):
    """The pictures of a sheet, whose gaps are two pixels wide."""
    rows = (len(page) - 2) // (side + 2)
    return np.stack(
        [
            page[2 + (side + 2) * row :][:side, 2 + (side + 2) * column :][:, :side]
            for row in range(rows)
            for column in range(columns)
        ]
    )


def test_makes_a_sheet_of_the_pictures_of_a_seed(weights, generator, tmp_path, capsys):
    run(weights, "--number", 5, "--seed", 3, "--output", "deeper/a.png")
    assert "a.png" in capsys.readouterr().out
    page = read(tmp_path / "deeper" / "a.png")
    assert page.shape == (2 * 10 + 2, 3 * 10 + 2)
    drawn = np.random.default_rng(3).standard_normal((5, 6), "float32")
    expected = unscale(generator(drawn, training=False))[..., 0]
    found = cut(page, 3)
    # Rounded to whole numbers, after sums whose order may differ.
    np.testing.assert_allclose(found[:5].astype(int), expected.astype(int), atol=1)
    assert expected.std() > 10 and (found[5] == 255).all()


def test_the_same_seed_gives_the_same_pictures_and_another_gives_others(weights, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(weights, "--seed", seed, "--output", f"{name}.png")
    a, b, c = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert a == b != c
    run(weights, "--seed", 1)
    assert (tmp_path / "sheet.png").read_bytes() == a
    assert read(tmp_path / "sheet.png").shape == (82, 82)


def test_an_array_holds_as_many_as_wanted_whatever_the_batch(
    weights, tmp_path, monkeypatch, capsys
):
    run(weights, "--number", 230, "--npz", "few.npz")
    assert "230/230" in capsys.readouterr().out  # The bar.
    monkeypatch.setattr(sample, "_BATCH", 7)
    run(weights, "--number", 33, "--npz", "fewer.npz", "--output", "sheet.png")
    with np.load("few.npz") as few, np.load("fewer.npz") as fewer:
        assert few.files == ["images"]
        few, fewer = few["images"], fewer["images"]
    assert few.shape == (230, 8, 8, 1) and few.dtype == "uint8"
    np.testing.assert_allclose(few[:33].astype(int), fewer.astype(int), atol=1)
    assert len(np.unique(few, axis=0)) == 230
    np.testing.assert_array_equal(cut(read("sheet.png"), 6)[:33], fewer[..., 0])
    assert {p.name for p in tmp_path.iterdir()} == {"few.npz", "fewer.npz", "sheet.png"}


def test_rows_walk_from_one_picture_to_another(weights, generator):
    run(weights, "--interpolate", "--number", 24, "--output", "walks.png")
    rows = cut(read("walks.png"), 8).reshape(3, 8, 8, 8).astype(int)
    ends = generator(sample.latents(6, 6, seed=0), training=False)
    ends = unscale(ends)[..., 0].astype(int).reshape(3, 2, 8, 8)
    np.testing.assert_allclose(rows[:, [0, -1]], ends, atol=1)
    steps = np.abs(np.diff(rows, axis=1)).mean(axis=(0, 2, 3))
    # No step is a leap: each is less than half the way.
    assert steps.max() < 0.5 * np.abs(ends[:, 1] - ends[:, 0]).mean() and steps.min() > 0


def test_walks_are_arcs():
    one, two = RNG.normal(size=(2, 100))
    two *= np.linalg.norm(one) / np.linalg.norm(two)
    got = sample.walks(np.stack([one, two]), steps=5)
    assert got.shape == (5, 100) and got.dtype == "float32"
    # As long as the ends, and turned by a quarter of the angle each time.
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), np.linalg.norm(one), rtol=1e-5)
    unit = got / np.linalg.norm(got, axis=1, keepdims=True)
    angles = np.arccos((unit[1:] * unit[:-1]).sum(axis=1))
    whole = np.arccos(one @ two / (np.linalg.norm(one) * np.linalg.norm(two)))
    np.testing.assert_allclose(angles, whole / 4, rtol=1e-3)


@pytest.mark.parametrize("last, middle", [(3.0, 2.0), (-3.0, -1.0)])
def test_walks_without_an_angle_are_straight(last, middle):
    got = sample.walks(np.array([[1.0], [last]]), steps=3)
    np.testing.assert_allclose(got.ravel(), [1.0, middle, last], atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_sheet_shows_each_picture_in_its_place(channels, tmp_path):
    images = np.arange(5, dtype="uint8")[:, None, None, None] * np.ones((4, 6, channels), "uint8")
    page = sample.sheet(images, columns=2)
    assert page.shape == (3 * 6 + 2, 2 * 8 + 2, channels)
    assert [int(page[4 + 6 * (k // 2), 4 + 8 * (k % 2), 0]) for k in range(6)] == [
        0,
        1,
        2,
        3,
        4,
        255,
    ]
    assert (page < 255).sum() == images.size
    sample.save(images, tmp_path / "a.png", columns=2)
    np.testing.assert_array_equal(read(tmp_path / "a.png").reshape(page.shape), page)


@pytest.mark.parametrize(
    "argv, words",
    [
        (("--number", 0), "--number: expected at least 1. Received: 0"),
        (("--number", 10, "--interpolate"), "--number: expected a multiple of 8"),
        (("--seed", -1), "--seed: expected a whole number of at least 0. Received: -1"),
        (("--npz", "a.npy"), "--npz: expected a file that ends in .npz. Received: a.npy"),
        (("--output", "a.txt"), "a.txt: expected one of .png"),
        (("--output", "a.psd"), "a.psd: expected one of .png"),  # Pillow only reads it.
        (("--output", "a"), "a: expected one of .png"),
        (("--number", 10**14, "--npz", "a.npz"), "allocate"),
    ],
)
def test_what_cannot_be_made_is_refused_in_one_line(argv, words, weights, tmp_path, refused):
    assert words in refused(sample.main, "--weights", weights, *argv)
    assert list(tmp_path.iterdir()) == []


def test_neither_weights_nor_folders_are_written_over(weights, tmp_path, refused):
    before, given = weights.read_bytes(), ("--weights", weights, "--output")
    # Pillow has a name for such files, and would empty this one before it failed.
    message = refused(sample.main, *given, weights)
    assert "model.weights.h5: are the weights, which would be lost" in message
    (tmp_path / "folder.png").mkdir()
    assert "folder.png: is a directory" in refused(sample.main, *given, "folder.png")
    assert weights.read_bytes() == before


def test_weights_that_do_not_fit_are_named(weights, tmp_path, refused):
    other = tmp_path / "model.weights.h5"
    assert "no such file" in refused(sample.main, "--weights", other)
    other.write_bytes(weights.read_bytes())
    assert "model.json: is missing" in refused(sample.main, "--weights", other)
    for text in ("{}", json.dumps(MODEL | {"filters": 3}), json.dumps(MODEL | {"depth": 1}), "[]"):
        (tmp_path / "model.json").write_text(text)
        assert "does not fit model.json" in refused(sample.main, "--weights", other)
    (tmp_path / "model.json").write_text(json.dumps(MODEL))
    other.write_bytes(b"hostile")
    assert "does not fit model.json" in refused(sample.main, "--weights", other)
