"""Keras losses: a pure function and, under it, a `keras.losses.Loss`, one idea per file."""

import keras

from kerasadv.losses.bi_tempered import BiTempered
from kerasadv.losses.binary_bi_tempered import BinaryBiTempered
from kerasadv.losses.boundary import Boundary
from kerasadv.losses.compound import Compound
from kerasadv.losses.generalized_dice import GeneralizedDice
from kerasadv.losses.hinge_gan import HingeGAN
from kerasadv.losses.lsgan import LSGAN
from kerasadv.losses.minimax import Minimax
from kerasadv.losses.perceptual import Perceptual
from kerasadv.losses.sparse_bi_tempered import SparseBiTempered
from kerasadv.losses.total_variation import TotalVariation
from kerasadv.losses.wgan import WGAN

__all__ = [
    "BiTempered",
    "BinaryBiTempered",
    "Boundary",
    "Compound",
    "GeneralizedDice",
    "HingeGAN",
    "LSGAN",
    "Minimax",
    "Perceptual",
    "SparseBiTempered",
    "TotalVariation",
    "WGAN",
    "get",
]


def get(name, **kwargs):
    """A loss of this package by the name of its class, or any other as `keras.losses.get` does.

    Keras itself cannot find the losses of other packages by name in `compile(loss="Name")`.

    Args:
        name: `"Boundary"` or `"boundary"`, `"GeneralizedDice"` or `"generalized_dice"` ..., or
            anything that `keras.losses.get` takes.
        **kwargs: Arguments of the loss, when `name` names one of this package.

    Returns:
        The loss.

    Raises:
        ValueError: If neither this package nor Keras has such a loss.

    Example:
    >>> import kerasadv
    >>> kerasadv.losses.get("Boundary", spacing=0.5).spacing
    0.5
    """
    ours = {n.lower(): n for n in __all__ if n != "get"}
    found = ours.get(name.lower().replace("_", "")) if isinstance(name, str) else None
    if found:
        return globals()[found](**kwargs)
    try:
        return keras.losses.get(name)
    except ValueError:
        names = ", ".join(ours.values())
        raise ValueError(
            f"`name`: expected {names} or a loss of Keras. Received: name={name!r}"
        ) from None
