"""Losses, activations and adversarial training that Keras 3 does not ship."""

import importlib

from kerasadv import layers, losses, metrics, ops

__version__ = "0.1.0"
__all__ = ["data", "layers", "losses", "metrics", "ops", "training"]


def __getattr__(name):
    # `training` and `data` stand on TensorFlow, so they are loaded when first touched.
    if name in ("data", "training"):
        return importlib.import_module(f"kerasadv.{name}")
    raise AttributeError(f"module 'kerasadv' has no attribute {name!r}")
