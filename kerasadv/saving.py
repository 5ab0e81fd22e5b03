"""The one name under which Keras saves and finds this package's objects."""

import keras


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
