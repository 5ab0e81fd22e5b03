"""The residual classifier: its sizes, its range, its weights, its step on two replicas."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from kerasadv.training.run_files import load_model
from zoo.noisy_labels.data import fashion_mnist
from zoo.noisy_labels.measure import probabilities

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (4, 28, 28, 1), "uint8")


@pytest.mark.parametrize("activation", ["relu", "prelu", "elu", "swish"])
def test_gives_logits_or_probabilities(activation):
    model = zoo.ResidualClassifier(filters=2, num_classes=3, activation=activation)
    assert type(model) is keras.src.models.functional.Functional
    logits = np.array(model(IMAGES))
    assert logits.shape == (4, 3) and logits.min() < 0
    sure = zoo.ResidualClassifier(filters=2, num_classes=3, activation=activation, temperature=1.0)
    sure.set_weights(model.get_weights())
    e = np.exp(logits - logits.max(-1, keepdims=True))
    np.testing.assert_allclose(sure(IMAGES), e / e.sum(-1, keepdims=True), atol=1e-6)


def test_a_temperature_gives_tempered_probabilities():
    plain = zoo.ResidualClassifier(filters=2, num_classes=2)
    tempered = zoo.ResidualClassifier(filters=2, num_classes=2, temperature=2.0)
    tempered.set_weights(plain.get_weights())
    got = np.array(tempered(IMAGES))
    np.testing.assert_allclose(got.sum(-1), 1, atol=1e-5)
    # At t = 2, p = 1 / (normalizer - logit): the reciprocals differ as the logits do.
    difference = np.diff(1 / got, axis=-1)
    np.testing.assert_allclose(-difference, np.diff(np.array(plain(IMAGES)), axis=-1), atol=1e-4)


def test_the_number_of_parameters_is_that_of_the_architecture():
    # Convolutions without bias, four numbers a channel for the normalization, one PReLU slope.
    def convolution(area, before, after):
        return area * before * after + 4 * after

    total = convolution(49, 3, 16) + 16
    for before, after in ((16, 16), (16, 32), (32, 64)):
        total += convolution(9, before, after) + convolution(9, after, after) + 2 * after
        total += convolution(1, before, after) if before != after else 0
    total += (64 + 1) * 7
    model = zoo.ResidualClassifier((None, None, 3), 7, filters=16, activation="prelu")
    assert model.count_params() == total


def test_takes_pixels_as_they_are_in_whole_numbers_or_not():
    model = zoo.ResidualClassifier(filters=2)
    np.testing.assert_array_equal(model(IMAGES), model(IMAGES.astype("float32")))
    # Black becomes -1 and white 1.
    rescaled = keras.Model(model.input, model.get_layer("rescale").output)
    np.testing.assert_allclose(rescaled(IMAGES), IMAGES / 127.5 - 1, atol=1e-6)


def test_survives_a_keras_file_and_a_weights_file(tmp_path):
    model = zoo.ResidualClassifier(filters=2, temperature=1.2)
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        keras.saving.load_model(tmp_path / "model.keras")(IMAGES), model(IMAGES)
    )
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    again = zoo.ResidualClassifier(filters=2, temperature=1.2, weights=path)
    np.testing.assert_array_equal(again(IMAGES), model(IMAGES))
    # The weights fit whatever stands behind the logits.
    logits = zoo.ResidualClassifier(filters=2, weights=path)
    np.testing.assert_array_equal(np.argmax(logits(IMAGES), -1), np.argmax(model(IMAGES), -1))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_gives_float32(policy):
    keras.config.set_dtype_policy(policy)
    for temperature in (None, 1.2):
        model = zoo.ResidualClassifier(filters=2, temperature=temperature)
        assert model.output.dtype == "float32"
        assert np.isfinite(model(IMAGES)).all()


@pytest.mark.parametrize(
    "arguments, named",
    [
        ({"num_classes": 1}, "num_classes"),
        ({"filters": 1.5}, "filters"),
        ({"input_shape": (28, 28)}, "input_shape"),
        ({"input_shape": (28, 28, None)}, "input_shape"),
        ({"temperature": -1}, "t"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(ValueError, match=f"`{named}`.*Received"):
        zoo.ResidualClassifier(**arguments)


def steps(strategy):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = zoo.ResidualClassifier(filters=4)
        model.compile(
            keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        )
    images = np.random.default_rng(1).integers(0, 256, (32, 28, 28, 1), "uint8")
    # The replicas get images that differ in brightness: statistics of one share alone would be off.
    images[8:16] //= 4
    images[24:] //= 4
    model.fit(images, np.arange(32) % 10, batch_size=16, epochs=2, shuffle=False, verbose=0)
    return model.get_weights()


def test_two_replicas_normalize_and_step_as_one(mirrored):
    import kerasadv

    for one, two in zip(steps(kerasadv.training.strategy("none")), steps(mirrored)):
        np.testing.assert_allclose(one, two, atol=1e-5)


@pytest.mark.parametrize("name", ["fashion_mnist", "fashion_mnist_40_wrong"])
def test_published_weights_give_the_accuracy_beside_them(name, real_data):
    published = Path(zoo.__file__).parent / "weights" / f"noisy_labels-{name}"
    model = load_model(published / "model.weights.h5", zoo.ResidualClassifier)
    ((images, labels),), _ = fashion_mnist(str(real_data), ["test"])
    right = probabilities(model, images).argmax(axis=1) == labels
    recorded = json.loads((published / "result.json").read_text())["test_accuracy"]
    assert right.mean() == pytest.approx(recorded, abs=5e-4)
