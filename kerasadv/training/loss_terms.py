"""The terms of a loss while it trains: shown, moved, and named when they fail."""

import math

import keras

from kerasadv.losses import Compound
from kerasadv.training import cluster


class NotANumber(ArithmeticError):
    """The loss became NaN or infinite; the message names the terms that did."""


class LossTerms(keras.callbacks.Callback):
    """Shows each term of a loss, moves the weights of a `Compound`, stops when it is no number.

    Adds the mean of each term of a `Compound` or a `Perceptual` loss, and of one within the other,
    to the logs of each epoch under the term's name (`val_` before it for validation, `_loss` behind
    it if a metric has that name, its loss' name and `_` before it if another loss has such a term),
    so that the progress bar, `History` and every later callback show it. At the start of an epoch
    it moves the weights that are functions of the epoch. As soon as the loss is NaN or infinite it
    ends training with an error that names the term. With any other loss it only does the last.

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

    def moving_weights(self) -> dict[str, float]:
        """The current weight of each term whose weight moves."""
        return {
            term: compound.current_weights()[term]
            for compound in self._compounds
            for term, weight in compound.weights.items()
            if callable(weight)
        }

    @property
    def _compounds(self) -> list[Compound]:
        losses = keras.tree.flatten(getattr(self.model, "loss", None))
        return [loss for loss in losses if isinstance(loss, Compound)]

    @property
    def _with_terms(self) -> list[tuple[str, keras.losses.Loss]]:
        """The losses that have terms, after what they are called."""
        losses = keras.tree.flatten(getattr(self.model, "loss", None))
        within = [item for compound in self._compounds for item in compound.losses.items()]
        named = [(getattr(loss, "name", ""), loss) for loss in losses]
        return [(name, loss) for name, loss in (*named, *within) if hasattr(loss, "terms")]

    def _reset_terms(self):
        for _, loss in self._with_terms:
            loss.reset_terms()

    def _take_terms(self) -> dict[str, float]:
        """The means of all terms so far, which start anew."""
        terms: dict[str, float] = {}
        for name, loss in self._with_terms:
            for term, value in loss.terms().items():
                # Two losses may have terms of one name.
                terms[f"{name}_{term}" if term in terms else term] = value
        self._reset_terms()  # Not one by one: a `Compound` resets those within it.
        return terms

    def on_train_begin(self, logs=None):
        moving = self.moving_weights()
        if moving and keras.backend.backend() != "tensorflow":
            raise ValueError(
                "`weights`: expected numbers, as a weight that moves needs the TensorFlow backend. "
                f"Received: functions of the epoch for {sorted(moving)}"
            )

    def on_epoch_begin(self, epoch, logs=None):
        for compound in self._compounds:
            compound.set_epoch(epoch)
        self._reset_terms()
        self._training, self._validation = {}, {}

    def on_train_batch_end(self, batch, logs=None):
        if not math.isfinite(float((logs or {}).get("loss", 0.0))):
            where = f"batch {batch + 1}{self._culprits()}"
            others = {name: float(value) for name, value in logs.items() if name != "loss"}
            self._stop(logs["loss"], where, self._take_terms() or others)

    def on_test_begin(self, logs=None):
        # Inside `fit` the validation comes before the end of the epoch: keep what training left.
        self._training = self._take_terms()

    def on_test_end(self, logs=None):
        self._validation = self._take_terms()

    def on_epoch_end(self, epoch, logs=None):
        logs = {} if logs is None else logs
        taken = self._names_of_metrics()
        for prefix, terms in (
            ("", self._training or self._take_terms()),
            ("val_", self._validation),
        ):
            for term, value in terms.items():
                logs[prefix + (f"{term}_loss" if term in taken else term)] = value
        if not math.isfinite(float(logs.get("val_loss", 0.0))):
            self._stop(logs["val_loss"], f"the validation of epoch {epoch + 1}", self._validation)

    def _names_of_metrics(self) -> set[str]:
        names: set[str] = set()
        for name, value in self.model.get_metrics_result().items():
            names |= {name, *(value if isinstance(value, dict) else ())}
        return names

    def _culprits(self) -> str:
        """Of several workers, those on which a metric is no number."""
        strategy = cluster.of(self.model)
        if strategy is None:
            return ""
        # What each replica here has counted, before workers add it up.
        counted = [v.value for v in self.model.metrics_variables]
        parts = [part for v in counted for part in strategy.experimental_local_results(v)]
        finite = all(keras.ops.all(keras.ops.isfinite(part)) for part in parts)
        workers = cluster.workers_where(strategy, not finite)
        return f" on worker {', '.join(map(str, workers))}" if workers else ""

    def _stop(self, loss, where, terms):
        bad = {term: value for term, value in terms.items() if not math.isfinite(value)}
        named = ", ".join(f"{term!r} is {value}" for term, value in bad.items())
        blame = f"of its terms, {named}" if bad else "lower the learning rate or look at the data"
        self.model.stop_training = True
        raise NotANumber(f"the loss became {float(loss)} in {where}: {blame}")
