"""What every loss of this package shares: a value per sample, and a config with its dtype."""

import keras

from kerasadv.ops.weights import per_sample


class PerSample(keras.losses.Loss):
    """A loss whose `call` gives one value per sample, so its weights are one per sample too.

    Abstract. Keras scales such losses rightly for `tf.distribute`, and `get_config` holds the
    `dtype`, which that of `keras.losses.Loss` forgets.
    """

    def __call__(self, y_true, y_pred, sample_weight=None):
        return super().__call__(y_true, y_pred, per_sample(sample_weight))

    def get_config(self):
        return {**super().get_config(), "dtype": self.dtype}
