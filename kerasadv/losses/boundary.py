"""The boundary loss: probability mass is charged for its distance from the true contour."""

from keras import ops

from kerasadv.losses.per_sample import PerSample
from kerasadv.ops.distance import signed_distance
from kerasadv.ops.masks import as_masks
from kerasadv.saving import register


def boundary(
    y_true,
    y_pred,
    spacing=None,
    classes=None,
    from_logits=False,
    from_distance_maps=False,
):
    """Mean over pixels and classes of probability times signed distance to the true contour.

    Arguments and result are those of `Boundary`; one value per sample, `(batch,)`.

    Example:
    >>> import numpy as np
    >>> from kerasadv.losses.boundary import boundary
    >>> mask = np.array([0, 0, 1, 1, 1], "float32").reshape(1, 1, 5, 1)
    >>> float(boundary(mask, mask)[0])  # distances 2, 1, 0, -1, -2 where the mask is 1, over 5
    -0.6000000238418579
    """
    y_pred = ops.convert_to_tensor(y_pred)
    if from_logits:
        y_pred = ops.sigmoid(y_pred) if y_pred.shape[-1] == 1 else ops.softmax(y_pred)
    if from_distance_maps:
        maps = ops.cast(y_true, y_pred.dtype)
        known = [n for n in zip(maps.shape, y_pred.shape) if None not in n]
        if len(maps.shape) != len(y_pred.shape) or any(a != b for a, b in known):
            raise ValueError(
                "`y_true`: expected distance maps of the shape of `y_pred`. Received: "
                f"y_true.shape={tuple(maps.shape)}, y_pred.shape={tuple(y_pred.shape)}"
            )
    else:
        maps = ops.cast(signed_distance(as_masks(y_true, y_pred), spacing), y_pred.dtype)
    if classes is not None:
        if max(classes) >= y_pred.shape[-1]:
            raise ValueError(
                f"`classes`: expected indices below {y_pred.shape[-1]}, the number of classes in "
                f"`y_pred`. Received: classes={classes}"
            )
        maps, y_pred = (ops.take(x, ops.array(classes), axis=-1) for x in (maps, y_pred))
    return ops.mean(maps * y_pred, axis=tuple(range(1, len(y_pred.shape))))


@register
class Boundary(PerSample):
    """Boundary loss for highly unbalanced segmentation.

    Each pixel's probability is multiplied with its signed distance to the true contour
    (positive outside, negative inside) and averaged over pixels and classes: a false alarm far
    from the object costs more than one at its edge, however small the object is. The value is
    negative for good predictions and its minimum differs from image to image, so do not stop
    early on it. It is meant to be added to a loss on regions, as in `Compound`: alone, it is also
    content with an empty prediction. A class that is absent or fills the image has no contour and
    adds 0. Distances grow with the image, so its weight beside another loss depends on the size of
    the images and on how rare the objects are: start low, or late (`kerasadv.training.Ramp`).

    Args:
        spacing: Distance between neighbouring pixels along each spatial axis, one positive number
            or one per axis, in the unit in which distances are to be measured. Defaults to 1.
        classes: Indices of the classes that count, for instance `[1]` to leave out a background
            class 0. Defaults to all.
        from_logits: Whether `y_pred` holds logits: of a sigmoid for one class, else of a softmax.
        from_distance_maps: Whether `y_true` holds signed distance maps in the shape of `y_pred`
            (see `kerasadv.ops.signed_distance`) instead of labels.
        **kwargs: `reduction`, `name` and `dtype`, as for every Keras loss.

    Input shape:
        `y_true`: integer labels `(batch, *spatial)` or `(batch, *spatial, 1)`, or masks
        `(batch, *spatial, classes)`. `y_pred`: probabilities `(batch, *spatial, classes)`. Two or
        three spatial axes. `sample_weight`: one weight per sample, `(batch,)`.

    Raises:
        ValueError: If an argument is out of range, or the shapes do not fit.

    Example:
    >>> import numpy as np
    >>> import kerasadv
    >>> mask = np.zeros((1, 8, 8, 1), "float32")
    >>> mask[:, 2:6, 2:6] = 1
    >>> loss = kerasadv.losses.Boundary()
    >>> float(loss(mask, mask)) < float(loss(mask, 1 - mask))
    True

    Reference:
        Kervadec et al., "Boundary loss for highly unbalanced segmentation", MIDL 2019.
    """

    def __init__(
        self,
        spacing=None,
        classes=None,
        from_logits=False,
        from_distance_maps=False,
        name="boundary",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        if spacing is not None:
            spacing = _as_list(spacing)
            if not spacing or not all(0 < step < float("inf") for step in spacing):
                raise ValueError(
                    f"`spacing`: expected positive numbers. Received: spacing={spacing}"
                )
            spacing = spacing[0] if len(spacing) == 1 else spacing
        if classes is not None and not (
            _as_list(classes) and all(isinstance(c, int) and c >= 0 for c in _as_list(classes))
        ):
            raise ValueError(
                f"`classes`: expected a list of class indices. Received: classes={classes}"
            )
        self.spacing = spacing
        self.classes = None if classes is None else _as_list(classes)
        self.from_logits = from_logits
        self.from_distance_maps = from_distance_maps

    def call(self, y_true, y_pred):
        return boundary(
            y_true,
            y_pred,
            spacing=self.spacing,
            classes=self.classes,
            from_logits=self.from_logits,
            from_distance_maps=self.from_distance_maps,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "spacing": self.spacing,
            "classes": self.classes,
            "from_logits": self.from_logits,
            "from_distance_maps": self.from_distance_maps,
        }


def _as_list(value):
    value = value.tolist() if hasattr(value, "tolist") else value
    return list(value) if isinstance(value, (list, tuple)) else [value]
