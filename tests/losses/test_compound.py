"""Several losses on one output: their sum, their weights, their place in the logs."""

import keras
import numpy as np
import pytest

import kerasadv
from kerasadv.losses import Boundary, Compound, GeneralizedDice

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, (4, 8, 8, 1))
GUESS = RNG.random((4, 8, 8, 1)).astype("float32")


def test_is_the_weighted_sum():
    loss = Compound(
        {"dice": GeneralizedDice(), "edge": Boundary(), "bce": keras.losses.BinaryCrossentropy()},
        weights={"dice": 2.0, "edge": 0.01},
    )
    dice, edge = (np.array(x(reduction=None)(LABELS, GUESS)) for x in (GeneralizedDice, Boundary))
    bce = -np.where(LABELS, np.log(GUESS), np.log(1 - GUESS)).mean((1, 2, 3))
    np.testing.assert_allclose(
        loss(LABELS, GUESS), np.mean(2 * dice + 0.01 * edge + bce), rtol=1e-4
    )


@pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="Keras keeps no state for losses there"
)
def test_terms_are_unweighted_means_since_the_reset():
    loss = Compound({"dice": GeneralizedDice(), "edge": Boundary()}, weights={"edge": 0.01})
    assert loss.terms() == {}
    loss(LABELS[:3], GUESS[:3])
    loss(LABELS[3:], GUESS[3:])
    np.testing.assert_allclose(loss.terms()["edge"], Boundary()(LABELS, GUESS), rtol=1e-5)
    np.testing.assert_allclose(loss.terms()["dice"], GeneralizedDice()(LABELS, GUESS), rtol=1e-5)
    loss.reset_terms()
    assert loss.terms() == {}


def test_weights_move_with_the_epoch():
    loss = Compound(
        {"dice": GeneralizedDice(), "edge": Boundary()}, weights={"edge": lambda epoch: 0.5 * epoch}
    )
    assert loss.current_weights() == {"dice": 1.0, "edge": 0.0}
    np.testing.assert_allclose(loss(LABELS, GUESS), GeneralizedDice()(LABELS, GUESS), rtol=1e-6)
    loss.set_epoch(3)
    expected = GeneralizedDice()(LABELS, GUESS) + 1.5 * Boundary()(LABELS, GUESS)
    np.testing.assert_allclose(loss(LABELS, GUESS), expected, rtol=1e-5)


def test_a_loss_with_one_value_for_the_batch_is_named():
    loss = Compound({"keras_dice": keras.losses.Dice()})
    with pytest.raises(ValueError, match="at least one value per sample from 'keras_dice'"):
        loss(LABELS, GUESS)
    Compound({"keras_dice": keras.losses.Dice(axis=(1, 2, 3))})(LABELS, GUESS)


@pytest.mark.parametrize(
    "arguments, named",
    [
        ({"losses": {}}, "losses"),
        ({"losses": [GeneralizedDice()]}, "losses"),
        ({"losses": {"dice": "mse"}}, "losses"),
        ({"losses": {"inner": Compound({"dice": GeneralizedDice()})}}, "losses"),
        ({"losses": {"dice": GeneralizedDice()}, "weights": {"dcie": 1.0}}, "weights"),
        ({"losses": {"dice": GeneralizedDice()}, "weights": {"dice": float("nan")}}, "weights"),
        ({"losses": {"dice": GeneralizedDice()}, "weights": {"dice": "much"}}, "weights"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(ValueError, match=f"`{named}`.*Received"):
        Compound(**arguments)


def test_get_finds_ours_and_keras():
    assert kerasadv.losses.get("Boundary", classes=[1]).classes == [1]
    assert type(kerasadv.losses.get("generalized_dice")) is GeneralizedDice
    assert kerasadv.losses.get("mse") is keras.losses.get("mse")
    loss = Boundary()
    assert kerasadv.losses.get(loss) is loss
    with pytest.raises(ValueError, match="`name`.*Boundary.*Received"):
        kerasadv.losses.get("Bondary")
