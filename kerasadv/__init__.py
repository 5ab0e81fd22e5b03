"""Losses, activations and adversarial training that Keras 3 does not ship."""

import importlib

from kerasadv import features, layers, losses, metrics, ops, training
from kerasadv.training import schedules as _schedules  # noqa: F401  Saved losses may hold them.

__version__ = "0.1.0"
__all__ = ["data", "features", "layers", "losses", "metrics", "ops", "training"]


def __getattr__(name):
    # Stands on TensorFlow, so it is loaded when first touched, as are the parts of `training`.
    if name == "data":
        return importlib.import_module("kerasadv.data")
    raise AttributeError(f"module 'kerasadv' has no attribute {name!r}")


def __dir__():
    return [*__all__, "__version__"]
