"""What every loss of this package shares: a config that holds its dtype."""

import keras


class WithDtype(keras.losses.Loss):
    """A loss whose config holds its `dtype`, which that of `keras.losses.Loss` forgets. Abstract.

    Its `call` gives at least one value per sample: Keras scales only such losses rightly for
    `tf.distribute`.
    """

    def get_config(self):
        return {**super().get_config(), "dtype": self.dtype}
