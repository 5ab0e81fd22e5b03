"""The least-squares game: scores are to be 1 for real images and 0 for generated ones."""

from kerasadv.losses.per_sample import PerSample
from kerasadv.ops.scores import check_label_smoothing, per_sample_mean
from kerasadv.saving import register


def lsgan(y_true, y_pred, label_smoothing=0.0):
    """What the discriminator minimizes; one value per sample, `(batch,)`.

    Arguments are those of `LSGAN`.

    Example:
    >>> import numpy as np
    >>> from kerasadv.losses.lsgan import lsgan
    >>> float(lsgan(np.array([[2.0]]), np.array([[1.0]]))[0])  # (2 - 1)^2 / 2 + 1^2 / 2
    1.0
    """
    target = 1 - label_smoothing
    return per_sample_mean(
        lambda real, fake: 0.5 * ((real - target) ** 2 + fake**2), y_true, y_pred
    )


@register
class LSGAN(PerSample):
    """Least-squares game: the discriminator minimizes `(s_real - 1)^2 / 2 + s_fake^2 / 2`.

    The generator minimizes `(s_fake - 1)^2 / 2`: images far on the right side of the border are
    pulled towards it as well. Where the discriminator cannot tell, scores are 1/2 and its loss is
    1/4; with `label_smoothing` `a`, `(1 - a) / 2` and `(1 - a)^2 / 4`. (In the paper's words, fake
    images have the label 0, real ones 1, and the generator wants 1.)

    Args:
        label_smoothing: Target of real images is 1 less this, from 0 to below 1 (one-sided).
        **kwargs: `reduction`, `name` and `dtype`, as for every Keras loss.

    Input shape:
        `y_true`: scores of real images, any numbers, `(batch, 1)`, or `(batch, height, width, 1)`
        for patches, whose mean counts. `y_pred`: those of generated images, of the same shape.
        `sample_weight`: one weight per sample, `(batch,)`.

    Raises:
        ValueError: If `label_smoothing` is out of range.

    Example:
    >>> import numpy as np
    >>> import kerasadv
    >>> game = kerasadv.losses.LSGAN()
    >>> float(game(np.array([[0.5]]), np.array([[0.5]])))
    0.25
    >>> float(game.generator(np.array([[0.5]]))[0])
    0.125

    Reference:
        Mao et al., "Least squares generative adversarial networks", ICCV 2017.
    """

    def __init__(self, label_smoothing=0.0, name="lsgan", **kwargs):
        super().__init__(name=name, **kwargs)
        self.label_smoothing = check_label_smoothing(label_smoothing)

    @property
    def undecided(self):
        """The score between real and generated: the best one where both are equally likely."""
        return (1 - self.label_smoothing) / 2

    def call(self, y_true, y_pred):
        return lsgan(y_true, y_pred, self.label_smoothing)

    def generator(self, y_pred):
        """What the generator minimizes, by the scores of its images; `(batch,)`."""
        return per_sample_mean(lambda fake: 0.5 * (fake - 1) ** 2, y_pred)

    def get_config(self):
        return {**super().get_config(), "label_smoothing": self.label_smoothing}
