"""One checkpoint per epoch, written so that a kill at any moment leaves a good one."""

import os
import re
import warnings
from pathlib import Path

import keras

from kerasadv.training.loss_terms import NotANumber


class Checkpoint(keras.callbacks.Callback):
    """Saves weights, optimizer state and epoch after each epoch, and goes on from there.

    A checkpoint gets its name only once it is complete on disk, and the one before it is removed
    after that, so a kill or a full disk leaves the last good one. Training resumes where it stopped
    when `fit` is given the number of finished epochs:

    Args:
        directory: Where the checkpoint lies, as `epoch-NNNN.weights.h5`; made if needed.

    Raises:
        NotANumber: At the end of an epoch that left NaN in the weights: they are not saved.

    Example:
    >>> import tempfile
    >>> import keras
    >>> import numpy as np
    >>> import kerasadv
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("adam", "mse")
    >>> checkpoint = kerasadv.training.Checkpoint(tempfile.mkdtemp())
    >>> _ = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=2, callbacks=[checkpoint], verbose=0)
    >>> checkpoint.restore(model)  # the `initial_epoch` to give to `fit`
    2
    """

    def __init__(self, directory: str | os.PathLike):
        super().__init__()
        self.directory = Path(directory)

    def latest(self) -> Path | None:
        """The newest checkpoint, or `None`."""
        return max(self.directory.glob("epoch-*.weights.h5"), key=_epoch, default=None)

    def restore(self, model: keras.Model) -> int:
        """Load the newest checkpoint into a compiled model.

        Returns:
            The number of epochs it has been trained for, 0 where there is no checkpoint.

        Raises:
            ValueError: If the checkpoint is of another model or optimizer.
        """
        path = self.latest()
        if path is None:
            return 0
        model.optimizer.build(model.trainable_variables)
        with warnings.catch_warnings():
            # Keras only warns of an optimizer state that does not fit, and trains without it.
            warnings.simplefilter("error", UserWarning)
            try:
                model.load_weights(path)
            except (UserWarning, ValueError, KeyError, OSError) as error:
                reason = " ".join(str(error).split())[:200]
                raise ValueError(f"{path}: does not fit this model ({reason})") from None
        return _epoch(path)

    def on_epoch_end(self, epoch, logs=None):
        for variable in self.model.trainable_variables:
            if not keras.ops.all(keras.ops.isfinite(variable)):
                raise NotANumber(f"epoch {epoch + 1} left NaN or infinity in {variable.path}")
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / f"epoch-{epoch + 1:04d}.weights.h5"
        partial = self.directory / "partial.weights.h5"
        self.model.save_weights(partial, overwrite=True)
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
        for other in self.directory.glob("epoch-*.weights.h5"):
            if other != path:
                other.unlink()


def _epoch(path: Path) -> int:
    match = re.search(r"epoch-(\d+)", path.name)
    assert match is not None
    return int(match.group(1))
