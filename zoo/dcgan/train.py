"""Trains a generator against a discriminator, on drawn digits, a public set or your pictures.

python -m zoo.dcgan.train
python -m zoo.dcgan.train --data fashion_mnist --data-dir PATH
python -m zoo.dcgan.train --data folder --data-dir MY_PICTURES --epochs 300
python -m zoo.dcgan.train --resume runs/dcgan-...
"""

import dataclasses
from pathlib import Path
from typing import Literal

import keras
import numpy as np

import kerasadv
from kerasadv.data import DataError, EpochOrder
from kerasadv.training import cluster
from kerasadv.training import recipe as recipes
from kerasadv.training.command import command
from kerasadv.training.run_files import keep_row, read_json, weights_of, write_bytes, write_json
from kerasadv.training.sampling import sheet
from zoo.dcgan import data as datasets
from zoo.dcgan import sample
from zoo.dcgan.model import DCGANDiscriminator, DCGANGenerator, halvings

LATENT_SIZE = 128
# Pictures of a sheet, always of the same latents: those that `sample` takes by default.
SHOWN = 64


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Everything that decides what a training ends with."""

    data: Literal["digits", "fashion_mnist", "twemoji64", "folder"] = recipes.field(
        "digits", "what to learn from; digits are drawn and need no directory"
    )
    data_dir: str | None = recipes.field(
        None, "directory with the files of the set or, for `folder`, with pictures"
    )
    image_size: int | None = recipes.field(
        None, "height and width; by default those of the set, 64 for a folder"
    )
    loss: Literal["non_saturating", "minimax", "hinge", "lsgan", "wgan"] = recipes.field(
        "non_saturating", "the game; minimax: the generator plays the true one, which saturates"
    )
    penalty: float = recipes.field(
        0.0,
        "weight of R1, with wgan of the gradient penalty (10 in its paper), in the place of batch "
        "normalization in the discriminator; a step takes twice the time",
    )
    epochs: int = recipes.field(20, "times through the pictures; small sets need hundreds")
    batch_size: int = recipes.field(64, "pictures in a step, over all devices")
    filters: int = recipes.field(
        64, "channels of both networks where the picture is halved once; 48 keeps 64 pixels small"
    )
    activation: Literal["relu", "leaky_relu", "prelu", "elu"] | None = recipes.field(
        None, "of both players; by default the paper's: relu to make, leaky_relu to judge"
    )
    learning_rate: float = recipes.field(
        5e-4, "of Adam, for both players, at first; falls as a cosine to zero"
    )
    strategy: Literal["none", "mirrored", "multi_worker"] = recipes.field(
        "none", "mirrored: all local devices; multi_worker: all machines, see TF_CONFIG"
    )
    seed: int = recipes.field(0, "of the first weights, the latents and the order of the pictures")


def train(recipe: Recipe, images: np.ndarray, run: Path) -> keras.Model:
    """Train two players by a recipe and leave everything about it in a folder.

    If the folder holds a checkpoint, training goes on from it and ends where it would have ended.

    Args:
        recipe: What to do.
        images: What to learn from, uint8, `(number, size, size, channels)`.
        run: The folder; gets `recipe.json`, `model.json`, `model.weights.h5`, `logs/`,
            `checkpoint/`, `history.json`, `samples.png` and `result.json`.

    Returns:
        The generator, uncompiled, its weights averaged over the last steps.

    Raises:
        kerasadv.training.loss_terms.NotANumber: If a loss becomes NaN or infinite.
    """
    strategy = kerasadv.training.strategy(recipe.strategy)  # Before TensorFlow computes.
    shape = {"image_size": images.shape[1], "channels": images.shape[-1], "filters": recipe.filters}
    arguments = shape | {"latent_size": LATENT_SIZE, "activation": recipe.activation or "relu"}
    order = EpochOrder(range(len(images)), recipe.batch_size, recipe.seed)
    steps = order.steps_per_epoch * recipe.epochs
    keras.utils.set_random_seed(recipe.seed)
    with strategy.scope():
        gan = kerasadv.training.GAN(
            DCGANGenerator(**arguments),
            DCGANDiscriminator(
                **shape,
                activation=recipe.activation or "leaky_relu",
                # Penalties are about single pictures, and those of a batch would not be single.
                batch_normalization=recipe.penalty == 0,
            ),
            latent_shape=(LATENT_SIZE,),
            ema_momentum=ema_momentum(steps),
            seed=recipe.seed,
        )
        gan.compile(
            optimizer(recipe, steps),
            optimizer(recipe, steps),
            loss=loss(recipe),
            penalties=penalties(recipe),
            # Compiling by XLA takes a minute, and is no faster on CPUs.
            jit_compile=False,
        )
        checkpoint = kerasadv.training.Checkpoint(run / "checkpoint", order)
        checkpoint.restore(gan)
    # The first thing on disk, once everything that could be wrong has been built.
    chief = cluster.is_chief(strategy)
    if chief:
        recipes.begin(recipe, run, arguments, checkpoint.resumed)
    latents = sample.latents(SHOWN, LATENT_SIZE, seed=0)
    board = kerasadv.training.TensorBoard(
        run / "logs", pictures=lambda gan: sheet(sample.make(gan.averaged, latents))[None]
    )
    history = History(run / "history.json")
    checkpoint.fit(gan, lambda: datasets.batches(order, images), recipe.epochs, [board, history])
    trained = DCGANGenerator(**arguments)  # Published alone and without optimizer.
    trained.set_weights(gan.averaged.get_weights())
    if not chief:
        return trained
    write_bytes(run / "model.weights.h5", weights_of(trained))
    sample.save(sample.make(trained, latents), run / "samples.png")
    # A `spread` far below 1 says that the generator has collapsed.
    last = read_json(run / "history.json")[-1]
    del last["epoch"]
    result = {"spread": last.pop("spread"), "training_images": len(images), **last}
    write_json(run / "result.json", result | checkpoint.spent())
    return trained


def optimizer(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    """Adam with the little momentum that both players bear (DCGAN, section 4), for `steps`."""
    rate = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps)
    return keras.optimizers.Adam(rate, beta_1=0.5)


def loss(recipe: Recipe) -> keras.losses.Loss:
    """The game that a recipe names."""
    if recipe.loss in ("non_saturating", "minimax"):
        return kerasadv.losses.Minimax(saturating=recipe.loss == "minimax")
    games = {"hinge": "HingeGAN", "lsgan": "LSGAN", "wgan": "WGAN"}
    return getattr(kerasadv.losses, games[recipe.loss])()


def penalties(recipe: Recipe) -> list:
    """What the discriminator of a recipe pays for being steep."""
    if recipe.penalty == 0:
        return []
    kind = "GradientPenalty" if recipe.loss == "wgan" else "R1"
    return [getattr(kerasadv.training, kind)(recipe.penalty)]


def ema_momentum(steps: int) -> float:
    """Share of the generator's average that stays at each of `steps`.

    It looks back over a twentieth of the training, at most 1,000 steps: of a short training it
    shall not remember the first weights.

    Example:
    >>> from zoo.dcgan.train import ema_momentum
    >>> ema_momentum(2000), ema_momentum(10**6)
    (0.99, 0.999)
    """
    return 1 - 1 / min(1000, max(2, steps / 20))


class History(keras.callbacks.Callback):
    """Keeps a row per epoch in a JSON file: the losses and accuracies of both players.

    A resumed training goes on with the rows of the epochs that it keeps.
    """

    def __init__(self, path: Path):
        super().__init__()
        self.path = path

    def on_epoch_end(self, epoch, logs=None):
        if cluster.is_chief(cluster.of(self.model)):
            keep_row(self.path, epoch, dict(sorted((logs or {}).items())))


def check(recipe: Recipe, images: np.ndarray | None = None) -> None:
    """Raise a `ValueError` for a recipe that cannot work, alone or on these pictures."""
    devices = kerasadv.training.strategy(recipe.strategy).num_replicas_in_sync
    wrong = None
    if recipe.epochs < 1:
        wrong = f"--epochs: expected at least 1. Received: {recipe.epochs}"
    elif not 0 < recipe.learning_rate < float("inf"):
        wrong = f"--learning-rate: expected a number above 0. Received: {recipe.learning_rate}"
    elif not 0 <= recipe.penalty < float("inf"):
        wrong = f"--penalty: expected a number of at least 0. Received: {recipe.penalty}"
    elif recipe.loss == "wgan" and recipe.penalty == 0:
        wrong = (
            "--penalty: expected a number above 0 for wgan, which has no end without. Received: 0"
        )
    elif recipe.seed < 0:
        wrong = f"--seed: expected a whole number of at least 0. Received: {recipe.seed}"
    elif recipe.batch_size < 1 or recipe.batch_size % devices:
        wrong = (
            f"--batch-size: expected a multiple of {devices}, the number of devices. "
            f"Received: {recipe.batch_size}"
        )
    elif images is not None and len(images) < recipe.batch_size:
        wrong = (
            f"--batch-size: expected at most {len(images)}, the number of pictures. "
            f"Received: {recipe.batch_size}"
        )
    if wrong:
        raise DataError(wrong)
    if recipe.image_size is not None:
        halvings(recipe.image_size)


def main(argv: list[str] | None = None) -> None:
    """The command line: a recipe from options or from a run to resume, then `train`."""
    run, result = command("zoo.dcgan.train", __doc__, Recipe, _load_and_train, argv=argv)
    weights = run / "model.weights.h5"
    print(
        f"\nlearned from {result['training_images']} pictures, after {result['minutes']} minutes\n"
        f"  pictures  {run / 'samples.png'}\n"
        f"  weights   {weights}\n"
        f"  recipe    {run / 'recipe.json'}\n"
        f"  curves    {run / 'history.json'}\n"
        f"  logs      tensorboard --logdir {run / 'logs'}\n"
        f"  more      python -m zoo.dcgan.sample --weights {weights} --seed 1"
    )


def _load_and_train(recipe: Recipe, run: Path) -> None:
    check(recipe)
    images = datasets.load(recipe.data, recipe.data_dir, recipe.image_size)
    check(recipe, images)
    _, height, width, channels = images.shape
    print(f"{len(images)} pictures, {height} x {width} x {channels}", flush=True)
    train(recipe, images, run)


if __name__ == "__main__":
    main()
