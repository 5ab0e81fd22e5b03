"""PReLU: the paper's defaults, Keras' weights, axes that mean what they say."""

import keras
import numpy as np
import pytest
from keras import ops

from kerasadv.layers import PReLU

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(2, 5, 4, 3)).astype("float32")


def test_is_the_formula_with_the_slope_of_the_paper():
    layer = PReLU()
    got = layer(IMAGES)
    assert tuple(layer.alpha.shape) == (1, 1, 3)
    np.testing.assert_allclose(got, np.where(IMAGES > 0, IMAGES, 0.25 * IMAGES))


@pytest.mark.parametrize(
    "shared_axes, shape",
    [
        (None, (1, 1, 3)),
        ([], (5, 4, 3)),
        ([1, 2], (1, 1, 3)),
        ([-1], (5, 4, 1)),
        ([3], (5, 4, 1)),
        ([-3, -2], (1, 1, 3)),
        ([1, 2, 3], (1, 1, 1)),
        (1, (1, 4, 3)),
    ],
)
def test_shared_axes_share_what_they_name(shared_axes, shape):
    layer = PReLU(shared_axes=shared_axes)
    layer.build(IMAGES.shape)
    assert tuple(layer.alpha.shape) == shape
    slopes = RNG.random(shape).astype("float32")
    layer.alpha.assign(slopes)
    np.testing.assert_allclose(layer(IMAGES), np.where(IMAGES > 0, IMAGES, slopes * IMAGES))


@pytest.mark.parametrize("shared_axes", [[0], [4], [-4], [-5], [1.5]])
def test_other_axes_are_refused(shared_axes):
    with pytest.raises(ValueError, match="`shared_axes`.*Received"):
        PReLU(shared_axes=shared_axes).build(IMAGES.shape)


def test_an_unknown_size_that_is_not_shared_is_named():
    with pytest.raises(ValueError, match="`shared_axes`.*unknown size.*None"):
        PReLU(shared_axes=[1])(keras.Input((None, None, 3)))


@pytest.mark.parametrize("ours, theirs", [([1, 2], [1, 2]), (None, [1, 2]), ([], None)])
def test_loads_weights_of_the_layer_of_keras(ours, theirs, tmp_path):
    def model(layer):
        inputs = keras.Input((5, 4, 3))
        return keras.Model(inputs, layer(keras.layers.Conv2D(3, 1)(inputs)))

    from_keras = model(keras.layers.PReLU(alpha_initializer="uniform", shared_axes=theirs))
    from_keras.save_weights(tmp_path / "keras.weights.h5")
    here = model(PReLU(shared_axes=ours))
    here.load_weights(tmp_path / "keras.weights.h5")
    np.testing.assert_allclose(here(IMAGES), from_keras(IMAGES), rtol=1e-6)


def test_the_slope_at_zero_is_alpha():
    layer = PReLU()
    zero = ops.convert_to_tensor(np.zeros((1, 2), "float32"))
    layer(zero)
    if keras.backend.backend() == "jax":
        import jax

        slope = jax.grad(lambda x: ops.sum(layer(x)))(zero)
    else:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(zero)
            y = layer(zero)
        slope = tape.gradient(y, zero)
    np.testing.assert_allclose(slope, 0.25)
