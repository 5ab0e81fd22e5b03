"""The image transformation network: repaints an image in one of several styles, or a blend."""

import keras
from keras import layers, ops

from kerasadv.layers import ConditionalInstanceNormalization, ReflectionPadding2D
from kerasadv.saving import register
from zoo.weights import published


@published
def StyleTransfer(  # noqa: N802  A class name, as the models of keras.applications have.
    num_styles=12,
    filters=32,
    residual_blocks=5,
    weights=None,
    name="style_transfer",
):
    """A network that repaints an image in one of `num_styles` styles, or in a blend of them.

    Down to a quarter of the size, residual blocks there, and up again, by nearest neighbours and
    a convolution, which leave no checkerboard. Differs from Johnson et al. in normalization that
    depends on the style and reflection padding everywhere, both as in Dumoulin et al., and in that
    pixels have no limits while training.

    Args:
        num_styles: Number of styles.
        filters: Channels at full size; twice as many at half and four times at a quarter of it.
        residual_blocks: Number of residual blocks.
        weights: `None` for random ones, the path of a `.weights.h5` file, or a name that
            `python -m zoo` lists, which brings the other arguments.
        name: Name of the model.

    Returns:
        A `keras.Model` from RGB images with values from 0 to 255, `(batch, height, width, 3)` with
        sides of at least 16, and weights of styles, `(batch, num_styles)`, that add up to 1, to
        painted images of the same range and size, float32.

    Raises:
        ValueError: If an argument is out of range.

    Example:
    >>> import numpy as np
    >>> import zoo
    >>> model = zoo.StyleTransfer(num_styles=2, filters=4, residual_blocks=1)
    >>> photo, blend = np.zeros((1, 37, 50, 3), "float32"), np.array([[0.3, 0.7]])
    >>> model([photo, blend]).shape.as_list()
    [1, 37, 50, 3]

    Reference:
        Johnson et al., "Perceptual losses for real-time style transfer and super-resolution",
        ECCV 2016. Dumoulin et al., "A learned representation for artistic style", ICLR 2017.
    """
    for argument, value, least in (
        ("num_styles", num_styles, 1),
        ("filters", filters, 1),
        ("residual_blocks", residual_blocks, 0),
    ):
        if not isinstance(value, int) or value < least:
            raise ValueError(
                f"`{argument}`: expected a whole number of at least {least}. Received: {value!r}"
            )
    image = keras.Input((None, None, 3), name="image")
    styles = keras.Input((num_styles,), name="styles")

    def normalize(x, name):
        # Residual blocks begin as next to nothing. Else what stands out from the rest of a photo
        # stands out more after each of them, and ends as one pale patch in every style.
        gain = keras.initializers.Constant(0.1 if name.endswith("_b") else 1.0)
        norm = ConditionalInstanceNormalization(
            num_styles, gamma_initializer=gain, name=f"{name}_norm"
        )
        return norm(x, styles)

    painted = transform(image, filters, residual_blocks, normalize)
    return keras.Model([image, styles], painted, name=name)


@register
class AsLargeAs(layers.Layer):
    """Crops images to the size of others, from the top left corner.

    Args:
        **kwargs: `name` and `dtype`, as for every Keras layer.

    Input shape:
        `inputs`: images, `(batch, height, width, channels)`; `others`: images no larger than these.

    Output shape:
        The height and width of `others`, else that of `inputs`.
    """

    def build(self, inputs_shape, others_shape):
        self.built = True

    def call(self, inputs, others):
        shape = ops.shape(others)
        return inputs[:, : shape[1], : shape[2]]

    def compute_output_shape(self, inputs_shape, others_shape):
        return (*inputs_shape[:1], *others_shape[1:3], *inputs_shape[3:])


@register
class Doubled(layers.Layer):
    """Doubles height and width of images by repeating each pixel.

    `keras.layers.UpSampling2D` does the same by an operation that forgets the number of channels
    where the size is free, and that phones do not have.

    Args:
        **kwargs: `name` and `dtype`, as for every Keras layer.

    Input shape:
        Images, `(batch, height, width, channels)`.

    Output shape:
        `(batch, 2 * height, 2 * width, channels)`.
    """

    def build(self, input_shape):
        self.built = True

    def call(self, inputs):
        _, height, width, channels = ops.shape(inputs)
        # Beside each other in memory, each pixel twice, then each row twice.
        x = ops.concatenate([inputs, inputs], axis=3)
        x = ops.reshape(x, (-1, height, 2 * width, channels))
        x = ops.concatenate([x, x], axis=2)
        return ops.reshape(x, (-1, 2 * height, 2 * width, channels))

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, height and 2 * height, width and 2 * width, channels)


@register
class Limited(layers.Layer):
    """Limits pixels to 0 ... 255, except while training.

    What is too bright is told so by its loss; a sigmoid, or a limit, would let no gradient through.
    So the loss of a training step is that of pixels without limits, that of evaluation with them.

    Args:
        **kwargs: `name` and `dtype`, as for every Keras layer.

    Input shape:
        Images.

    Output shape:
        That of the input.
    """

    def build(self, input_shape):
        self.built = True

    def call(self, inputs, training=False):
        return inputs if training else ops.clip(inputs, 0.0, 255.0)

    def compute_output_shape(self, input_shape):
        return input_shape


def transform(image, filters, residual_blocks, normalize):
    """The layers of the network, from an image to the painted image.

    Args:
        image: The `keras.Input`.
        filters, residual_blocks: As for `StyleTransfer`.
        normalize: Function of features and a name, called after every convolution but the last.
    """
    # float32, as half precision has no 256 different values between 128 and 255.
    x = layers.Rescaling(1 / 127.5, offset=-1, dtype="float32", name="scale")(image)
    x = _convolution(x, filters, 9, normalize, "enter")
    x = _convolution(x, 2 * filters, 3, normalize, "halve", strides=2)
    x = _convolution(x, 4 * filters, 3, normalize, "quarter", strides=2)
    for block in range(1, residual_blocks + 1):
        y = _convolution(x, 4 * filters, 3, normalize, f"residual{block}_a")
        y = _convolution(y, 4 * filters, 3, normalize, f"residual{block}_b", activation=None)
        x = layers.Add(name=f"residual{block}")([x, y])
    for name, number in (("double", 2 * filters), ("full", filters)):
        x = Doubled(name=f"{name}_grow")(x)
        x = _convolution(x, number, 3, normalize, name)
    x = _convolution(x, 3, 9, None, "leave", activation=None)
    x = AsLargeAs(name="crop")(x, image)
    # At first, features of unit variance: a quarter of the range each way.
    x = layers.Rescaling(64, offset=127.5, dtype="float32", name="paint")(x)
    return Limited(dtype="float32", name="range")(x)


def _convolution(x, filters, size, normalize, name, strides=1, activation="relu"):
    """Reflection, convolution, normalization, activation."""
    x = ReflectionPadding2D(size // 2, name=f"{name}_pad")(x)
    # Normalization would take a bias off again.
    x = layers.Conv2D(
        filters, size, strides=strides, use_bias=normalize is None, name=f"{name}_conv"
    )(x)
    if normalize is not None:
        x = normalize(x, name)
    if activation is not None:
        x = layers.Activation(activation, name=f"{name}_{activation}")(x)
    return x
