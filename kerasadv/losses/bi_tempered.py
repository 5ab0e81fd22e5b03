"""The bi-tempered logistic loss: bounded, so that wrong labels cannot run away with the model."""

import keras
from keras import ops

from kerasadv.losses.per_label import PerLabel
from kerasadv.ops.tempered import in_float32, temperature
from kerasadv.ops.tempered_probabilities import Tempered
from kerasadv.saving import register


def bi_tempered(y_true, y_pred, t1, t2, label_smoothing=0.0, axis=-1):
    """The Bregman divergence of `log_t1` between labels and the tempered softmax of the logits.

    Arguments are those of `BiTempered`, and the axis of the classes; one value per label,
    `(batch, ...)` without that axis. Labels get no gradient.

    Example:
    >>> import numpy as np
    >>> from kerasadv.losses.bi_tempered import bi_tempered
    >>> y_true, logits = np.array([[0.0, 1.0]]), np.array([[1.0, 1.0]], "float32")
    >>> float(bi_tempered(y_true, logits, t1=0.0, t2=2.0)[0])  # 1/2 - (1 - 1/4 - 1/4) / 2
    0.25
    """
    y_pred = ops.convert_to_tensor(y_pred)
    labels = _labels(y_true, y_pred, label_smoothing, axis)

    # Labels are an argument, as JAX does not differentiate around what a function closes over.
    @ops.custom_gradient
    def loss(logits, y):
        p = Tempered(logits, t2, axis)
        # At t1 = 1 the logarithm may be infinite, and counts only where there is a label.
        log = p.log(t1) if t1 < 1 else ops.where(y == 0, 0, p.log(t1))
        value = p.total(2 - t1) / (2 - t1) - p.add(y * (log + 1 / (2 - t1)))
        value = ops.squeeze(value, axis)

        def grad(*args, upstream=None):
            upstream = ops.expand_dims(args[0] if upstream is None else upstream, axis)
            lead = -p.add(ops.where(p.first, y - 1, p.others.power(1)))
            pull = y * p.others.power(t2 - t1)
            return upstream * gradient_by_logits(p, t1, pull, lead), ops.zeros_like(y)

        return ops.maximum(value + _soft_part(y, t1, axis), 0), grad

    return in_float32(lambda logits: loss(logits, ops.cast(labels, logits.dtype)), y_pred)


@register
class BiTempered(PerLabel):
    """Bi-tempered logistic loss, robust to wrong labels, for one-hot or soft labels.

    With `p = tempered_softmax(y_pred, t2)`, the sum over classes of
    `y (log_t1(y) - log_t1(p)) - (y^(2 - t1) - p^(2 - t1)) / (2 - t1)`: at least 0, and 0 where
    `p = y`. At `t1 = t2 = 1` it is the Kullback-Leibler divergence, which for one-hot labels is
    cross-entropy. Two temperatures guard against two kinds of wrong labels:

    * `t1` below 1 bounds the loss, so that labels that are far off do not outweigh all others; no
      value is above `1 / (1 - t1)`.
    * `t2` above 1 gives the probabilities heavy tails, so that labels wrong near the boundary
      between two classes do not bend it.

    Both cost a little where all labels are right. Search them on data with the noise left in: 0.8
    and 1.2 are mild, 0.2 and 4 strong. **Predict with the same `t2`**, for instance with
    `kerasadv.layers.TemperedSoftmax(t=t2)` behind the logits: an ordinary softmax of these logits
    is no estimate of anything (the most probable class is the same). At `t1 = 1` and `t2` below 1
    the loss is infinite where a labelled class has probability 0.

    Args:
        t1: Temperature of the logarithm, from 0 to 1.
        t2: Temperature of the softmax, above 0.
        label_smoothing: Share of each label, from 0 to 1, that is spread evenly over all classes.
        **kwargs: `reduction`, `name` and `dtype`, as for every Keras loss.

    Input shape:
        `y_true`: one-hot or soft labels, `(batch, ..., classes)`. `y_pred`: logits of the same
        shape, any finite numbers; float16 and bfloat16 are computed in float32. `sample_weight`:
        `(batch,)` or `(batch, ...)`.

    Raises:
        ValueError: If an argument is out of range, or the shapes do not fit.

    Example:
    >>> import numpy as np
    >>> import kerasadv
    >>> loss = kerasadv.losses.BiTempered(t1=0.8, t2=1.2)
    >>> y_true = np.array([[0.0, 1.0]])
    >>> logits = np.array([[100.0, -100.0]], "float32")  # cross-entropy: 200
    >>> 4 < float(loss(y_true, logits)) < 5
    True
    >>> brier = kerasadv.losses.BiTempered(t1=0, t2=2)  # sum((y - p)^2) / 2, p = (2/3, 1/3)
    >>> round(float(brier(y_true, np.array([[1.5, 0.0]], "float32"))), 4)
    0.4444

    Reference:
        Amid et al., "Robust bi-tempered logistic loss based on Bregman divergences", NeurIPS 2019.
    """

    def __init__(self, t1=0.8, t2=1.2, label_smoothing=0.0, name="bi_tempered", **kwargs):
        super().__init__(name=name, **kwargs)
        self.t1, self.t2 = temperatures(t1, t2)
        self.label_smoothing = smoothing(label_smoothing)

    def call(self, y_true, y_pred):
        return bi_tempered(y_true, y_pred, self.t1, self.t2, self.label_smoothing)

    def get_config(self):
        return {
            **super().get_config(),
            "t1": self.t1,
            "t2": self.t2,
            "label_smoothing": self.label_smoothing,
        }


def gradient_by_logits(p, t1, pull_of_labels, lead):
    """The gradient of the loss by the logits.

    By `p` it is `(p - y) / p^t1`; that of `p_i` by logit `j` is `p_i^t2` where `i = j`, less
    `p_i^t2 p_j^t2 / sum(p^t2)`. Where one class comes first it is left to the end: its own
    terms are large and nearly cancel, but `1 - p` is the sum of the others, and gradients sum to 0.

    Args:
        p, t1: The `Tempered` probabilities and the temperature of the logarithm.
        pull_of_labels: `y p^(t2 - t1)`, 0 where a class comes first.
        lead: `p - y` of that class as `1 - y` less what the others have, `(..., 1)`; anything
            where there is none.
    """
    t2 = p.t
    pull = p.others.power(1 + t2 - t1) - pull_of_labels
    pulls, slopes = p.add(pull), p.others.sum(t2)
    pull_of_first = ops.where(p.alone, lead * p.best.power(t2 - t1), 0)
    mean = (pulls + pull_of_first) / p.total(t2)
    return ops.where(p.first, mean * slopes - pulls, pull - p.others.power(t2) * mean)


def _soft_part(y, t1, axis):
    """What labels between 0 and 1 add to the loss: nothing for one-hot labels, and no gradient."""

    def soft():
        log = ops.log(ops.where(y == 0, 1, y))
        power = ops.where(y == 0, 0, ops.exp((2 - t1) * log))
        log = log if t1 == 1 else ops.expm1((1 - t1) * log) / (1 - t1)
        return ops.sum(y * log - (power - y) / (2 - t1), axis)

    # Powers of soft labels would cost as much as all the rest.
    softness = ops.sum(y - y * y, axis)
    return ops.cond(ops.any(softness != 0), soft, lambda: softness)


def check_shape(y_true, y_pred, wanted, shape=None, wanted_shape=None):
    """Raise a `ValueError` that says what was `wanted` if two shapes differ.

    They are those of the arguments, unless others are given that stand for them.
    """
    shape = y_true.shape if shape is None else shape
    wanted_shape = y_pred.shape if wanted_shape is None else wanted_shape
    known = [(a, b) for a, b in zip(shape, wanted_shape) if None not in (a, b)]
    if len(shape) != len(wanted_shape) or any(a != b for a, b in known):
        raise ValueError(
            f"`y_true`: expected {wanted}. Received: y_true.shape={tuple(y_true.shape)}, "
            f"y_pred.shape={tuple(y_pred.shape)}"
        )


def _labels(y_true, y_pred, label_smoothing, axis):
    y_true = ops.convert_to_tensor(y_true)
    check_shape(
        y_true, y_pred, "one-hot or soft labels of the shape of `y_pred` (or use SparseBiTempered)"
    )
    if label_smoothing == 0:
        return y_true
    double = keras.backend.standardize_dtype(y_pred.dtype) == "float64"
    y_true = ops.cast(y_true, "float64" if double else "float32")
    classes = ops.cast(ops.shape(y_pred)[axis], y_true.dtype)
    return y_true * (1 - label_smoothing) + label_smoothing / classes


def temperatures(t1, t2):
    """Both as floats, or a `ValueError` that names the one that is out of range."""
    return (
        temperature("t1", t1, "from 0 to 1", allowed=lambda t: 0 <= t <= 1),
        temperature("t2", t2, "above 0", allowed=lambda t: t > 0),
    )


def smoothing(value):
    """The share as a float, or a `ValueError` if it is none."""
    return temperature("label_smoothing", value, "from 0 to 1", allowed=lambda x: 0 <= x <= 1)
