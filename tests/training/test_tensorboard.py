"""What the callback writes, read back from the event files."""

from operator import itemgetter

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import kerasadv
from kerasadv.data import Overlays
from kerasadv.losses import Boundary, Compound, GeneralizedDice
from kerasadv.training import Ramp, TensorBoard

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(6, 8, 8, 1)).astype("float32")
MASKS = (RNG.random((6, 8, 8, 1)) > 0.7).astype("float32")


def events(path):
    accumulator = EventAccumulator(str(path), {"tensors": 0, "images": 0})
    accumulator.Reload()
    tensors = accumulator.Tags()["tensors"]
    # By step: files begun within one second are read in the order of their names.
    return {
        tag: sorted(((e.step, e.tensor_proto) for e in accumulator.Tensors(tag)), key=itemgetter(0))
        for tag in tensors
    }


def scalars(events, tag):
    import tensorflow as tf

    return [(step, float(tf.make_ndarray(proto))) for step, proto in events[tag]]


@pytest.fixture
def net():
    inputs = keras.Input((8, 8, 1))
    net = keras.Model(inputs, keras.layers.Conv2D(1, 1, activation="sigmoid")(inputs))
    rate = keras.optimizers.schedules.ExponentialDecay(0.5, 1, 0.5)
    loss = Compound(
        {"overlap": GeneralizedDice(), "boundary": Boundary()}, {"boundary": Ramp(0.0, 1.0, 4)}
    )
    net.compile(keras.optimizers.SGD(rate), loss=loss, metrics=[kerasadv.metrics.Dice()])
    return net


def test_writes_terms_rate_and_pictures_by_the_optimizers_step(net, tmp_path):
    board = TensorBoard(tmp_path, pictures=Overlays(IMAGES[:2], MASKS[:2]))
    held = (IMAGES, MASKS)
    first = net.fit(IMAGES, MASKS, 2, 2, validation_data=held, callbacks=[board], verbose=0)
    # A second fit goes on where the first one ended.
    net.fit(
        IMAGES, MASKS, 2, 3, initial_epoch=2, validation_data=held, callbacks=[board], verbose=0
    )
    train, validation = events(tmp_path / "train"), events(tmp_path / "validation")
    for tag in ("loss", "overlap", "boundary", "dice"):
        assert [step for step, _ in scalars(train, tag)] == [3, 6, 9]
        assert [step for step, _ in scalars(validation, tag)] == [3, 6, 9]
        got = [value for _, value in scalars(train, tag)][:2]
        np.testing.assert_allclose(got, first.history[tag], rtol=1e-6)
        got = [value for _, value in scalars(validation, tag)][:2]
        np.testing.assert_allclose(got, first.history[f"val_{tag}"], rtol=1e-6)
    # Step n ends with a rate of 0.5 * 0.5^n for the next one.
    assert scalars(train, "learning_rate") == [(n, 0.5 * 0.5**n) for n in range(1, 10)]
    assert [value for _, value in scalars(train, "weight/boundary")] == [0.0, 0.25, 0.5]
    pictures = validation["truth_and_prediction"]
    assert [step for step, _ in pictures] == [3, 6, 9]


def test_pictures_are_those_that_the_function_gives(net, tmp_path):
    import tensorflow as tf

    picture = RNG.integers(0, 256, (1, 5, 7, 3), "uint8")
    net.fit(IMAGES, MASKS, callbacks=[TensorBoard(tmp_path, lambda model: picture)], verbose=0)
    (event,) = events(tmp_path / "validation")["pictures"]
    width, height, png = event[1].string_val
    assert (int(width), int(height)) == (7, 5)
    np.testing.assert_array_equal(tf.io.decode_png(png), picture[0])


def test_the_rate_is_written_with_several_steps_per_execution(net, tmp_path):
    net.compile("sgd", loss=net.loss, steps_per_execution=3)
    net.fit(IMAGES, MASKS, 1, 2, callbacks=[TensorBoard(tmp_path, update_freq=4)], verbose=0)
    # 6 steps an epoch, seen after every third one; written when 4 have passed since the last.
    assert [s for s, _ in scalars(events(tmp_path / "train"), "learning_rate")] == [3, 9]


def test_stands_beside_the_callback_of_keras(net, tmp_path):
    both = [keras.callbacks.TensorBoard(tmp_path / "keras"), TensorBoard(tmp_path / "ours")]
    net.fit(IMAGES, MASKS, callbacks=both, verbose=0)
    assert any((tmp_path / "keras").rglob("events*")) and any((tmp_path / "ours").rglob("events*"))


@pytest.mark.parametrize(
    "arguments, named", [({"pictures": 3}, "pictures"), ({"update_freq": 0}, "update_freq")]
)
def test_bad_arguments_are_named(arguments, named, tmp_path):
    with pytest.raises(ValueError, match=f"`{named}`.*Received"):
        TensorBoard(tmp_path, **arguments)
