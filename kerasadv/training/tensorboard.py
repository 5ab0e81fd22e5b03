"""A TensorBoard callback that shows what the model makes, each term of its loss and its rate."""

import os
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from kerasadv.training import cluster
from kerasadv.training.game_watch import GameWatch
from kerasadv.training.loss_terms import LossTerms


class TensorBoard(keras.callbacks.Callback):
    """Writes losses, metrics, loss terms, learning rate and pictures for TensorBoard.

    It stands beside Keras' own callback, which has histograms and profiles but neither pictures of
    results nor the terms of a loss, nor the learning rate per step. The step on the horizontal axis
    is the optimizer's own count, so curves of several calls of `fit`, or of a resumed training,
    go on instead of starting over. It includes `LossTerms`: each term of a `Compound` loss shows
    up in the logs, moving weights move, and training stops when the loss is no number. Of a `GAN`
    it shows both learning rates and images of the same latents, and includes `GameWatch`. Of
    several workers the first one writes.

    Args:
        log_dir: Directory for the logs; training goes to `train` in it, validation to
            `validation`. Look at it with `tensorboard --logdir`.
        pictures: Function of the model that returns pictures to show after each epoch, uint8
            `(number, height, width, 1 or 3)` or a dictionary of name to such an array, for
            instance `kerasadv.data.Overlays(images, masks)`. In a dictionary it may also return
            numbers, for curves. Of several workers each calls it. Defaults to the method `pictures`
            of the model, if it has one.
        update_freq: The learning rate is written every `update_freq` steps.

    Raises:
        ValueError: If `pictures` is not callable or `update_freq` is below 1.

    Example:
    >>> import tempfile
    >>> import keras
    >>> import numpy as np
    >>> import kerasadv
    >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(1, 1)])
    >>> model.compile("adam", "mse")
    >>> images = np.ones((2, 8, 8, 1), "float32")
    >>> board = kerasadv.training.TensorBoard(
    ...     tempfile.mkdtemp(), pictures=lambda model: np.zeros((1, 8, 8, 3), "uint8")
    ... )
    >>> _ = model.fit(images, images, callbacks=[board], verbose=0)
    """

    def __init__(
        self,
        log_dir: str | os.PathLike,
        pictures: Callable | None = None,
        update_freq: int = 1,
    ):
        super().__init__()
        if pictures is not None and not callable(pictures):
            raise ValueError(
                f"`pictures`: expected a function of the model. Received: pictures={pictures!r}"
            )
        if update_freq < 1:
            raise ValueError(
                f"`update_freq`: expected at least 1. Received: update_freq={update_freq}"
            )
        self.log_dir = Path(log_dir)
        self.pictures = pictures
        self.update_freq = update_freq
        self._next_rate = 0
        self._terms = LossTerms()
        self._watch = GameWatch()
        self._writers: dict[str, tf.summary.SummaryWriter] = {}

    def set_model(self, model):
        super().set_model(model)
        self._terms.set_model(model)
        self._watch.set_model(model)

    def on_train_begin(self, logs=None):
        self._terms.on_train_begin(logs)
        self._watch.on_train_begin(logs)

    def on_epoch_begin(self, epoch, logs=None):
        self._terms.on_epoch_begin(epoch, logs)

    def on_train_batch_end(self, batch, logs=None):
        self._terms.on_train_batch_end(batch, logs)
        # Not `batch`, which skips numbers where an execution takes several steps.
        if self._step() >= self._next_rate:
            self._next_rate = self._step() + self.update_freq
            # Two players have one each.
            rates = getattr(self.model, "learning_rates", None) or {
                "learning_rate": self.model.optimizer.learning_rate
            }
            rates = {name: keras.ops.convert_to_numpy(rate) for name, rate in rates.items()}
            self._write("train", rates)

    def on_test_begin(self, logs=None):
        self._terms.on_test_begin(logs)

    def on_test_end(self, logs=None):
        self._terms.on_test_end(logs)

    def on_epoch_end(self, epoch, logs=None):
        logs = {} if logs is None else logs
        self._terms.on_epoch_end(epoch, logs)
        self._watch.on_epoch_end(epoch, logs)
        validation = {k.removeprefix("val_"): v for k, v in logs.items() if k.startswith("val_")}
        self._write("train", {k: v for k, v in logs.items() if not k.startswith("val_")})
        self._write("train", {f"weight/{k}": v for k, v in self._terms.moving_weights().items()})
        if validation:
            self._write("validation", validation)
        pictures = self.pictures or getattr(type(self.model), "pictures", None)
        if pictures is not None:
            shown = pictures(self.model)  # On all workers: `predict` takes all of them.
            shown = shown if isinstance(shown, dict) else {"pictures": shown}
            with self._writer("validation").as_default(self._step()):
                for name, images in shown.items():
                    images = np.asarray(images)
                    if images.ndim == 0:
                        tf.summary.scalar(name, float(images))
                    else:
                        tf.summary.image(name, images, max_outputs=len(images))
        for writer in self._writers.values():
            writer.flush()

    def on_train_end(self, logs=None):
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _step(self) -> int:
        return int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))

    def _writer(self, name: str) -> tf.summary.SummaryWriter:
        if not cluster.is_chief(cluster.of(self.model)):
            return tf.summary.create_noop_writer()
        if name not in self._writers:
            self._writers[name] = tf.summary.create_file_writer(str(self.log_dir / name))
        return self._writers[name]

    def _write(self, writer: str, scalars: dict) -> None:
        if scalars:
            with self._writer(writer).as_default(self._step()):
                for name, value in scalars.items():
                    tf.summary.scalar(name, float(value))
