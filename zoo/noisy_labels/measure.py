"""What is measured of a classifier while it trains and when it has been trained."""

from pathlib import Path

import keras
import numpy as np

from kerasadv.training import cluster
from kerasadv.training.run_files import keep_row, read_json
from zoo.noisy_labels import suspects
from zoo.noisy_labels.data import Data


def probabilities(model: keras.Model, images: np.ndarray, batch_size: int = 500) -> np.ndarray:
    """What a model says of images, as NumPy, `(number, num_classes)`."""
    # Not `predict`, which shares batches among replicas and fails where one goes without.
    parts = [
        keras.ops.convert_to_numpy(model(images[k : k + batch_size], training=False))
        for k in range(0, len(images), batch_size)
    ]
    return np.concatenate(parts)


class Curves(keras.callbacks.Callback):
    """Keeps a row per epoch in a JSON file, with the accuracy on the test part.

    The test part's labels are right. They are looked at for the curves alone: nothing is chosen or
    stopped by them. A resumed training goes on with the rows of the epochs that it keeps.
    """

    def __init__(self, data: Data, path: Path):
        super().__init__()
        self.data = data
        self.path = path

    def on_epoch_end(self, epoch, logs=None):
        logs = {} if logs is None else logs
        guesses = probabilities(self.model, self.data.test_images).argmax(axis=1)
        logs["test_accuracy"] = float((guesses == self.data.test_labels).mean())
        shown = ("loss", "accuracy", "val_loss", "val_accuracy", "test_accuracy")
        if cluster.is_chief(cluster.of(self.model)):
            keep_row(self.path, epoch, {name: logs[name] for name in shown})


def report(model: keras.Model, data: Data, run: Path) -> dict:
    """What a training ends with, and the table and the sheet of suspicious labels."""
    history = read_json(run / "history.json")
    seen = probabilities(model, data.images)
    suspects.save_table(data, seen, run / "suspects.csv")
    suspects.save_sheet(data, seen, run / "suspects.png")
    guesses = seen.argmax(axis=1)
    wrong = data.labels != data.true_labels
    result = {
        "training_images": len(data.labels),
        "wrong_labels": int(wrong.sum()),
        "test_accuracy": history[-1]["test_accuracy"],
        "best_test_accuracy": max(row["test_accuracy"] for row in history),
        "validation_accuracy": history[-1]["val_accuracy"],
        "best_validation_accuracy": max(row["val_accuracy"] for row in history),
        "training_accuracy_on_given_labels": float((guesses == data.labels).mean()),
        "training_accuracy_on_true_labels": float((guesses == data.true_labels).mean()),
    }
    if wrong.any():
        most_suspicious = suspects.ranking(seen, data.labels)[: wrong.sum()]
        result["wrong_labels_memorized"] = float((guesses == data.labels)[wrong].mean())
        result["wrong_labels_seen_through"] = float((guesses == data.true_labels)[wrong].mean())
        result["wrong_among_most_suspicious"] = float(wrong[most_suspicious].mean())
    return result
