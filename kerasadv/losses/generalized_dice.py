"""The generalized Dice loss: overlap in which a small class weighs as much as a large one."""

import keras
from keras import ops

from kerasadv.losses.per_sample import PerSample
from kerasadv.ops.masks import as_masks
from kerasadv.saving import register


def generalized_dice(y_true, y_pred, from_logits=False):
    """One minus the Dice overlap over all classes, each weighted by 1 / (its pixels)^2.

    Arguments and result are those of `GeneralizedDice`; one value per sample, `(batch,)`.

    Example:
    >>> import numpy as np
    >>> from kerasadv.losses.generalized_dice import generalized_dice
    >>> mask = np.array([1, 0, 0, 0], "float32").reshape(1, 2, 2, 1)
    >>> float(generalized_dice(mask, mask)[0])
    0.0
    """
    y_pred = ops.convert_to_tensor(y_pred)
    if from_logits:
        y_pred = ops.sigmoid(y_pred) if y_pred.shape[-1] == 1 else ops.softmax(y_pred)
    dtype = y_pred.dtype
    masks = as_masks(y_true, y_pred)
    if y_pred.shape[-1] == 1:
        masks, y_pred = (ops.concatenate([1 - x, x], axis=-1) for x in (masks, y_pred))
    # Squares of numbers of pixels do not fit into half precision.
    wide = keras.backend.result_type(dtype, "float32")
    masks, y_pred = ops.cast(masks, wide), ops.cast(y_pred, wide)
    spatial = tuple(range(1, len(y_pred.shape) - 1))
    volume = ops.sum(masks, axis=spatial)  # (b, c)
    present = volume > 0
    weight = ops.where(present, 1 / ops.square(ops.where(present, volume, 1)), 0)
    weight = ops.where(present, weight, ops.max(weight, axis=-1, keepdims=True))
    overlap = ops.sum(weight * ops.sum(masks * y_pred, axis=spatial), axis=-1)
    total = ops.sum(weight * (volume + ops.sum(y_pred, axis=spatial)), axis=-1)
    # Without a label in any class (all labels ignored) there is nothing to overlap with.
    nothing = total == 0
    return ops.cast(ops.where(nothing, 0, 1 - 2 * overlap / ops.where(nothing, 1, total)), dtype)


@register
class GeneralizedDice(PerSample):
    """Generalized Dice loss for unbalanced segmentation.

    `1 - 2 * sum_c(w_c * sum(y * p)) / sum_c(w_c * sum(y + p))` with `w_c = 1 / sum(y)^2`, the sums
    over the pixels of one sample: 0 for a perfect prediction, 1 for a hopeless one. A class that
    is absent from a sample gets the largest weight of the classes that are present, so that false
    alarms still cost. A single sigmoid output is taken as two classes, itself and the background,
    as in the paper.

    Args:
        from_logits: Whether `y_pred` holds logits: of a sigmoid for one class, else of a softmax.
        **kwargs: `reduction`, `name` and `dtype`, as for every Keras loss.

    Input shape:
        `y_true`: integer labels `(batch, *spatial)` or `(batch, *spatial, 1)`, or masks
        `(batch, *spatial, classes)`. `y_pred`: probabilities `(batch, *spatial, classes)`.
        `sample_weight`: one weight per sample, `(batch,)`.

    Raises:
        ValueError: If the shapes do not fit.

    Example:
    >>> import numpy as np
    >>> import kerasadv
    >>> labels = np.array([[[0, 1], [2, 2]]])
    >>> wrong = np.eye(3, dtype="float32")[(labels + 1) % 3]
    >>> float(kerasadv.losses.GeneralizedDice()(labels, wrong))
    1.0

    Reference:
        Sudre et al., "Generalised Dice overlap as a deep learning loss function for highly
        unbalanced segmentations", DLMIA 2017.
    """

    def __init__(self, from_logits=False, name="generalized_dice", **kwargs):
        super().__init__(name=name, **kwargs)
        self.from_logits = from_logits

    def call(self, y_true, y_pred):
        return generalized_dice(y_true, y_pred, from_logits=self.from_logits)

    def get_config(self):
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
        }
