"""The boundary loss against its formula."""

import numpy as np
import pytest
from scipy import ndimage

from kerasadv.losses import Boundary
from kerasadv.ops import signed_distance

RNG = np.random.default_rng(0)
MASK = np.zeros((1, 16, 16, 1), "float32")
MASK[:, 6:10, 6:10] = 1


def signed(mask):
    return ndimage.distance_transform_edt(1 - mask) - np.maximum(
        ndimage.distance_transform_edt(mask) - 1, 0
    )


def test_is_the_mean_of_probability_times_distance():
    probabilities = RNG.random((1, 16, 16, 1)).astype("float32")
    expected = (signed(MASK[0, ..., 0]) * probabilities[0, ..., 0]).mean()
    np.testing.assert_allclose(Boundary()(MASK, probabilities), expected, rtol=1e-5)


def test_volumes_with_spacing():
    labels = np.zeros((2, 6, 8, 10), int)
    labels[:, 2:4, 3:6, 4:8] = 1
    probabilities = RNG.random((2, 6, 8, 10, 2)).astype("float32")
    spacing = (3.0, 1.0, 0.5)
    total = 0
    for c in (0, 1):
        mask = labels == c
        for b in (0, 1):
            outside = ndimage.distance_transform_edt(~mask[b], sampling=spacing)
            inside = ndimage.distance_transform_edt(mask[b], sampling=spacing) - 0.5
            total += np.mean((outside * ~mask[b] - inside * mask[b]) * probabilities[b, ..., c]) / 4
    got = Boundary(spacing=spacing)(labels, probabilities)
    np.testing.assert_allclose(got, total, rtol=1e-5)


def test_a_far_false_alarm_costs_more_than_a_near_one():
    near, far = MASK.copy(), MASK.copy()
    near[0, 5, 7] = far[0, 0, 0] = 1
    # One pixel at distance 1, one at the root of 6^2 + 6^2, over 256 pixels.
    best = float(Boundary()(MASK, MASK))
    np.testing.assert_allclose(Boundary()(MASK, near) - best, 1 / 256, rtol=1e-4)
    np.testing.assert_allclose(Boundary()(MASK, far) - best, 72**0.5 / 256, rtol=1e-4)


def test_ready_maps_give_the_same():
    probabilities = RNG.random((3, 9, 9, 2)).astype("float32")
    labels = RNG.integers(0, 2, (3, 9, 9))
    maps = signed_distance(np.eye(2)[labels], 0.5)
    np.testing.assert_allclose(
        Boundary(from_distance_maps=True)(maps, probabilities),
        Boundary(spacing=0.5)(labels, probabilities),
        rtol=1e-6,
    )


def test_classes_chooses_channels():
    labels = RNG.integers(0, 3, (2, 9, 9))
    probabilities = RNG.random((2, 9, 9, 3)).astype("float32")
    each = [float(Boundary(classes=[c])(labels, probabilities)) for c in range(3)]
    np.testing.assert_allclose(Boundary()(labels, probabilities), np.mean(each), rtol=1e-5)
    np.testing.assert_allclose(
        Boundary(classes=[0, 2])(labels, probabilities), (each[0] + each[2]) / 2, rtol=1e-5
    )


def test_absent_and_full_classes_add_nothing():
    labels = np.ones((1, 9, 9), int)  # Class 1 is everywhere, 0 and 2 nowhere.
    probabilities = RNG.random((1, 9, 9, 3)).astype("float32")
    assert float(Boundary()(labels, probabilities)) == 0


@pytest.mark.parametrize("classes", [1, 3])
def test_logits(classes):
    logits = RNG.normal(size=(2, 9, 9, classes)).astype("float32")
    labels = RNG.integers(0, max(classes, 2), (2, 9, 9))
    if classes == 1:
        probabilities = 1 / (1 + np.exp(-logits))
    else:
        probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(
        Boundary(from_logits=True)(labels, logits), Boundary()(labels, probabilities), rtol=1e-4
    )


@pytest.mark.parametrize(
    "arguments, named",
    [
        ({"spacing": 0}, "spacing"),
        ({"spacing": (1, -1)}, "spacing"),
        ({"spacing": []}, "spacing"),
        ({"spacing": np.array([1.0, 0.0])}, "spacing"),
        ({"classes": []}, "classes"),
        ({"classes": [-1]}, "classes"),
        ({"classes": "all"}, "classes"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(ValueError, match=f"`{named}`.*Received"):
        Boundary(**arguments)


def test_bad_class_and_map_shapes_are_named():
    with pytest.raises(ValueError, match="`classes`.*Received"):
        Boundary(classes=[3])(np.zeros((1, 4, 4)), np.zeros((1, 4, 4, 3), "float32"))
    for shape in ((1, 4, 4), (1, 4, 4, 1), (1, 4, 5, 3)):
        with pytest.raises(ValueError, match="`y_true`.*maps.*Received"):
            Boundary(from_distance_maps=True)(np.zeros(shape), np.zeros((1, 4, 4, 3), "float32"))
