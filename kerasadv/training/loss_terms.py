"""The terms of a `Compound` loss while it trains: shown, moved, and named when they fail."""

import math

import keras

from kerasadv.losses import Compound


class NotANumber(ArithmeticError):
    """The loss became NaN or infinite; the message names the terms that did."""


class LossTerms(keras.callbacks.Callback):
    """Shows each term of a `Compound` loss, moves its weights, stops when the loss is no number.

    Adds the mean of each term to the logs of each epoch under the term's name (`val_` before it
    for validation, `_loss` behind it if a metric has that name), so that the progress bar,
    `History` and every later callback show it. At the start of an epoch it moves the weights that
    are functions of the epoch. As soon as the loss is NaN or infinite it ends training with an
    error that names the term. With any other loss it only does the last.

    Raises:
        NotANumber: If the loss becomes NaN or infinite.
        ValueError: If a weight moves and the Keras backend is not TensorFlow, where it would have
            no effect on the compiled step.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> import kerasadv
    >>> model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 1)])
    >>> loss = kerasadv.losses.Compound({"dice": kerasadv.losses.GeneralizedDice(True)})
    >>> model.compile("sgd", loss=loss)
    >>> images = masks = np.ones((2, 4, 4, 1), "float32")
    >>> callbacks = [kerasadv.training.LossTerms()]
    >>> sorted(model.fit(images, masks, callbacks=callbacks, verbose=0).history)
    ['dice', 'loss']
    """

    def __init__(self):
        super().__init__()
        self._training: dict[str, float] = {}
        self._validation: dict[str, float] = {}

    @property
    def _compound(self) -> Compound | None:
        loss = getattr(self.model, "loss", None)
        return loss if isinstance(loss, Compound) else None

    def moving_weights(self) -> dict[str, float]:
        """The current weight of each term whose weight moves."""
        if self._compound is None:
            return {}
        now = self._compound.current_weights()
        return {term: now[term] for term, w in self._compound.weights.items() if callable(w)}

    def on_train_begin(self, logs=None):
        moving = self.moving_weights()
        if moving and keras.backend.backend() != "tensorflow":
            raise ValueError(
                "`weights`: expected numbers, as a weight that moves needs the TensorFlow backend. "
                f"Received: functions of the epoch for {sorted(moving)}"
            )

    def on_epoch_begin(self, epoch, logs=None):
        self._training, self._validation = {}, {}
        if self._compound is not None:
            self._compound.set_epoch(epoch)
            self._compound.reset_terms()

    def on_train_batch_end(self, batch, logs=None):
        self._check(logs, f"batch {batch + 1}")

    def on_test_begin(self, logs=None):
        # Inside `fit` the validation comes before the end of the epoch: keep what training left.
        if self._compound is not None:
            self._training = self._compound.terms()
            self._compound.reset_terms()

    def on_test_end(self, logs=None):
        if self._compound is not None:
            self._validation = self._compound.terms()
            self._compound.reset_terms()

    def on_epoch_end(self, epoch, logs=None):
        if self._compound is not None and logs is not None:
            for term, value in (self._training or self._compound.terms()).items():
                _add(logs, term, value)
            for term, value in self._validation.items():
                _add(logs, f"val_{term}", value)

    def _check(self, logs, where):
        loss = float((logs or {}).get("loss", 0.0))
        if math.isfinite(loss):
            return
        bad = {}
        if self._compound is not None:
            bad = {t: v for t, v in self._compound.terms().items() if not math.isfinite(v)}
        names = ", ".join(f"{term!r} is {value}" for term, value in bad.items())
        blame = f"of its terms, {names}" if bad else "lower the learning rate or look at the data"
        self.model.stop_training = True
        raise NotANumber(f"the loss became {loss} in {where}: {blame}")


def _add(logs, name, value):
    """Add a value under its name, or with `_loss` behind it if that name has another value."""
    logs[name if logs.get(name, value) == value else f"{name}_loss"] = value
