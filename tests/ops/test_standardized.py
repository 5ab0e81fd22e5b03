"""Features of mean 0 and variance 1, against NumPy in float64."""

import keras
import numpy as np
import pytest

from kerasadv.ops import standardized


@pytest.mark.parametrize("axes", [(1, 2), (1, 2, 3), [2]])
@pytest.mark.parametrize("dtype, off", [("float32", 2e-6), ("float64", 1e-12)])
def test_against_numpy(axes, dtype, off):
    x = np.random.default_rng(0).normal(100, 7, (2, 30, 41, 3)).astype(dtype)
    wide = x.astype("float64")
    mean, variance = (f(wide, axis=tuple(axes), keepdims=True) for f in (np.mean, np.var))
    found = standardized(x, axes, epsilon=1e-3)
    assert keras.backend.standardize_dtype(found.dtype) == dtype
    expected = (wide - mean) / np.sqrt(variance + 1e-3)
    np.testing.assert_allclose(found, expected, rtol=0, atol=100 / 7 * off)


def test_what_does_not_differ_is_zero():
    np.testing.assert_array_equal(standardized(np.full((1, 8, 8, 1), 7.0), (1, 2, 3), 1e-6), 0)
