"""Keras metrics, one per file."""

from kerasadv.metrics.dice import Dice

__all__ = ["Dice"]
