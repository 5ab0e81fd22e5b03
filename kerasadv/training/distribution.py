"""Where a model runs: on one device, or on all devices of this machine."""

import tensorflow as tf


def strategy(name: str = "none") -> tf.distribute.Strategy:
    """A `tf.distribute` strategy by its name. Build and compile the model inside its `scope()`.

    Args:
        name: `"none"`: TensorFlow's default, one device. `"mirrored"`: one copy of the model on
            each GPU of this machine or, where there is none, on each logical CPU; each batch is
            split among them.

    Returns:
        The strategy.

    Raises:
        ValueError: If there is no strategy of that name.

    Example:
    >>> import kerasadv
    >>> with kerasadv.training.strategy("none").scope():
    ...     model = "built and compiled here"
    """
    if name == "none":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    raise ValueError(f"`name`: expected 'none' or 'mirrored'. Received: name={name!r}")
