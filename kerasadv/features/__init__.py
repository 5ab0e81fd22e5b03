"""Frozen networks that losses look through."""

from kerasadv.features.vgg_activations import vgg

__all__ = ["vgg"]
