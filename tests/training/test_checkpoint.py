"""A checkpoint is either whole or not there."""

import os
import resource
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest

from kerasadv.training import Checkpoint, NotANumber
from kerasadv.training.checkpoint import Terminated

TENSORFLOW = keras.backend.backend() == "tensorflow"

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
    left = sorted(path.name[:22] for path in (tmp_path / "parts").glob("[!.]*"))
    assert left == ["epoch-0003-step-000000", "epoch-0004-step-000000"]


def test_nothing_to_restore_is_epoch_zero(tmp_path):
    assert Checkpoint(tmp_path / "none").restore(model()) == 0


def without_room(_):
    """No file may grow beyond a kilobyte: what a full disk is, for this process alone."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before)


def without_renaming(monkeypatch):
    def full_disk(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full_disk)
    return monkeypatch.undo


@pytest.mark.parametrize("fails", [without_room, without_renaming])
def test_a_failed_save_leaves_the_last_good_one(fails, tmp_path, monkeypatch):
    net, checkpoint = model(), Checkpoint(tmp_path)
    fit(net, checkpoint, 0, 1)
    (good,) = checkpoint.all()
    content = good.read_bytes()
    mend = fails(monkeypatch)
    message = rf"cannot write a checkpoint \(.*(too large|No space).*the last one is {good}"
    try:
        with pytest.raises(OSError, match=message):
            fit(net, checkpoint, 1, 2)
    finally:
        mend()
    assert [p for p in tmp_path.iterdir() if p.name != ".lock"] == [good]
    assert good.read_bytes() == content
    assert checkpoint.restore(model()) == 1


def test_weights_that_are_no_numbers_are_not_saved(tmp_path):
    net, checkpoint = model(), Checkpoint(tmp_path)
    fit(net, checkpoint, 0, 1)
    good = checkpoint.all()
    net.layers[0].bias.assign([np.nan, 0.0])
    with pytest.raises(NotANumber, match="epoch 2 left NaN or infinity in "):
        fit(net, checkpoint, 1, 2)
    assert checkpoint.all() == good


def test_a_checkpoint_of_another_model_or_optimizer_is_refused(tmp_path):
    fit(model(), Checkpoint(tmp_path), 0, 1)
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    other.compile(keras.optimizers.Adam(), "mse")
    with pytest.raises(ValueError, match="epoch-0001-.*weights.h5: does not fit"):
        Checkpoint(tmp_path).restore(other)
    other = model()
    other.compile(keras.optimizers.SGD(), "mse")
    with pytest.raises(ValueError, match="epoch-0001-.*weights.h5: does not fit"):
        Checkpoint(tmp_path).restore(other)


def test_a_half_written_file_is_not_taken_for_a_checkpoint_and_goes_with_the_next(tmp_path):
    half = tmp_path / "epoch-0001-step-000000-0123456789abcdef.weights.h5.77.partial"
    half.write_bytes(b"half")
    checkpoint = Checkpoint(tmp_path)
    assert checkpoint.restore(model()) == 0 and checkpoint.all() == []
    fit(model(), checkpoint, 0, 1)
    assert not half.exists() and len(checkpoint.all()) == 1


@pytest.mark.parametrize("spoil", ["cut", "flip", "empty"])
def test_a_spoilt_checkpoint_is_passed_over_for_the_one_before_it(spoil, tmp_path):
    fit(model(), Checkpoint(tmp_path / "a"), 0, 2)
    newest, before = Checkpoint(tmp_path / "a").all()
    content = bytearray(newest.read_bytes())
    if spoil == "cut":
        del content[len(content) // 2 :]
    elif spoil == "flip":
        content[len(content) // 2] ^= 1
    else:
        content.clear()
    newest.write_bytes(content)
    resumed, checkpoint = model(), Checkpoint(tmp_path / "a")
    with pytest.warns(UserWarning, match=f"{newest}: is not what was written"):
        assert checkpoint.restore(resumed) == 1
    fit(resumed, checkpoint, 1, 2)
    whole = model()
    fit(whole, Checkpoint(tmp_path / "b"), 0, 2)
    for a, b in zip(whole.get_weights(), resumed.get_weights()):
        np.testing.assert_array_equal(a, b)


FULL = """
import resource, sys
import numpy as np
import keras
from kerasadv.training import Checkpoint
folder = sys.argv[1]
model = keras.Sequential([keras.Input((300,)), keras.layers.Dense(300)])
model.compile("sgd", "mse")
x = np.ones((4, 300), "float32")
class Full(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:  # No file may become larger than half a checkpoint.
            resource.setrlimit(resource.RLIMIT_FSIZE, (180_000, 180_000))
try:
    model.fit(x, x, epochs=3, callbacks=[Full(), Checkpoint(folder)], verbose=0)
except OSError as error:
    print(error)
"""


def test_where_nothing_can_be_written_any_more_the_last_good_one_stays_and_is_named(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True
    )
    (good,) = Checkpoint(tmp_path).all()
    assert good.name.startswith("epoch-0001")
    assert "cannot write a checkpoint" in done.stdout, done.stderr
    assert f"the last one is {good}" in done.stdout


WAITS = """
import sys
import numpy as np
import keras
from kerasadv.training import Checkpoint
model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
wait = keras.callbacks.LambdaCallback(
    on_train_batch_end=lambda batch, logs: (print("begun", flush=True), input())
)
callbacks = [Checkpoint(sys.argv[1]), wait]
model.fit(np.ones((1, 1)), np.ones((1, 1)), callbacks=callbacks, verbose=0)
"""


def test_two_trainings_do_not_share_a_directory(tmp_path):
    command = [sys.executable, "-c", WAITS, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"begun\n"
        with pytest.raises(OSError, match=f"{tmp_path}: another training, which has not ended"):
            fit(model(), Checkpoint(tmp_path), 0, 1)
        other.kill()
    assert Checkpoint(tmp_path).all() == []
    # Nothing of it is left, and within one process an interrupted training may begin again.
    stop = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model().fit(X, Y, callbacks=[Checkpoint(tmp_path), stop], verbose=0)
    fit(model(), Checkpoint(tmp_path), 0, 1)
    assert len(Checkpoint(tmp_path).all()) == 1


def test_a_directory_that_cannot_be_made_is_named_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file/checkpoint: cannot write checkpoints there"):
        fit(model(), Checkpoint(tmp_path / "file" / "checkpoint"), 0, 1)


def ordered(folder, seed=0):
    from kerasadv.data import EpochOrder

    order = EpochOrder(range(len(X)), 2, seed)
    return order, Checkpoint(folder, order)


def train(net, order, checkpoint, epochs, *callbacks):
    checkpoint.restore(net)
    checkpoint.fit(net, lambda: order.batches(X, Y), epochs, callbacks, verbose=0)


@pytest.mark.skipif(not TENSORFLOW, reason="kerasadv.data is TensorFlow's")
@pytest.mark.parametrize("epoch, batch", [(0, 0), (1, 2), (1, 3), (2, 1)])
def test_sigterm_saves_within_an_epoch_and_nothing_is_done_twice(epoch, batch, tmp_path):
    class Preempt(keras.callbacks.Callback):
        def on_epoch_begin(self, number, logs=None):
            self.now = number == epoch

        def on_train_batch_end(self, number, logs=None):
            if self.now and number == batch:
                os.kill(os.getpid(), signal.SIGTERM)

    whole = model()
    train(whole, *ordered(tmp_path / "whole"), 3)
    step = f"step {batch + 1} of " if batch < 3 else ""
    saved = rf"after {step}epoch {epoch + 1}, which is saved in .*parts"
    with pytest.raises(Terminated, match=saved):
        train(model(), *ordered(tmp_path / "parts"), 3, Preempt())
    resumed = model()
    seen = []
    count = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(batch)
    )
    train(resumed, *ordered(tmp_path / "parts"), 3, count)
    assert len(seen) == 12 - 4 * epoch - batch - 1
    for a, b in zip(whole.get_weights(), resumed.get_weights()):
        np.testing.assert_array_equal(a, b)
    assert int(resumed.optimizer.iterations) == 12
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.mark.skipif(not TENSORFLOW, reason="kerasadv.data is TensorFlow's")
def test_a_callback_may_stop_and_what_is_done_is_not_done_again(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    net, (order, checkpoint) = model(), ordered(tmp_path)
    train(net, order, checkpoint, 5, Stop())
    assert int(net.optimizer.iterations) == 2 * 4  # Two epochs of four batches.
    train(net, order, checkpoint, 3)
    train(net, order, checkpoint, 3)
    assert int(net.optimizer.iterations) == 3 * 4


@pytest.mark.skipif(not TENSORFLOW, reason="kerasadv.data is TensorFlow's")
def test_what_ends_within_an_epoch_needs_an_order_to_go_on(tmp_path):
    class Preempt(keras.callbacks.Callback):
        def on_train_batch_end(self, number, logs=None):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Terminated):
        train(model(), *ordered(tmp_path), 1, Preempt())
    with pytest.raises(ValueError, match="ends within an epoch; `order` is needed"):
        Checkpoint(tmp_path).restore(model())
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
