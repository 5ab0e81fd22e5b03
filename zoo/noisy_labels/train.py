"""Trains a classifier on drawn digits, Fashion-MNIST or your pictures, some labels being wrong.

python -m zoo.noisy_labels.train --noise 0.4
python -m zoo.noisy_labels.train --data fashion_mnist --data-dir PATH --noise 0.4
python -m zoo.noisy_labels.train --data folder --data-dir PATH  # suspects.png: labels to look at
python -m zoo.noisy_labels.train --resume runs/noisy_labels-...
"""

import dataclasses
import math
from pathlib import Path
from typing import Literal

import keras
import tensorflow as tf

import kerasadv
from kerasadv.data import DataError, EpochOrder
from kerasadv.data.epoch_order import untuned
from kerasadv.training import cluster
from kerasadv.training import recipe as recipes
from kerasadv.training.command import command
from kerasadv.training.run_files import weights_of, write_bytes, write_json
from zoo.noisy_labels import data as datasets
from zoo.noisy_labels.measure import Curves, report
from zoo.noisy_labels.model import ResidualClassifier

# A usual size; the learning rates here belong to it.
BATCH_SIZE = 128


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Everything that decides what a training ends with."""

    data: Literal["digits", "fashion_mnist", "folder"] = recipes.field(
        "digits", "what to learn from; digits are drawn and need no directory"
    )
    data_dir: str | None = recipes.field(
        None, "directory with the files of the set or, for `folder`, with a folder per class"
    )
    noise: str = recipes.field(
        "0", "share of labels to make wrong, 0.4, or its kind too: pair:0.4, small_margin:0.2, ..."
    )
    loss: Literal["bi_tempered", "crossentropy", "generalized_crossentropy"] = recipes.field(
        "bi_tempered", "what to minimize; the other two are there to compare with"
    )
    t1: float = recipes.field(
        0.2,
        "below 1, a loss that is bounded: 0 to 1. Generalized cross-entropy is -log_t(p) with "
        "t = t1, its q is 1 - t1; crossentropy does not use it",
    )
    t2: float = recipes.field(4.0, "above 1, a softmax with heavy tails; only bi_tempered uses it")
    epochs: int = recipes.field(25, "times through the training images")
    learning_rate: float = recipes.field(
        0.03,
        "highest rate of Adam; falls as a cosine. Weak pulls, those of a high t2, stand and need "
        "a high one; for crossentropy take 0.001",
    )
    activation: str = recipes.field("prelu", "prelu, elu, or any activation of Keras")
    precision: Literal["float32", "mixed_bfloat16"] = recipes.field(
        "float32", "mixed_bfloat16 is faster where the processor has it, and slower where not"
    )
    strategy: Literal["none", "mirrored", "multi_worker"] = recipes.field(
        "none", "mirrored: all local devices; multi_worker: all machines, see TF_CONFIG"
    )
    seed: int = recipes.field(0, "of the noise, the first weights and the order of the images")


def train(recipe: Recipe, data: datasets.Data, run: Path) -> keras.Model:
    """Train a classifier by a recipe and leave everything about it in a folder.

    If the folder holds a checkpoint, training goes on from it and ends where it would have ended.
    Images are not changed from epoch to epoch: wrong labels are to be learnable by heart, as that
    is what a robust loss shall keep from happening.

    Args:
        recipe: What to do.
        data: What to learn from.
        run: The folder; gets `recipe.json`, `model.json`, `model.weights.h5`, `logs/`,
            `checkpoint/`, `history.json`, `suspects.csv`, `suspects.png` and `result.json`.

    Returns:
        The trained model, uncompiled, in float32, which gives probabilities.

    Raises:
        kerasadv.training.loss_terms.NotANumber: If the loss becomes NaN or infinite.
    """
    arguments = {
        "input_shape": data.images.shape[1:],
        "num_classes": len(data.classes),
        "activation": recipe.activation,
        "temperature": recipe.t2 if recipe.loss == "bi_tempered" else 1.0,
    }
    strategy = kerasadv.training.strategy(recipe.strategy)  # Before TensorFlow computes.
    order = EpochOrder(range(len(data.images)), BATCH_SIZE, recipe.seed)
    keras.utils.set_random_seed(recipe.seed)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(recipe.precision)
    try:
        with strategy.scope():
            # Generalized cross-entropy takes probabilities, the other losses logits.
            given = 1.0 if recipe.loss == "generalized_crossentropy" else None
            model = ResidualClassifier(**arguments | {"temperature": given})
            model.compile(
                optimizer=optimizer(recipe, order.steps_per_epoch),
                loss=loss(recipe),
                metrics=["accuracy"],
            )
            checkpoint = kerasadv.training.Checkpoint(run / "checkpoint", order)
            checkpoint.restore(model)
        # The first thing on disk, once everything that could be wrong has been built.
        chief = cluster.is_chief(strategy)
        if chief:
            recipes.begin(recipe, run, arguments, checkpoint.resumed)
        curves = Curves(data, run / "history.json")
        board = kerasadv.training.TensorBoard(run / "logs")
        checkpoint.fit(
            model,
            lambda: order.batches(data.images, data.labels),
            recipe.epochs,
            [curves, board],
            verbose=2,
            validation_data=_validation(data, strategy.num_replicas_in_sync),
        )
    finally:
        keras.config.set_dtype_policy(policy)
    # Published and evaluated without optimizer, in float32, whatever it was trained in.
    trained = ResidualClassifier(**arguments)
    trained.set_weights(model.get_weights())
    if not chief:
        return trained
    write_bytes(run / "model.weights.h5", weights_of(trained))
    write_json(run / "result.json", report(trained, data, run) | checkpoint.spent())
    return trained


def optimizer(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    """Adam with AMSGrad, the rate a cosine to zero; `steps` is those of an epoch.

    Temperatures change the size of the gradients, and how it changes while a model learns: at
    first, when each of ten classes has 0.1, those of `t2 = 4` are 1000 times smaller than those of
    `t2 = 1`, and plain gradient descent hardly moves. Adam makes up for that. AMSGrad goes by the
    largest gradients there were, so that when right labels hardly pull any more, the weak pulls of
    wrong ones are not blown up to steps of full size.
    """
    rate = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps * recipe.epochs)
    return keras.optimizers.Adam(rate, amsgrad=True)


def loss(recipe: Recipe) -> keras.losses.Loss:
    """The loss that a recipe names."""
    if recipe.loss == "bi_tempered":
        return kerasadv.losses.SparseBiTempered(t1=recipe.t1, t2=recipe.t2)
    if recipe.loss == "generalized_crossentropy":
        return keras.losses.CategoricalGeneralizedCrossEntropy(q=1 - recipe.t1)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _validation(data: datasets.Data, replicas: int) -> tf.data.Dataset:
    # Every device gets the same number of images, as none may go without.
    repeat = replicas // math.gcd(replicas, len(data.validation_images))
    return (
        tf.data.Dataset.from_tensor_slices((data.validation_images, data.validation_labels))
        .repeat(repeat)
        .batch(512 * replicas)
        .with_options(untuned())
    )


def check(recipe: Recipe, data: datasets.Data | None = None) -> None:
    """Raise a `ValueError` for a recipe that cannot work, alone or on this data."""
    devices = kerasadv.training.strategy(recipe.strategy).num_replicas_in_sync
    wrong = None
    if recipe.epochs < 1:
        wrong = f"--epochs: expected at least 1. Received: {recipe.epochs}"
    elif not 0 < recipe.learning_rate < float("inf"):
        wrong = f"--learning-rate: expected a number above 0. Received: {recipe.learning_rate}"
    elif not 0 <= recipe.t1 < 1 and recipe.loss == "generalized_crossentropy":
        wrong = f"--t1: expected 0 to below 1 for {recipe.loss}. Received: {recipe.t1}"
    elif data is not None and len(data.images) < BATCH_SIZE:
        total = len(data.images) + len(data.validation_images) + len(data.test_images)
        wrong = (
            f"--data: expected {BATCH_SIZE} images to train on, a batch. Received: "
            f"{len(data.images)}, {total} with those to validate and test on"
        )
    elif BATCH_SIZE % devices:
        wrong = f"--strategy: {devices} devices cannot share batches of {BATCH_SIZE} images evenly"
    if wrong:
        raise DataError(wrong)
    loss(recipe)  # Refuses temperatures that are out of range.


def main(argv: list[str] | None = None) -> None:
    """The command line: a recipe from options or from a run to resume, then `train`."""
    run, result = command("zoo.noisy_labels.train", __doc__, Recipe, _load_and_train, argv=argv)
    print(
        f"\naccuracy {result['test_accuracy']:.3f} on the test images, after {result['minutes']} "
        "minutes; no label of theirs was made wrong\n"
        f"  suspects  {run / 'suspects.png'}: labels to look at; all in {run / 'suspects.csv'}\n"
        f"  curves    {run / 'history.json'}\n"
        f"  weights   {run / 'model.weights.h5'}\n"
        f"  recipe    {run / 'recipe.json'}\n"
        f"  logs      tensorboard --logdir {run / 'logs'}"
    )


def _load_and_train(recipe: Recipe, run: Path) -> None:
    check(recipe)
    data = datasets.load(recipe.data, recipe.data_dir, recipe.noise, recipe.seed)
    check(recipe, data)
    wrong = int((data.labels != data.true_labels).sum())
    made = f", the labels of {wrong} of them made wrong" if wrong else ""
    print(f"{len(data.labels)} images to train on{made}", flush=True)
    train(recipe, data, run)


if __name__ == "__main__":
    main()
