"""Where a model runs: on one device, on all devices of this machine, or on several machines."""

import functools
import signal
import threading

import tensorflow as tf

from kerasadv.training import cluster


def strategy(name: str = "none") -> tf.distribute.Strategy:
    """A `tf.distribute` strategy by its name. Build and compile the model inside its `scope()`.

    Args:
        name: `"none"`: TensorFlow's default, one device. `"mirrored"`: one copy of the model on
            each GPU of this machine or, where there is none, on each logical CPU.
            `"multi_worker"`: on all workers of the cluster that the environment variable
            `TF_CONFIG` describes, `python -m kerasadv.training.launch` makes one of processes on
            this machine; without `TF_CONFIG` the same as `"mirrored"`. It waits until all workers
            are there, and must be asked for before TensorFlow computes anything.

    Each batch is split among the copies. Let their number divide the size of every batch, the last
    one too (`drop_remainder=True`): Keras averages the shares of an uneven batch as if they were of
    one size, and TensorFlow's convolutions fail on a device that gets no image.

    Returns:
        The strategy, for each name one in a process.

    Raises:
        ValueError: If there is no strategy of that name, or `TF_CONFIG` describes no cluster of
            workers.

    Example:
    >>> import kerasadv
    >>> with kerasadv.training.strategy("none").scope():
    ...     model = "built and compiled here"
    """
    if name not in _STRATEGIES:
        known = ", ".join(map(repr, _STRATEGIES))
        raise ValueError(f"`name`: expected one of {known}. Received: name={name!r}")
    return _STRATEGIES[name]()


@functools.cache
def _mirrored() -> tf.distribute.Strategy:
    # One for the process: a second one over the same devices would count its collective operations
    # from the start again, and TensorFlow mistakes them for those of the first.
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return _Mirrored([device.name for device in devices])


@functools.cache
def _multi_worker() -> tf.distribute.Strategy:
    task = cluster.task()
    if task is None or len(task.workers) == 1:
        return _mirrored()
    handler = signal.getsignal(signal.SIGTERM)
    with cluster.waiting_for(task):
        made = _MultiWorker()
    if threading.current_thread() is threading.main_thread():
        # TensorFlow's own handler of this signal, new with the strategy, does nothing.
        signal.signal(signal.SIGTERM, handler or signal.SIG_DFL)
    return made


class _ForKeras(tf.distribute.Strategy):
    """Answers what Keras asks of a strategy, and what TensorFlow's own refuse to answer.

    Before training, Keras asks for the mean of a batch over the replicas, only to learn its shapes:
    where the replicas' shares differ, that of any tells as much. After each step it asks for the
    mean of each number in the logs over their first axis, which numbers do not have.
    """

    def reduce(self, reduce_op, value, axis):
        mean = str(reduce_op).upper().endswith("MEAN") and tf.executing_eagerly()

        def one(part):
            shares = self.experimental_local_results(part)
            rank = tf.convert_to_tensor(shares[0]).shape.rank
            if mean and rank and axis is None and not self._alike(shares):
                return shares[0]
            if len(shares) < len(self.extended.worker_devices) and not tf.executing_eagerly():
                part = self.run(tf.identity, (part,))  # The sum of a metric, already the same here.
            return super(_ForKeras, self).reduce(reduce_op, part, axis if rank else None)

        return tf.nest.map_structure(one, value)

    def _alike(self, shares) -> bool:
        return all(share.shape == shares[0].shape for share in shares)


class _Mirrored(_ForKeras, tf.distribute.MirroredStrategy):
    pass


# What TensorFlow sends between workers.
_REDUCED = (tf.bfloat16, tf.float16, tf.float32, tf.float64, tf.int32, tf.int64)


class _MultiWorker(_ForKeras, tf.distribute.MultiWorkerMirroredStrategy):
    def experimental_distribute_dataset(self, dataset, options=None):
        # Left to itself, TensorFlow gives each worker files of its own: another order than on one
        # device, and an error where there are fewer files than workers.
        policies = tf.data.experimental.AutoShardPolicy
        if dataset.options().experimental_distribute.auto_shard_policy == policies.AUTO:
            chosen = tf.data.Options()
            chosen.experimental_distribute.auto_shard_policy = policies.DATA
            dataset = dataset.with_options(chosen)
        return super().experimental_distribute_dataset(dataset, options)

    def _alike(self, shares) -> bool:
        if shares[0].dtype not in _REDUCED:
            return False
        same = super()._alike(shares)
        # All workers have to come to the same answer, so each tells the others.
        sizes = shares[0].shape if same else [-1] * shares[0].shape.rank
        return cluster.alike(self, sizes) and same


_STRATEGIES = {
    "none": tf.distribute.get_strategy,
    "mirrored": _mirrored,
    "multi_worker": _multi_worker,
}
