"""ELU against its formula where others lose their digits."""

import keras
import numpy as np
import pytest
from keras import ops

from kerasadv.layers import ELU

# Smallest step of 1, and the range of exponents, per dtype.
DTYPES = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}
INPUTS = [-60.0, -20.0, -17.5, -9.0, -6.5, -1.0, -1e-2, -1e-3, -1e-7, 0.0, 1e-7, 0.5, 3.0, 100.0]


def value_and_slope(layer, x):
    if keras.backend.backend() == "jax":
        import jax

        return layer(x), jax.vmap(jax.grad(lambda v: layer(v)))(x)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
    return y, tape.gradient(y, x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("alpha", [1.0, 0.5, 0.0])
def test_value_and_slope_keep_their_digits(dtype, alpha):
    layer = ELU(alpha, dtype=dtype)
    x = ops.cast(ops.convert_to_tensor(INPUTS, dtype="float64"), dtype)
    y, slope = (np.array(ops.cast(v, "float64")) for v in value_and_slope(layer, x))
    exact = np.array(ops.cast(x, "float64"))  # The input as the dtype holds it.
    eps, tiny = DTYPES[dtype], 2.0**-24 if dtype == "float16" else 0.0
    want = np.where(exact > 0, exact, alpha * np.expm1(np.minimum(exact, 0)))
    want_slope = np.where(exact > 0, 1, alpha * np.exp(np.minimum(exact, 0)))
    np.testing.assert_allclose(y, want, rtol=2 * eps, atol=tiny)
    np.testing.assert_allclose(slope, want_slope, rtol=4 * eps, atol=tiny)


def test_has_a_second_derivative():
    if keras.backend.backend() == "jax":
        import jax

        second = jax.grad(jax.grad(lambda v: ELU()(v)))(-2.0)
    else:
        import tensorflow as tf

        x = tf.constant(-2.0)
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = ELU()(x)
            slope = inner.gradient(y, x)
        second = outer.gradient(slope, x)
    np.testing.assert_allclose(second, np.exp(-2.0), rtol=1e-6)


@pytest.mark.parametrize("alpha", [-0.1, float("nan"), float("inf")])
def test_bad_alpha_is_named(alpha):
    with pytest.raises(ValueError, match="`alpha`.*Received"):
        ELU(alpha)
