"""Keras layers, one per file."""

from kerasadv.layers.conditional_instance_norm import ConditionalInstanceNormalization
from kerasadv.layers.elu import ELU
from kerasadv.layers.prelu import PReLU
from kerasadv.layers.reflection_padding import ReflectionPadding2D
from kerasadv.layers.tempered_softmax import TemperedSoftmax

__all__ = [
    "ConditionalInstanceNormalization",
    "ELU",
    "PReLU",
    "ReflectionPadding2D",
    "TemperedSoftmax",
]
