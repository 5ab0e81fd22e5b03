"""Wrong labels: exactly as many as asked for, and of the kind that was asked for."""

import numpy as np
import pytest

from zoo.noisy_labels.noise import corrupt

LABELS = np.random.default_rng(0).integers(0, 10, 3000)
NONE = np.zeros((3000, 1))  # Images, where the noise does not look at them.


@pytest.mark.parametrize("noise", ["0", "0.2", "0.4", "symmetric:0.4", "pair:0.45", "0.3335"])
def test_the_share_of_wrong_labels_is_exact(noise):
    wrong = corrupt(NONE, LABELS, 10, noise, seed=1)
    assert (wrong != LABELS).sum() == round(float(noise.split(":")[-1]) * 3000)
    assert wrong.dtype == LABELS.dtype and wrong.min() >= 0 and wrong.max() <= 9


def test_symmetric_noise_takes_every_other_class_equally_often():
    wrong = corrupt(NONE, LABELS, 10, "0.9", seed=1)
    steps = np.bincount((wrong - LABELS) % 10, minlength=10)
    assert steps[0] == 300
    # 2,700 labels in nine classes, give or take four standard deviations of 16.
    assert (abs(steps[1:] - 300) < 65).all()


def test_pair_noise_takes_the_next_class_and_the_last_one_the_first():
    wrong = corrupt(NONE, LABELS, 10, "pair:0.4", seed=1)
    changed = wrong != LABELS
    assert {(int(a), int(b)) for a, b in zip(LABELS[changed], wrong[changed])} == {
        (c, (c + 1) % 10) for c in range(10)
    }


@pytest.mark.parametrize("noise", ["0.4", "pair:0.4", "large_margin:0.4"])
def test_the_seed_decides_and_nothing_is_changed_in_place(noise):
    images, before = np.random.default_rng(0).random((3000, 2)), LABELS.copy()
    kept = images.copy()
    one, again, other = (corrupt(images, LABELS, 10, noise, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    np.testing.assert_array_equal(LABELS, before)
    np.testing.assert_array_equal(images, kept)


# Three classes on a line. Their means lie at 2, 10 and 30.
LINE = np.array([0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 29, 30, 31, 30, 30], "uint8")
CLASSES = np.repeat([0, 1, 2], 5)


def test_small_margin_noise_mistakes_what_is_nearest_to_another_class_for_it():
    # The margin is 4 for the images at 4 and 8, 6 for those at 3 and 9, and more for all others.
    wrong = corrupt(LINE[:, None, None], CLASSES, 3, "small_margin:0.26", seed=0)
    assert np.flatnonzero(wrong != CLASSES).tolist() == [3, 4, 5, 6]
    assert wrong[[3, 4, 5, 6]].tolist() == [1, 1, 0, 0]


def test_large_margin_noise_mistakes_what_is_farthest_from_every_other_class():
    # 31 is 21 from the mean of class 1 and 1 from its own: 20, as for 30. Then 29, with 18.
    wrong = corrupt(LINE[:, None, None], CLASSES, 3, "large_margin:0.26", seed=0)
    assert np.flatnonzero(wrong != CLASSES).tolist() == [11, 12, 13, 14]
    many = [
        corrupt(LINE[:, None, None], CLASSES, 3, "large_margin:0.26", seed)[11:]
        for seed in range(9)
    ]
    assert set(np.ravel(many)) == {0, 1}


def test_many_classes_fit_into_small_integers():
    labels = np.arange(200, dtype="uint8").repeat(5)
    for noise in ("0.9", "pair:0.9"):
        wrong = corrupt(labels[:, None], labels, 200, noise, seed=0)
        assert wrong.max() < 200 and (wrong != labels).sum() == 900


@pytest.mark.parametrize("noise", ["", "1", "-0.1", "nan", "many", "pear:0.2", "pair:", "0.2:pair"])
def test_other_noise_is_refused(noise):
    with pytest.raises(ValueError, match="`noise`: expected a share.*Received: noise="):
        corrupt(NONE, LABELS, 10, noise, seed=0)
