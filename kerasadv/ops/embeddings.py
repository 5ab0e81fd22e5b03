"""What an extractor sees in images, as one vector for each."""

import keras
from keras import ops


def embeddings(extractor, images):
    """Features of images, `(batch, features)`, float64; float32 on JAX.

    Features of positions are averaged, several features are put side by side, and grey images
    become three equal channels where the extractor wants them.

    Args:
        extractor: A Keras model from images to one or more tensors, `(batch, ..., features)`.
        images: `(batch, height, width, channels)`.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from kerasadv import ops
    >>> image = keras.Input((None, None, 3))
    >>> np.array(ops.embeddings(keras.Model(image, image), np.ones((2, 4, 4, 1)))).tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    images = ops.convert_to_tensor(images)
    wanted = getattr(extractor, "input_shape", None) or (None,)
    if images.shape[-1] == 1 and wanted[-1] == 3:
        images = ops.repeat(images, 3, axis=-1)
    found = keras.tree.flatten(extractor(images, training=False))
    dtype = keras.backend.result_type("float64")  # float32 on JAX, whatever it is told.
    vectors = [ops.mean(ops.cast(x, dtype), axis=tuple(range(1, len(x.shape) - 1))) for x in found]
    return ops.concatenate(vectors, axis=-1)
