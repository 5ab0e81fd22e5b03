"""A small residual network that tells small pictures apart."""

import keras
from keras import layers

from kerasadv.layers import ELU, PReLU, TemperedSoftmax
from zoo.weights import published


@published
def ResidualClassifier(  # noqa: N802  A class name, as the models of keras.applications have.
    input_shape=(28, 28, 1),
    num_classes=10,
    filters=24,
    activation="prelu",
    temperature=None,
    weights=None,
    name="residual_classifier",
):
    """A residual network of three stages, made for pictures of about 28 x 28 pixels.

    A convolution of stride 4, then one block of two 3 x 3 convolutions a stage, each stage at half
    the size of the one before and twice as many channels; batch normalization throughout, and an
    average over all places. Most of the weights work where the picture is smallest: that is cheap,
    and enough to learn tens of thousands of pictures by heart.

    Args:
        input_shape: `(height, width, channels)`; height and width may be `None`.
        num_classes: The number of classes.
        filters: Channels of the first stage.
        activation: `"prelu"` and `"elu"` are `kerasadv.layers.PReLU` and `ELU`; anything else is
            what `keras.layers.Activation` takes.
        temperature: `None` for a model that gives logits; a number for one that gives
            probabilities, through `kerasadv.layers.TemperedSoftmax` of this temperature: 1 for the
            softmax, the `t2` of the bi-tempered loss for a model that was trained with it. The
            weights fit either way.
        weights: `None` for random ones, the path of a `.weights.h5` file, or a name that
            `python -m zoo` lists, which brings the other arguments.
        name: Name of the model.

    Returns:
        A `keras.Model` from images with values from 0 to 255, `(batch, height, width, channels)`,
        which it brings to -1 to 1, to float32 `(batch, num_classes)`.

    Raises:
        ValueError: If an argument is out of range.

    Example:
    >>> import numpy as np
    >>> import zoo
    >>> model = zoo.ResidualClassifier(filters=4)
    >>> model(np.zeros((2, 28, 28, 1), "uint8")).shape.as_list()
    [2, 10]

    Reference:
        He et al., "Deep residual learning for image recognition", CVPR 2016.
    """
    for argument, value, least in (("num_classes", num_classes, 2), ("filters", filters, 1)):
        if not isinstance(value, int) or value < least:
            raise ValueError(
                f"`{argument}`: expected a whole number of at least {least}. Received: {value!r}"
            )
    if len(input_shape) != 3 or input_shape[-1] is None:
        raise ValueError(
            "`input_shape`: expected (height, width, channels) with known channels. "
            f"Received: input_shape={input_shape}"
        )
    inputs = keras.Input(input_shape, name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(inputs)
    x = _convolution(x, filters, 7, 4, "stem")
    x = _activation(activation, "stem")(x)
    for stage in range(3):
        x = _block(x, filters * 2**stage, 1 if stage == 0 else 2, activation, f"stage{stage + 1}")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    outputs = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    if temperature is not None:
        outputs = TemperedSoftmax(t=temperature, dtype="float32", name="probabilities")(outputs)
    return keras.Model(inputs, outputs, name=name)


def _block(x, filters, strides, activation, name):
    """Two convolutions and, around them, the input as it is, or reduced to the size they leave."""
    shortcut = x
    if strides > 1:
        shortcut = _convolution(x, filters, 1, strides, f"{name}_shortcut")
    x = _convolution(x, filters, 3, strides, f"{name}_a")
    x = _activation(activation, f"{name}_a")(x)
    x = _convolution(x, filters, 3, 1, f"{name}_b")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return _activation(activation, f"{name}_b")(x)


def _convolution(x, filters, size, strides, name):
    """A convolution and its batch normalization, which also shifts: it needs no bias."""
    x = layers.Conv2D(
        filters,
        size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    return layers.BatchNormalization(
        # As few steps make an epoch: with Keras' 0.99, early epochs would be judged by statistics
        # of weights long gone.
        momentum=0.9,
        # Over all replicas, so that two take the step that one would take; Keras has that for
        # TensorFlow alone.
        synchronized=keras.backend.backend() == "tensorflow",
        name=f"{name}_norm",
    )(x)


def _activation(activation, name):
    if activation == "prelu":
        return PReLU(name=f"{name}_prelu")
    if activation == "elu":
        return ELU(name=f"{name}_elu")
    return layers.Activation(activation, name=f"{name}_activation")
