"""Checkpoints, written so that a kill at any moment leaves a good one."""

import contextlib
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import keras

from kerasadv.training import cluster
from kerasadv.training.checkpoint_folder import CheckpointFolder, progress
from kerasadv.training.loss_terms import NotANumber
from kerasadv.training.run_files import read_json, write_json

_SPENT = "seconds.json"  # By the clock, and of processors.


class Terminated(Exception):
    """Training was asked to end by SIGTERM, and has saved itself; the message says where."""


class Checkpoint(keras.callbacks.Callback):
    """Saves weights, optimizer state and epoch after each epoch, and goes on from there.

    A checkpoint gets its name, which has a digest of its contents, only once it is complete on
    disk, and older ones than the last two are removed after that, so a kill or a full disk leaves
    the last good one. Of several workers the first one writes. While a model trains, no other
    process can train with a checkpoint in the same directory. What layers draw at random, as
    `Dropout` does, is not kept, but of a `GAN`: after `restore` they draw anew.

    Args:
        directory: Where the checkpoints lie, as `epoch-EPOCHS-step-STEPS-DIGEST.weights.h5`; made
            if needed. Several workers need one that all of them see.
        order: The `kerasadv.data.EpochOrder` of the training, or another callback that has its
            method `skip` and its `steps_per_epoch`. With one, training may end within an epoch, by
            a signal (see `fit`) or by a callback that sets `stop_training`; the rest of the epoch
            comes after `restore`, and the logs of that epoch are of the rest.

    Raises:
        NotANumber: If there is NaN in the weights when they are to be saved.
        OSError: If a checkpoint cannot be written; the last one stays. And when training begins,
            if another process trains there.
        ValueError: When training begins, if there are checkpoints that nobody asked to `restore`,
            whose place those of a new training would take; or if it begins before they end.

    Example:
    >>> import tempfile
    >>> import keras
    >>> import numpy as np
    >>> import kerasadv
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("adam", "mse")
    >>> checkpoint = kerasadv.training.Checkpoint(tempfile.mkdtemp())
    >>> _ = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=2, callbacks=[checkpoint], verbose=0)
    >>> checkpoint.restore(model)  # the `initial_epoch` to give to `fit`
    2
    """

    def __init__(self, directory: str | os.PathLike, order=None):
        super().__init__()
        self.directory = Path(directory)
        self._folder = CheckpointFolder(self.directory)
        self.order = order
        self.resumed = False  # Whether `restore` found one.
        self._known = False  # Whether what lies there is of this training.
        self._done = 0  # Epochs.
        self._epoch = 0  # Under way.
        self._skipped = 0  # Steps of the first epoch that were taken before.
        self._steps = 0  # Of the epoch under way, with those.
        self._before: list[float] = [0.0, 0.0]  # Seconds that parts before this took.
        self._began = _now()
        self._asked = threading.Event()  # To end, on this worker; what follows, on any.
        self._ending = False

    def all(self) -> list[Path]:
        """The checkpoints there are, the newest first."""
        return self._folder.all()

    def restore(self, model: keras.Model) -> int:
        """Load the newest checkpoint into a compiled model, within the `scope()` of its strategy.

        One that is not what was written is passed over, with a warning, for the one before it.

        Returns:
            The number of epochs it has been trained for, 0 where there is no checkpoint.

        Raises:
            ValueError: If the checkpoint is of another model or optimizer, or the model has none,
                if it ends within an epoch and there is no `order`, or if not all workers find the
                same.
        """
        if getattr(model, "optimizer", None) is None:
            raise ValueError("`model`: expected a model that `compile` has given an optimizer")
        path = self._folder.newest()
        epoch, self._skipped = (0, 0) if path is None else progress(path)
        if not cluster.alike(cluster.of(model), [epoch, self._skipped]):
            raise ValueError(
                f"{self.directory}: expected a folder that all workers share. Received: one in "
                f"which this worker finds {path or 'no checkpoint'}, and others do not"
            )
        self.resumed, self._known = path is not None, True
        if path is None:
            return 0
        model.optimizer.build(model.trainable_variables)
        with warnings.catch_warnings():
            # Keras only warns of an optimizer state that does not fit, and trains without it.
            warnings.simplefilter("error", UserWarning)
            try:
                model.load_weights(path)
            except (UserWarning, ValueError, KeyError, OSError) as error:
                reason = " ".join(str(error).split())[:200]
                raise ValueError(
                    f"{path}: does not fit this model ({reason}); name another directory for it"
                ) from None
        if self._skipped and self.order is None:
            raise ValueError(f"{path}: ends within an epoch; `order` is needed to go on with it")
        if self.order is not None:
            self.order.skip(self._skipped)
        self._done = epoch
        self._began = _now()
        with contextlib.suppress(OSError, ValueError, TypeError):  # Nothing depends on it.
            self._before = [float(x) for x in read_json(self.directory / _SPENT)]
        return epoch

    def fit(
        self,
        model: keras.Model,
        batches: Callable[[], Any],
        epochs: int,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        verbose: int | str = "auto",
        **options: Any,
    ) -> None:
        """Train a model for what `restore` has left of a number of epochs, with checkpoints.

        Keras takes all epochs of a call of its `fit` to be of one length, so what is left of an
        epoch that was cut short is a call of its own. With an `order`, SIGTERM makes a checkpoint
        after the step, or the validation, that is under way, and ends this.

        Args:
            model: The compiled model.
            batches: A function that returns the data to `fit`, such as
                `lambda: order.batches(images, labels)`.
            epochs: How many there are to be, with those that are done.
            callbacks: More callbacks, called after the order and before this one.
            verbose: As of the model's `fit`, for the worker that shows progress.
            **options: What else its `fit` takes, such as `validation_data`.

        Raises:
            NotANumber, OSError, ValueError: As above.
            Terminated: After SIGTERM.

        Example:
        >>> import tempfile
        >>> import keras
        >>> import numpy as np
        >>> from kerasadv.data import EpochOrder
        >>> from kerasadv.training import Checkpoint
        >>> x, order = np.ones((4, 1)), EpochOrder(range(4), batch_size=2)
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> checkpoint = Checkpoint(tempfile.mkdtemp(), order)
        >>> _ = checkpoint.restore(model)
        >>> checkpoint.fit(model, lambda: order.batches(x, x), epochs=2, verbose=0)
        >>> int(model.optimizer.iterations)
        4
        """
        orders = [] if self.order is None else [self.order]
        self._asked.clear()
        with self._catching_sigterm():
            while self._done < epochs:
                before = self._done, self._skipped
                model.fit(
                    batches(),
                    epochs=self._done + 1 if self._skipped else epochs,
                    initial_epoch=self._done,
                    callbacks=[*orders, *callbacks, self],
                    shuffle=False,
                    verbose=verbose if cluster.is_chief(cluster.of(model)) else 0,
                    **options,
                )
                # As a callback may ask for, or as Keras' own limit of epochs wants it.
                if model.stop_training or (self._done, self._skipped) == before:
                    break

    def spent(self) -> dict[str, float]:
        """Minutes of training since `restore`, and of processors, with those of the parts before.

        What an interrupted part did after its last checkpoint does not count: it is done again.
        """
        names = ("minutes", "processor_minutes")
        return {name: round(x / 60, 1) for name, x in zip(names, self._seconds())}

    def _seconds(self) -> list[float]:
        return [b + now - began for b, began, now in zip(self._before, self._began, _now())]

    @contextlib.contextmanager
    def _catching_sigterm(self):
        catching = self.order is not None
        catching = catching and threading.current_thread() is threading.main_thread()
        if catching:
            before = signal.signal(signal.SIGTERM, lambda *_: self._asked.set())
        try:
            yield
        finally:
            self.on_train_end()  # Which Keras does not call where training ends by an error.
            if catching:
                signal.signal(signal.SIGTERM, before or signal.SIG_DFL)

    def on_train_begin(self, logs=None):
        self._ending = False
        if not cluster.is_chief(cluster.of(self.model)):
            return
        if not self._known and self.all():
            raise ValueError(
                f"{self.directory}: holds checkpoints already, the newest {self.all()[0].name}; go "
                "on with `fit(..., initial_epoch=checkpoint.restore(model))`, or name another "
                "directory"
            )
        self._folder.claim()

    def on_train_end(self, logs=None):
        self._folder.release()

    def on_epoch_begin(self, epoch, logs=None):
        if epoch < self._done:
            raise ValueError(
                f"`initial_epoch`: expected {self._done}, the epochs that the model has behind it. "
                f"Received: initial_epoch={epoch}"
            )
        self._epoch, self._steps = epoch, self._skipped

    def on_train_batch_end(self, batch, logs=None):
        if self.order is None:
            return
        self._steps = self._skipped + batch + 1
        if cluster.workers_where(cluster.of(self.model), self._asked.is_set()):
            self._ending = True  # After the last step of an epoch, with the epoch.
            if self._steps < self.order.steps_per_epoch:
                self._save(self._epoch, self._steps)
                self._end(f"step {self._steps} of epoch {self._epoch + 1}")

    def on_epoch_end(self, epoch, logs=None):
        cut_short = self.order is not None and self.model.stop_training
        if cut_short and self._steps < self.order.steps_per_epoch:
            self._done, self._skipped = epoch, self._steps
        else:
            self._done, self._skipped = epoch + 1, 0
        if self.order is not None:
            self.order.skip(self._skipped)
        self._save(self._done, self._skipped)
        # It may have come during the validation.
        if self._ending or cluster.workers_where(cluster.of(self.model), self._asked.is_set()):
            self._end(f"epoch {epoch + 1}")

    def _end(self, after: str) -> NoReturn:
        raise Terminated(f"ended by SIGTERM after {after}, which is saved in {self.directory}")

    def _save(self, epoch: int, steps: int) -> None:
        for variable in self.model.weights:
            if not keras.ops.all(keras.ops.isfinite(variable)):
                number = epoch + 1 if steps else epoch
                raise NotANumber(f"epoch {number} left NaN or infinity in {variable.path}")
        strategy, failed = cluster.of(self.model), None
        if cluster.is_chief(strategy):
            try:
                self._folder.write(self.model, epoch, steps)
                write_json(self.directory / _SPENT, self._seconds())
            except OSError as error:
                failed = error
        # All end by it, and none says that something was saved.
        if cluster.workers_where(strategy, failed is not None):
            last = next(iter(self.all()), None)
            left = f"the last one is {last}" if last else "there is none yet"
            reason = failed or "the first worker says why"
            message = f"{self.directory}: cannot write a checkpoint ({reason}); {left}"
            raise OSError(message) from failed
        self._known = True


def _now() -> tuple[float, float]:
    return time.monotonic(), time.process_time()
