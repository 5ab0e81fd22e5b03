"""The games of generators against discriminators: values, optima, and gradients by hand."""

import numpy as np
import pytest
from keras import ops

from kerasadv.losses import LSGAN, WGAN, HingeGAN, Minimax

RNG = np.random.default_rng(0)
REAL, FAKE = RNG.normal(size=(2, 6, 1)) * 3
GAMES = [Minimax(), Minimax(saturating=True), HingeGAN(), LSGAN(), WGAN()]
games = pytest.mark.parametrize("game", GAMES, ids=lambda g: g.name)


def log_sigmoid(x):
    return -np.log1p(np.exp(-x))


def test_minimax_is_the_value_of_the_game():
    # Goodfellow et al., equation 1, with D = sigmoid(score).
    value = log_sigmoid(REAL) + log_sigmoid(-FAKE)
    np.testing.assert_allclose(Minimax()(REAL, FAKE), -value.mean(), rtol=1e-6)
    # The generator minimizes the same value, of which only the second term is its own.
    np.testing.assert_allclose(
        Minimax(saturating=True).generator(FAKE), log_sigmoid(-FAKE)[:, 0], rtol=1e-6
    )
    np.testing.assert_allclose(Minimax().generator(FAKE), -log_sigmoid(FAKE)[:, 0], rtol=1e-6)


def test_smoothing_is_one_sided():
    d = 1 / (1 + np.exp(-REAL))
    smooth = -(0.9 * np.log(d) + 0.1 * np.log(1 - d)) - log_sigmoid(-FAKE)
    np.testing.assert_allclose(Minimax(label_smoothing=0.1)(REAL, FAKE), smooth.mean(), rtol=1e-6)
    # Least squares: targets 0.9 and 0.
    by_hand = ((REAL - 0.9) ** 2 + FAKE**2).mean() / 2
    np.testing.assert_allclose(LSGAN(label_smoothing=0.1)(REAL, FAKE), by_hand, rtol=1e-6)


def test_hinge_least_squares_and_wasserstein_by_hand():
    real, fake = np.array([[0.25], [3.0]]), np.array([[0.5], [-1.5]])
    np.testing.assert_allclose(HingeGAN(reduction=None)(real, fake), [0.75 + 1.5, 0])
    np.testing.assert_allclose(LSGAN(reduction=None)(real, fake), [0.40625, (4 + 2.25) / 2])
    np.testing.assert_allclose(WGAN(reduction=None)(real, fake), [0.25, -4.5])
    np.testing.assert_allclose(HingeGAN().generator(fake), [-0.5, 1.5])
    np.testing.assert_allclose(LSGAN().generator(fake), [0.125, 3.125])
    np.testing.assert_allclose(WGAN().generator(fake), [-0.5, 1.5])


# What the docstrings say of a discriminator that cannot tell: its best score and what it costs.
@pytest.mark.parametrize(
    "game, score, value",
    [
        (Minimax(), 0, 2 * np.log(2)),
        (Minimax(label_smoothing=0.2), np.log(2 / 3), -0.8 * np.log(0.4) - 1.2 * np.log(0.6)),
        (HingeGAN(), 0.3, 2),
        (LSGAN(), 0.5, 0.25),
        (LSGAN(label_smoothing=0.2), 0.4, 0.16),
        (WGAN(), 7, 0),
    ],
)
def test_the_value_where_the_discriminator_cannot_tell(game, score, value):
    def undecided(score):
        return float(game(np.full((1, 1), score), np.full((1, 1), score)))

    assert undecided(score) == pytest.approx(value, rel=1e-6)
    assert min(undecided(score + 0.1), undecided(score - 0.1)) >= undecided(score) - 1e-6
    if isinstance(game, (Minimax, LSGAN)):  # Of which one score alone is the best.
        assert game.undecided == pytest.approx(score)


@games
def test_a_generator_gains_by_higher_scores(game):
    # Of least squares the target is 1, from both sides.
    fake = 1 - abs(FAKE) - 0.02 if game.name == "lsgan" else FAKE
    assert np.all(np.array(game.generator(fake + 0.01)) < np.array(game.generator(fake)))
    if game.name == "lsgan":
        beyond = 1 + abs(FAKE)
        assert np.all(np.array(game.generator(beyond + 0.01)) > np.array(game.generator(beyond)))


@games
def test_patches_count_with_their_mean(game):
    real, fake = RNG.normal(size=(2, 3, 4, 5, 1))
    pixels = type(game)(reduction=None, **extra(game))
    each = np.array(pixels(real.reshape(-1, 1), fake.reshape(-1, 1))).reshape(3, -1)
    np.testing.assert_allclose(pixels(real, fake), each.mean(axis=1), rtol=1e-5)
    each = np.array(game.generator(fake.reshape(-1, 1))).reshape(3, -1)
    np.testing.assert_allclose(game.generator(fake), each.mean(axis=1), rtol=1e-5)


def extra(game):
    return {"saturating": True} if getattr(game, "saturating", False) else {}


@games
def test_scores_far_out_stay_finite_in_every_dtype(game):
    for dtype in ("float16", "bfloat16", "float32"):
        far = ops.cast(np.array([[-400.0], [400.0]]), dtype)
        values = ops.convert_to_numpy(ops.cast(game.generator(far), "float32"))
        assert np.isfinite(values).all() and values.shape == (2,)
        assert np.isfinite(float(game(far, -far)))


@pytest.mark.parametrize(
    "make, named",
    [
        (lambda: Minimax(label_smoothing=1), "`label_smoothing`.*Received: label_smoothing=1"),
        (lambda: Minimax(saturating="no"), "`saturating`.*Received: saturating='no'"),
        (lambda: LSGAN(label_smoothing=-0.1), "`label_smoothing`.*-0.1"),
        (lambda: Minimax(label_smoothing="0.1"), "`label_smoothing`.*label_smoothing='0.1'"),
        (lambda: LSGAN(label_smoothing=None), "`label_smoothing`.*label_smoothing=None"),
    ],
)
def test_bad_arguments_are_named(make, named):
    with pytest.raises(ValueError, match=named):
        make()
