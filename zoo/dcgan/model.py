"""Two networks of strided convolutions: one makes pictures of noise, the other judges pictures."""

import keras
from keras import layers

from kerasadv.layers import ELU, PReLU
from zoo.weights import published

# DCGAN, section 3: "LeakyReLU activation", "slope of the leak was set to 0.2" in section 4.
_LEAK = 0.2
# Divisible by the stride of 2, so that each pixel is reached by as many weights as its neighbours.
# With the 5 of the paper pixels take turns between 2 and 3 in each direction: checkerboards (Odena
# et al., "Deconvolution and checkerboard artifacts", Distill 2016), in the pictures and, through
# the discriminator, in the gradients that the generator learns from.
_KERNEL = 4


@published
def DCGANGenerator(  # noqa: N802  A class name, as the models of keras.applications have.
    image_size=28,
    channels=1,
    latent_size=128,
    filters=64,
    activation="relu",
    weights=None,
    name="dcgan_generator",
):
    """The generator of a DCGAN: from a latent to a square picture.

    A dense layer makes the smallest stage, of 3 or 4 pixels; transposed convolutions of stride 2
    double it until the picture is there, at half as many channels each time, and what is a row and
    a column too large is cropped (28 pixels come from 14, 7 and 4). Batch normalization after each
    layer but the last, `tanh` at the end.

    Args:
        image_size: Height and width of the pictures, at least 8.
        channels: 1 for grey, 3 for RGB.
        latent_size: How many numbers a picture is made of.
        filters: Channels of the last stage before the picture.
        activation: `"relu"`, `"leaky_relu"` (of slope 0.2), `"prelu"` or `"elu"`; the last two are
            `kerasadv.layers.PReLU` and `ELU`.
        weights: `None` for random ones, the path of a `.weights.h5` file, or a name that
            `python -m zoo` lists, which brings the other arguments.
        name: Name of the model.

    Returns:
        A `keras.Model` from latents, `(batch, latent_size)`, normally distributed, to float32
        pictures, `(batch, image_size, image_size, channels)`, with values from -1 to 1.

    Raises:
        ValueError: If an argument is out of range.

    Example:
    >>> import numpy as np
    >>> import zoo
    >>> generator = zoo.DCGANGenerator(filters=4)
    >>> generator(np.zeros((2, 128), "float32")).shape.as_list()
    [2, 28, 28, 1]

    Reference:
        Radford et al., "Unsupervised representation learning with deep convolutional generative
        adversarial networks", ICLR 2016.
    """
    _check_counts(channels=channels, latent_size=latent_size, filters=filters)
    smallest, *larger = reversed(halvings(image_size))
    inputs = keras.Input((latent_size,), name="latent")
    width = filters * 2 ** (len(larger) - 1)
    x = layers.Dense(
        smallest * smallest * width, use_bias=False, kernel_initializer=_weights(), name="project"
    )(inputs)
    x = layers.Reshape((smallest, smallest, width), name="reshape")(x)
    for stage, side in enumerate(larger, start=1):
        x = _normalization(f"stage{stage}")(x)
        x = _activation(activation, f"stage{stage}")(x)
        last = stage == len(larger)
        x = layers.Conv2DTranspose(
            channels if last else width // 2**stage,
            _KERNEL,
            strides=2,
            padding="same",
            use_bias=last,  # Batch normalization, which follows the others, shifts.
            kernel_initializer=_weights(),
            name="picture" if last else f"double{stage}",
        )(x)
        if side % 2:
            x = layers.Cropping2D(((0, 1), (0, 1)), name=f"crop{stage}")(x)
    outputs = layers.Activation("tanh", dtype="float32", name="tanh")(x)
    return keras.Model(inputs, outputs, name=name)


def DCGANDiscriminator(  # noqa: N802
    image_size=28,
    channels=1,
    filters=64,
    activation="leaky_relu",
    batch_normalization=False,
    name="dcgan_discriminator",
):
    """The discriminator of a DCGAN: from a square picture to a score.

    Convolutions of stride 2 halve the picture until 3 or 4 pixels are left, at twice as many
    channels each time; a dense layer weighs them.

    Args:
        image_size: Height and width of the pictures, at least 8.
        channels: 1 for grey, 3 for RGB.
        filters: Channels of the first stage.
        activation: As `DCGANGenerator` takes it.
        batch_normalization: Whether all convolutions but the first are normalized by the batch, as
            in the paper. Without, each picture is judged by itself: penalties on the gradient, such
            as `kerasadv.training.R1`, mean what they say, and a step is faster.
        name: Name of the model.

    Returns:
        A `keras.Model` from pictures with values from -1 to 1, `(batch, image_size, image_size,
        channels)`, to float32 scores without activation, `(batch, 1)`.

    Raises:
        ValueError: If an argument is out of range.

    Example:
    >>> import numpy as np
    >>> import zoo
    >>> discriminator = zoo.DCGANDiscriminator(filters=4)
    >>> discriminator(np.zeros((2, 28, 28, 1), "float32")).shape.as_list()
    [2, 1]

    Reference:
        Radford et al., "Unsupervised representation learning with deep convolutional generative
        adversarial networks", ICLR 2016.
    """
    _check_counts(channels=channels, filters=filters)
    if not isinstance(batch_normalization, bool):
        raise ValueError(
            "`batch_normalization`: expected True or False. "
            f"Received: batch_normalization={batch_normalization!r}"
        )
    stages = len(halvings(image_size)) - 1
    inputs = keras.Input((image_size, image_size, channels), name="picture")
    x = inputs
    for stage in range(1, stages + 1):
        # Not the first: the generator would be judged by the brightness of whole batches.
        normalized = batch_normalization and stage > 1
        x = layers.Conv2D(
            filters * 2 ** (stage - 1),
            _KERNEL,
            strides=2,
            padding="same",
            use_bias=not normalized,
            kernel_initializer=_weights(),
            name=f"halve{stage}",
        )(x)
        if normalized:
            x = _normalization(f"stage{stage}")(x)
        x = _activation(activation, f"stage{stage}")(x)
    x = layers.Flatten(name="flatten")(x)
    outputs = layers.Dense(1, kernel_initializer=_weights(), dtype="float32", name="score")(x)
    return keras.Model(inputs, outputs, name=name)


def halvings(image_size):
    """The sides of the stages between a picture of `image_size` pixels and the smallest, of 3 or 4.

    As far as that, so that what judges the last stage sees whole pictures: a player that stops at
    7 x 7 knows patches of 10 pixels and makes, or lets pass, things without a shape.

    Raises:
        ValueError: If that is not possible.

    Example:
    >>> from zoo.dcgan.model import halvings
    >>> halvings(28), halvings(64)
    ([28, 14, 7, 4], [64, 32, 16, 8, 4])
    """
    if not isinstance(image_size, int) or image_size < 8:
        raise ValueError(
            "`image_size`: expected a whole number of at least 8. "
            f"Received: image_size={image_size!r}"
        )
    sides = [image_size]
    while sides[-1] > 4:
        sides.append((sides[-1] + 1) // 2)
    return sides


def _check_counts(**counts):
    for argument, value in counts.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(
                f"`{argument}`: expected a whole number of at least 1. Received: {value!r}"
            )


def _weights():
    return keras.initializers.RandomNormal(stddev=0.02)  # DCGAN, section 4


def _normalization(name):
    return layers.BatchNormalization(
        momentum=0.9,  # Weights change faster than Keras' 0.99 forgets.
        # Over all replicas, so that two take the step that one would take; Keras has that for
        # TensorFlow alone.
        synchronized=keras.backend.backend() == "tensorflow",
        name=f"{name}_norm",
    )


def _activation(activation, name):
    name = f"{name}_{activation}"
    if activation == "prelu":
        return PReLU(name=name)
    if activation == "elu":
        return ELU(name=name)
    if activation == "leaky_relu":
        return layers.LeakyReLU(_LEAK, name=name)
    if activation == "relu":
        return layers.ReLU(name=name)
    raise ValueError(
        "`activation`: expected 'relu', 'leaky_relu', 'prelu' or 'elu'. "
        f"Received: activation={activation!r}"
    )
