"""The order of the examples in each epoch, the same one whenever training is resumed."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf


class EpochOrder(keras.callbacks.Callback):
    """Shuffles examples anew for each epoch; the callback that learns which epoch is under way.

    The order is a function of `seed` and epoch, so a training that is resumed with `initial_epoch`
    sees the examples in the order in which it would have seen them.

    Args:
        turns: Whole numbers to shuffle: `range(number)` for each example once in an epoch; a number
            that occurs twice has two turns.
        batch_size: Number of examples in a batch; what does not fill a batch is left out, other
            examples in each epoch.
        seed: A whole number.

    Raises:
        ValueError: If an epoch has fewer examples than a batch takes.

    Example:
    >>> from kerasadv.data import EpochOrder
    >>> order = EpochOrder(range(5), batch_size=2)
    >>> order.steps_per_epoch
    2
    >>> order.on_epoch_begin(3)  # called by `fit`
    >>> [int(key) for key, turn in order.pairs()]
    [15, 16, 17, 18]
    """

    def __init__(self, turns: Sequence[int], batch_size: int, seed: int = 0):
        super().__init__()
        if not 1 <= batch_size <= len(turns):
            raise ValueError(
                f"`batch_size`: expected 1 to {len(turns)}, the number of examples in an epoch. "
                f"Received: batch_size={batch_size}"
            )
        self.batch_size = batch_size
        self.steps_per_epoch = len(turns) // batch_size  # Whole batches.
        self._turns = tf.constant(turns, tf.int64)
        self._seed = tf.constant(seed, tf.int64)
        self._epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._skipped = tf.Variable(0, dtype=tf.int64, trainable=False)

    def on_epoch_begin(self, epoch, logs=None):
        # Keras asks the data set for a new iterator after this, so the next one reads it.
        self._epoch.assign(epoch)

    def skip(self, steps: int) -> None:
        """Leave out the first batches of an epoch, as they were taken before a stop, until told so.

        Args:
            steps: How many, 0 to take all again.
        """
        self._skipped.assign(steps)

    def steps_left(self) -> int:
        """Batches in an epoch without those that are left out."""
        return self.steps_per_epoch - int(self._skipped.numpy())

    def pairs(self) -> tf.data.Dataset:
        """One epoch, the one that is under way when this is iterated.

        Returns:
            Pairs of numbers: a key, which no other example of this or another epoch has, to draw
            random numbers with; and one of `turns`.
        """
        return tf.data.Dataset.range(1).flat_map(self._shuffled)

    def batches(self, *arrays: np.ndarray) -> tf.data.Dataset:
        """One epoch's batches, those of the epoch that is under way when they are iterated.

        Args:
            *arrays: Arrays with an example in each row; `turns` counts the rows. They are kept in
                memory.

        Returns:
            The same rows of each array, `(batch, ...)` each.
        """
        tensors = [tf.constant(array) for array in arrays]
        return (
            self.pairs()
            .batch(self.batch_size, drop_remainder=True)
            # Whole batches at once: for small examples, a step per example would be the slowest.
            .map(lambda _, rows: tuple(tf.gather(tensor, rows) for tensor in tensors))
            .apply(tf.data.experimental.assert_cardinality(self.steps_left()))
            .prefetch(1)
            .with_options(untuned())
        )

    def made(self, make: Callable, workers: int = 1) -> tf.data.Dataset:
        """One epoch's batches of what is made of each example when it is its turn.

        Args:
            make: Takes a pair of `pairs`, in a graph; returns tensors, each of one shape.
            workers: Number of workers that share the batches, each of which makes its part of them
                and nothing else. Then only `fit` can iterate what this returns, with a model of
                their strategy: it stops after the steps of an epoch.

        Returns:
            What `make` returns, `(batch, ...)` each.

        Example:
        >>> from kerasadv.data import EpochOrder
        >>> order = EpochOrder(range(4), batch_size=2)
        >>> sorted(int(x) for batch in order.made(lambda key, turn: 10 * turn) for x in batch)
        [0, 10, 20, 30]
        """
        steps, options = self.steps_left(), untuned()
        # A worker's share of as many steps as there are workers is one batch, until TensorFlow
        # divides it; so that the last one is whole too, the first examples come again behind it.
        whole = -(-steps // workers) * workers * self.batch_size
        pairs = self.pairs().repeat().take(whole)
        if workers > 1:
            # Where TensorFlow shall deal out; left to itself, it does so when all has been made.
            pairs = pairs.shard(tf.data.experimental.SHARD_HINT, tf.data.experimental.SHARD_HINT)
            policies = tf.data.experimental.AutoShardPolicy
            options.experimental_distribute.auto_shard_policy = policies.HINT
        return (
            pairs.map(make, num_parallel_calls=tf.data.AUTOTUNE)
            .batch(self.batch_size, drop_remainder=True)
            # Not what is here of a worker's share, but what becomes of it, and where `fit` stops.
            # Without it, Keras would count a step more of the optimizer in each epoch.
            .apply(tf.data.experimental.assert_cardinality(steps))
            .prefetch(tf.data.AUTOTUNE)
            .with_options(options)
        )

    def _shuffled(self, _):
        epoch, count = self._epoch.read_value(), len(self._turns)
        order = tf.random.experimental.stateless_shuffle(
            self._turns, seed=tf.stack([self._seed, epoch])
        )
        keys = epoch * count + tf.range(count, dtype=tf.int64)
        first = self._skipped.read_value() * self.batch_size
        end = self.steps_per_epoch * self.batch_size
        return tf.data.Dataset.from_tensor_slices((keys[first:end], order[first:end]))


def untuned() -> tf.data.Options:
    """Options of a data set that is not tuned while it runs.

    The thread that tunes sleeps twice as long each time, and the end of an epoch may have to wait
    until it wakes: with TensorFlow 2.21 on two cores, 4 seconds after an epoch of 5 were seen.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return options
