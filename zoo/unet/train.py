"""Trains a U-Net on drawn cells, a public set or your own pictures.

python -m zoo.unet.train
python -m zoo.unet.train --data dsb2018 --data-dir PATH --epochs 30 --strategy mirrored
python -m zoo.unet.train --resume runs/unet-...
"""

import dataclasses
import math
from pathlib import Path
from typing import Literal

import keras
import numpy as np

import kerasadv
from kerasadv.data import DataError
from kerasadv.training import cluster
from kerasadv.training import recipe as recipes
from kerasadv.training.command import command
from kerasadv.training.run_files import weights_of, write_bytes, write_json
from zoo.pictures import write_picture
from zoo.unet import data as datasets
from zoo.unet.model import UNet
from zoo.unet.predict import label


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Everything that decides what a training ends with."""

    data: Literal["cells", "dsb2018", "isbi2012", "magnetic_tile", "folder"] = recipes.field(
        "cells", "what to learn from; cells are drawn and need no directory"
    )
    data_dir: str | None = recipes.field(
        None, "directory with the archive of the set or, for `folder`, with images/ and masks/"
    )
    epochs: int = recipes.field(16, "times through the training images")
    batch_size: int = recipes.field(8, "crops in a step, over all devices")
    image_size: int = recipes.field(128, "height and width of a crop; a multiple of 16")
    filters: int = recipes.field(16, "channels at full size; the cost grows with the square")
    activation: str = recipes.field("prelu", "prelu, elu, or any activation of Keras")
    learning_rate: float = recipes.field(1e-3, "highest rate; warms up, then falls as a cosine")
    boundary_weight: float = recipes.field(0.01, "weight of the boundary loss; the paper's 0.01")
    precision: Literal["float32", "mixed_bfloat16"] = recipes.field(
        "float32", "mixed_bfloat16 is faster where the processor has it"
    )
    strategy: Literal["none", "mirrored", "multi_worker"] = recipes.field(
        "none", "mirrored: all local devices; multi_worker: all machines, see TF_CONFIG"
    )
    seed: int = recipes.field(0, "of the first weights and of the crops")


def train(recipe: Recipe, data: datasets.Data, run: Path) -> keras.Model:
    """Train a U-Net by a recipe and leave everything about it in a folder.

    If the folder holds a checkpoint, training goes on from it and ends where it would have ended.

    Args:
        recipe: What to do.
        data: What to learn from.
        run: The folder; gets `recipe.json`, `model.json`, `model.weights.h5`, `logs/`,
            `checkpoint/`, `result.json` and `predictions.png`.

    Returns:
        The trained model, uncompiled, in float32.

    Raises:
        kerasadv.training.loss_terms.NotANumber: If the loss becomes NaN or infinite.
    """
    num_classes = 1 if len(data.classes) == 2 else len(data.classes)
    arguments = {
        "input_shape": (None, None, data.training[0].image.shape[-1]),
        "num_classes": num_classes,
        "filters": recipe.filters,
        "activation": recipe.activation,
    }
    strategy = kerasadv.training.strategy(recipe.strategy)  # Before TensorFlow computes.
    crops = kerasadv.data.TrainingCrops(
        data.training, recipe.image_size, recipe.batch_size, recipe.seed
    )
    keras.utils.set_random_seed(recipe.seed)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(recipe.precision)
    try:
        with strategy.scope():
            # The data is standardized image by image, before crops are cut.
            model = UNet(**arguments, standardize=False)
            model.compile(
                optimizer=optimizer(recipe, crops.steps_per_epoch),
                loss=loss(recipe, num_classes),
                metrics=[kerasadv.metrics.Dice()],
            )
            checkpoint = kerasadv.training.Checkpoint(run / "checkpoint", crops)
            checkpoint.restore(model)
        # The first thing on disk, once everything that could be wrong has been built.
        chief = cluster.is_chief(strategy)
        if chief:
            recipes.begin(recipe, run, arguments, checkpoint.resumed)
        # Every device gets the same number of images, as none may go without.
        replicas = strategy.num_replicas_in_sync
        validation = data.held_back * (replicas // math.gcd(replicas, len(data.held_back)))
        fit(model, recipe, crops, validation, run, checkpoint)
    finally:
        keras.config.set_dtype_policy(policy)
    # Published and evaluated without optimizer, in float32, whatever it was trained in.
    trained = UNet(**arguments)
    trained.set_weights(model.get_weights())
    if not chief:
        return trained
    write_bytes(run / "model.weights.h5", weights_of(trained))
    write_json(run / "result.json", report(trained, data, run) | checkpoint.spent())
    return trained


def optimizer(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    """AdamW with a short warm-up, then a cosine to zero; `steps` is those of an epoch."""
    rate = kerasadv.training.warmup_cosine(recipe.learning_rate, steps * recipe.epochs)
    return keras.optimizers.AdamW(rate, weight_decay=1e-4)


def loss(recipe: Recipe, num_classes: int) -> kerasadv.losses.Compound:
    """Cross-entropy for every pixel, Dice for the whole, the boundary for the far away."""
    if num_classes == 1:
        crossentropy = keras.losses.BinaryCrossentropy()
    else:
        crossentropy = keras.losses.SparseCategoricalCrossentropy()
    return kerasadv.losses.Compound(
        {
            "crossentropy": crossentropy,
            "generalized_dice": kerasadv.losses.GeneralizedDice(),
            "boundary": kerasadv.losses.Boundary(),
        },
        weights={"boundary": recipe.boundary_weight},
    )


def fit(model, recipe: Recipe, crops, validation, run: Path, checkpoint) -> None:
    """Fit the model for the epochs that are left, with logs, pictures and checkpoints."""
    shown = [kerasadv.data.middle(example, recipe.image_size) for example in validation[:6]]
    pictures = kerasadv.data.Overlays(*map(np.stack, zip(*shown)))
    board = kerasadv.training.TensorBoard(run / "logs", pictures)
    workers = cluster.size(cluster.of(model))
    fixed = kerasadv.data.fixed_batches(validation, recipe.image_size, recipe.batch_size)
    checkpoint.fit(
        model,
        lambda: crops.batches(workers),
        recipe.epochs,
        [board],
        validation_data=fixed,
    )


def report(model: keras.Model, data: datasets.Data, run: Path) -> dict:
    """Dice and IoU of the foreground on each whole held-back image, with a sheet of pictures."""
    rows, each = [], []
    for example in data.held_back:
        guess = label(model, example.image)
        # Label 0 is the background.
        each.append([overlap(example.mask == c, guess == c) for c in range(1, len(data.classes))])
        rows.append((float(np.mean(each[-1])), example, guess))
    scores = np.array(each)  # (images, classes)
    rows.sort(key=lambda row: row[0])
    # From the worst to the best in even steps.
    picked = [rows[k] for k in np.unique(np.linspace(0, len(rows) - 1, 6).round().astype(int))]
    sheet = kerasadv.data.side_by_side(
        [example.image for _, example, _ in picked],
        [example.mask for _, example, _ in picked],
        [guess for _, _, guess in picked],
        [f"{example.name}  Dice {dice:.3f}" for dice, example, _ in picked],
    )
    write_picture(sheet, run / "predictions.png")
    return {
        "held_back_images": len(rows),
        "without_foreground": sum(not example.mask.any() for example in data.held_back),
        "dice": float(scores.mean()),
        "iou": float((scores / (2 - scores)).mean()),
        "dice_by_class": dict(zip(data.classes[1:], scores.mean(axis=0).tolist())),
        "images": {example.name: round(dice, 4) for dice, example, _ in rows},
    }


def overlap(truth: np.ndarray, guess: np.ndarray) -> float:
    """Dice of two boolean masks; 1 where both are empty."""
    total = truth.sum() + guess.sum()
    return float(2 * (truth & guess).sum() / total) if total else 1.0


def check(recipe: Recipe, data: datasets.Data) -> None:
    """Raise a `DataError` for a recipe that cannot work on this data, before anything is made."""
    wrong = None
    if recipe.image_size < 16 or recipe.image_size % 16:
        wrong = f"--image-size: expected a multiple of 16. Received: {recipe.image_size}"
    elif recipe.epochs < 1:
        wrong = f"--epochs: expected at least 1. Received: {recipe.epochs}"
    elif recipe.batch_size % kerasadv.training.strategy(recipe.strategy).num_replicas_in_sync:
        devices = kerasadv.training.strategy(recipe.strategy).num_replicas_in_sync
        wrong = (
            f"--batch-size: expected a multiple of {devices}, the number of devices. "
            f"Received: {recipe.batch_size}"
        )
    elif not recipe.learning_rate > 0:
        wrong = f"--learning-rate: expected a number above 0. Received: {recipe.learning_rate}"
    if wrong:
        raise DataError(wrong)


def main(argv: list[str] | None = None) -> None:
    """The command line: a recipe from options or from a run to resume, then `train`."""
    run, result = command("zoo.unet.train", __doc__, Recipe, _load_and_train, argv=argv)
    print(
        f"\nDice {result['dice']:.3f} and IoU {result['iou']:.3f} on "
        f"{result['held_back_images']} held-back images, after {result['minutes']} minutes\n"
        f"  pictures  {run / 'predictions.png'}\n"
        f"  weights   {run / 'model.weights.h5'}\n"
        f"  recipe    {run / 'recipe.json'}\n"
        f"  logs      tensorboard --logdir {run / 'logs'}\n"
        f"  try it    python -m zoo.unet.predict PICTURE --weights {run / 'model.weights.h5'}"
    )


def _load_and_train(recipe: Recipe, run: Path) -> None:
    data = datasets.load(recipe.data, recipe.data_dir)
    check(recipe, data)
    print(f"{len(data.training)} images to train on, {len(data.held_back)} held back")
    train(recipe, data, run)


if __name__ == "__main__":
    main()
