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
        """Weights with an axis for each of those of the labels, of size 1 where they had none.

        Raises:
            ValueError: If there are more than one per label.
        """
        weight = ops.convert_to_tensor(sample_weight, dtype=self.dtype)
        if len(weight.shape) == len(y_pred.shape) and weight.shape[-1] == 1:
            weight = ops.squeeze(weight, -1)
        missing = len(y_pred.shape) - 1 - len(weight.shape)
        known = [(a, b) for a, b in zip(weight.shape, y_pred.shape) if None not in (a, b)]
        if missing < 0 or any(a not in (1, b) for a, b in known):
            raise ValueError(
                "`sample_weight`: expected one per sample, (batch,), or one per label. Received: "
                f"shape {tuple(weight.shape)}, with y_pred.shape={tuple(y_pred.shape)}"
            )
        return ops.reshape(weight, (*ops.shape(weight), *[1] * missing))
