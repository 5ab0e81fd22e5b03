"""InceptionV3 up to its last pooling: 2048 numbers that tell how an image looks."""

import os

import keras

from kerasadv.features.applications import application
from kerasadv.ops.value_range import check_value_range
from kerasadv.saving import register


def inception_v3(weights="imagenet", value_range=(0, 255)):
    """Keras' InceptionV3 without its top, as one frozen float32 model, for distances of images.

    Images of any size are made 299 x 299 and brought to the values that the weights expect.

    Args:
        weights: `"imagenet"` for those that Keras downloads, the path of a file of
            `keras.applications.InceptionV3` without the top, or `None` for random ones, always the
            same.
        value_range: Values of black and white in the images, for instance `(0, 1)` or `(-1, 1)`.

    Returns:
        A `keras.Model` from RGB images, `(batch, height, width, 3)`, to `(batch, 2048)`.

    Raises:
        ValueError: If an argument is wrong or the weights cannot be found.

    Example:
    >>> import numpy as np
    >>> import kerasadv
    >>> extractor = kerasadv.features.inception_v3(weights=None, value_range=(0, 1))
    >>> extractor(np.zeros((1, 64, 64, 3), "float32")).shape.as_list()
    [1, 2048]

    Reference:
        Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016.
    """
    return PooledInception(weights, value_range)


@register
class PooledInception(keras.Model):
    """What `inception_v3` returns: a functional model, saved as the arguments it was made from."""

    def __init__(self, weights, value_range):
        low, high = check_value_range(value_range)
        network = application("InceptionV3", weights, pooling="avg")
        if weights is None:
            for seed, layer in enumerate(network.layers):
                if isinstance(layer, keras.layers.Conv2D):
                    initializer = keras.initializers.HeNormal(seed=seed)
                    layer.kernel.assign(initializer(layer.kernel.shape))
        inputs = keras.Input((None, None, 3), dtype="float32", name="image")
        x = keras.layers.Resizing(299, 299, antialias=True, dtype="float32", name="resize")(inputs)
        scale = 2 / (high - low)  # The weights expect values from -1 to 1.
        x = keras.layers.Rescaling(scale, -1 - low * scale, dtype="float32", name="preprocess")(x)
        super().__init__(inputs, network(x, training=False), name="inception_v3")
        self.trainable = False
        self._arguments = {
            "weights": os.fspath(weights) if isinstance(weights, os.PathLike) else weights,
            "value_range": [low, high],
        }

    @property
    def value_range(self):
        """Values of black and white in the images that it takes."""
        return tuple(self._arguments["value_range"])

    def get_config(self):
        return dict(self._arguments)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)
