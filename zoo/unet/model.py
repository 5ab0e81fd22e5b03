"""The U-Net: a network that labels every pixel of an image."""

import keras
from keras import layers

from kerasadv.layers import ELU, PReLU
from kerasadv.ops import standardized
from kerasadv.saving import register
from zoo.weights import published


@published
def UNet(  # noqa: N802  A class name, as the models of keras.applications have.
    input_shape=(None, None, 3),
    num_classes=1,
    filters=16,
    depth=4,
    activation="relu",
    standardize=True,
    weights=None,
    name="unet",
):
    """A U-Net that gives each pixel of an image its class probabilities.

    Two 3 x 3 convolutions a stage, `filters` channels at full size and twice as many at each of
    `depth` halvings. Differs from the paper in padded convolutions, so that the output is as large
    as the input, and in a first layer that brings each image to mean 0 and standard deviation 1:
    its values may be in any range, as long as they spread over more than about 0.01.

    Args:
        input_shape: `(height, width, channels)`; height and width may be `None`, and are multiples
            of `2**depth`.
        num_classes: 1 for a foreground (sigmoid); the number of classes, background included, for
            more (softmax).
        filters: Channels of the first stage.
        depth: Number of times that the image is halved.
        activation: `"prelu"` and `"elu"` are `kerasadv.layers.PReLU` and `ELU`; anything else is
            what `keras.layers.Activation` takes.
        standardize: Whether the model standardizes each image. Turn it off to train on crops of
            images that were standardized as a whole; the weights fit either way.
        weights: `None` for random ones, the path of a `.weights.h5` file, or a name that
            `python -m zoo` lists, which brings the other arguments.
        name: Name of the model.

    Returns:
        A `keras.Model` from images, `(batch, height, width, channels)`, to probabilities, float32,
        `(batch, height, width, num_classes)`.

    Raises:
        ValueError: If an argument is out of range; also when the model is called on an image whose
            height or width is not a multiple of `2**depth`.

    Example:
    >>> import numpy as np
    >>> import zoo
    >>> model = zoo.UNet(input_shape=(None, None, 1), filters=4, depth=2, activation="prelu")
    >>> model(np.zeros((1, 32, 48, 1), "float32")).shape.as_list()
    [1, 32, 48, 1]

    Reference:
        Ronneberger et al., "U-Net: convolutional networks for biomedical image segmentation",
        MICCAI 2015.
    """
    for argument, value in (("num_classes", num_classes), ("filters", filters), ("depth", depth)):
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"`{argument}`: expected a whole number above 0. Received: {value!r}")
    if len(input_shape) != 3 or input_shape[-1] is None:
        raise ValueError(
            "`input_shape`: expected (height, width, channels) with known channels. "
            f"Received: input_shape={input_shape}"
        )
    inputs = keras.Input(input_shape, name="image")
    x = DivisibleSize(2**depth, name="divisible_size")(inputs)
    if standardize:
        # Half precision cannot add up so many pixels.
        x = Standardized(dtype="float32", name="standardize")(x)
    skips = []
    for stage in range(depth):
        x = _convolutions(x, filters * 2**stage, activation, f"down{stage + 1}")
        skips.append(x)
        x = layers.MaxPooling2D(name=f"down{stage + 1}_pool")(x)
    x = _convolutions(x, filters * 2**depth, activation, "bottom")
    for stage in reversed(range(depth)):
        x = layers.Conv2DTranspose(filters * 2**stage, 2, strides=2, name=f"up{stage + 1}_grow")(x)
        x = layers.Concatenate(name=f"up{stage + 1}_skip")([skips[stage], x])
        x = _convolutions(x, filters * 2**stage, activation, f"up{stage + 1}")
    outputs = layers.Conv2D(
        num_classes,
        1,
        activation="sigmoid" if num_classes == 1 else "softmax",
        dtype="float32",
        name="probabilities",
    )(x)
    return keras.Model(inputs, outputs, name=name)


@register
class Standardized(layers.Layer):
    """Brings each image to mean 0 and standard deviation 1, over all its channels.

    `keras.layers.GroupNormalization` of one group does the same by sums of all pixels at once,
    which lose too much where exported models add them one after the other.

    Args:
        **kwargs: `name` and `dtype`, as for every Keras layer.

    Input shape:
        Images, `(batch, height, width, channels)`.

    Output shape:
        That of the input.
    """

    def build(self, input_shape):
        self.built = True

    def call(self, images):
        return standardized(images, (1, 2, 3), epsilon=1e-6)

    def compute_output_shape(self, input_shape):
        return input_shape


@register
class DivisibleSize(layers.Layer):
    """Passes images on whose height and width are multiples of a number, and refuses others.

    Args:
        multiple: The number.
        **kwargs: `name` and `dtype`, as for every Keras layer.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        That of the input.

    Raises:
        ValueError: If height or width is known and not a multiple.
    """

    def __init__(self, multiple, **kwargs):
        super().__init__(**kwargs)
        self.multiple = multiple

    def build(self, input_shape):
        self.built = True

    def call(self, inputs):
        self._check(inputs.shape)
        return inputs

    def compute_output_shape(self, input_shape):
        self._check(input_shape)
        return input_shape

    def _check(self, shape):
        height, width = shape[1:3]
        if any(
            size is not None and (size == 0 or size % self.multiple) for size in (height, width)
        ):
            raise ValueError(
                f"`image`: expected a height and width that are multiples of {self.multiple}, as "
                f"the network halves them; pad or crop. Received: {height} x {width}"
            )

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple}


def _convolutions(x, filters, activation, name):
    """Two 3 x 3 convolutions, each with its activation."""
    for part in ("a", "b"):
        x = layers.Conv2D(
            filters, 3, padding="same", kernel_initializer="he_normal", name=f"{name}_conv_{part}"
        )(x)
        x = _activation(activation, name=f"{name}_{part}")(x)
    return x


def _activation(activation, name):
    if activation == "prelu":
        return PReLU(name=f"{name}_prelu")
    if activation == "elu":
        return ELU(name=f"{name}_elu")
    return layers.Activation(activation, name=f"{name}_activation")
