"""Keras layers, one per file."""

from kerasadv.layers.elu import ELU
from kerasadv.layers.prelu import PReLU

__all__ = ["ELU", "PReLU"]
