"""The generalized Dice loss against its formula."""

import numpy as np
import pytest

from kerasadv.losses import GeneralizedDice

RNG = np.random.default_rng(0)


def formula(y, p):
    """Sudre et al., equation 1, for one sample in which every class is present; `(pixels, c)`."""
    w = 1 / y.sum(0) ** 2
    return 1 - 2 * (w * (y * p).sum(0)).sum() / (w * (y + p).sum(0)).sum()


def test_is_the_formula_of_the_paper():
    labels = RNG.choice(3, (4, 10, 10), p=[0.8, 0.15, 0.05])
    p = RNG.dirichlet([1, 1, 1], (4, 10, 10)).astype("float32")
    y = np.eye(3)[labels]
    expected = [formula(y[b].reshape(-1, 3), p[b].reshape(-1, 3)) for b in range(4)]
    np.testing.assert_allclose(GeneralizedDice(reduction=None)(labels, p), expected, rtol=1e-5)


def test_one_sigmoid_output_counts_as_two_classes():
    mask = (RNG.random((2, 8, 8, 1)) > 0.7).astype("float32")
    p = RNG.random((2, 8, 8, 1)).astype("float32")
    two = np.concatenate([1 - p, p], -1)
    np.testing.assert_allclose(
        GeneralizedDice()(mask, p), GeneralizedDice()(mask[..., 0].astype(int), two), rtol=1e-5
    )


def test_misses_of_a_rare_class_cost_as_much_as_of_a_common_one():
    labels = np.zeros((1, 10, 10), int)
    labels[0, 0, :2] = 1  # 2 pixels against 98
    y = np.eye(2, dtype="float32")[labels]
    nothing = np.zeros_like(y)
    nothing[..., 0] = 1
    # By hand: w = (1 / 98^2, 1 / 2^2); overlaps 98 and 0; sums 98 + 100 and 2 + 0.
    w = (1 / 98**2, 1 / 4)
    expected = 1 - 2 * w[0] * 98 / (w[0] * 198 + w[1] * 2)
    np.testing.assert_allclose(GeneralizedDice()(labels, nothing), expected, rtol=1e-5)
    assert expected > 0.95


@pytest.mark.parametrize("false_alarms", [0.0, 0.25, 1.0])
def test_false_alarms_on_an_empty_image_cost_their_share(false_alarms):
    # With equal weights 1/N^2: 1 - 2 (N - n) / (N + (N - n) + n) = n / N.
    p = np.zeros((1, 8, 8, 1), "float32")
    p.reshape(-1)[: int(64 * false_alarms)] = 1
    np.testing.assert_allclose(GeneralizedDice()(np.zeros((1, 8, 8)), p), false_alarms, atol=1e-6)


def test_perfect_is_zero_and_hopeless_is_one():
    y = np.eye(3, dtype="float32")[RNG.integers(0, 3, (2, 6, 6))]
    np.testing.assert_allclose(GeneralizedDice()(y, y), 0, atol=1e-6)
    np.testing.assert_allclose(GeneralizedDice()(y, np.roll(y, 1, -1)), 1, atol=1e-6)


def test_no_label_at_all_costs_nothing():
    nothing = np.full((1, 4, 4), 255)
    p = RNG.dirichlet([1, 1, 1], (1, 4, 4)).astype("float32")
    assert float(GeneralizedDice()(nothing, p)) == 0


def test_volumes_and_logits():
    logits = RNG.normal(size=(2, 4, 5, 6, 2)).astype("float32")
    labels = RNG.integers(0, 2, (2, 4, 5, 6))
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(
        GeneralizedDice(from_logits=True)(labels, logits), GeneralizedDice()(labels, p), rtol=1e-5
    )
