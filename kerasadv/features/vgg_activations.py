"""The activations of VGG16 and VGG19 by their names, as one frozen model."""

import os

import keras
from keras import ops

from kerasadv.features.applications import application
from kerasadv.ops.value_range import check_value_range
from kerasadv.saving import register

# Simonyan and Zisserman, table 1, columns D and E: convolutions in each of the five blocks.
_CONVOLUTIONS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
_FILTERS = (64, 128, 256, 512, 512)
# Means of the channels of ImageNet, red, green, blue: what the published weights expect taken off.
_MEANS = (123.68, 116.779, 103.939)


def vgg(name="vgg19", layers=("block3_conv4",), weights="imagenet", value_range=(0, 255)):
    """A frozen VGG network that returns the activations asked for, as a dictionary by name.

    It ends with the last of these layers, is float32 whatever the dtype policy, and takes images as
    they are: the order of channels and the means that the weights expect are its own business. As
    it knows where its weights come from, losses that hold it are saved without them. Build it
    inside the strategy's `scope()` to train on several devices.

    Args:
        name: `"vgg16"` or `"vgg19"`.
        layers: Names of the activations, as in `keras.applications`: `"block1_conv1"` (after its
            ReLU) to `"block5_conv4"` (`"block5_conv3"` in VGG16), and `"block1_pool"` to
            `"block5_pool"`.
        weights: `"imagenet"` for those that Keras downloads, the path of a `.h5` or `.weights.h5`
            file of `keras.applications` without the top, or `None` for random ones, always the same
            for the same layer.
        value_range: Values of black and white in the images, for instance `(0, 1)` or `(-1, 1)`.

    Returns:
        A `keras.Model` from RGB images, `(batch, height, width, 3)` of any size, to a dictionary of
        float32 activations, `(batch, height / 2**k, width / 2**k, channels)` in block `k + 1`. Each
        side is at least `2**k` pixels.

    Raises:
        ValueError: If an argument is wrong or the weights cannot be found.

    Example:
    >>> import numpy as np
    >>> import kerasadv
    >>> extractor = kerasadv.features.vgg("vgg16", ["block1_conv2", "block2_pool"], weights=None)
    >>> found = extractor(np.zeros((1, 32, 48, 3), "float32"))
    >>> {layer: found[layer].shape.as_list() for layer in sorted(found)}
    {'block1_conv2': [1, 32, 48, 64], 'block2_pool': [1, 8, 12, 128]}

    Reference:
        Simonyan and Zisserman, "Very deep convolutional networks for large-scale image
        recognition", ICLR 2015.
    """
    return VGG(name, layers, weights, value_range)


@register
class VGG(keras.Model):
    """What `vgg` returns: a functional model that is saved as the arguments it was made from."""

    def __init__(self, name, layers, weights, value_range):
        if name not in _CONVOLUTIONS:
            raise ValueError(f"`name`: expected 'vgg16' or 'vgg19'. Received: name={name!r}")
        known = _names(name)
        if not isinstance(layers, (str, list, tuple)):
            raise ValueError(f"`layers`: expected names among {known}. Received: {layers!r}")
        layers = [layers] if isinstance(layers, str) else list(layers)
        unknown = [layer for layer in layers if layer not in known]
        if not layers or unknown:
            raise ValueError(
                f"`layers`: expected names among {known} of {name}. Received: {unknown or layers}"
            )
        low, high = check_value_range(value_range)
        inputs = keras.Input((None, None, 3), dtype="float32", name="image")
        scale = 255 / (high - low)
        x = keras.layers.Rescaling(
            scale, [-low * scale - mean for mean in _MEANS], dtype="float32", name="preprocess"
        )(inputs)
        x = ops.flip(x, axis=-1)  # The weights were made by Caffe, from blue, green, red.
        found = {}
        for layer in known[: 1 + max(known.index(layer) for layer in layers)]:
            x = found[layer] = _layer(layer, seed=known.index(layer))(x)
        super().__init__(inputs, {layer: found[layer] for layer in layers}, name=name)
        self.trainable = False
        self._arguments = {
            "name": name,
            "layers": layers,
            "weights": os.fspath(weights) if isinstance(weights, os.PathLike) else weights,
            "value_range": [low, high],
        }
        if weights is not None:
            source = application(name.upper(), weights)
            for layer in self.layers:
                if layer.weights:
                    layer.set_weights(source.get_layer(layer.name).get_weights())

    @property
    def value_range(self):
        """Values of black and white in the images that it takes."""
        return tuple(self._arguments["value_range"])

    def get_config(self):
        return dict(self._arguments)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)


def _names(name):
    """The layers of a network, from the first to the last."""
    names = []
    for block, convolutions in enumerate(_CONVOLUTIONS[name], start=1):
        names += [f"block{block}_conv{k}" for k in range(1, convolutions + 1)]
        names.append(f"block{block}_pool")
    return names


def _layer(name, seed):
    if name.endswith("pool"):
        return keras.layers.MaxPooling2D(dtype="float32", name=name)
    return keras.layers.Conv2D(
        _FILTERS[int(name[5]) - 1],
        3,
        padding="same",
        activation="relu",
        kernel_initializer=keras.initializers.HeNormal(seed=seed),
        dtype="float32",
        name=name,
    )
