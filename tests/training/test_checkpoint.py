"""A checkpoint is either whole or not there."""

import keras
import numpy as np
import pytest

from kerasadv.training import Checkpoint, NotANumber

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


def test_weights_that_are_no_numbers_are_not_saved(tmp_path):
    net, checkpoint = model(), Checkpoint(tmp_path)
    fit(net, checkpoint, 0, 1)
    good = checkpoint.latest()
    net.layers[0].bias.assign([np.nan, 0.0])
    with pytest.raises(NotANumber, match="epoch 2 left NaN or infinity in "):
        fit(net, checkpoint, 1, 2)
    assert checkpoint.latest() == good


def test_a_checkpoint_of_another_model_or_optimizer_is_refused(tmp_path):
    fit(model(), Checkpoint(tmp_path), 0, 1)
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    other.compile(keras.optimizers.Adam(), "mse")
    with pytest.raises(ValueError, match="epoch-0001.weights.h5: does not fit"):
        Checkpoint(tmp_path).restore(other)
    other = model()
    other.compile(keras.optimizers.SGD(), "mse")
    with pytest.raises(ValueError, match="epoch-0001.weights.h5: does not fit"):
        Checkpoint(tmp_path).restore(other)


def test_a_half_written_file_is_not_taken_for_a_checkpoint(tmp_path):
    (tmp_path / "partial.weights.h5").write_bytes(b"half")
    assert Checkpoint(tmp_path).restore(model()) == 0
