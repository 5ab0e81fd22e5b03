"""Labels of every shape become one mask per class."""

import numpy as np
import pytest

from kerasadv.ops import as_masks

LABELS = np.array([[[0, 2, 1], [1, 1, 0]]])
ONE_HOT = np.eye(3)[LABELS]


@pytest.mark.parametrize("y_true", [LABELS, LABELS[..., None], ONE_HOT, LABELS.astype("uint8")])
def test_labels_become_one_hot(y_true):
    got = as_masks(y_true, np.zeros((1, 2, 3, 3), "float32"))
    np.testing.assert_array_equal(got, ONE_HOT)


@pytest.mark.parametrize("y_true", [LABELS > 0, (LABELS > 0)[..., None]])
def test_a_single_class_is_the_mask(y_true):
    got = as_masks(y_true, np.zeros((1, 2, 3, 1), "float32"))
    np.testing.assert_array_equal(got, (LABELS > 0)[..., None])


def test_0_and_255_are_a_mask_of_one_class():
    got = as_masks(255 * (LABELS > 0), np.zeros((1, 2, 3, 1), "float32"))
    np.testing.assert_array_equal(got, (LABELS > 0)[..., None])


def test_labels_outside_belong_to_no_class():
    got = as_masks(np.array([[[255, -1, 1]]]), np.zeros((1, 1, 3, 2), "float32"))
    np.testing.assert_array_equal(got[0, 0], [[0, 0], [0, 0], [0, 1]])


@pytest.mark.parametrize("shape", [(1, 2, 4), (1, 2, 3, 2), (1, 3, 3, 3), (1, 2), (1, 2, 3, 3, 1)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"`y_true`.*Received: y_true.shape=\(1, "):
        as_masks(np.zeros(shape), np.zeros((1, 2, 3, 3), "float32"))
