"""A checkpoint is either whole or not there."""

import errno
import fcntl
import os
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest

from kerasadv.training import Checkpoint, NotANumber, Terminated

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
    left = sorted(path.name[:22] for path in (tmp_path / "parts").glob("epoch-*"))
    assert left == ["epoch-0003-step-000000", "epoch-0004-step-000000"]


def test_the_time_of_all_parts_is_told(tmp_path, monkeypatch):
    clock = [0.0, 0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    monkeypatch.setattr("time.process_time", lambda: clock[1])

    class Later(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            clock[:] = clock[0] + 60, clock[1] + 90

    for epoch, minutes in ((0, 1.0), (1, 2.0)):
        net, checkpoint = model(), Checkpoint(tmp_path)
        assert checkpoint.restore(net) == epoch
        net.fit(X, Y, initial_epoch=epoch, epochs=epoch + 1, callbacks=[Later(), checkpoint])
        assert checkpoint.spent() == {"minutes": minutes, "processor_minutes": 1.5 * minutes}
        clock[:] = 1e6, 1e6  # Between the parts.


def test_nothing_to_restore_is_epoch_zero(tmp_path):
    assert Checkpoint(tmp_path / "none").restore(model()) == 0


@pytest.mark.parametrize("fails", ["os.fsync", "os.replace"])
def test_a_failed_save_leaves_the_last_good_one(fails, tmp_path, monkeypatch):
    net, checkpoint = model(), Checkpoint(tmp_path)
    fit(net, checkpoint, 0, 1)
    (good,) = checkpoint.all()
    content = good.read_bytes()

    def full_disk(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fails, full_disk)
    message = r"cannot write a checkpoint \(.*No space left on device: '.*/epoch-0002-.*\); "
    with pytest.raises(OSError, match=f"{message}the last one is {good}"):
        fit(net, checkpoint, 1, 2)
    assert [path for path in tmp_path.iterdir() if path.name not in (".lock", "seconds.json")] == [
        good
    ]
    assert good.read_bytes() == content
    assert checkpoint.restore(model()) == 1


@pytest.mark.parametrize("which", ["bias", "moving mean"])
def test_weights_that_are_no_numbers_are_not_saved(which, tmp_path):
    layers = [keras.layers.Dense(2), keras.layers.BatchNormalization(trainable=False)]
    net, checkpoint = keras.Sequential([keras.Input((2,)), *layers]), Checkpoint(tmp_path)
    net.compile(keras.optimizers.SGD(0.0), "mse")
    fit(net, checkpoint, 0, 1)
    good = checkpoint.all()
    (net.layers[0].bias if which == "bias" else net.layers[1].moving_mean).assign([np.nan, 0.0])
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
    assert done.returncode == 0 and "h5py" not in done.stderr
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


def test_a_new_training_does_not_take_the_place_of_another(tmp_path):
    fit(model(), Checkpoint(tmp_path), 0, 2)
    before = {path.name: path.read_bytes() for path in Checkpoint(tmp_path).all()}
    with pytest.raises(ValueError, match="holds checkpoints already, the newest epoch-0002-"):
        fit(model(), Checkpoint(tmp_path), 0, 1)
    net, checkpoint = model(), Checkpoint(tmp_path)
    assert checkpoint.restore(net) == 2
    with pytest.raises(ValueError, match="`initial_epoch`: expected 2, .*Received: .*=0"):
        fit(net, checkpoint, 0, 2)
    with pytest.raises(ValueError, match="`model`: expected a model that `compile`"):
        checkpoint.restore(keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]))
    assert {path.name: path.read_bytes() for path in Checkpoint(tmp_path).all()} == before


@pytest.mark.skipif(sys.platform == "win32", reason="another kind of lock")
@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_disk_that_knows_no_locks_is_written_to_all_the_same(code, tmp_path, monkeypatch):
    def without(*args):
        raise OSError(code, "no locks")

    monkeypatch.setattr("fcntl.flock", without)
    fit(model(), Checkpoint(tmp_path), 0, 1)
    (one,) = tmp_path.glob("epoch-0001-*")
    assert {path for path in tmp_path.iterdir() if path.name not in (".lock", "seconds.json")} == {
        one
    }


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


@pytest.mark.skipif(not TENSORFLOW, reason="kerasadv.data is TensorFlow's")
def test_after_an_error_or_a_signal_everything_is_as_it_was_before(tmp_path):
    def free():
        with open(tmp_path / ".lock") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # Raises if another has it.
        return signal.getsignal(signal.SIGTERM) is handler

    def handler(*_):
        raise AssertionError("SIGTERM came through")

    def once(act):
        return keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: act())

    before = signal.signal(signal.SIGTERM, handler)
    try:
        net, (order, checkpoint) = model(), ordered(tmp_path)
        with pytest.raises(ZeroDivisionError):
            train(net, order, checkpoint, 2, once(lambda: 1 / 0))
        assert free()
        net = model()
        with pytest.raises(Terminated, match="after step 1 of epoch 1"):
            train(net, order, checkpoint, 2, once(lambda: os.kill(os.getpid(), signal.SIGTERM)))
        assert free()
        net = model()
        train(net, order, checkpoint, 2)  # The same object goes on.
        assert free() and int(net.optimizer.iterations) == 8
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.skipif(not TENSORFLOW, reason="kerasadv.data is TensorFlow's")
@pytest.mark.parametrize("batch", [0, 2, 3])
def test_a_callback_may_stop_within_an_epoch(batch, tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, number, logs=None):
            self.model.stop_training = self.model.stop_training or number == batch

    whole, parts = model(), model()
    train(whole, *ordered(tmp_path / "whole"), 2)
    train(parts, *ordered(tmp_path / "parts"), 2, Stop())
    assert int(parts.optimizer.iterations) == batch + 1
    resumed = model()
    train(resumed, *ordered(tmp_path / "parts"), 2)
    assert int(resumed.optimizer.iterations) == 8
    for a, b in zip(whole.get_weights(), resumed.get_weights()):
        np.testing.assert_array_equal(a, b)


@pytest.mark.skipif(not TENSORFLOW, reason="kerasadv.data is TensorFlow's")
def test_an_end_that_keras_sets_is_one(tmp_path):
    net, (order, checkpoint) = model(), ordered(tmp_path)
    keras.config.set_max_epochs(1)
    try:
        with pytest.warns(UserWarning, match="Limiting epochs to 1"):
            train(net, order, checkpoint, 3)
    finally:
        keras.config.set_max_epochs(None)
    assert int(net.optimizer.iterations) == 4


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
