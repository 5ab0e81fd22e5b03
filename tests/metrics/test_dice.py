"""The Dice score by hand."""

import numpy as np
import pytest

from kerasadv.metrics import Dice

RNG = np.random.default_rng(0)


def by_hand(truth, guess):
    """Per image and class from sets of pixels, `(image, class)`."""
    rows = []
    for t, g in zip(truth, guess):
        row = []
        for c in range(3):
            a, b = set(map(tuple, np.argwhere(t == c))), set(map(tuple, np.argwhere(g == c)))
            row.append(2 * len(a & b) / (len(a) + len(b)) if a or b else 1.0)
        rows.append(row)
    return np.array(rows)


def test_mean_over_images_and_classes():
    truth, guess = RNG.integers(0, 3, (2, 5, 6, 6))
    scores = np.eye(3)[guess] * 0.5 + 0.1
    expected = by_hand(truth, guess)
    assert float(Dice()(truth, scores)) == pytest.approx(expected.mean())
    got = Dice(per_class=True)(truth, scores)
    assert list(got) == ["dice", "dice_0", "dice_1", "dice_2"]
    np.testing.assert_allclose([got[f"dice_{c}"] for c in range(3)], expected.mean(0), rtol=1e-6)


def test_absent_on_both_sides_is_one_on_one_side_zero():
    empty, full = np.zeros((1, 4, 4, 1)), np.ones((1, 4, 4, 1))
    assert float(Dice()(empty, empty)) == 1
    assert float(Dice()(full, empty)) == 0
    assert float(Dice()(empty, full)) == 0


def test_threshold():
    guess = np.array([0.2, 0.4, 0.6, 0.8]).reshape(1, 2, 2, 1)
    truth = np.ones((1, 2, 2, 1))
    # 3 and 1 of 4 pixels above it: 2 * 3 / (4 + 3), 2 * 1 / (4 + 1)
    assert float(Dice(threshold=0.3)(truth, guess)) == pytest.approx(6 / 7)
    assert float(Dice(threshold=0.7)(truth, guess)) == pytest.approx(2 / 5)


def test_weights_are_per_image():
    truth = np.ones((2, 2, 2, 1))
    guess = np.stack([np.ones((2, 2, 1)), np.zeros((2, 2, 1))])
    assert float(Dice()(truth, guess, sample_weight=[3.0, 1.0])) == pytest.approx(0.75)
    with pytest.raises(ValueError, match="`sample_weight`.*per sample.*Received"):
        Dice()(truth, guess, sample_weight=np.ones((2, 2, 2)))


def test_result_before_any_update_is_zero():
    assert float(Dice().result()) == 0
    assert float(Dice(per_class=True).result()["dice"]) == 0
