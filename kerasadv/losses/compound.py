"""Several named, weighted losses on one output, each of them visible while training."""

import keras
from keras import ops

from kerasadv.losses.per_sample import PerSample
from kerasadv.losses.terms import Terms
from kerasadv.saving import register


@register
class Compound(PerSample):
    """Weighted sum of named losses on the same output.

    Keras' `compile(loss=[a, b])` silently drops `b` when the model has one output. This loss adds
    them and remembers the mean of each term (unweighted, over the samples of the epoch), which the
    callbacks `kerasadv.training.LossTerms` and `kerasadv.training.TensorBoard` put into the logs
    under the term's name: on the progress bar, in `History` and in TensorBoard. (On the JAX backend
    the terms add up as everywhere, but Keras keeps no state for a loss there, so the terms do not
    show.)

    Args:
        losses: Dictionary of name to `keras.losses.Loss`. Each has to give at least one value per
            sample, so Keras' own `Dice()` and `Tversky()` need an `axis`. Their `reduction` and
            `dtype` do not count, those of the sum do.
        weights: Dictionary of name to weight: a finite number, or a function of the epoch (from 0)
            such as `kerasadv.training.Ramp`, which the same callbacks move at the start of each
            epoch (a lambda moves too, but cannot be saved). Without such a callback, and in a model
            just loaded, they are at epoch 0. Names that are left out weigh 1.
        **kwargs: `reduction`, `name` and `dtype`, as for every Keras loss.

    Input shape:
        What each of the losses takes. `sample_weight`: one weight per sample, `(batch,)`; the
        means of the terms leave it out.

    Raises:
        ValueError: If `losses` is empty or holds something else than losses, if `weights` names a
            loss that is not there or is not finite, or if a loss gives one value for the batch.

    Example:
    >>> import numpy as np
    >>> import kerasadv
    >>> loss = kerasadv.losses.Compound(
    ...     {"dice": kerasadv.losses.GeneralizedDice(), "boundary": kerasadv.losses.Boundary()},
    ...     weights={"boundary": 0.01},
    ... )
    >>> mask = np.eye(4, dtype="float32").reshape(1, 4, 4, 1)
    >>> round(float(loss(mask, 1 - mask)), 4)  # 1 + 0.01 * (6 + 4 * sqrt(2) + 2 * sqrt(5)) / 16
    1.0101
    >>> sorted(loss.terms())
    ['boundary', 'dice']
    """

    def __init__(self, losses, weights=None, name="compound", **kwargs):
        super().__init__(name=name, **kwargs)
        if not isinstance(losses, dict) or not losses:
            raise ValueError(
                f"`losses`: expected a dictionary of name to loss. Received: losses={losses}"
            )
        for term, loss in losses.items():
            if not isinstance(loss, keras.losses.Loss) or isinstance(loss, Compound):
                raise ValueError(
                    f"`losses`: expected a keras.losses.Loss, and no other Compound, under "
                    f"{term!r}. Received: {loss!r}"
                )
        weights = dict(weights or {})
        if set(weights) - set(losses):
            raise ValueError(
                f"`weights`: expected names among {sorted(losses)}. "
                f"Received: {sorted(set(weights) - set(losses))}"
            )
        for term, weight in weights.items():
            number = isinstance(weight, (int, float)) and abs(weight) < float("inf")
            if not number and not callable(weight):
                raise ValueError(
                    f"`weights`: expected a finite number or a function of the epoch under "
                    f"{term!r}. Received: {weight!r}"
                )
        self.losses = dict(losses)
        self.weights = {term: weights.get(term, 1.0) for term in losses}
        self._moving = {
            term: keras.Variable(
                float(weight(0)), dtype="float32", trainable=False, name=f"{term}_weight"
            )
            for term, weight in self.weights.items()
            if callable(weight)
        }
        self._terms = Terms(losses)

    def call(self, y_true, y_pred):
        total = 0.0
        for term, loss in self.losses.items():
            values = ops.convert_to_tensor(loss.call(y_true, y_pred))
            if len(values.shape) == 0:
                raise ValueError(
                    f"`losses`: expected at least one value per sample from {term!r}, which "
                    "gives one for the whole batch; an `axis` argument often mends that. "
                    f"Received: {loss!r}"
                )
            values = ops.cast(values, self.dtype)
            values = ops.mean(values, axis=tuple(range(1, len(values.shape))))
            self._terms.record(term, values)
            weight = self._moving.get(term, self.weights[term])
            total = total + ops.cast(weight, self.dtype) * values
        return total

    def set_epoch(self, epoch):
        """Move the weights that are functions of the epoch to their values in `epoch`."""
        for term, variable in self._moving.items():
            variable.assign(float(self.weights[term](epoch)))

    def current_weights(self):
        """The weight of each term now, as a dictionary of name to number."""
        return {
            term: float(ops.convert_to_numpy(self._moving.get(term, self.weights[term])))
            for term in self.losses
        }

    def terms(self):
        """The mean of each term since `reset_terms`, as a dictionary of name to number."""
        return self._terms.result()

    def reset_terms(self):
        """Forget the values that `terms` averages, those of losses with terms of their own too."""
        self._terms.reset()
        for loss in self.losses.values():
            if hasattr(loss, "reset_terms"):
                loss.reset_terms()

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "losses": {term: serialize(loss) for term, loss in self.losses.items()},
            "weights": {
                term: serialize(weight) if callable(weight) else weight
                for term, weight in self.weights.items()
            },
        }

    @classmethod
    def from_config(cls, config):
        deserialize = keras.saving.deserialize_keras_object
        config = dict(config)
        config["losses"] = {term: deserialize(x) for term, x in config["losses"].items()}
        config["weights"] = {
            term: deserialize(x) if isinstance(x, dict) else x
            for term, x in config["weights"].items()
        }
        return cls(**config)
