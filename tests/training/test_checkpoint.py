"""A checkpoint is either whole or not there."""

import keras
import numpy as np
import pytest

from kerasadv.training import Checkpoint

X, Y = np.random.default_rng(0).normal(size=(2, 8, 2)).astype("float32")


def model():
    keras.utils.set_random_seed(0)
    net = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    net.compile(keras.optimizers.Adam(0.1), "mse")
    return net


def fit(net, checkpoint, start, stop):
    net.fit(X, Y, 4, stop, initial_epoch=start, shuffle=False, callbacks=[checkpoint], verbose=0)


def test_two_and_two_epochs_are_four(tmp_path):
    whole, first, second = model(), model(), model()
    fit(whole, Checkpoint(tmp_path / "whole"), 0, 4)
    fit(first, Checkpoint(tmp_path / "parts"), 0, 2)
    checkpoint = Checkpoint(tmp_path / "parts")
    done = checkpoint.restore(second)
    assert done == 2
    fit(second, checkpoint, done, 4)
    for a, b in zip(whole.get_weights(), second.get_weights()):
        np.testing.assert_array_equal(a, b)
    assert int(second.optimizer.iterations) == 8
    assert [p.name for p in (tmp_path / "parts").iterdir()] == ["epoch-0004.weights.h5"]


def test_nothing_to_restore_is_epoch_zero(tmp_path):
    assert Checkpoint(tmp_path / "none").restore(model()) == 0


@pytest.mark.parametrize("fails", ["save", "rename"])
def test_a_failed_save_leaves_the_last_good_one(fails, tmp_path, monkeypatch):
    net, checkpoint = model(), Checkpoint(tmp_path)
    fit(net, checkpoint, 0, 1)
    good = (tmp_path / "epoch-0001.weights.h5").read_bytes()

    def full_disk(*args, **kwargs):
        raise OSError(28, "No space left on device")

    if fails == "save":
        monkeypatch.setattr(net, "save_weights", full_disk)
    else:
        monkeypatch.setattr("os.replace", full_disk)
    with pytest.raises(OSError, match="No space"):
        fit(net, checkpoint, 1, 2)
    assert checkpoint.latest().read_bytes() == good
    assert checkpoint.restore(model()) == 1
