"""Keras layers, one per file."""

from kerasadv.layers.elu import ELU
from kerasadv.layers.prelu import PReLU
from kerasadv.layers.tempered_softmax import TemperedSoftmax

__all__ = ["ELU", "PReLU", "TemperedSoftmax"]
