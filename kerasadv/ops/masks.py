"""Segmentation labels, however they come, as one mask per class."""

from keras import ops


def as_masks(y_true, y_pred):
    """One mask per class from integer labels, one-hot or soft masks.

    What `y_true` holds is read off its shape alone:

    * shape of `y_pred`: masks already, returned as they are;
    * shape of `y_pred` without its last axis, or with a last axis of 1: integer class labels,
      which become one-hot. With a single class in `y_pred` (a sigmoid output) they are the mask,
      in which everything above 1 counts as 1: masks of 0 and 255 mean what they show.

    Args:
        y_true: Labels, `(batch, *spatial)`, `(batch, *spatial, 1)` or
            `(batch, *spatial, classes)`. Integer labels are in `[0, classes)`; a label outside
            belongs to no class.
        y_pred: Predictions, `(batch, *spatial, classes)`.

    Returns:
        Masks in the dtype of `y_pred`, `(batch, *spatial, classes)`.

    Raises:
        ValueError: If the two shapes do not fit each other.

    Example:
    >>> import numpy as np
    >>> from kerasadv import ops
    >>> labels = np.array([[[0, 2], [1, 1]]])
    >>> ops.as_masks(labels, np.zeros((1, 2, 2, 3), "float32")).shape.as_list()
    [1, 2, 2, 3]
    """
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.convert_to_tensor(y_true)
    classes = y_pred.shape[-1]
    same_rank = len(y_true.shape) == len(y_pred.shape)
    channels = y_true.shape[-1] if same_rank else None
    spatial = y_true.shape[1:-1] if same_rank else y_true.shape[1:]
    fits = (same_rank and channels in (1, classes)) or len(y_true.shape) == len(y_pred.shape) - 1
    if not fits or any(
        a is not None and b is not None and a != b for a, b in zip(spatial, y_pred.shape[1:-1])
    ):
        raise ValueError(
            "`y_true`: expected integer labels of shape (batch, *spatial) or "
            "(batch, *spatial, 1), or masks of the shape of `y_pred`. "
            f"Received: y_true.shape={tuple(y_true.shape)}, y_pred.shape={tuple(y_pred.shape)}"
        )
    if classes == 1:
        masks = ops.clip(y_true if same_rank else ops.expand_dims(y_true, -1), 0, 1)
    elif same_rank and channels != 1:
        masks = y_true
    else:
        labels = ops.squeeze(y_true, -1) if same_rank else y_true
        masks = ops.one_hot(ops.cast(labels, "int32"), classes)
    return ops.cast(masks, y_pred.dtype)
