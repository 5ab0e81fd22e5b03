"""The bi-tempered logistic loss for classes of their own: one logit, and one yes or no, each."""

from keras import ops

from kerasadv.losses.bi_tempered import bi_tempered, check_shape, smoothing, temperatures
from kerasadv.losses.per_label import PerLabel
from kerasadv.ops.tempered import against_zero
from kerasadv.saving import register


def binary_bi_tempered(y_true, y_pred, t1, t2, label_smoothing=0.0):
    """`bi_tempered` of a class against its absence, whose logit is 0.

    Arguments are those of `BinaryBiTempered`; the mean over the last axis, `(batch, ...)`.

    Example:
    >>> import numpy as np
    >>> from kerasadv.losses.binary_bi_tempered import binary_bi_tempered
    >>> float(binary_bi_tempered(np.array([[1]]), np.array([[0.0]], "float32"), t1=0.0, t2=2.0)[0])
    0.25
    """
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.convert_to_tensor(y_true)
    if len(y_true.shape) == len(y_pred.shape) - 1 and y_pred.shape[-1] == 1:
        y_true = ops.expand_dims(y_true, -1)
    check_shape(y_true, y_pred, "labels of 0 to 1 of the shape of `y_pred`")
    y_true = ops.cast(y_true, y_pred.dtype)
    classes = ops.stack([y_true, 1 - y_true])
    values = bi_tempered(classes, against_zero(y_pred), t1, t2, label_smoothing, axis=0)
    return values if len(values.shape) < 2 else ops.mean(values, -1)


@register
class BinaryBiTempered(PerLabel):
    """`BiTempered` for classes of their own, each there or not: one logit each.

    Predict with `kerasadv.ops.tempered_sigmoid(logits, t2)`.

    Args:
        t1: Temperature of the logarithm, from 0 to 1.
        t2: Temperature of the sigmoid, above 0.
        label_smoothing: Share of each label, from 0 to 1, that is moved to one half.
        **kwargs: `reduction`, `name` and `dtype`, as for every Keras loss.

    Input shape:
        `y_true`: labels from 0 to 1, `(batch, ..., outputs)`; for one output also without that
        axis. `y_pred`: logits, `(batch, ..., outputs)`. `sample_weight`: `(batch,)` or
        `(batch, ...)`. The loss is the mean over outputs.

    Raises:
        ValueError: If an argument is out of range, or the shapes do not fit.

    Example:
    >>> import numpy as np
    >>> import kerasadv
    >>> loss = kerasadv.losses.BinaryBiTempered(t1=0, t2=2)
    >>> round(float(loss(np.array([[1]]), np.array([[-1.5]], "float32"))), 4)  # p = 1/3
    0.4444

    Reference:
        Amid et al., "Robust bi-tempered logistic loss based on Bregman divergences", NeurIPS 2019.
    """

    def __init__(self, t1=0.8, t2=1.2, label_smoothing=0.0, name="binary_bi_tempered", **kwargs):
        super().__init__(name=name, **kwargs)
        self.t1, self.t2 = temperatures(t1, t2)
        self.label_smoothing = smoothing(label_smoothing)

    def call(self, y_true, y_pred):
        return binary_bi_tempered(y_true, y_pred, self.t1, self.t2, self.label_smoothing)

    def get_config(self):
        return {
            **super().get_config(),
            "t1": self.t1,
            "t2": self.t2,
            "label_smoothing": self.label_smoothing,
        }
