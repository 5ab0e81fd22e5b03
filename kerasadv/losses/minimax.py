"""The minimax game of the first adversarial networks, and its non-saturating form."""

import math

from keras import ops

from kerasadv.losses.per_sample import PerSample
from kerasadv.ops.scores import check_label_smoothing, per_sample_mean
from kerasadv.saving import register


def minimax(y_true, y_pred, label_smoothing=0.0):
    """What the discriminator minimizes; one value per sample, `(batch,)`.

    Arguments are those of `Minimax`.

    Example:
    >>> import numpy as np
    >>> from kerasadv.losses.minimax import minimax
    >>> undecided = np.zeros((1, 1), "float32")
    >>> round(float(minimax(undecided, undecided)[0]), 4)  # 2 log 2
    1.3863
    """

    def values(real, fake):
        on_real = ops.softplus(-real)
        if label_smoothing:
            # softplus(x) = softplus(-x) + x
            on_real = on_real + label_smoothing * real
        return on_real + ops.softplus(fake)

    return per_sample_mean(values, y_true, y_pred)


def minimax_generator(y_pred, saturating=False):
    """What the generator minimizes; arguments are those of `Minimax`."""
    return per_sample_mean(
        lambda fake: -ops.softplus(fake) if saturating else ops.softplus(-fake), y_pred
    )


@register
class Minimax(PerSample):
    """Minimax game of Goodfellow et al.: a discriminator against a generator.

    With scores `s` as logits, so that `D = sigmoid(s)` is the probability of being real, the value
    of the game is `V = E[log D(real)] + E[log(1 - D(fake))]`. The discriminator maximizes it, and
    this loss is `-V`: `softplus(-s_real) + softplus(s_fake)`, the two terms added. Where it cannot
    tell fake from real, scores are 0 and the loss is `2 log 2 = 1.386`; where generated images are
    distributed as the real ones are, it gets no lower. (With `label_smoothing` `a`, scores are
    `log((1 - a) / (1 + a))` there, and the loss is
    `-(1 - a) log((1 - a) / 2) - (1 + a) log((1 + a) / 2)`.)

    The generator minimizes `V` in the true game (`saturating=True`), `-softplus(s_fake)`, whose
    gradient vanishes as soon as the discriminator is sure. By default it does what the paper does
    in practice, and minimizes `softplus(-s_fake) = -log D(fake)` instead: the same optimum, and a
    gradient where it is needed.

    Args:
        saturating: Whether the generator plays the true minimax game.
        label_smoothing: Target of real images is 1 less this, from 0 to below 1: it keeps the
            discriminator from being too sure. That of generated images stays 0 (one-sided).
        **kwargs: `reduction`, `name` and `dtype`, as for every Keras loss.

    Input shape:
        `y_true`: scores of real images, as logits, `(batch, 1)`, or `(batch, height, width, 1)`
        for patches, whose mean counts. `y_pred`: those of generated images, of the same shape.
        `sample_weight`: one weight per sample, `(batch,)`.

    Raises:
        ValueError: If an argument is out of range.

    Example:
    >>> import numpy as np
    >>> import kerasadv
    >>> game = kerasadv.losses.Minimax()
    >>> real, fake = np.array([[2.0], [3.0]]), np.array([[-2.0], [-1.0]])
    >>> round(float(game(real, fake)), 4)
    0.3079
    >>> [round(float(value), 4) for value in game.generator(fake)]  # softplus(2), softplus(1)
    [2.1269, 1.3133]

    Reference:
        Goodfellow et al., "Generative adversarial nets", NeurIPS 2014. One-sided label smoothing:
        Salimans et al., "Improved techniques for training GANs", NeurIPS 2016.
    """

    def __init__(self, saturating=False, label_smoothing=0.0, name="minimax", **kwargs):
        super().__init__(name=name, **kwargs)
        if not isinstance(saturating, bool):
            raise ValueError(
                f"`saturating`: expected True or False. Received: saturating={saturating!r}"
            )
        self.saturating = saturating
        self.label_smoothing = check_label_smoothing(label_smoothing)

    @property
    def undecided(self):
        """The score between real and generated: the best one where both are equally likely."""
        return math.log((1 - self.label_smoothing) / (1 + self.label_smoothing))

    def call(self, y_true, y_pred):
        return minimax(y_true, y_pred, self.label_smoothing)

    def generator(self, y_pred):
        """What the generator minimizes, by the scores of its images; `(batch,)`."""
        return minimax_generator(y_pred, self.saturating)

    def get_config(self):
        return {
            **super().get_config(),
            "saturating": self.saturating,
            "label_smoothing": self.label_smoothing,
        }
