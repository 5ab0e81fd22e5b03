"""The bi-tempered losses against their definition, evaluated with 50 digits."""

import functools

import keras
import mpmath
import numpy as np
import pytest
from keras import ops

from kerasadv.losses import BinaryBiTempered, BiTempered, SparseBiTempered
from kerasadv.losses.bi_tempered import bi_tempered
from kerasadv.losses.binary_bi_tempered import binary_bi_tempered
from kerasadv.losses.sparse_bi_tempered import sparse_bi_tempered
from kerasadv.ops import tempered_softmax

mpmath.mp.dps = 50
mpf = mpmath.mpf
T1 = [0.0, 0.3, 0.5, 0.8, 0.95, 1 - 1e-6, 1.0]
T2 = [0.2, 0.5, 0.8, 1 - 1e-6, 1.0, 1 + 1e-6, 1.05, 1.2, 1.37, 2.0, 4.0]
CLASSES = [2, 12]
if keras.backend.backend() == "jax":
    import jax

    # Outside of `jit` it compiles its loop anew for each call.
    fixed = ("t1", "t2", "label_smoothing", "axis")
    bi_tempered = jax.jit(bi_tempered, static_argnames=fixed)
    sparse_bi_tempered = jax.jit(sparse_bi_tempered, static_argnames=fixed[:2])
    binary_bi_tempered = jax.jit(binary_bi_tempered, static_argnames=fixed[:3])
    T1, T2, CLASSES = [0.5, 1.0], [0.8, 1.2], [12]


# --- the definition, in 50 digits


def true_log(x, t):
    if t == 1:
        return mpmath.log(x) if x > 0 else -mpmath.inf
    return (mpf(x) ** (1 - mpf(t)) - 1) / (1 - mpf(t))


def true_exp(x, t):
    if t == 1:
        return mpmath.exp(x)
    inside = 1 + (1 - mpf(t)) * x
    return inside ** (1 / (1 - mpf(t))) if inside > 0 else mpf(0)


@functools.cache
def true_softmax(logits, t):
    """By bracketing the normalizer; `logits` is a tuple of floats."""
    logits = [mpf(a) for a in logits]
    low, high = max(logits), max(logits) + 1
    while sum(true_exp(a - high, t) for a in logits) > 1:
        low, high = high, high + 2 * (high - low)
    excess = lambda normalizer: sum(true_exp(a - normalizer, t) for a in logits) - 1  # noqa: E731
    if excess(low) != 0:
        low = mpmath.findroot(excess, (low, high), solver="anderson", tol=mpf(10) ** -60)
    return [true_exp(a - low, t) for a in logits]


def true_loss(y, logits, t1, t2):
    """The Bregman divergence as the paper writes it."""
    p = true_softmax(tuple(map(float, logits)), t2)
    total = mpf(0)
    for label, probability in zip(map(mpf, map(float, y)), p):
        logs = true_log(label, t1) - true_log(probability, t1) if label else 0
        power = 2 - mpf(t1)
        total += label * logs - (label**power - probability**power) / power
    return total


def true_gradient(y, logits, t1, t2):
    """By the chain rule: d p_i / d a_j = p_i^t2 (i = j) - p_i^t2 p_j^t2 / sum(p^t2)."""
    p = true_softmax(tuple(map(float, logits)), t2)
    by_p = [  # Where p is 0 it stays 0, so it has no slope there.
        (q - mpf(float(label))) / q ** mpf(t1) if q else mpf(0) for label, q in zip(y, p)
    ]
    escort = [q ** mpf(t2) if q else mpf(0) for q in p]
    mean = sum(a * b for a, b in zip(by_p, escort)) / sum(escort)
    return [e * (b - mean) for e, b in zip(escort, by_p)]


@functools.cache
def rows(classes):
    """Labels (integer; one-hot, soft, smoothed) and logits, mild and extreme."""
    rng = np.random.default_rng(classes)
    logits = [rng.normal(size=classes) * scale for scale in (0.1, 1.0, 5.0, 100.0)]
    logits += [np.zeros(classes), 1e4 * (np.arange(classes) == 1) - 5e3]
    logits = np.array(logits, "float32")
    index = rng.integers(0, classes, len(logits))
    hard = np.eye(classes, dtype="float32")[index]
    soft = rng.dirichlet(np.ones(classes), len(logits))
    soft[:, 0] = 0
    soft = (soft / soft.sum(axis=1, keepdims=True)).astype("float32")
    return index, {"hard": hard, "soft": soft, "smooth": hard * 0.9 + 0.1 / classes}, logits


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


def assert_loss(got, expected):
    expected = np.array([float(e) for e in expected])
    np.testing.assert_array_equal(np.isinf(got), np.isinf(expected))
    finite = np.isfinite(expected)
    error = np.abs(np.array(got)[finite] - expected[finite])
    assert (error <= 5e-6 * (1 + np.abs(expected[finite]))).all(), error


def assert_gradient(got, expected, losses, t2):
    # Below t2 = 1 probabilities end at a sharp edge. What float32 makes of a logit there is all
    # that can be known of a probability that is nearly 0.
    floor = 1e-30 if t2 >= 1 else 1e-7
    for g, e, value in zip(np.array(got), expected, losses):
        e = np.array([float(x) for x in e])
        if np.isfinite(float(value)):
            assert np.abs(g - e).max() <= 5e-4 * np.abs(e).max() + floor


@pytest.mark.parametrize("t2", T2)
@pytest.mark.parametrize("t1", T1)
def test_value_and_gradient_follow_the_definition(t1, t2):
    for classes in CLASSES:
        index, labels, logits = rows(classes)
        for kind, y in labels.items():
            expected = [true_loss(*row, t1, t2) for row in zip(y, logits)]
            slopes = [true_gradient(*row, t1, t2) for row in zip(y, logits)]
            assert_loss(bi_tempered(y, logits, t1, t2), expected)
            slope = gradient(lambda a, y=y: bi_tempered(y, a, t1, t2), logits)
            assert_gradient(slope, slopes, expected, t2)
            if kind == "hard":
                assert_loss(sparse_bi_tempered(index, logits, t1, t2), expected)
                slope = gradient(lambda a, i=index: sparse_bi_tempered(i, a, t1, t2), logits)
                assert_gradient(slope, slopes, expected, t2)


@pytest.mark.parametrize("t1, t2", [(0.8, 1.2), (0.5, 0.8), (0.2, 4.0), (1.0, 1.0)])
def test_a_thousand_classes_are_as_exact(t1, t2):
    logits = (np.random.default_rng(3).normal(size=(3, 1000)) * [[1], [5], [1e3]]).astype("float32")
    index = np.array([5, 7, int(logits[2].argmax())])
    hard = np.eye(1000, dtype="float32")[index]
    expected = [true_loss(*row, t1, t2) for row in zip(hard, logits)]
    slopes = [true_gradient(*row, t1, t2) for row in zip(hard, logits)]
    for y, function in ((hard, bi_tempered), (index, sparse_bi_tempered)):
        assert_loss(function(y, logits, t1, t2), expected)
        slope = gradient(lambda a, y=y, f=function: f(y, a, t1, t2), logits)
        assert_gradient(slope, slopes, expected, t2)


@pytest.mark.parametrize("t1, t2", [(0.8, 1.2), (0.3, 0.5), (1 - 1e-6, 1 + 1e-6)])
def test_float64_is_computed_in_float64(t1, t2):
    index, labels, logits = rows(12)
    logits = logits[:3].astype("float64")
    for y in (labels["hard"][:3], labels["soft"][:3]):
        expected = [float(true_loss(*row, t1, t2)) for row in zip(y, logits)]
        np.testing.assert_allclose(bi_tempered(y, logits, t1, t2), expected, rtol=1e-10, atol=1e-12)
    expected = [float(true_loss(*row, t1, t2)) for row in zip(labels["hard"][:3], logits)]
    got = sparse_bi_tempered(index[:3], logits, t1, t2)
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)


# --- limits


def test_at_one_and_one_it_is_cross_entropy_less_the_entropy_of_the_labels():
    index, labels, logits = rows(12)
    log_p = logits - logits.max(1, keepdims=True)
    log_p = log_p - np.log(np.exp(log_p.astype("float64")).sum(1, keepdims=True))
    for name, y in labels.items():
        entropy = -np.sum(np.where(y > 0, y * np.log(np.where(y > 0, y, 1)), 0), axis=1)
        cross_entropy = -np.sum(y * log_p, axis=1)
        got = bi_tempered(y, logits, 1.0, 1.0)
        np.testing.assert_allclose(got, cross_entropy - entropy, rtol=1e-5, atol=1e-5)
        if name == "hard":
            ours = SparseBiTempered(1.0, 1.0)(index, logits)
            theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(index, logits)
            np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_soft_labels_make_no_jump_near_one():
    _, labels, logits = rows(12)
    y = labels["soft"]
    at_one = np.array(bi_tempered(y, logits, 1.0, 1.0))
    for t1, t2 in ((1 - 1e-6, 1.0), (1.0, 1 + 1e-6), (1 - 1e-6, 1 - 1e-6)):
        got = np.array(bi_tempered(y, logits, t1, t2))
        mild = np.abs(logits).max(axis=1) < 20  # There a millionth cannot do more than this.
        np.testing.assert_allclose(got[mild], at_one[mild], atol=1e-3)


def test_it_is_nothing_for_a_perfect_prediction_and_never_negative():
    logits = np.random.default_rng(4).normal(size=(200, 5)).astype("float32") * 3
    for t1, t2 in ((0.8, 1.2), (0.0, 0.5), (1.0, 1.0), (0.3, 2.0)):
        p = np.array(tempered_softmax(logits, t2))
        np.testing.assert_allclose(bi_tempered(p, logits, t1, t2), 0, atol=2e-6)
        slope = gradient(lambda a, p=p, t1=t1, t2=t2: bi_tempered(p, a, t1, t2), logits)
        np.testing.assert_allclose(slope, 0, atol=2e-6)
        far = np.eye(5, dtype="float32")[logits.argmin(axis=1)]
        assert (np.array(bi_tempered(far, logits * 100, t1, t2)) >= 0).all()


@pytest.mark.parametrize("t1", [0.0, 0.5, 0.8])
def test_a_hopeless_label_costs_no_more_than_the_bound(t1):
    logits = np.array([[1e4, -1e4]], "float32")
    got = float(bi_tempered(np.array([[0.0, 1.0]]), logits, t1, 1.0)[0])
    assert got == pytest.approx(1 / (1 - t1), rel=1e-6)


def test_where_probability_ends_the_slope_ends_too():
    # At t2 < 1 the second class has probability 0 in a whole neighbourhood: nothing pulls it back.
    logits = np.array([[0.0, -50.0, -1.0]], "float32")
    y = np.array([[0.0, 1.0, 0.0]])
    for t1, t2 in ((0.5, 0.5), (0.2, 0.8), (0.8, 0.5), (1.0, 0.5)):
        slope = gradient(lambda a, t1=t1, t2=t2: bi_tempered(y, a, t1, t2), logits)
        assert np.isfinite(slope).all() and slope[0, 1] == 0
    assert np.isinf(bi_tempered(y, logits, 1.0, 0.5)[0])
    assert float(bi_tempered(y, logits, 0.5, 0.5)[0]) > 1


# --- arguments


def test_label_smoothing_means_what_it_means_in_keras():
    index, labels, logits = rows(12)
    smoothed = labels["hard"] * 0.7 + 0.3 / 12
    got = BiTempered(0.8, 1.2, label_smoothing=0.3, reduction=None)(labels["hard"], logits)
    np.testing.assert_allclose(got, bi_tempered(smoothed, logits, 0.8, 1.2), rtol=1e-6)
    y, a = np.array([[1.0], [0.0]]), np.array([[0.3], [-2.0]], "float32")
    got = BinaryBiTempered(0.8, 1.2, label_smoothing=0.2, reduction=None)(y, a)
    np.testing.assert_allclose(got, binary_bi_tempered(y * 0.8 + 0.1, a, 0.8, 1.2), rtol=1e-5)


def test_binary_is_two_classes_one_of_which_has_the_logit_zero():
    rng = np.random.default_rng(5)
    y, a = rng.uniform(size=(6, 3)), rng.normal(size=(6, 3)).astype("float32") * 4
    two = [
        [float(true_loss([q, 1 - q], [b, 0.0], 0.8, 1.2)) for q, b in zip(*row)]
        for row in zip(y, a)
    ]
    got = BinaryBiTempered(0.8, 1.2, reduction=None)(y, a)
    np.testing.assert_allclose(got, np.mean(two, axis=1), rtol=1e-5)
    without_axis = BinaryBiTempered(0.8, 1.2)(y[:, 0], a[:, :1])
    np.testing.assert_allclose(without_axis, BinaryBiTempered(0.8, 1.2)(y[:, :1], a[:, :1]))


def test_an_ignored_class_is_left_out_of_sum_and_mean():
    rng = np.random.default_rng(6)
    y, a = rng.integers(0, 3, (4, 5)), rng.normal(size=(4, 5, 3)).astype("float32")
    y[0], y[1, 2] = -1, -1
    a[0, 0] = np.nan
    kept = y != -1
    weight = rng.uniform(size=4).astype("float32")
    all_weights = np.broadcast_to(weight[:, None], y.shape)
    values = np.array(sparse_bi_tempered(y[kept], a[kept], 0.8, 1.2))
    for reduction, expected, weighted in (
        ("sum", values.sum(), (values * all_weights[kept]).sum()),
        ("sum_over_batch_size", values.mean(), (values * all_weights[kept]).mean()),
        (
            "mean_with_sample_weight",
            values.mean(),
            (values * all_weights[kept]).sum() / all_weights[kept].sum(),
        ),
    ):
        loss = SparseBiTempered(0.8, 1.2, ignore_class=-1, reduction=reduction)
        np.testing.assert_allclose(loss(y, a), expected, rtol=1e-6)
        np.testing.assert_allclose(loss(y, a, sample_weight=weight), weighted, rtol=1e-6)
    slope = gradient(lambda p: SparseBiTempered(ignore_class=-1)(y, p), a)
    assert (slope[~kept] == 0).all() and np.isfinite(slope).all() and (slope[kept] != 0).all()
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    ours = SparseBiTempered(1.0, 1.0, ignore_class=-1)
    np.testing.assert_allclose(ours(y, np.nan_to_num(a)), theirs(y, np.nan_to_num(a)), rtol=1e-6)


def test_weights_and_masks_with_an_axis_too_many_count_like_those_without():
    rng = np.random.default_rng(5)
    a, y = rng.normal(size=(4, 3)).astype("float32"), np.array([0, 1, 2, -1])
    weight = np.array([1.0, 2.0, 3.0, 4.0], "float32")
    values = np.array(sparse_bi_tempered(y[:3], a[:3], 0.8, 1.2))
    loss = SparseBiTempered(ignore_class=-1, reduction="sum")
    for shape in ((4,), (4, 1)):
        got = loss(y, a, sample_weight=weight.reshape(shape))
        np.testing.assert_allclose(got, (values * weight[:3]).sum(), rtol=1e-6)
    with pytest.raises(ValueError, match=r"`sample_weight`: expected.*Received: shape \(4, 3\)"):
        loss(y, a, sample_weight=np.ones((4, 3)))


def test_a_mask_of_the_predictions_counts_once_with_ignored_labels():
    # What layers such as Embedding(mask_zero=True) hang on what they give.
    tokens = np.array([[1, 2, 0, 0], [2, 1, 3, 0]])
    inputs = keras.Input((4,), dtype="int32")
    x = keras.layers.Embedding(4, 5, mask_zero=True)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3)(x))
    y = np.array([[1, 2, 0, 0], [2, -1, 0, 1]])
    got = SparseBiTempered(ignore_class=-1)(y, model(tokens))
    kept = (tokens != 0) & (y != -1)
    logits = np.array(model(tokens))[kept]
    expected = np.array(sparse_bi_tempered(y[kept], logits, 0.8, 1.2)).mean()
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_if_all_is_ignored_the_loss_is_zero():
    loss = SparseBiTempered(ignore_class=255)
    assert float(loss(np.full((2, 3), 255), np.ones((2, 3, 4), "float32"))) == 0


@pytest.mark.parametrize("label", [-1, 3, 255])
def test_a_label_that_is_no_class_makes_the_loss_nan(label):
    values = np.array(
        sparse_bi_tempered(np.array([1, label]), np.zeros((2, 3), "float32"), 0.8, 1.2)
    )
    assert np.isfinite(values[0]) and np.isnan(values[1])
    logits = np.zeros((2, 3), "float32")
    slope = gradient(lambda p: SparseBiTempered(0.8, 1.2)(np.array([1, label]), p), logits)
    assert np.isfinite(slope[0]).all() and np.isnan(slope[1]).all()


@pytest.mark.parametrize("cls", [BiTempered, SparseBiTempered, BinaryBiTempered])
@pytest.mark.parametrize(
    "arguments",
    [{"t1": -0.1}, {"t1": 1.1}, {"t2": 0}, {"t2": -1.0}, {"t1": float("nan")}, {"t2": "1.2"}],
)
def test_a_temperature_out_of_range_is_refused(cls, arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=f"`{name}`: expected a finite number.*Received: {name}="):
        cls(**arguments)


def test_other_arguments_out_of_range_are_refused():
    with pytest.raises(ValueError, match="`label_smoothing`: expected.*Received.*1.5"):
        BiTempered(label_smoothing=1.5)
    with pytest.raises(ValueError, match="`ignore_class`: expected.*Received.*'255'"):
        SparseBiTempered(ignore_class="255")
    with pytest.raises(ValueError, match="`label_smoothing`: expected.*Received.*'0.1'"):
        BiTempered(label_smoothing="0.1")
    assert SparseBiTempered(ignore_class=np.int64(255)).get_config()["ignore_class"] == 255


def test_labels_of_the_other_kind_are_refused_with_the_loss_to_use():
    logits = np.zeros((4, 3), "float32")
    with pytest.raises(ValueError, match="`y_true`.*SparseBiTempered.*Received"):
        BiTempered()(np.zeros(4), logits)
    with pytest.raises(ValueError, match=r"`y_true`.*one-hot labels: BiTempered.*\(4, 3\), y_pred"):
        SparseBiTempered()(np.zeros((4, 3)), logits)
    with pytest.raises(ValueError, match=r"`y_pred`.*BinaryBiTempered.*y_pred.shape=\(4, 1\)"):
        SparseBiTempered()(np.zeros((4, 1)), logits[:, :1])
    with pytest.raises(ValueError, match=r"`sample_weight`: expected.*Received: shape \(3,\)"):
        SparseBiTempered()(np.zeros(4), logits, sample_weight=np.ones(3))
    with pytest.raises(ValueError, match="`y_true`.*Received"):
        BinaryBiTempered()(np.zeros((4, 2)), logits)
