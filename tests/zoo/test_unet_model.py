"""The U-Net: its sizes, its first layer, its weights."""

import keras
import numpy as np
import pytest

import zoo
from kerasadv.data import standardize

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("activation", ["relu", "prelu", "elu", "swish"])
@pytest.mark.parametrize("num_classes", [1, 3])
def test_gives_probabilities_as_large_as_the_image(activation, num_classes):
    model = zoo.UNet((None, None, 2), num_classes, filters=2, depth=2, activation=activation)
    assert type(model) is keras.src.models.functional.Functional
    got = np.array(model(RNG.random((2, 12, 20, 2)).astype("float32")))
    assert got.shape == (2, 12, 20, num_classes)
    assert (got > 0).all() and (got < 1).all()
    if num_classes > 1:
        np.testing.assert_allclose(got.sum(-1), 1, rtol=1e-5)


def test_the_number_of_parameters_is_that_of_the_architecture():
    # Sum over convolutions of (kernel area * in + 1) * out, by hand for 16 filters, 3 channels.
    widths = [16, 32, 64, 128, 256]
    total, last = 0, 3
    for w in widths:
        total += (9 * last + 1) * w + (9 * w + 1) * w
        last = w
    for w in widths[-2::-1]:
        total += (4 * 2 * w + 1) * w + (9 * 2 * w + 1) * w + (9 * w + 1) * w
    total += 16 + 1
    assert zoo.UNet((None, None, 3), filters=16).count_params() == total


def test_does_not_care_for_the_range_of_an_image():
    model = zoo.UNet((None, None, 1), filters=2, depth=2)
    image = RNG.random((1, 16, 16, 1)).astype("float32")
    np.testing.assert_allclose(model(image), model(1000 * image + 500), atol=1e-4)


def test_standardizes_as_the_data_does():
    keras.utils.set_random_seed(0)
    inside = zoo.UNet((None, None, 3), filters=2, depth=2)
    outside = zoo.UNet((None, None, 3), filters=2, depth=2, standardize=False)
    outside.set_weights(inside.get_weights())
    image = RNG.integers(0, 256, (16, 24, 3), "uint8")
    np.testing.assert_allclose(
        inside(image[None].astype("float32")), outside(standardize(image)[None]), atol=1e-5
    )


@pytest.mark.parametrize("shape", [(1, 17, 32, 1), (1, 32, 8, 1), (1, 0, 32, 1)])
def test_sizes_that_cannot_be_halved_are_refused(shape):
    model = zoo.UNet((None, None, 1), filters=2)
    with pytest.raises(ValueError, match="multiples of 16.*Received: "):
        model(np.zeros(shape, "float32"))
    with pytest.raises(ValueError, match="multiples of 16.*Received: "):
        zoo.UNet(shape[1:], filters=2)


@pytest.mark.parametrize(
    "arguments, named",
    [
        ({"num_classes": 0}, "num_classes"),
        ({"filters": 1.5}, "filters"),
        ({"depth": 0}, "depth"),
        ({"input_shape": (None, None, None)}, "input_shape"),
        ({"input_shape": (32, 32)}, "input_shape"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(ValueError, match=f"`{named}`.*Received"):
        zoo.UNet(**arguments)


def test_survives_a_keras_file_and_a_weights_file(tmp_path):
    model = zoo.UNet((None, None, 1), filters=2, depth=2, activation="prelu")
    image = RNG.random((1, 16, 16, 1)).astype("float32")
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        keras.saving.load_model(tmp_path / "model.keras")(image), model(image)
    )
    model.save_weights(tmp_path / "model.weights.h5")
    again = zoo.UNet(
        (None, None, 1),
        filters=2,
        depth=2,
        activation="prelu",
        weights=tmp_path / "model.weights.h5",
    )
    np.testing.assert_array_equal(again(image), model(image))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_gives_float32_probabilities(policy):
    keras.config.set_dtype_policy(policy)
    model = zoo.UNet((None, None, 1), filters=2, depth=2, activation="prelu")
    image = 1000 * RNG.random((1, 64, 64, 1)).astype("float32")
    assert model.output.dtype == "float32"
    assert np.isfinite(model(image)).all()
