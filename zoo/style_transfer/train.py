"""Trains one network to paint photos in the styles of several paintings.

python -m zoo.style_transfer.train --data photos_caltech101 --data-dir PATH --styles PATH --vgg PATH
python -m zoo.style_transfer.train --data folder --data-dir MY_PHOTOS --styles MY_PAINTINGS
python -m zoo.style_transfer.train --resume runs/style_transfer-...
"""

import dataclasses
from pathlib import Path
from typing import Literal

import keras
import numpy as np

import kerasadv
from kerasadv.data import DataError
from kerasadv.training import cluster
from kerasadv.training import recipe as recipes
from kerasadv.training.command import command
from kerasadv.training.run_files import MODEL, read_json, weights_of, write_bytes, write_json
from zoo.pictures import write_picture
from zoo.style_transfer import data as datasets
from zoo.style_transfer.model import StyleTransfer
from zoo.style_transfer.objective import STYLE_WEIGHT, Objective
from zoo.style_transfer.paint import sheet


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Everything that decides what a training ends with."""

    data: Literal["photos_caltech101", "folder"] = recipes.field(
        "photos_caltech101", "photos to learn from; folder: your own"
    )
    data_dir: str | None = recipes.field(
        None, "directory with the archive of the set or, for `folder`, with photos"
    )
    styles: str | None = recipes.field(None, "folder with the paintings, one for each style")
    vgg: str = recipes.field(
        "imagenet",
        "file with the weights of VGG19; imagenet: those that Keras downloads; random: none, to "
        "see whether everything runs",
    )
    epochs: int = recipes.field(40, "times through the photos")
    batch_size: int = recipes.field(4, "crops in a step, over all devices")
    image_size: int = recipes.field(192, "height and width of a crop")
    filters: int = recipes.field(32, "channels at full size; the cost grows with the square")
    style_weight: float = recipes.field(
        STYLE_WEIGHT, "of each layer of the style; the content weighs 1"
    )
    learning_rate: float = recipes.field(1e-3, "highest rate; warms up, then falls as a cosine")
    strategy: Literal["none", "mirrored", "multi_worker"] = recipes.field(
        "none", "mirrored: all local devices; multi_worker: all machines, see TF_CONFIG"
    )
    seed: int = recipes.field(0, "of the first weights and of the crops")


def train(recipe: Recipe, photos: datasets.Photos, paintings: dict, run: Path) -> keras.Model:
    """Train a network by a recipe and leave everything about it in a folder.

    If the folder holds a checkpoint, training goes on from it and ends where it would have ended.

    Args:
        recipe: What to do.
        photos: What to paint.
        paintings: What to paint it like, by the names of the styles.
        run: The folder; gets `recipe.json`, `model.json`, `model.weights.h5`, `logs/`,
            `checkpoint/`, `result.json` and `painted.png`.

    Returns:
        The trained model, uncompiled.

    Raises:
        kerasadv.training.loss_terms.NotANumber: If the loss becomes NaN or infinite.
    """
    strategy = kerasadv.training.strategy(recipe.strategy)  # Before TensorFlow computes.
    arguments = {"num_styles": len(paintings), "filters": recipe.filters}
    crops = datasets.Crops(
        list(photos.training.values()),
        len(paintings),
        recipe.image_size,
        recipe.batch_size,
        recipe.seed,
    )
    keras.utils.set_random_seed(recipe.seed)
    with strategy.scope():
        objective = Objective(paintings, recipe.vgg, recipe.style_weight)
        model = StyleTransfer(**arguments)
        model.compile(optimizer(recipe, crops.steps_per_epoch), loss=objective.loss())
        checkpoint = kerasadv.training.Checkpoint(run / "checkpoint", crops)
        checkpoint.restore(model)
    # The first thing on disk, once everything that could be wrong has been built.
    described = {"styles": objective.styles, "filters": recipe.filters}
    chief = cluster.is_chief(strategy)
    if checkpoint.resumed and read_json(run / MODEL) != described:
        raise DataError(
            f"--styles: expected paintings of {read_json(run / MODEL)['styles']}, as this training "
            f"began. Received: {objective.styles}"
        )
    if chief:
        recipes.begin(recipe, run, described, checkpoint.resumed)
    gallery = Gallery(photos.held_back, objective, recipe.image_size)
    board = kerasadv.training.TensorBoard(run / "logs", gallery)
    workers = cluster.size(cluster.of(model))
    checkpoint.fit(model, lambda: crops.batches(workers), recipe.epochs, [board])
    trained = StyleTransfer(**arguments)  # Published without optimizer.
    trained.set_weights(model.get_weights())
    if not chief:
        return trained
    write_bytes(run / "model.weights.h5", weights_of(trained))
    terms = gallery(trained)
    rows = np.split(terms.pop("painted"), len(paintings) + 1, axis=2)
    page = sheet(list(zip(*rows)), ["photo", *objective.styles])
    write_picture(page, run / "painted.png")
    result = {
        "loss": sum(terms.values()) / len(paintings),
        "held_back_photos": len(gallery.photos),
        "terms": terms,
        **checkpoint.spent(),
    }
    write_json(run / "result.json", result)
    return trained


def optimizer(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    """Adam with a short warm-up, then a cosine to zero; `steps` is those of an epoch."""
    rate = kerasadv.training.warmup_cosine(recipe.learning_rate, steps * recipe.epochs)
    return keras.optimizers.Adam(rate)


class Gallery:
    """The same photos in every style each time, and the terms of their loss: for TensorBoard.

    Args:
        photos: Photos held back from training; the middle squares of the first few are painted.
        objective: What they are measured by.
        size: Height and width of the squares.
    """

    def __init__(self, photos: dict[str, np.ndarray], objective: Objective, size: int):
        chosen = list(photos.values())[:4]
        self.photos = np.stack([datasets.middle_square(photo, size) for photo in chosen])
        self.objective = objective

    def __call__(self, model) -> dict:
        """A row of pictures for each photo, and for each style the mean of each term."""
        images = self.photos.astype("float32")
        rows, shown = [self.photos], {}  # type: tuple[list, dict]
        for style, shares in zip(self.objective.styles, np.eye(len(self.objective.styles))):
            shares = np.tile(shares.astype("float32"), (len(images), 1))
            # Not `predict`, which gives the batch of a mirrored model once for each device.
            painted = np.asarray(model([images, shares], training=False))
            rows.append(painted.round().astype("uint8"))
            targets = datasets.with_shares(images, shares)
            for term, values in self.objective.terms(targets, painted).items():
                shown[f"{term}/{style}"] = float(np.mean(values))
        # (photos, height, (1 + styles) * width, channels)
        shown["painted"] = np.concatenate(rows, axis=2)
        return shown


def check(recipe: Recipe) -> None:
    """Raise a `DataError` for a recipe that cannot work, before anything is made."""
    devices = kerasadv.training.strategy(recipe.strategy).num_replicas_in_sync
    wrong = None
    if recipe.image_size < datasets.SMALLEST:
        wrong = (
            f"--image-size: expected at least {datasets.SMALLEST}. Received: {recipe.image_size}"
        )
    elif recipe.epochs < 1:
        wrong = f"--epochs: expected at least 1. Received: {recipe.epochs}"
    elif recipe.batch_size % devices:
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
    movable = ("data_dir", "styles", "vgg", "strategy")
    run, result = command(
        "zoo.style_transfer.train", __doc__, Recipe, _load_and_train, movable, argv
    )
    weights = run / "model.weights.h5"
    print(
        f"\npainted {result['held_back_photos']} held-back photos, after {result['minutes']} "
        "minutes\n"
        f"  pictures  {run / 'painted.png'}\n"
        f"  weights   {weights}\n"
        f"  recipe    {run / 'recipe.json'}\n"
        f"  logs      tensorboard --logdir {run / 'logs'}\n"
        f"  try it    python -m zoo.style_transfer.paint PHOTO --style all --weights {weights}"
    )


def _load_and_train(recipe: Recipe, run: Path) -> None:
    paintings = datasets.load_paintings(recipe.styles)
    check(recipe)
    photos = datasets.load_photos(recipe.data, recipe.data_dir)
    print(f"{len(photos.training)} photos to train on, styles: {', '.join(paintings)}")
    train(recipe, photos, paintings, run)


if __name__ == "__main__":
    main()
