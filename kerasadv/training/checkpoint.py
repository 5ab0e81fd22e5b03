"""Checkpoints, written so that a kill at any moment leaves a good one."""

import contextlib
import hashlib
import os
import re
import signal
import threading
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
from filelock import FileLock, Timeout

from kerasadv.training import cluster
from kerasadv.training.loss_terms import NotANumber
from kerasadv.training.run_files import weights_of, write_bytes

_NAME = re.compile(r"epoch-(\d+)-step-(\d+)-([0-9a-f]{16})\.weights\.h5")
# The newest, and the one to fall back on if the disk spoils that.
_KEPT = 2


class Terminated(Exception):
    """Training was asked to end by SIGTERM, and has saved itself; the message says where."""


class Checkpoint(keras.callbacks.Callback):
    """Saves weights, optimizer state and epoch after each epoch, and goes on from there.

    A checkpoint gets its name, which has a digest of its contents, only once it is complete on
    disk, and older ones than the last two are removed after that, so a kill or a full disk leaves
    the last good one. Of several workers the first one writes. While `fit` runs, no other process
    can train with a checkpoint in the same directory.

    Args:
        directory: Where the checkpoints lie, as `epoch-EPOCHS-step-STEPS-DIGEST.weights.h5`; made
            if needed. Several workers need one that all of them see.
        order: The `kerasadv.data.EpochOrder` of the training, or another callback that has its
            method `skip` and its `steps_per_epoch`. With one, SIGTERM makes a checkpoint after the
            step that is under way, and ends `fit`; the rest of the epoch comes after `restore`, and
            the logs of that epoch are of the rest.

    Raises:
        NotANumber: If there is NaN in the weights when they are to be saved.
        OSError: If a checkpoint cannot be written; the last one stays. And when `fit` begins, if
            another training writes there.
        Terminated: From `fit`, after SIGTERM.

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
        self.order = order
        self.resumed = False  # Whether `restore` found one.
        self._done = 0  # Epochs.
        self._epoch = 0  # Under way.
        self._skipped = 0  # Steps of the first epoch that were taken before.
        self._asked = threading.Event()  # To end, on this worker; what follows, on any.
        self._ending = False
        self._before: Any = None  # What SIGTERM did before.
        # One for the process, where a training that was interrupted may not have let go of it.
        self._lock = FileLock(self.directory / ".lock", timeout=0, is_singleton=True)

    def all(self) -> list[Path]:
        """The checkpoints there are, the newest first."""
        found = [path for path in self.directory.glob("epoch-*") if _NAME.fullmatch(path.name)]
        return sorted(found, key=_progress, reverse=True)

    def restore(self, model: keras.Model) -> int:
        """Load the newest checkpoint into a compiled model, within the `scope()` of its strategy.

        One that is not what was written is passed over, with a warning, for the one before it.

        Returns:
            The number of epochs it has been trained for, 0 where there is no checkpoint.

        Raises:
            ValueError: If the checkpoint is of another model or optimizer, if it ends within an
                epoch and there is no `order`, or if not all workers find the same.
        """
        path = next(filter(_whole, self.all()), None)
        epoch, self._skipped = (0, 0) if path is None else _progress(path)
        if not cluster.alike(cluster.of(model), [epoch, self._skipped]):
            raise ValueError(
                f"{self.directory}: expected a folder that all workers share. Received: one in "
                f"which this worker finds {path or 'no checkpoint'}, and others do not"
            )
        self.resumed = path is not None
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
                raise ValueError(f"{path}: does not fit this model ({reason})") from None
        if self._skipped and self.order is None:
            raise ValueError(f"{path}: ends within an epoch; `order` is needed to go on with it")
        if self.order is not None:
            self.order.skip(self._skipped)
        self._done = epoch
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
        epoch that SIGTERM cut short is a call of its own.

        Args:
            model: The compiled model.
            batches: A function that returns the data of an epoch, such as
                `lambda: order.batches(images, labels)`.
            epochs: How many there are to be, with those that are done.
            callbacks: More callbacks, called after the order and before this one.
            verbose: As of the model's `fit`, for the worker that shows progress.
            **options: More of what its `fit` takes, such as `validation_data`.

        Raises:
            NotANumber, OSError, Terminated: As above.

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
        while self._done < epochs:
            model.fit(
                batches(),
                epochs=self._done + 1 if self._skipped else epochs,
                initial_epoch=self._done,
                callbacks=[*orders, *callbacks, self],
                shuffle=False,
                verbose=verbose if cluster.is_chief(cluster.of(model)) else 0,
                **options,
            )
            if model.stop_training:  # As a callback may ask for.
                break

    def on_train_begin(self, logs=None):
        if cluster.is_chief(cluster.of(self.model)):
            self._claim()
        if self.order is not None and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, lambda *_: self._asked.set())

    def on_train_end(self, logs=None):
        self._lock.release()
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
            self._before = None

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.order is None:
            return
        if cluster.workers_where(cluster.of(self.model), self._asked.is_set()):
            self._ending = True  # After the last step of an epoch, with the epoch.
            steps = self._skipped + batch + 1
            if steps < self.order.steps_per_epoch:
                self._save(self._epoch, steps)
                self._end(f"step {steps} of epoch {self._epoch + 1}")

    def on_epoch_end(self, epoch, logs=None):
        self._done, self._skipped = epoch + 1, 0
        if self.order is not None:
            self.order.skip(0)
        self._save(epoch + 1, 0)
        # It may have come during the validation.
        asked = self.order is not None and self._asked.is_set()
        if self._ending or cluster.workers_where(cluster.of(self.model), asked):
            self._end(f"epoch {epoch + 1}")

    def _claim(self) -> None:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout:
            raise OSError(
                f"{self.directory}: another training, which has not ended, writes there"
            ) from None
        except NotImplementedError:
            pass  # A disk that knows no locks.
        except OSError as error:
            raise OSError(f"{self.directory}: cannot write checkpoints there ({error})") from error

    def _end(self, after: str) -> None:
        self.on_train_end()  # Keras does not call it.
        raise Terminated(f"ended by SIGTERM after {after}, which is saved in {self.directory}")

    def _save(self, epoch: int, steps: int) -> None:
        for variable in self.model.trainable_variables:
            if not keras.ops.all(keras.ops.isfinite(variable)):
                number = epoch + 1 if steps else epoch
                raise NotANumber(f"epoch {number} left NaN or infinity in {variable.path}")
        if not cluster.is_chief(cluster.of(self.model)):
            return
        try:
            data = weights_of(self.model)
            digest = hashlib.sha256(data).hexdigest()
            path = self.directory / f"epoch-{epoch:04d}-step-{steps:06d}-{digest[:16]}.weights.h5"
            write_bytes(path, data)
            # Those of later epochs are of a training that could not go on after them.
            kept = [p for p in self.all() if _progress(p) < (epoch, steps)][: _KEPT - 1]
            for old in self.directory.glob("epoch-*"):  # Or what a killed one had half written.
                if old not in (path, *kept):
                    old.unlink()
        except OSError as error:
            last = next(iter(self.all()), None)
            left = f"the last one is {last}" if last else "there is none yet"
            raise OSError(
                f"{self.directory}: cannot write a checkpoint ({error}); {left}"
            ) from error


def _progress(path: Path) -> tuple[int, int]:
    epoch, steps, _ = _NAME.fullmatch(path.name).groups()  # type: ignore[union-attr]
    return int(epoch), int(steps)


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _whole(path: Path) -> bool:
    with contextlib.suppress(OSError):
        if _digest(path) in path.name:
            return True
    warnings.warn(f"{path}: is not what was written, and is passed over", stacklevel=3)
    return False
