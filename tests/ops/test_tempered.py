"""Tempered functions against their definitions, evaluated with 50 digits."""

import keras
import mpmath
import numpy as np
import pytest
from keras import ops

from kerasadv.ops import exp_t, log_t, tempered_sigmoid, tempered_softmax

mpmath.mp.dps = 50
mpf = mpmath.mpf
RNG = np.random.default_rng(0)
TEMPERATURES = [0.2, 0.5, 0.8, 0.95, 1 - 1e-6, 1.0, 1 + 1e-6, 1.05, 1.2, 1.37, 1.5, 2.0, 3.0, 4.0]
CLASSES = [2, 3, 10, 100, 1000, 20_000]
if keras.backend.backend() == "jax":
    import jax

    # Outside of `jit` it compiles its loop anew for each call.
    tempered_softmax = jax.jit(tempered_softmax, static_argnames=("t", "axis"))
    TEMPERATURES, CLASSES = [0.5, 1 - 1e-6, 1.2], [2, 1000]


# --- the definitions, in 50 digits


def true_log(x, t):
    t = mpmath.mpf(t)
    return mpmath.log(x) if t == 1 else (mpmath.mpf(x) ** (1 - t) - 1) / (1 - t)


def true_exp(x, t):
    t = mpmath.mpf(t)
    if t == 1:
        return mpmath.exp(x)
    inside = 1 + (1 - t) * mpmath.mpf(x)
    return inside ** (1 / (1 - t)) if inside > 0 else mpmath.mpf(0)


def true_softmax(logits, t):
    """By bracketing the normalizer, which the definition asks for and nothing else."""
    logits = [mpmath.mpf(float(a)) for a in logits]
    low, high = max(logits), max(logits) + 1
    while sum(true_exp(a - high, t) for a in logits) > 1:
        low, high = high, high + 2 * (high - low)
    excess = lambda normalizer: sum(true_exp(a - normalizer, t) for a in logits) - 1  # noqa: E731
    if excess(low) != 0:
        low = mpmath.findroot(excess, (low, high), solver="anderson", tol=mpf(10) ** -60)
    return [true_exp(a - low, t) for a in logits]


# --- logarithm and exponential


@pytest.mark.parametrize("t", [-1.0, 0.0, *TEMPERATURES])
@pytest.mark.parametrize("dtype, tolerance", [("float32", 2e-6), ("float64", 1e-13)])
def test_log_t_follows_its_definition(t, dtype, tolerance):
    x = np.array([1e-6, 0.1, 0.999, 1.0, 1.001, 7.0, 1e4], dtype)
    expected = np.array([float(true_log(mpmath.mpf(float(v)), t)) for v in x])
    got = np.array(log_t(x, t))
    assert got.dtype == dtype
    # A logarithm is as exact as its argument: an error of eps there is eps * x^(1 - t) here.
    scale = 1 + np.abs(expected) + x.astype("float64") ** (1 - t) * np.abs(np.log(x))
    assert np.max(np.abs(got - expected) / scale) < tolerance


@pytest.mark.parametrize("t", [-1.0, 0.0, *TEMPERATURES])
@pytest.mark.parametrize("dtype, tolerance", [("float32", 3e-6), ("float64", 1e-13)])
def test_exp_t_follows_its_definition(t, dtype, tolerance):
    x = np.array([-30, -3.0, -0.5, -1e-3, 0.0, 0.2, 0.3], dtype)
    expected = np.array([float(true_exp(mpmath.mpf(float(v)), t)) for v in x])
    np.testing.assert_allclose(exp_t(x, t), expected, rtol=tolerance * 10, atol=tolerance)


def test_exp_t_is_infinite_from_its_pole_on_and_zero_below_its_support():
    np.testing.assert_array_equal(exp_t(np.array([1.0, 5.0]), 2.0), [np.inf, np.inf])
    np.testing.assert_array_equal(exp_t(np.array([-2.0, -9.0]), 0.5), [0.0, 0.0])
    np.testing.assert_allclose(log_t(np.zeros(1, "float32"), 0.5), [-2.0])


def gradient(function, x):
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        x = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = ops.sum(function(x))
        return np.array(tape.gradient(value, x))
    import jax

    return np.array(jax.grad(lambda x: ops.sum(function(x)))(x))


@pytest.mark.parametrize("t", [0.0, 0.5, 0.999999, 1.0, 1.2, 2.0])
def test_slopes_of_log_t_and_exp_t_are_those_of_the_formula(t):
    x = np.array([0.25, 1.0, 3.0])
    np.testing.assert_allclose(gradient(lambda x: log_t(x, t), x), x**-t, rtol=1e-12)
    x = np.array([-5.0, -0.75, 0.0, 0.25])
    expected = [float(true_exp(v, t) ** t) if true_exp(v, t) else 0.0 for v in x]
    np.testing.assert_allclose(gradient(lambda x: exp_t(x, t), x), expected, rtol=1e-11)


# --- softmax


@pytest.mark.parametrize("t", TEMPERATURES)
@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-6), ("float64", 2e-14)])
def test_tempered_softmax_follows_its_definition(t, dtype, tolerance):
    rows = [RNG.normal(size=5) * scale for scale in (0.1, 1.0, 10.0, 1e3)]
    rows += [np.zeros(5), np.array([3.0, 3.0, -50.0, 2.9, 0.0]), np.array([1e4, -1e4, 0, 0, 9999])]
    logits = np.array(rows).astype(dtype)
    expected = np.array([[float(p) for p in true_softmax(row, t)] for row in logits])
    np.testing.assert_allclose(tempered_softmax(logits, t), expected, atol=tolerance)


def hard_rows(classes):
    """Rows on which normalizers converge slowly: one or a few far above many, at every distance."""
    rows = []
    for gap in np.logspace(-2, 4.3, 24):
        for winners in {1, 2, max(1, classes // 10), max(1, classes // 2), classes - 1}:
            rows.append(np.where(np.arange(classes) < winners, 0, -gap))
        three = np.where(np.arange(classes) < classes**0.5, -gap, -30 * gap)
        three[0] = 0
        rows.append(three)
    for scale in (0.1, 1, 3, 10, 100, 1e3, 1e4):
        rows.extend(RNG.normal(size=(4, classes)) * scale)
    for _ in range(24):  # Classes on a few levels, some of them at the edge of what gets anything.
        levels = -np.append(0, 10 ** RNG.uniform(-1, 3.5, RNG.integers(2, 5)))
        rows.append(RNG.choice(levels, classes))
    # In no order, so that thinning them out leaves some of every kind.
    return RNG.permutation(np.clip(np.array(rows), -1e4, 1e4))


@pytest.mark.parametrize("t", [0.0, *TEMPERATURES])
@pytest.mark.parametrize("classes", CLASSES)
def test_probabilities_sum_to_one(classes, t):
    rows = hard_rows(classes)[:: 12 if classes > 1000 else 2]
    for dtype, bound in (("float32", 2e-6 * max(1, classes / 100)), ("float64", 1e-13)):
        p = np.array(tempered_softmax(rows.astype(dtype), t)).astype("float64")
        assert (p >= 0).all()
        # Summed exactly (numpy adds pairwise, in float64).
        assert np.abs(p.sum(axis=-1) - 1).max() <= bound


@pytest.mark.parametrize("classes", [16, 24, 25, 30, 63, 100])
def test_probabilities_sum_to_one_when_compiled_too(classes):
    # These counts of classes are where the number of rounds and the way to add change; XLA adds in
    # another order than TensorFlow's own kernels.
    rows = hard_rows(classes).astype("float32")
    for t in (0.0, 0.2, 0.8, 0.9, 1.1, 1.2, 1.25, 4.0):
        p = np.array(compiled(lambda x, t=t: tempered_softmax(x, t))(rows)).astype("float64")
        assert np.abs(p.sum(axis=-1) - 1).max() <= 2e-6


def test_the_number_of_classes_may_be_unknown():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("only TensorFlow has shapes that are not known")
    import tensorflow as tf

    for t, classes in ((0.5, 100), (1.2, 30), (4.0, 1000)):
        softmax = tf.function(
            lambda x, t=t: tempered_softmax(x, t), input_signature=[tf.TensorSpec((None, None))]
        )
        p = softmax(hard_rows(classes).astype("float32")).numpy().astype("float64")
        assert np.abs(p.sum(axis=-1) - 1).max() <= 2e-6 * max(1, classes / 100)


def test_a_temperature_whose_probabilities_vanish_is_refused():
    even = np.array(tempered_softmax(np.zeros((1, 1000), "float32"), 10.0))
    np.testing.assert_allclose(even, 1e-3, rtol=2e-6)
    with pytest.raises(
        ValueError, match="`t` .*: expected at most 12.6 for 1000 classes.*Received: 20"
    ):
        tempered_softmax(np.zeros((1, 1000), "float32"), 20.0)


def compiled(function):
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True)
    import jax

    return jax.jit(function)


def test_at_one_it_is_the_softmax_and_at_zero_sparsemax():
    logits = RNG.normal(size=(50, 7)) * 3
    exponential = np.exp(logits - logits.max(axis=1, keepdims=True))
    softmax = exponential / exponential.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(tempered_softmax(logits, 1), softmax, atol=1e-15)
    for row, got in zip(logits, np.array(tempered_softmax(logits, 0))):
        # Martins and Astudillo 2016, algorithm 1: sort, and take the largest support that fits.
        ordered = np.sort(row)[::-1]
        sums = np.cumsum(ordered)
        size = max(k for k in range(1, 8) if 1 + k * ordered[k - 1] > sums[k - 1])
        np.testing.assert_allclose(
            got, np.maximum(row - (sums[size - 1] - 1) / size, 0), atol=1e-12
        )


def test_there_is_no_jump_at_one():
    logits = RNG.normal(size=(20, 30)).astype("float32") * 5
    below, one, above = (np.array(tempered_softmax(logits, t)) for t in (1 - 1e-6, 1.0, 1 + 1e-6))
    np.testing.assert_allclose(below, one, atol=2e-5)
    np.testing.assert_allclose(above, one, atol=2e-5)
    assert np.abs(above - one).max() < 2e-5


@pytest.mark.parametrize("t", [0.0, 0.3, 0.8, 1.0, 1.2, 1.37, 2.0, 4.0])
def test_the_slope_of_the_softmax_is_its_difference_quotient(t):
    logits = np.array([[0.3, 0.1, -0.2, -7.0], [2.0, -1.0, 1.9, 1.5]])
    weights = RNG.normal(size=logits.shape)

    def value(a):
        return np.sum(np.array(tempered_softmax(a, t)) * weights)

    slope = gradient(lambda a: tempered_softmax(a, t) * weights, logits)
    for index in np.ndindex(logits.shape):
        step = np.zeros_like(logits)
        step[index] = 1e-6
        quotient = (value(logits + step) - value(logits - step)) / 2e-6
        np.testing.assert_allclose(slope[index], quotient, atol=1e-8)


def test_the_classes_may_lie_on_any_axis():
    logits = RNG.normal(size=(3, 5, 4)).astype("float32")
    moved = np.array(tempered_softmax(np.moveaxis(logits, -1, 1), 1.2, axis=1))
    np.testing.assert_allclose(np.moveaxis(moved, 1, -1), tempered_softmax(logits, 1.2), atol=1e-7)


def test_a_class_masked_with_minus_infinity_gets_nothing():
    logits = np.array([[1.0, -np.inf, 0.5]], "float32")
    for t in (0.5, 1.0, 1.2, 2.0):
        got = np.array(tempered_softmax(logits, t))[0]
        rest = np.array(tempered_softmax(logits[:, [0, 2]], t))[0]
        np.testing.assert_allclose(got, [rest[0], 0, rest[1]], atol=1e-7)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32(dtype):
    logits = ops.cast(RNG.normal(size=(6, 1000)) * 5, dtype)
    got = tempered_softmax(logits, 1.2)
    assert keras.backend.standardize_dtype(got.dtype) == dtype
    expected = ops.cast(tempered_softmax(ops.cast(logits, "float32"), 1.2), dtype)
    np.testing.assert_array_equal(ops.cast(got, "float32"), ops.cast(expected, "float32"))


# --- sigmoid


@pytest.mark.parametrize("t", [0.2, 0.8, 1.0, 1.2, 3.0])
def test_tempered_sigmoid_is_the_softmax_against_zero(t):
    logits = np.array([-1e4, -5.0, -0.1, 0.0, 2.0, 700.0])
    expected = [float(true_softmax([a, 0.0], t)[0]) for a in logits]
    np.testing.assert_allclose(tempered_sigmoid(logits, t), expected, atol=1e-14)
    np.testing.assert_allclose(
        np.array(tempered_sigmoid(logits, t)) + np.array(tempered_sigmoid(-logits, t)),
        1,
        atol=1e-14,
    )


# --- bad input


@pytest.mark.parametrize("t", [-0.1, float("nan"), float("inf"), "1", None, True])
def test_a_temperature_out_of_range_is_refused(t):
    for function in (tempered_softmax, tempered_sigmoid):
        with pytest.raises(ValueError, match="`t`: expected a finite number.*Received: t="):
            function(np.zeros((1, 2), "float32"), t)


def test_nan_stays_nan():
    logits = np.array([[np.nan, 1.0], [0.0, 1.0]], "float32")
    got = np.array(tempered_softmax(logits, 1.2))
    assert np.isnan(got[0]).all() and np.isfinite(got[1]).all()
