"""What a discriminator pays for being steep: R1 and the gradient penalty of WGAN-GP."""

import math

import keras
from keras import ops

from kerasadv.saving import register


class _Penalty:
    """A weighted penalty on a discriminator's gradient by its images. Abstract."""

    def __init__(self, weight=10.0):
        if not isinstance(weight, (int, float)) or not 0 <= weight < math.inf:
            raise ValueError(
                f"`weight`: expected a finite number of at least 0. Received: weight={weight!r}"
            )
        self.weight = weight

    def get_config(self):
        return {"weight": self.weight}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@register
class R1(_Penalty):
    """R1: half the squared gradient of the scores at real images, times `weight`.

    `weight / 2 * E[|grad_x D(x)|^2]`, summed over the pixels of an image. It makes simultaneous
    training of both players converge near the equilibrium, where without it they go round it.

    Args:
        weight: The paper's gamma, 10 there.

    Raises:
        ValueError: If `weight` is negative or not finite.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> import kerasadv
    >>> inputs = keras.Input((2,))
    >>> steep = keras.Model(inputs, keras.ops.sum(3 * inputs, axis=-1, keepdims=True))
    >>> images = np.zeros((1, 2), "float32")
    >>> float(kerasadv.training.R1(weight=10)(steep, images)[0])  # 10 / 2 (3^2 + 3^2)
    90.0

    Reference:
        Mescheder et al., "Which training methods for GANs do actually converge?", ICML 2018.
    """

    name = "r1"

    def __call__(self, discriminator, real, fake=None, interpolation=None):
        """The penalty of each sample, `(batch,)`; only `real` counts."""
        return self.weight / 2 * _squared_gradient(discriminator, _wide(real))


@register
class GradientPenalty(_Penalty):
    """Gradient penalty of WGAN-GP: gradients between real and generated images have length 1.

    `weight * E[(|grad_x D(x)| - 1)^2]` at points `x` drawn evenly from the straight lines between
    pairs of a real and a generated image.

    Args:
        weight: The paper's lambda, 10 there.

    Raises:
        ValueError: If `weight` is negative or not finite.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> import kerasadv
    >>> inputs = keras.Input((1,))
    >>> steep = keras.Model(inputs, 3 * inputs)
    >>> images = np.zeros((1, 1), "float32")
    >>> penalty = kerasadv.training.GradientPenalty()
    >>> round(float(penalty(steep, images, images, np.array([0.5]))[0]), 4)  # 10 (3 - 1)^2
    40.0

    Reference:
        Gulrajani et al., "Improved training of Wasserstein GANs", NeurIPS 2017.
    """

    name = "gradient_penalty"

    def __call__(self, discriminator, real, fake, interpolation):
        """The penalty of each sample, `(batch,)`; `interpolation` 0 is at `real`, 1 at `fake`."""
        real, fake = _wide(real), _wide(ops.stop_gradient(fake))
        interpolation = ops.reshape(_wide(interpolation), (-1, *[1] * (len(real.shape) - 1)))
        square = _squared_gradient(discriminator, real + interpolation * (fake - real))
        # Inside the root, where the gradient of the root is finite at 0.
        return self.weight * ops.square(ops.sqrt(square + 1e-12) - 1)


def _wide(x):
    """Images of integers and of half precision have gradients in float32 all the same."""
    return ops.cast(x, "float32")


def _squared_gradient(discriminator, images):
    """The square of the gradient of the scores by the pixels, float32 at least, `(batch,)`."""
    gradient = _gradient(discriminator, images)
    gradient = ops.cast(gradient, keras.backend.result_type(gradient.dtype, "float32"))
    return ops.sum(ops.square(gradient), axis=tuple(range(1, len(gradient.shape))))


def _gradient(discriminator, images):
    """The gradient of the scores by the pixels, which has itself a gradient.

    Statistics that the discriminator keeps of its batches are left as they are.
    """

    def scores(images):
        result, _ = discriminator.stateless_call(
            [v.value for v in discriminator.trainable_variables],
            [v.value for v in discriminator.non_trainable_variables],
            images,
            training=True,
        )
        # The mean over patches, as losses take it.
        return ops.sum(ops.mean(result, axis=tuple(range(1, len(result.shape)))))

    if keras.backend.backend() == "jax":
        import jax

        return jax.grad(scores)(images)
    import tensorflow as tf

    images = tf.convert_to_tensor(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = scores(images)
    return tape.gradient(total, images)
