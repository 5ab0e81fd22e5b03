"""The rules of a game of two players: what each of them minimizes, and how it goes, in numbers."""

import contextlib

import keras
from keras import ops

# What the logs hold of each game, but for accuracies where there are none.
_LOSSES = ("generator_loss", "discriminator_loss", "spread")
_ACCURACIES = ("real_accuracy", "fake_accuracy")
_NORMS = ("generator_gradient_norm", "discriminator_gradient_norm")
NAMES = ("loss", *_LOSSES, *_ACCURACIES, *_NORMS)


class Game:
    """The losses of a discriminator and a generator, and the means of all that is to be seen.

    Args:
        loss: Of the scores of real and of generated images, with a method `generator`.
        penalties: On the discriminator.
    """

    def __init__(self, loss, penalties):
        self.loss = loss
        self.penalties = list(penalties)
        # The score between real and generated, if there is one.
        self._undecided = getattr(loss, "undecided", 0.0)
        self._mean = _Mean(name="mean")
        # Gradients and what takes them, of which evaluation has none.
        self.of_training = [penalty.name for penalty in self.penalties]
        if keras.backend.backend() == "tensorflow":
            self.of_training += _NORMS
        names = [*_LOSSES, *(_ACCURACIES if self._undecided is not None else ()), *self.of_training]
        self.means = {name: keras.metrics.Mean(name=name) for name in names}

    def show(self, weight=None, /, **values):
        """Let values count in the means."""
        for name, value in values.items():
            self.means[name].update_state(value, weight)

    def discriminator_loss(self, real_scores, fake_scores):
        """What the discriminator minimizes, but for penalties."""
        self.show(discriminator_loss=self.loss.call(real_scores, fake_scores))
        if self._undecided is not None:
            self.show(
                real_accuracy=ops.cast(real_scores > self._undecided, "float32"),
                fake_accuracy=ops.cast(fake_scores < self._undecided, "float32"),
            )
        return self.loss(real_scores, fake_scores)

    def penalty(self, discriminator, real, fake, draw):
        """The sum of all penalties; `draw` gives an interpolation for each image."""
        total = 0.0
        for penalty in self.penalties:
            values = penalty(discriminator, real, fake, draw())
            self.show(**{penalty.name: values})
            total = total + self._mean(values, values)
        return total

    def regularization(self, player):
        """What the weights of a player cost by their own regularizers, a number."""
        costs = [v.regularizer(v) for v in player.trainable_variables if v.regularizer is not None]
        total = ops.expand_dims(ops.convert_to_tensor(sum(costs, 0.0), "float32"), 0)
        return self._mean(total, total)

    def generator_loss(self, fake_scores):
        """What the generator minimizes."""
        values = self.loss.generator(fake_scores)
        self.show(generator_loss=values)
        return self._mean(values, values)

    def logs(self, training=True):
        """All means, and as `loss` what both minimize together, for callbacks that want one."""
        logs = {
            name: mean.result()
            for name, mean in self.means.items()
            if training or name not in self.of_training
        }
        minimized = ["generator_loss", "discriminator_loss"]
        minimized += [penalty.name for penalty in self.penalties if training]
        return logs | {"loss": sum(logs[name] for name in minimized)}


def spread(real, fake):
    """How much generated images differ among each other, as a share of how much real ones do.

    The root of the variance over the batch, mean over pixels; 1 where real ones do not differ.

    Example:
    >>> import numpy as np
    >>> from kerasadv.training.game import spread
    >>> real = np.array([[0.0, 4.0], [2.0, 4.0]])
    >>> float(spread(real, real / 2))
    0.5
    """
    of_fake, of_real = (ops.mean(ops.var(ops.cast(x, "float32"), axis=0)) for x in (fake, real))
    share = ops.sqrt(of_fake / ops.where(of_real > 0, of_real, 1))
    return ops.where(of_real > 0, share, 1.0)


@contextlib.contextmanager
def within(thing, counter):
    """An attribute is 1 more as long as this lasts, as replicas may be in it at the same time."""
    setattr(thing, counter, getattr(thing, counter) + 1)
    try:
        yield
    finally:
        setattr(thing, counter, getattr(thing, counter) - 1)


class _Mean(keras.losses.Loss):
    """The mean of values that are there already, scaled as Keras scales losses for replicas."""

    def call(self, y_true, y_pred):
        return y_pred
