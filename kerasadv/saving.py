"""The one name under which Keras saves this package's objects; arrays and extractors as JSON."""

import base64

import keras
from keras import ops


def register(cls):
    """Register a class with Keras' serialization as ``kerasadv>ClassName``.

    Args:
        cls: The class (or function) to register.

    Returns:
        The same class.

    Example:
    >>> import keras
    >>> import kerasadv
    >>> keras.saving.get_registered_name(kerasadv.layers.PReLU)
    'kerasadv>PReLU'
    """
    return keras.saving.register_keras_serializable(package="kerasadv")(cls)


def pack(tensor):
    """A tensor as JSON, float32, a third of the size of its numbers in writing.

    Example:
    >>> from kerasadv.saving import pack, unpack
    >>> unpack(pack([[1.0, 2.5]]))
    [[1.0, 2.5]]
    """
    array = ops.convert_to_numpy(tensor).astype("<f4")
    return {"shape": list(array.shape), "float32": base64.b64encode(array.tobytes()).decode()}


def unpack(packed):
    """The tensor that `pack` wrote, as nested lists."""
    data = memoryview(base64.b64decode(packed["float32"]))
    return data.cast("f", packed["shape"]).tolist()


def pack_extractor(extractor):
    """What a config says of an extractor: how to make it again or, if it cannot, its name.

    The config of a plain functional model has no weights, so it would come back blank.
    """
    own = type(extractor).__module__.split(".")[0] != "keras"
    return keras.saving.serialize_keras_object(extractor) if own else extractor.name


def unpack_extractor(config):
    """The extractor that `pack_extractor` was given.

    Raises:
        ValueError: If there is only its name.
    """
    if isinstance(config, str):
        raise ValueError(
            "`extractor`: expected one that was saved with the source of its weights, as those of "
            "kerasadv.features are. Load the model with `compile=False`, then compile it again. "
            f"Received: extractor={config!r}"
        )
    return keras.saving.deserialize_keras_object(config)
