"""Distances of sets of images, against formulas of their own."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops
from scipy.linalg import sqrtm

import kerasadv
from kerasadv.metrics import FrechetDistance, KernelDistance

TENSORFLOW = keras.backend.backend() == "tensorflow"
RTOL = 1e-6 if TENSORFLOW else 2e-3  # JAX adds in float32.
RNG = np.random.default_rng(0)
CHANNELS = 5
# Correlated features, other in one set than in the other.
REAL = RNG.normal(size=(40, 1, 1, CHANNELS)) @ RNG.normal(size=(CHANNELS, CHANNELS))
GENERATED = 0.5 + RNG.normal(size=(30, 1, 1, CHANNELS)) @ RNG.normal(size=(CHANNELS, CHANNELS))


def pixels(channels=CHANNELS):
    """An extractor that sees nothing but the colour."""
    image = keras.Input((None, None, channels))
    return keras.Model(image, image)


def frechet(x, y):
    """The formula as Heusel et al. write it."""
    x, y = (a.reshape(len(a), -1) for a in (x, y))
    root = sqrtm(np.cov(x, rowvar=False) @ np.cov(y, rowvar=False))
    spread = np.cov(x, rowvar=False) + np.cov(y, rowvar=False) - 2 * root.real
    return np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(spread)


def kernel(x, y):
    """The unbiased estimate of Gretton et al., pair by pair."""
    x, y = (a.reshape(len(a), -1) for a in (x, y))

    def mean(pairs):
        return np.mean([(a @ b / len(a) + 1) ** 3 for a, b in pairs])

    within = [mean(itertools.permutations(a, 2)) for a in (x, y)]
    return sum(within) - 2 * mean(itertools.product(x, y))


def test_the_frechet_distance_is_that_of_the_formula():
    metric = FrechetDistance(pixels())
    metric.update_state(REAL, GENERATED)
    np.testing.assert_allclose(metric.result(), frechet(REAL, GENERATED), rtol=RTOL)
    # It grows as the sets get less alike, and is nothing between a set and itself.
    far = FrechetDistance(pixels())(REAL, GENERATED + 3)
    np.testing.assert_allclose(far, frechet(REAL, GENERATED + 3), rtol=RTOL)
    assert float(FrechetDistance(pixels())(REAL, REAL)) == pytest.approx(0, abs=10 * RTOL)


def test_fewer_images_than_features_are_no_trouble():
    few, other = REAL[:3], GENERATED[:4]
    np.testing.assert_allclose(
        FrechetDistance(pixels())(few, other), frechet(few, other), rtol=max(RTOL, 1e-5)
    )


@pytest.mark.skipif(not TENSORFLOW, reason="Keras computes in float32 on JAX")
def test_large_features_keep_their_digits():
    got = FrechetDistance(pixels(), dtype="float64")(REAL + 3e4, GENERATED + 3e4)
    near = [np.float64(np.float32(x + 3e4)) for x in (REAL, GENERATED)]  # what the extractor sees
    np.testing.assert_allclose(got, frechet(*near), rtol=1e-6)


def test_weights_count_images_several_times():
    weight = RNG.integers(0, 4, 30)
    metric = FrechetDistance(pixels())
    metric.update_state(REAL[:30], GENERATED, sample_weight=weight)
    expected = frechet(np.repeat(REAL[:30], weight, 0), np.repeat(GENERATED, weight, 0))
    np.testing.assert_allclose(metric.result(), expected, rtol=10 * RTOL)


def test_the_kernel_distance_is_that_of_the_formula():
    metric = KernelDistance(pixels())
    np.testing.assert_allclose(metric(REAL, GENERATED), kernel(REAL, GENERATED), rtol=RTOL)


def test_the_kernel_distance_is_the_mean_over_batches():
    metric, expected = KernelDistance(pixels()), []
    for rows in (slice(0, 10), slice(10, 29), slice(29, 30)):
        metric.update_state(REAL[rows], GENERATED[rows])
        if rows.start < 29:  # The last has no pair.
            expected.append(kernel(REAL[rows], GENERATED[rows]))
    np.testing.assert_allclose(
        metric.result(), (10 * expected[0] + 19 * expected[1]) / 29, rtol=RTOL
    )


def test_the_kernel_distance_has_no_bias():
    # Sets of two, so that a bias by pairs of an image with itself would be as large as can be.
    x, y = RNG.normal(size=(2, 4000, 2, 1, 1, CHANNELS))
    metric, found = KernelDistance(pixels()), []
    for a, b in zip(x[:400], y):
        found.append(float(metric(a, b)))
        metric.reset_state()
    assert abs(np.mean(found)) < 3 * np.std(found) / 20
    biased = np.mean([np.mean((a @ a.T / CHANNELS + 1) ** 3) for a in x[:, :, 0, 0]])
    assert biased - 1 > 6 * np.std(found) / 20  # It would have been seen.


@pytest.mark.skipif(not TENSORFLOW, reason="replicas are TensorFlow's")
def test_each_replica_compares_its_own_share(mirrored):
    import tensorflow as tf

    with mirrored.scope():
        inputs = keras.Input((1, 1, CHANNELS))
        model = keras.Model(inputs, keras.layers.Activation("linear")(inputs))
        model.compile(loss="mse", metrics=[KernelDistance(pixels())])
    data = tf.data.Dataset.from_tensor_slices((GENERATED[:8], REAL[:8])).batch(4)
    got = model.evaluate(data, verbose=0, return_dict=True)["kernel_distance"]
    shares = [kernel(REAL[k : k + 2], GENERATED[k : k + 2]) for k in range(0, 8, 2)]
    np.testing.assert_allclose(got, np.mean(shares), rtol=RTOL)


def test_several_features_of_positions_are_one_vector_and_grey_is_a_colour():
    extractor = kerasadv.features.vgg("vgg16", ["block1_conv1", "block1_pool"], None)
    grey = RNG.integers(0, 256, (2, 8, 6, 1)).astype("float32")
    found = extractor(np.repeat(grey, 3, axis=-1))
    expected = np.concatenate(
        [np.mean(ops.convert_to_numpy(found[n]), (1, 2)) for n in ("block1_conv1", "block1_pool")],
        axis=1,
    )
    np.testing.assert_allclose(kerasadv.ops.embeddings(extractor, grey), expected, rtol=1e-5)


@pytest.mark.parametrize("metric", [FrechetDistance, KernelDistance])
def test_the_range_is_that_of_the_extractor_also_after_a_file(metric):
    extractor = kerasadv.features.vgg("vgg16", ["block1_conv1"], None, value_range=(0, 1))
    made = metric(extractor)
    assert made.value_range == metric.from_config(made.get_config()).value_range == (0, 1)
    assert metric(pixels()).value_range is None


def test_the_extractor_is_not_saved_with_the_model():
    model = keras.Sequential([keras.Input((1, 1, 3)), keras.layers.Dense(3)])
    model.compile(metrics=[FrechetDistance(pixels(3))])
    assert len(model.weights) == 2


@pytest.mark.parametrize("metric", [FrechetDistance, KernelDistance])
def test_bad_arguments_are_named(metric):
    with pytest.raises(ValueError, match="`extractor`: .*'inception_v3'. Received: .*'vgg'"):
        metric("vgg")
    with pytest.raises(ValueError, match=r"`sample_weight`: .*\(batch,\).*shape \(30, 2\)"):
        metric(pixels()).update_state(REAL[:30], GENERATED, sample_weight=np.ones((30, 2)))
    with pytest.raises(ValueError, match="`sample_weight`: .*40 weights, 40 real and 30 generated"):
        metric(pixels()).update_state(REAL, GENERATED, sample_weight=np.ones(40))
    with pytest.raises(ValueError, match="`sample_weight`: .*20 weights, 30 real and 30 generated"):
        metric(pixels()).update_state(REAL[:30], GENERATED, sample_weight=np.ones(20))
    # Its config cannot hold the weights of a plain model.
    with pytest.raises(ValueError, match="compile=False"):
        metric.from_config(metric(pixels()).get_config())
