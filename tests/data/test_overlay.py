"""Pictures of masks."""

import numpy as np

from kerasadv.data import Overlays, overlay, side_by_side


def test_an_overlay_washes_the_inside_and_draws_the_edge():
    image = np.full((9, 9, 1), 100, "uint8")
    labels = np.zeros((9, 9), int)
    labels[2:7, 2:7] = 1
    got = overlay(image, labels)
    assert got.shape == (9, 9, 3)
    np.testing.assert_array_equal(got[0, 0], [100, 100, 100])
    np.testing.assert_array_equal(got[2, 2], [230, 159, 0])  # The edge in full colour.
    wash = 0.55 * 100 + 0.45 * np.array([230, 159, 0])
    np.testing.assert_allclose(got[4, 4], wash, atol=1)


def test_more_labels_than_colours():
    got = overlay(np.zeros((1, 20, 3), "uint8"), np.arange(20)[None])
    assert got[0, 1].tolist() == got[0, 8].tolist() and got[0, 0].tolist() == [0, 0, 0]


def test_a_sheet_has_a_row_per_image():
    images = [np.zeros((10, 20, 3), "uint8"), np.zeros((300, 100, 1), "uint8")]
    masks = [np.ones(i.shape[:2], int) for i in images]
    sheet = side_by_side(images, masks, masks, ["one", "two"], side=64)
    assert sheet.shape == (2 * (64 + 22), 3 * 70 + 6, 3)


def test_overlays_show_truth_left_and_prediction_right():
    class Model:
        def __call__(self, x, training):
            return np.ones((len(x), 8, 8, 1))

    images = np.random.default_rng(0).normal(size=(2, 8, 8, 1))
    shown = Overlays(images, np.zeros((2, 8, 8)))(Model())["truth_and_prediction"]
    left, right = shown[:, :, :8], shown[:, :, 8:]
    assert (left == left[..., :1]).all() and (right != right[..., :1]).any()
