"""The bi-tempered logistic loss for integer labels, which are never made one-hot."""

import numbers

from keras import ops

from kerasadv.losses.bi_tempered import check_shape, gradient_by_logits, temperatures
from kerasadv.losses.per_label import PerLabel
from kerasadv.ops.tempered import in_float32
from kerasadv.ops.tempered_probabilities import Tempered
from kerasadv.saving import register


def sparse_bi_tempered(y_true, y_pred, t1, t2):
    """`bi_tempered` of integer labels, without making them one-hot.

    Arguments are those of `SparseBiTempered`; one value per label, `(batch, ...)`. A label that is
    no class gives NaN.

    Example:
    >>> import numpy as np
    >>> from kerasadv.losses.sparse_bi_tempered import sparse_bi_tempered
    >>> logits = np.array([[1.0, 1.0]], "float32")
    >>> float(sparse_bi_tempered(np.array([1]), logits, t1=0.0, t2=2.0)[0])
    0.25
    """
    y_pred = ops.convert_to_tensor(y_pred)
    labels = ops.cast(_integers(y_true, y_pred), "float32")  # Whole numbers have no gradient.
    classes = ops.shape(y_pred)[-1]

    @ops.custom_gradient
    def loss(logits, labels):
        p = Tempered(logits, t2)
        whole = ops.cast(labels, "int32")
        known = ops.logical_and(whole >= 0, whole < classes)
        index = ops.expand_dims(ops.where(known, whole, 0), -1)
        chosen_logits = ops.take_along_axis(logits, index, axis=-1)
        chosen = p.of(chosen_logits)
        value = (p.total(2 - t1) - 1) / (2 - t1) - chosen.log(t1)

        def grad(*args, upstream=None):
            upstream = args[0] if upstream is None else upstream
            upstream = ops.expand_dims(ops.where(known, upstream, float("nan")), -1)
            first = ops.logical_and(p.alone, chosen_logits == p.top)
            pull = ops.where(first, 0, chosen.power(t2 - t1))
            labelled = index == ops.arange(classes, dtype=index.dtype)
            lead = ops.cast(ops.logical_not(first), logits.dtype) - p.others.sum(1)
            gradient = gradient_by_logits(p, t1, ops.where(labelled, pull, 0), lead)
            return upstream * gradient, ops.zeros_like(labels)

        value = ops.maximum(ops.squeeze(value, -1), 0)
        return ops.where(known, value, float("nan")), grad

    return in_float32(lambda logits: loss(logits, labels), y_pred)


@register
class SparseBiTempered(PerLabel):
    """`BiTempered` for integer labels, which are never made one-hot.

    Args:
        t1: Temperature of the logarithm, from 0 to 1.
        t2: Temperature of the softmax, above 0.
        ignore_class: A label, such as 255 or -1, that marks what is left out: it counts neither in
            the sum nor in the number that a mean divides by. Any other label that is no class
            makes the loss NaN.
        **kwargs: `reduction`, `name` and `dtype`, as for every Keras loss.

    Input shape:
        `y_true`: integer labels, `(batch, ...)` or `(batch, ..., 1)`. `y_pred`: logits,
        `(batch, ..., classes)`. `sample_weight`: `(batch,)` or `(batch, ...)`.

    Raises:
        ValueError: If an argument is out of range, or the shapes do not fit.

    Example:
    >>> import numpy as np
    >>> import kerasadv
    >>> loss = kerasadv.losses.SparseBiTempered(t1=0, t2=2, ignore_class=-1)
    >>> logits = np.array([[1.5, 0.0], [7.0, 0.0]], "float32")
    >>> round(float(loss(np.array([1, -1]), logits)), 4)  # p = (2/3, 1/3): the Brier score / 2
    0.4444

    Reference:
        Amid et al., "Robust bi-tempered logistic loss based on Bregman divergences", NeurIPS 2019.
    """

    def __init__(self, t1=0.8, t2=1.2, ignore_class=None, name="sparse_bi_tempered", **kwargs):
        super().__init__(name=name, **kwargs)
        self.t1, self.t2 = temperatures(t1, t2)
        whole = isinstance(ignore_class, numbers.Integral) and not isinstance(ignore_class, bool)
        if ignore_class is not None and not whole:
            raise ValueError(
                "`ignore_class`: expected a whole number or None. "
                f"Received: ignore_class={ignore_class!r}"
            )
        self.ignore_class = None if ignore_class is None else int(ignore_class)

    def __call__(self, y_true, y_pred, sample_weight=None):
        if self.ignore_class is not None:
            kept = _integers(y_true, y_pred) != self.ignore_class
            mask = getattr(y_pred, "_keras_mask", None)
            if mask is not None:
                # Keras divides by the share of a mask, as is done here: once is enough.
                kept = ops.logical_and(kept, self.with_all_axes(mask, y_pred) > 0)
                y_pred = ops.copy(y_pred)
            kept = ops.cast(kept, "float32")
            if self.reduction in ("mean", "sum_over_batch_size"):
                # Keras divides by the number of labels; these weights make it that of those kept.
                kept = kept * (ops.cast(ops.size(kept), "float32") / ops.maximum(ops.sum(kept), 1))
            kept = ops.cast(kept, self.dtype)
            if sample_weight is not None:
                kept = kept * self.with_all_axes(sample_weight, y_pred)
            sample_weight = kept
        return super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true, y_pred):
        if self.ignore_class is not None:
            y_true = _integers(y_true, y_pred)
            kept = y_true != self.ignore_class
            y_true = ops.where(kept, y_true, 0)
            # Whatever lies there, NaN too, has no say.
            y_pred = ops.where(ops.expand_dims(kept, -1), y_pred, 0)
        return sparse_bi_tempered(y_true, y_pred, self.t1, self.t2)

    def get_config(self):
        return {
            **super().get_config(),
            "t1": self.t1,
            "t2": self.t2,
            "ignore_class": self.ignore_class,
        }


def _integers(y_true, y_pred):
    labels = y_true = ops.convert_to_tensor(y_true)
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == 1:
        labels = ops.squeeze(y_true, -1)
    wanted = (
        "integer labels of the shape of `y_pred` without classes (one-hot labels: BiTempered; one "
        "logit: BinaryBiTempered)"
    )
    check_shape(y_true, y_pred, wanted, labels.shape, y_pred.shape[:-1])
    if y_pred.shape[-1] == 1:
        raise ValueError(
            "`y_pred`: expected logits of two classes or more on the last axis (one logit: "
            f"BinaryBiTempered). Received: y_pred.shape={tuple(y_pred.shape)}"
        )
    return ops.cast(labels, "int32")
