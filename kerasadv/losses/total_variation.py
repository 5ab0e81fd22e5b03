"""Total variation: neighbouring pixels that differ cost, so that a picture stays smooth."""

import math
import numbers

import keras
from keras import ops

from kerasadv.losses.per_sample import PerSample
from kerasadv.saving import register


def total_variation(y_true, y_pred, beta=2.0):
    """Mean over pixels and channels of the length of the gradient to the power of `beta`.

    Arguments and result are those of `TotalVariation`; one value per sample, `(batch,)`.

    Example:
    >>> import numpy as np
    >>> from kerasadv.losses.total_variation import total_variation
    >>> image = np.array([[0, 3, 3], [4, 4, 4], [4, 4, 4]], "float32").reshape(1, 3, 3, 1)
    >>> float(total_variation(image, image)[0])  # (3^2 + 4^2 + 0 + 1^2 + 0 + 0) / 4
    6.5
    """
    y_pred = ops.convert_to_tensor(y_pred)
    sides = tuple(y_pred.shape[1:3])
    if len(y_pred.shape) != 4 or any(side is not None and side < 2 for side in sides):
        raise ValueError(
            "`y_pred`: expected images, (batch, height, width, channels), of at least 2 x 2 "
            f"pixels. Received: shape {tuple(y_pred.shape)}"
        )
    # Squares of differences do not fit into half precision.
    x = ops.cast(y_pred, keras.backend.result_type(y_pred.dtype, "float32"))
    down = x[:, 1:, :-1] - x[:, :-1, :-1]
    right = x[:, :-1, 1:] - x[:, :-1, :-1]
    square = down * down + right * right
    if beta != 2:
        # The gradient of a power below 1 is infinite at 0, where the picture is flat.
        moves = square > 0
        square = ops.where(moves, ops.power(ops.where(moves, square, 1), beta / 2), 0)
    return ops.mean(square, axis=tuple(range(1, len(x.shape))))


@register
class TotalVariation(PerSample):
    """Total variation of the prediction; the target is not looked at.

    `mean((dx^2 + dy^2)^(beta / 2))` over pixels and channels, with `dx` and `dy` the differences to
    the next pixel in a row and in a column. It is meant to be added to another loss, as in
    `Compound`. To translate a weight, with `height` and `width` less 1 and the images in the same
    range of values:

    | code | is this loss with | times |
    |---|---|---|
    | Johnson et al. (its gradient) | `beta=2` | `batch * height * width * channels / 2` |
    | keras.io's style transfer | `beta=2.5` | `batch * height * width * channels` |
    | `tf.image.total_variation` | no `beta`: `abs(dx) + abs(dy)` | |

    Args:
        beta: Power of the gradient's length, at least 1: 2 charges steps by their square and blurs
            edges, 1 leaves edges sharp.
        **kwargs: `reduction`, `name` and `dtype`, as for every Keras loss.

    Input shape:
        `y_pred`: images, `(batch, height, width, channels)`, at least 2 x 2 pixels. `y_true`:
        anything. `sample_weight`: one weight per sample, `(batch,)`.

    Raises:
        ValueError: If `beta` is below 1 or not finite, or images are too small.

    Example:
    >>> import numpy as np
    >>> import kerasadv
    >>> stripes = np.tile(np.array([0.0, 1.0], "float32"), (1, 8, 4))[..., None]
    >>> float(kerasadv.losses.TotalVariation()(stripes, stripes))
    1.0

    Reference:
        Mahendran and Vedaldi, "Understanding deep image representations by inverting them",
        CVPR 2015, section 2.
    """

    def __init__(self, beta=2.0, name="total_variation", **kwargs):
        super().__init__(name=name, **kwargs)
        if not isinstance(beta, numbers.Real) or not 1 <= beta < math.inf:
            raise ValueError(
                f"`beta`: expected a finite number of at least 1. Received: beta={beta!r}"
            )
        self.beta = float(beta)

    def call(self, y_true, y_pred):
        return total_variation(y_true, y_pred, beta=self.beta)

    def get_config(self):
        return {**super().get_config(), "beta": self.beta}
