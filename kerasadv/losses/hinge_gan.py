"""The hinge game: a discriminator that stops where it is right by a margin."""

from keras import ops

from kerasadv.losses.per_sample import PerSample
from kerasadv.ops.scores import per_sample_mean
from kerasadv.saving import register


def hinge_gan(y_true, y_pred):
    """What the discriminator minimizes; one value per sample, `(batch,)`.

    Arguments are those of `HingeGAN`.

    Example:
    >>> import numpy as np
    >>> from kerasadv.losses.hinge_gan import hinge_gan
    >>> float(hinge_gan(np.array([[0.5]]), np.array([[-3.0]]))[0])
    0.5
    """
    return per_sample_mean(
        lambda real, fake: ops.relu(1 - real) + ops.relu(1 + fake), y_true, y_pred
    )


@register
class HingeGAN(PerSample):
    """Hinge game: the discriminator minimizes `max(0, 1 - s_real) + max(0, 1 + s_fake)`.

    The generator minimizes `-s_fake`. A score that is right by more than 1 pulls no more, so the
    discriminator does not go on to win. Where it cannot tell, its loss is 2.

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
    >>> game = kerasadv.losses.HingeGAN()
    >>> float(game(np.array([[0.5]]), np.array([[-3.0]])))
    0.5
    >>> float(game.generator(np.array([[-3.0]]))[0])
    3.0

    Reference:
        Lim and Ye, "Geometric GAN", 2017. Miyato et al., "Spectral normalization for generative
        adversarial networks", ICLR 2018, equations 16 and 17.
    """

    def __init__(self, name="hinge_gan", **kwargs):
        super().__init__(name=name, **kwargs)

    def call(self, y_true, y_pred):
        return hinge_gan(y_true, y_pred)

    def generator(self, y_pred):
        """What the generator minimizes, by the scores of its images; `(batch,)`."""
        return per_sample_mean(lambda fake: -fake, y_pred)
