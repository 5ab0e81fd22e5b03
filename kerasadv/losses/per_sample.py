"""Losses on whole samples: one value, and so one weight, per sample."""

from kerasadv.losses.with_dtype import WithDtype
from kerasadv.ops.weights import per_sample


class PerSample(WithDtype):
    """A loss whose `call` gives one value per sample, so its weights are one per sample too.

    Abstract.
    """

    def __call__(self, y_true, y_pred, sample_weight=None):
        return super().__call__(y_true, y_pred, per_sample(sample_weight))
