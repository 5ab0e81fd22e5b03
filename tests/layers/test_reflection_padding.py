"""Reflection padding against NumPy's, and sizes it cannot mirror."""

import keras
import numpy as np
import pytest

from kerasadv.layers import ReflectionPadding2D

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(2, 5, 4, 3)).astype("float32")


@pytest.mark.parametrize(
    "padding, sides",
    [
        (0, [(0, 0), (0, 0)]),
        (3, [(3, 3), (3, 3)]),
        ((2, 1), [(2, 2), (1, 1)]),
        ([[4, 0], [1, 3]], [(4, 0), (1, 3)]),
        ((2, (0, 1)), [(2, 2), (0, 1)]),
    ],
)
def test_is_the_reflection_of_numpy(padding, sides):
    expected = np.pad(IMAGES, [(0, 0), *sides, (0, 0)], mode="reflect")
    np.testing.assert_array_equal(ReflectionPadding2D(padding)(IMAGES), expected)


@pytest.mark.parametrize("padding", [-1, 1.5, (1,), (1, 2, 3), ((1, 2, 3), 1), "1", None, (1, -1)])
def test_other_paddings_are_refused(padding):
    with pytest.raises(ValueError, match="`padding`.*Received"):
        ReflectionPadding2D(padding)


def test_images_no_larger_than_the_padding_are_refused():
    with pytest.raises(ValueError, match="`inputs`.*larger.*Received: shape"):
        ReflectionPadding2D(4)(IMAGES)
    with pytest.raises(ValueError, match="`inputs`.*Received: shape"):
        ReflectionPadding2D(1)(keras.Input((5, 4)))
