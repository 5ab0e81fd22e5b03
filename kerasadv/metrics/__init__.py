"""Keras metrics, one per file."""

from kerasadv.metrics.dice import Dice
from kerasadv.metrics.frechet_distance import FrechetDistance
from kerasadv.metrics.kernel_distance import KernelDistance

__all__ = ["Dice", "FrechetDistance", "KernelDistance"]
