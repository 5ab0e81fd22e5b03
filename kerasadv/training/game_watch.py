"""A callback that says when a game of two players has gone wrong, and what helps."""

import warnings

import keras
import numpy as np

from kerasadv.training.sampling import sample


class GameWatch(keras.callbacks.Callback):
    """Warns of mode collapse, and of a discriminator that has won, in the training of a `GAN`.

    Each is said once, after an epoch and not within the first 200 steps, where both may pass:

    * mode collapse: generated images differ from each other less than a fifth as much as real ones
      do (`spread` in the logs). Where that is because real images leave the `value_range` of the
      `GAN`, it is said instead;
    * the discriminator has won: it is right about 99 % of both real and generated images, so that
      the generator has little to learn from. Not for `WGAN`, whose critic is meant to be good.

    `kerasadv.training.TensorBoard` includes it.

    Example:
    >>> import kerasadv
    >>> watch = kerasadv.training.GameWatch()  # gan.fit(images, callbacks=[watch])
    """

    _PATIENCE = 200  # steps
    _SPREAD = 0.2  # of a batch of generated images, as a share of that of real ones
    _ACCURACY = 0.99

    def __init__(self):
        super().__init__()
        self._said = set()

    def on_train_begin(self, logs=None):
        self._said.clear()

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        if int(keras.ops.convert_to_numpy(self.model.optimizer.iterations)) < self._PATIENCE:
            return
        spread = logs.get("spread", 1.0)
        if spread < self._SPREAD and self._beyond(spread):
            low, high = self.model.value_range
            self._say(
                "value_range",
                f"epoch {epoch + 1}: real images differ from each other more than values from "
                f"{low} to {high} can, the value_range of the GAN: bring them to it, or give the "
                "GAN theirs, and a generator that makes such values.",
            )
        elif spread < self._SPREAD:
            self._say(
                "mode collapse",
                f"epoch {epoch + 1}: mode collapse: images of the generator differ from each other "
                f"only {spread:.2f} times as much as real ones. What helps: "
                "penalties=[kerasadv.training.R1()], a lower learning rate of the generator, "
                "another seed.",
            )
        right = [logs.get(f"{kind}_accuracy", 0.0) for kind in ("real", "fake")]
        if min(right) > self._ACCURACY:
            self._say(
                "won",
                f"epoch {epoch + 1}: the discriminator has won: it is right about {right[0]:.1%} "
                f"of real and {right[1]:.1%} of generated images. What helps: "
                "penalties=[kerasadv.training.R1()], a lower learning rate of the discriminator, "
                "label_smoothing in the loss.",
            )

    def _beyond(self, spread):
        """Whether real images plainly leave the range of values, by how much generated ones do."""
        gan = self.model
        made = sample(gan.generator, gan.latent_shape, number=36, seed=0, batch_size=36)
        low, high = gan.value_range
        # Of values within the range it is at most half of that.
        return np.sqrt(made.var(axis=0).mean()) > spread * (high - low)

    def _say(self, what, message):
        if what not in self._said:
            self._said.add(what)
            warnings.warn(message, stacklevel=2)
