"""Losses with a value for each label: for each sample, or for each pixel of it."""

from keras import ops

from kerasadv.losses.with_dtype import WithDtype


class PerLabel(WithDtype):
    """A loss of predictions whose last axis, the classes, is not in its values.

    Abstract. Its weights are one per sample or one per label: Keras alone understands the former
    only where a sample has one label.
    """

    def __call__(self, y_true, y_pred, sample_weight=None):
        if sample_weight is not None:
            sample_weight = self.with_all_axes(sample_weight, y_pred)
        return super().__call__(y_true, y_pred, sample_weight)

    def with_all_axes(self, sample_weight, y_pred):
        """Weights with an axis for each of the labels, of size 1 where they had none."""
        sample_weight = ops.convert_to_tensor(sample_weight, dtype=self.dtype)
        missing = len(y_pred.shape) - 1 - len(sample_weight.shape)
        return ops.reshape(sample_weight, (*ops.shape(sample_weight), *[1] * missing))
