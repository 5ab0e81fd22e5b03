"""Frozen networks that losses and metrics look through."""

from kerasadv.features.pooled_inception import inception_v3
from kerasadv.features.vgg_activations import vgg

__all__ = ["inception_v3", "vgg"]
