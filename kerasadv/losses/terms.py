"""What a loss that is a sum remembers of its terms, for callbacks to show."""

import keras
from keras import ops


class Terms:
    """The mean of each named term over the samples since the last `reset`.

    (On the JAX backend Keras keeps no state for a loss, so nothing is remembered there.)
    """

    def __init__(self, names):
        self._means = {name: keras.metrics.Mean(name=name) for name in names}

    def record(self, name, values):
        """Add the values of one term, one per sample."""
        if keras.backend.backend() != "jax":  # There it would leak tracers, and be lost.
            self._means[name].update_state(values)

    def result(self):
        """The means, as a dictionary of name to number; empty when nothing was recorded."""
        return {
            name: float(ops.convert_to_numpy(mean.result()))
            for name, mean in self._means.items()
            if float(ops.convert_to_numpy(mean.count)) > 0
        }

    def reset(self):
        """Forget everything recorded."""
        for mean in self._means.values():
            mean.reset_state()
