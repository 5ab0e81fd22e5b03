"""The Dice score: overlap of predicted and true masks, averaged over images."""

import keras
from keras import ops

from kerasadv.ops.masks import as_masks
from kerasadv.ops.weights import per_sample
from kerasadv.saving import register


@register
class Dice(keras.metrics.Metric):
    """Dice score, the mean over images of `2 * |prediction and truth| / (|prediction| + |truth|)`.

    Predictions are made hard first: a single class by `threshold`, several by the largest. Every
    class counts, a background class too, and the mean over classes is the result. Where neither
    truth nor prediction holds a class, its Dice is 1; where only one of them does, 0.

    Args:
        threshold: Predictions of a single class above it are foreground. Defaults to 0.5; use 0
            for logits.
        per_class: Whether the result is a dictionary with `name` for the mean and `name_0`,
            `name_1` ... for the classes, which all show in the logs.
        name: Name in the logs.
        **kwargs: `dtype`, as for every Keras metric.

    Input shape:
        `y_true`: integer labels `(batch, *spatial)` or `(batch, *spatial, 1)`, or masks
        `(batch, *spatial, classes)`. `y_pred`: probabilities `(batch, *spatial, classes)`.
        `sample_weight`: one weight per image, `(batch,)`.

    Raises:
        ValueError: If the shapes do not fit, or `sample_weight` is not one number per image.

    Example:
    >>> import numpy as np
    >>> import kerasadv
    >>> metric = kerasadv.metrics.Dice()
    >>> truth = np.array([1, 1, 0, 0], "float32").reshape(1, 2, 2, 1)
    >>> guess = np.array([0.9, 0.1, 0.1, 0.1], "float32").reshape(1, 2, 2, 1)
    >>> round(float(metric(truth, guess)), 4)  # 2 * 1 / (2 + 1)
    0.6667

    Reference:
        Dice, "Measures of the amount of ecologic association between species", Ecology 1945.
    """

    def __init__(self, threshold=0.5, per_class=False, name="dice", **kwargs):
        super().__init__(name=name, **kwargs)
        self.threshold = threshold
        self.per_class = per_class
        self.total = None
        self.count = self.add_variable(shape=(), initializer="zeros", name="count")

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_pred = ops.convert_to_tensor(y_pred)
        y_true = as_masks(y_true, y_pred) > 0.5
        classes = y_pred.shape[-1]
        if self.total is None:
            # The number of classes is first known here, as in Keras' FBetaScore.
            self.total = self.add_variable(shape=(classes,), initializer="zeros", name="total")
        if classes == 1:
            y_pred = y_pred > self.threshold
        else:
            y_pred = ops.one_hot(ops.argmax(y_pred, axis=-1), classes) > 0.5
        spatial = tuple(range(1, len(y_pred.shape) - 1))

        def volume(masks):
            return ops.sum(ops.cast(masks, self.dtype), axis=spatial)  # (b, c)

        both = volume(y_true) + volume(y_pred)
        overlap = volume(ops.logical_and(y_true, y_pred))
        dice = ops.where(both > 0, 2 * overlap / ops.maximum(both, 1), 1)
        weight = ops.ones_like(dice[:, 0])
        if sample_weight is not None:
            weight = ops.cast(per_sample(sample_weight), self.dtype) * weight
        self.total.assign_add(ops.sum(weight[:, None] * dice, axis=0))
        self.count.assign_add(ops.sum(weight))

    def result(self):
        if self.total is None:
            return {self.name: ops.zeros(())} if self.per_class else ops.zeros(())
        dice = ops.divide_no_nan(self.total, self.count)
        if not self.per_class:
            return ops.mean(dice)
        classes = {f"{self.name}_{c}": dice[c] for c in range(dice.shape[0])}
        return {self.name: ops.mean(dice), **classes}

    def reset_state(self):
        for variable in self.variables:
            variable.assign(ops.zeros(variable.shape, variable.dtype))

    def get_config(self):
        return {
            **super().get_config(),
            "threshold": self.threshold,
            "per_class": self.per_class,
        }
