"""Gram matrices against sums written out, and in every precision."""

import keras
import numpy as np
import pytest
from keras import ops

from kerasadv.ops import gram_matrix

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(2, 5, 4, 3), (2, 7, 3), (2, 3, 2, 4, 3)])
def test_is_the_sum_over_positions_of_products_of_channels(shape):
    features = RNG.normal(size=shape)
    flat = features.reshape(2, -1, 3)
    expected = np.zeros((2, 3, 3))
    for sample, i, j in np.ndindex(2, 3, 3):
        expected[sample, i, j] = sum(p[i] * p[j] for p in flat[sample]) / flat[sample].size
    got = gram_matrix(ops.convert_to_tensor(features, "float64"))
    np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_does_not_overflow(dtype):
    # 300^2 * 64 * 64 positions is 3.7e8, float16 ends at 65504; over 64 * 64 * 2 it is 45000.
    got = gram_matrix(ops.full((1, 64, 64, 2), 300.0, dtype))
    assert keras.backend.standardize_dtype(got.dtype) == "float32"
    # Thousands of float32 numbers in one sum, in an order that the backend chooses.
    np.testing.assert_allclose(got, np.full((1, 2, 2), 45000.0), rtol=1e-4)


def test_values_near_the_end_of_float32_do_not_overflow():
    # The sum of squares, 1e37 * 4096, does not fit into float32; the Gram matrix does.
    got = gram_matrix(ops.full((1, 64, 64, 2), 10**18.5, "float32"))
    np.testing.assert_allclose(got, np.full((1, 2, 2), 0.5e37), rtol=1e-4)


def test_the_gradient_is_that_of_the_formula_for_slopes_of_any_kind():
    x, slope = RNG.normal(size=(1, 6, 3)), RNG.normal(size=(1, 3, 3))  # not symmetric
    if keras.backend.backend() == "jax":
        import jax

        got = jax.grad(lambda x: ops.sum(gram_matrix(x) * slope))(ops.array(x))
    else:
        import tensorflow as tf

        x = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = ops.sum(gram_matrix(x) * slope)
        got = tape.gradient(value, x)
    # d/dF sum(S * F^T F) = F (S + S^T), by hand.
    expected = np.array(x) @ (slope + slope.transpose(0, 2, 1)) / 18
    np.testing.assert_allclose(got, expected, rtol=1e-10)


def test_unknown_sizes_work():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, keras.layers.Lambda(gram_matrix)(inputs))
    features = RNG.normal(size=(2, 5, 4, 3)).astype("float32")
    np.testing.assert_allclose(model(features), gram_matrix(features), rtol=1e-6)
