"""Pure tensor functions on `keras.ops` that losses, layers and metrics share."""

from kerasadv.ops.distance import distance_transform, signed_distance
from kerasadv.ops.masks import as_masks

__all__ = ["as_masks", "distance_transform", "signed_distance"]
