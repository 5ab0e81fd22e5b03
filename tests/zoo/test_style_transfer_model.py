"""The image transformation network: sizes, styles, blends, weights."""

import keras
import numpy as np
import pytest

import zoo
from zoo.style_transfer.model import Doubled

RNG = np.random.default_rng(0)


def small(**kwargs):
    model = zoo.StyleTransfer(**{"num_styles": 3, "filters": 2, "residual_blocks": 1} | kwargs)
    for variable in model.variables:
        if variable.path.split("/")[-1] in ("gamma", "beta"):
            variable.assign(RNG.normal(1, 0.5, variable.shape))
    return model


def photo(height=40, width=36):
    return (255 * RNG.random((1, height, width, 3))).astype("float32")


@pytest.mark.parametrize("size", [(16, 16), (17, 30), (33, 18), (31, 31), (64, 40)])
def test_paints_images_of_any_size_in_their_size_and_range(size):
    model = small()
    assert type(model) is keras.src.models.functional.Functional
    got = np.array(model([photo(*size), np.eye(3, dtype="float32")[:1]]))
    assert got.shape == (1, *size, 3) and got.dtype == "float32"
    assert got.min() >= 0 and got.max() <= 255


def test_pixels_have_limits_except_in_training_where_each_has_a_gradient():
    import tensorflow as tf

    model, image = small(), tf.constant(photo())
    model.get_layer("leave_conv").bias.assign([900, -900, 0])
    styles = tf.eye(3)[:1]
    free = np.array(model([image, styles], training=True))
    assert free[..., 0].min() > 255 and free[..., 1].max() < 0
    np.testing.assert_array_equal(model([image, styles]), free.clip(0, 255))
    bias = model.get_layer("leave_conv").bias.value
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(model([image, styles], training=True), axis=(0, 1, 2))
    slope = tape.jacobian(total, bias)
    assert np.diag(slope).min() > 0


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (6, 3)])
def test_growing_repeats_pixels(size):
    images = RNG.normal(size=(2, *size, 3)).astype("float32")
    np.testing.assert_array_equal(Doubled()(images), images.repeat(2, axis=1).repeat(2, axis=2))


def test_new_residual_blocks_change_little():
    model, image = zoo.StyleTransfer(num_styles=1, filters=4), photo()
    named = [model.get_layer(f"residual{k}") for k in (1, 5)]
    first, last = named[0].input[0], named[1].output
    before, after = keras.Model(model.input, [first, last])([image, np.ones((1, 1), "float32")])
    # Each of five adds a tenth of a standard deviation.
    assert np.std(after - before) < 0.6 * np.std(before)


def test_styles_differ_and_a_blend_lies_between_scales_and_shifts():
    model, image = small(), photo()
    one, two = (np.array(model([image, np.eye(3, dtype="float32")[[k]]])) for k in (0, 1))
    assert np.abs(one - two).mean() > 1
    blended = np.array(model([image, np.array([[0.25, 0.75, 0]], "float32")]))
    # The same network with scales and shifts blended by hand, all in its first style.
    for variable in model.variables:
        if variable.path.split("/")[-1] in ("gamma", "beta"):
            value = np.array(variable)
            value[0] = 0.25 * value[0] + 0.75 * value[1]
            variable.assign(value)
    by_hand = np.array(model([image, np.eye(3, dtype="float32")[:1]]))
    np.testing.assert_allclose(blended, by_hand, atol=0.01)


def test_images_of_a_batch_do_not_touch_each_other():
    model = small()
    images, styles = np.concatenate([photo(), photo()]), np.eye(3, dtype="float32")[:2]
    both = np.array(model([images, styles]))
    for k in range(2):
        alone = model([images[[k]], styles[[k]]])
        np.testing.assert_allclose(both[[k]], alone, atol=0.01)


def test_the_number_of_parameters_is_that_of_the_architecture():
    # Johnson et al., supplement, table 1, by hand: kernels without bias but the last, and scales
    # and shifts of 12 styles for the channels of each.
    kernels = [(81, 3, 32), (9, 32, 64), (9, 64, 128), *[(9, 128, 128)] * 10]
    kernels += [(9, 128, 64), (9, 64, 32)]
    expected = sum(area * before * after for area, before, after in kernels)
    expected += 2 * 12 * sum(after for _, _, after in kernels) + 81 * 32 * 3 + 3
    assert zoo.StyleTransfer().count_params() == expected
    assert 4 * expected < 10e6  # bytes of float32


def test_is_the_same_for_brighter_photos_of_more_contrast():
    # Instance normalization after the first convolution takes both off.
    model, image = small(), 0.3 * photo()
    style = np.eye(3, dtype="float32")[:1]
    np.testing.assert_allclose(model([image, style]), model([2 * image + 40, style]), atol=0.5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_gives_float32_pictures_that_are_nearly_the_same(policy):
    model, image, style = small(), photo(), np.eye(3, dtype="float32")[:1]
    expected = np.array(model([image, style]))
    keras.config.set_dtype_policy(policy)
    mixed = small()
    mixed.set_weights(model.get_weights())
    got = np.array(mixed([image, style]))
    assert got.dtype == "float32"
    assert np.abs(got - expected).mean() < 5


def test_survives_a_keras_file_and_a_weights_file(tmp_path):
    model = small()
    inputs = [photo(), np.eye(3, dtype="float32")[:1]]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(inputs), model(inputs))
    model.save_weights(tmp_path / "model.weights.h5")
    again = zoo.StyleTransfer(3, 2, 1, weights=tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(again(inputs), model(inputs))


@pytest.mark.parametrize(
    "arguments, named",
    [({"num_styles": 0}, "num_styles"), ({"filters": 1.5}, "filters"),
     ({"residual_blocks": -1}, "residual_blocks")],
)  # fmt: skip
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(ValueError, match=f"`{named}`.*Received"):
        zoo.StyleTransfer(**arguments)


def test_images_too_small_to_mirror_are_refused():
    with pytest.raises(ValueError, match="larger than the padding.*Received"):
        small()([photo(4, 30), np.eye(3, dtype="float32")[:1]])
