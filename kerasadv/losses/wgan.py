"""The Wasserstein game: a critic whose scores are far apart, but not steep."""

from kerasadv.losses.per_sample import PerSample
from kerasadv.ops.scores import per_sample_mean
from kerasadv.saving import register


def wgan(y_true, y_pred):
    """What the critic minimizes; one value per sample, `(batch,)`.

    Arguments are those of `WGAN`.

    Example:
    >>> import numpy as np
    >>> from kerasadv.losses.wgan import wgan
    >>> float(wgan(np.array([[3.0]]), np.array([[1.0]]))[0])
    -2.0
    """
    return per_sample_mean(lambda real, fake: fake - real, y_true, y_pred)


@register
class WGAN(PerSample):
    """Wasserstein game: the critic minimizes `s_fake - s_real`, the generator `-s_fake`.

    If the norm of the critic's gradient by its images is nowhere above 1, the negative of its loss
    at its best is the Wasserstein-1 distance between real and generated images. The loss alone has
    no lower end: the norm has to be held down, by `kerasadv.training.GradientPenalty` or by
    `keras.layers.SpectralNormalization` around the critic's layers.

    Args:
        **kwargs: `reduction`, `name` and `dtype`, as for every Keras loss.

    Input shape:
        `y_true`: scores of real images, any numbers, `(batch, 1)`, or `(batch, height, width, 1)`
        for patches, whose mean counts. `y_pred`: those of generated images, of the same shape.
        `sample_weight`: one weight per sample, `(batch,)`.

    Raises:
        ValueError: If a weight is not one per sample.

    Example:
    >>> import numpy as np
    >>> import kerasadv
    >>> game = kerasadv.losses.WGAN()
    >>> float(game(np.array([[3.0]]), np.array([[1.0]])))
    -2.0
    >>> float(game.generator(np.array([[1.0]]))[0])
    -1.0

    Reference:
        Arjovsky et al., "Wasserstein generative adversarial networks", ICML 2017.
    """

    undecided = None  # Only differences of scores count, so there is none between both kinds.

    def __init__(self, name="wgan", **kwargs):
        super().__init__(name=name, **kwargs)

    def call(self, y_true, y_pred):
        return wgan(y_true, y_pred)

    def generator(self, y_pred):
        """What the generator minimizes, by the scores of its images; `(batch,)`."""
        return per_sample_mean(lambda fake: -fake, y_pred)
