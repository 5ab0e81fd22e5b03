"""Distances of a generator's pictures to real ones: as by the formula, by the command line."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from scipy.linalg import sqrtm

import zoo
from kerasadv.training.run_files import MODEL, write_json
from zoo.dcgan import measure, sample

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """A generator and a classifier, untrained, with their weights."""
    root = tmp_path_factory.mktemp("dcgan")
    for name, build, arguments in (
        ("generator", zoo.DCGANGenerator, {"filters": 2, "latent_size": 5}),
        ("small", zoo.DCGANGenerator, {"filters": 2, "latent_size": 5, "image_size": 16}),
        ("classifier", zoo.ResidualClassifier, {"filters": 2}),
    ):
        (root / name).mkdir()
        write_json(root / name / MODEL, arguments)
        keras.utils.set_random_seed(1)
        build(**arguments).save_weights(root / name / "model.weights.h5")
    return root


def weights(root, name):
    return str(root / name / "model.weights.h5")


def test_distances_are_those_of_the_formulas():
    image = keras.Input((3, 3, 1))
    extractor = keras.Model(image, keras.layers.Flatten()(image))
    real = RNG.integers(0, 256, (2500, 3, 3, 1), "uint8")
    made = RNG.integers(30, 200, (700, 3, 3, 1), "uint8")
    got = measure.distances(extractor, real, made)
    x, y = (a.reshape(len(a), 9).astype("float64") for a in (real, made))
    root = sqrtm(np.cov(x, rowvar=False) @ np.cov(y, rowvar=False)).real
    spread = np.trace(np.cov(x, rowvar=False) + np.cov(y, rowvar=False) - 2 * root)
    assert got["frechet"] == pytest.approx(np.sum((x.mean(0) - y.mean(0)) ** 2) + spread, rel=1e-5)

    def kernel(a, b):
        return (a @ b.T / 9 + 1) ** 3

    found, sizes = [], []
    for a, b in zip(np.array_split(x, 3), np.array_split(y, 3)):
        n, m = len(a), len(b)
        within = (kernel(a, a).sum() - np.trace(kernel(a, a))) / (n * (n - 1))
        within += (kernel(b, b).sum() - np.trace(kernel(b, b))) / (m * (m - 1))
        found.append(within - 2 * kernel(a, b).mean())
        sizes.append(m)
    assert got["kernel"] == pytest.approx(np.average(found, weights=sizes), rel=1e-4)


def test_each_generator_is_a_row(material, tmp_path, capsys):
    path = weights(material, "generator")
    options = ["--classifier", weights(material, "classifier"), "--data", "digits"]
    measure.main(
        ["--weights", path, *options, "--number", "100", "--output", str(tmp_path / "m.md")]
    )
    found = json.loads(Path(path).with_name("measured.json").read_text())
    assert found["frechet_distance"] > 0
    table = (tmp_path / "m.md").read_text()
    assert f"| {path} | {found['frechet_distance']:.3f} |" in table
    assert table in capsys.readouterr().out
    generator = zoo.DCGANGenerator(filters=2, latent_size=5, weights=path)
    made = sample.make(generator, sample.latents(100, 5, seed=1))
    extractor = measure.load_extractor(weights(material, "classifier"))
    assert extractor.output_shape == (None, 8)  # 2 filters, doubled twice.
    again = measure.distances(extractor, measure.datasets.load("digits"), made)
    assert {f"{name}_distance": x for name, x in again.items()} == pytest.approx(found)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"--weights": "nowhere.h5"}, "nowhere.h5: there is no such file"),
        ({"--classifier": "nowhere.h5"}, "nowhere.h5: there is no such file"),
        ({"--number": "99"}, "--number: expected at least 100. Received: 99"),
        ({"--weights": "small"}, r"makes pictures of \(16, 16, 1\); expected \(28, 28, 1\)"),
        ({"--data": "twemoji64"}, "twemoji64: name the directory"),
    ],
)
def test_faults_are_one_line(change, message, material):
    options = {
        "--weights": weights(material, "generator"),
        "--classifier": weights(material, "classifier"),
        "--data": "digits",
    }
    options |= {k: weights(material, v) if v == "small" else v for k, v in change.items()}
    with pytest.raises(SystemExit, match=f"^error: .*{message}[^\n]*$"):
        measure.main([part for pair in options.items() for part in pair])
