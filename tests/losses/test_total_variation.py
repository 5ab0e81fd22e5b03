"""Total variation against the formula, and against the code of others."""

import json

import keras
import numpy as np
import pytest

from kerasadv.losses import TotalVariation
from kerasadv.losses.total_variation import total_variation

RNG = np.random.default_rng(0)
IMAGES = RNG.random((2, 6, 5, 3)).astype("float32")


@pytest.mark.parametrize("beta", [1, 1.5, 2, 2.5])
def test_is_the_formula(beta):
    expected = np.zeros(2)
    for b, y, x, c in np.ndindex(2, 5, 4, 3):
        dx = IMAGES[b, y, x + 1, c] - IMAGES[b, y, x, c]
        dy = IMAGES[b, y + 1, x, c] - IMAGES[b, y, x, c]
        expected[b] += (dx**2 + dy**2) ** (beta / 2) / (5 * 4 * 3)
    np.testing.assert_allclose(total_variation(None, IMAGES, beta), expected, rtol=1e-5)


def test_translates_to_keras_io():
    # keras.io, neural_style_transfer: sum over all of (dx^2 + dy^2)^1.25.
    a = np.square(IMAGES[:, :-1, :-1] - IMAGES[:, 1:, :-1])
    b = np.square(IMAGES[:, :-1, :-1] - IMAGES[:, :-1, 1:])
    theirs = np.sum(np.power(a + b, 1.25))
    np.testing.assert_allclose(np.sum(TotalVariation(2.5, reduction=None)(IMAGES, IMAGES)) * 60,
                               theirs, rtol=1e-5)  # fmt: skip


def test_translates_to_the_gradient_of_johnson():
    # TotalVariation.lua: on the crop without the last row and column, the gradient of
    # 0.5 * sum(dx^2 + dy^2): x_diff + y_diff there, less each at the neighbour it came from.
    x = IMAGES
    x_diff, y_diff = x[:, :-1, :-1] - x[:, :-1, 1:], x[:, :-1, :-1] - x[:, 1:, :-1]
    theirs = np.zeros_like(x)
    theirs[:, :-1, :-1] += x_diff + y_diff
    theirs[:, :-1, 1:] -= x_diff
    theirs[:, 1:, :-1] -= y_diff
    if keras.backend.backend() == "jax":
        import jax

        ours = jax.grad(lambda p: TotalVariation()(p, p))(x)
    else:
        import tensorflow as tf

        x = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = TotalVariation()(x, x)
        ours = tape.gradient(value, x)
    np.testing.assert_allclose(np.array(ours) * len(x) * 60 / 2, theirs, rtol=1e-4, atol=1e-6)


def test_a_flat_picture_costs_nothing_and_half_precision_does_not_overflow():
    assert float(TotalVariation(beta=1)(np.ones((1, 4, 4, 3)), np.ones((1, 4, 4, 3)))) == 0
    steps = np.tile(np.array([0.0, 255.0], "float16"), (1, 8, 4))[..., None]
    # dx^2 is 65025 and, with dy the same in a chessboard, their sum does not fit into float16.
    board = np.abs(steps - steps.transpose(0, 2, 1, 3))
    np.testing.assert_allclose(TotalVariation()(board, board), 2 * 65025.0)


@pytest.mark.parametrize("beta", [0.5, float("inf"), float("nan"), -1, "2", None])
def test_bad_powers_are_named(beta):
    with pytest.raises(ValueError, match="`beta`.*Received"):
        TotalVariation(beta)


@pytest.mark.parametrize("shape", [(1, 1, 8, 3), (1, 8, 1, 3), (8, 8, 3)])
def test_pictures_without_neighbours_are_refused(shape):
    with pytest.raises(ValueError, match="`y_pred`: expected images, .*at least 2 x 2 pixels"):
        total_variation(None, np.zeros(shape, "float32"))


def test_a_power_from_numpy_can_be_saved():
    config = TotalVariation(np.float32(1.5)).get_config()
    assert TotalVariation.from_config(json.loads(json.dumps(config))).beta == 1.5
