"""Conditional instance normalization against the formula, for styles and for blends."""

import keras
import numpy as np
import pytest

from kerasadv.layers import ConditionalInstanceNormalization

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(3, 2, size=(4, 6, 5, 3)).astype("float32")
GAMMA, BETA = RNG.normal(size=(2, 2, 3)).astype("float32")


def layer(**kwargs):
    made = ConditionalInstanceNormalization(2, **kwargs)
    made.build(FEATURES.shape, (None, 2))
    made.gamma.assign(GAMMA)
    made.beta.assign(BETA)
    return made


def formula(features, styles, epsilon=1e-5):
    x = features.astype("float64")
    x = (x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + epsilon)
    return x * (styles @ GAMMA)[:, None, None] + (styles @ BETA)[:, None, None]


STYLES = np.array([[1, 0], [0, 1], [0.5, 0.5], [0.2, 0.8]], "float32")


@pytest.mark.parametrize("epsilon", [1e-5, 0.5])
def test_is_the_formula_for_styles_and_for_blends(epsilon):
    got = layer(epsilon=epsilon)(FEATURES, STYLES)
    np.testing.assert_allclose(got, formula(FEATURES, STYLES, epsilon), rtol=1e-4, atol=1e-5)


def test_a_style_does_not_touch_the_other_images():
    one = np.array(layer()(FEATURES[:1], STYLES[:1]))
    np.testing.assert_allclose(layer()(FEATURES, STYLES)[:1], one, atol=1e-6)


def test_is_the_instance_normalization_of_keras_where_there_is_one_style():
    theirs = keras.layers.GroupNormalization(groups=-1, epsilon=1e-5)
    ours = ConditionalInstanceNormalization(1)
    np.testing.assert_allclose(ours(FEATURES), theirs(FEATURES), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours(FEATURES, np.ones((4, 1))), ours(FEATURES), rtol=1e-6)


def test_a_flat_channel_becomes_the_shift():
    flat = np.full((4, 6, 5, 3), 7.0, "float32")
    expected = np.broadcast_to((STYLES @ BETA)[:, None, None], flat.shape)
    np.testing.assert_allclose(layer()(flat, STYLES), expected, atol=2e-3)


def test_large_half_precision_images_do_not_overflow():
    # Sums of squares over 64 x 64 positions are far above 65504, the end of float16.
    features = RNG.normal(1000, 100, size=(1, 64, 64, 3)).astype("float16")
    got = np.array(layer(dtype="mixed_float16")(features, STYLES[:1]))
    assert got.dtype == "float16"
    np.testing.assert_allclose(got, formula(features, STYLES[:1]), atol=2e-2)


def test_works_in_a_model_with_two_inputs_and_after_saving(tmp_path):
    image, styles = keras.Input((None, None, 3)), keras.Input((2,))
    made = ConditionalInstanceNormalization(2, gamma_initializer="uniform")
    model = keras.Model([image, styles], made(image, styles))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again([FEATURES, STYLES]), model([FEATURES, STYLES]))
    assert made.compute_output_shape((4, 6, 5, 3), (4, 2)) == (4, 6, 5, 3)


@pytest.mark.parametrize("styles", [None, np.ones((4, 3)), np.ones(2), np.ones((4, 2, 1))])
def test_styles_of_another_number_are_named(styles):
    with pytest.raises(ValueError, match=r"`styles`.*\(batch, 2\).*Received"):
        ConditionalInstanceNormalization(2)(FEATURES, styles)


@pytest.mark.parametrize(
    "arguments, named",
    [
        ({"num_styles": 0}, "num_styles"),
        ({"num_styles": 1.5}, "num_styles"),
        ({"num_styles": 1, "epsilon": 0}, "epsilon"),
        ({"num_styles": 1, "epsilon": "1"}, "epsilon"),
        ({"num_styles": 1, "epsilon": float("nan")}, "epsilon"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(ValueError, match=f"`{named}`.*Received"):
        ConditionalInstanceNormalization(**arguments)


def test_features_without_positions_are_refused():
    with pytest.raises(ValueError, match="`inputs`.*spatial.*Received"):
        ConditionalInstanceNormalization(1)(np.ones((4, 3)))
