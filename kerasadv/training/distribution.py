"""Where a model runs: on one device, or on all devices of this machine."""

import functools

import tensorflow as tf


def strategy(name: str = "none") -> tf.distribute.Strategy:
    """A `tf.distribute` strategy by its name. Build and compile the model inside its `scope()`.

    Args:
        name: `"none"`: TensorFlow's default, one device. `"mirrored"`: one copy of the model on
            each GPU of this machine or, where there is none, on each logical CPU; each batch is
            split among them. Let their number divide the size of every batch, the last one too
            (`drop_remainder=True`): Keras averages the shares of an uneven batch as if they were
            of one size, and TensorFlow's convolutions fail on a device that gets no image.

    Returns:
        The strategy.

    Raises:
        ValueError: If there is no strategy of that name.

    Example:
    >>> import kerasadv
    >>> with kerasadv.training.strategy("none").scope():
    ...     model = "built and compiled here"
    """
    if name not in _STRATEGIES:
        raise ValueError(f"`name`: expected 'none' or 'mirrored'. Received: name={name!r}")
    return _STRATEGIES[name]()


@functools.cache
def _mirrored() -> tf.distribute.Strategy:
    # One for the process: a second one over the same devices would count its collective operations
    # from the start again, and TensorFlow mistakes them for those of the first.
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return _Mirrored([device.name for device in devices])


class _Mirrored(tf.distribute.MirroredStrategy):
    """Mirrored, and not stopped by a first batch that the replicas cannot share evenly.

    Keras asks for the mean of the first batch over the replicas, only to learn its shapes, and
    fails where they got different numbers of samples. Any replica's share tells the shapes as well.
    """

    def reduce(self, reduce_op, value, axis):
        def one(part):
            shares = self.experimental_local_results(part)
            if axis is None and any(share.shape != shares[0].shape for share in shares):
                return shares[0]
            return super(_Mirrored, self).reduce(reduce_op, part, axis)

        return tf.nest.map_structure(one, value)


_STRATEGIES = {"none": tf.distribute.get_strategy, "mirrored": _mirrored}
