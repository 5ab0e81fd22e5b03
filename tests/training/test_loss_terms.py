"""Terms of a compound loss in the logs, weights that move, a NaN that is named."""

import keras
import numpy as np
import pytest

import kerasadv
from kerasadv.losses import Boundary, Compound, GeneralizedDice
from kerasadv.training import LossTerms, NotANumber, Ramp, TensorBoard

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(6, 8, 8, 1)).astype("float32")
MASKS = (RNG.random((6, 8, 8, 1)) > 0.7).astype("float32")


def model(loss, metrics=(), rate=0.0):
    inputs = keras.Input((8, 8, 1))
    net = keras.Model(inputs, keras.layers.Conv2D(1, 1, activation="sigmoid")(inputs))
    net.compile(keras.optimizers.SGD(rate), loss=loss, metrics=list(metrics))
    return net


@pytest.mark.parametrize("replicas", [1, 2])
def test_history_shows_each_term_and_its_validation(replicas, request):
    if replicas == 2:
        scope = request.getfixturevalue("mirrored").scope()
    else:
        scope = kerasadv.training.strategy("none").scope()
    with scope:
        loss = Compound({"overlap": GeneralizedDice(), "boundary": Boundary()})
        net = model(loss)
    held = (IMAGES[:4], MASKS[:4])
    history = net.fit(
        IMAGES, MASKS, 2, 2, validation_data=held, callbacks=[LossTerms()], verbose=0
    ).history
    # The rate is 0, so every epoch has the values of the first weights.
    for x, y, prefix in ((IMAGES, MASKS, ""), (*held, "val_")):
        guess = net.predict(x, batch_size=2, verbose=0)
        for term, fresh in (("overlap", GeneralizedDice()), ("boundary", Boundary())):
            np.testing.assert_allclose(history[prefix + term], float(fresh(y, guess)), rtol=1e-4)
        np.testing.assert_allclose(
            np.add(history[f"{prefix}overlap"], history[f"{prefix}boundary"]),
            history[f"{prefix}loss"],
            rtol=1e-4,
        )


def test_a_term_leaves_a_metric_of_its_name_alone(tmp_path):
    net = model(Compound({"dice": GeneralizedDice()}), [kerasadv.metrics.Dice()])
    callbacks = [LossTerms(), TensorBoard(tmp_path)]
    history = net.fit(
        IMAGES, MASKS, validation_split=0.5, callbacks=callbacks, verbose=0, batch_size=3
    ).history
    expected = {"loss", "dice", "dice_loss", "val_loss", "val_dice", "val_dice_loss"}
    assert set(history) == expected
    np.testing.assert_allclose(history["dice_loss"], history["loss"], rtol=1e-5)


def test_weights_move_each_epoch():
    loss = Compound(
        {"overlap": GeneralizedDice(), "boundary": Boundary()},
        weights={"overlap": Ramp(1.0, 0.0, 2), "boundary": Ramp(0.0, 1.0, 2)},
    )
    history = model(loss).fit(IMAGES, MASKS, epochs=4, callbacks=[LossTerms()], verbose=0).history
    alpha = np.array([0.0, 0.5, 1.0, 1.0])
    expected = (1 - alpha) * history["overlap"] + alpha * history["boundary"]
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-4)


def test_ramp():
    ramp = Ramp(0.01, 0.99, epochs=98)
    # The authors' schedule: alpha starts at 0.01 and grows by 0.01 an epoch.
    np.testing.assert_allclose(
        [ramp(e) for e in (0, 1, 50, 98, 500)], [0.01, 0.02, 0.51, 0.99, 0.99]
    )
    late = Ramp(0.0, 1.0, epochs=2, begin=3)
    assert [late(e) for e in range(6)] == [0, 0, 0, 0, 0.5, 1]


@pytest.mark.parametrize(
    "arguments, named",
    [
        ((float("nan"), 1, 2), "start"),
        ((0, float("inf"), 2), "stop"),
        ((0, 1, 0), "epochs"),
        ((0, 1, 1, -1), "begin"),
    ],
)
def test_bad_ramps_are_named(arguments, named):
    with pytest.raises(ValueError, match=f"`{named}`.*Received"):
        Ramp(*arguments)


def test_nan_stops_training_and_names_the_term():
    class Broken(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return keras.ops.mean(y_pred, axis=(1, 2, 3)) * float("nan")

    net = model(Compound({"overlap": GeneralizedDice(), "broken": Broken()}), rate=0.1)
    with pytest.raises(
        NotANumber, match="loss became nan in batch 1: of its terms, 'broken' is nan"
    ):
        net.fit(IMAGES, MASKS, callbacks=[LossTerms()], verbose=0)


def test_nan_of_any_other_loss_stops_training():
    net = model("mse", rate=0.1)
    with pytest.raises(NotANumber, match="batch 2"):
        images = IMAGES.copy()
        images[2] = np.nan
        net.fit(images, MASKS, batch_size=2, shuffle=False, callbacks=[LossTerms()], verbose=0)


def test_nan_in_the_validation_is_named_too():
    net = model(Compound({"overlap": GeneralizedDice(), "boundary": Boundary()}))
    held = (np.full_like(IMAGES, np.nan), MASKS)
    with pytest.raises(NotANumber, match="validation of epoch 1: .*'overlap' is nan, 'boundary'"):
        net.fit(IMAGES, MASKS, validation_data=held, callbacks=[LossTerms()], verbose=0)


@pytest.mark.parametrize("wrap", [lambda loss: [loss], lambda loss: {"head": loss}])
def test_a_compound_in_a_list_or_a_dictionary_is_found(wrap):
    loss = Compound({"overlap": GeneralizedDice()}, weights={"overlap": Ramp(1.0, 3.0, 2)})
    inputs = keras.Input((8, 8, 1))
    head = keras.layers.Conv2D(1, 1, activation="sigmoid", name="head")(inputs)
    net = keras.Model(inputs, {"head": head} if isinstance(wrap(loss), dict) else [head])
    net.compile(keras.optimizers.SGD(0.0), loss=wrap(loss))
    masks = {"head": MASKS} if isinstance(wrap(loss), dict) else [MASKS]
    history = net.fit(IMAGES, masks, epochs=2, callbacks=[LossTerms()], verbose=0).history
    np.testing.assert_allclose(history["loss"], np.multiply([1, 2], history["overlap"]), rtol=1e-5)


def test_terms_of_the_same_name_all_show():
    image = keras.Input((8, 8, 1))
    pixels = keras.Model(image, {"pixels": image})
    near = kerasadv.losses.Perceptual(pixels, content={"pixels": 1.0})
    far = kerasadv.losses.Perceptual(pixels, content={"pixels": 3.0})
    net = model(Compound({"near": near, "far": far}))
    history = net.fit(IMAGES, MASKS, callbacks=[LossTerms()], verbose=0).history
    assert set(history) == {"loss", "near", "far", "content", "far_content"}
    # Nested terms are the same numbers as those of the loss that holds them.
    assert history["content"] == pytest.approx(history["near"])
    assert history["far_content"] == pytest.approx(history["far"])
    assert history["far"][0] == pytest.approx(3 * history["near"][0])
