"""Pure tensor functions on `keras.ops` that losses, layers and metrics share."""

from kerasadv.ops.distance import distance_transform, signed_distance
from kerasadv.ops.embeddings import embeddings
from kerasadv.ops.gram import gram_matrix
from kerasadv.ops.masks import as_masks
from kerasadv.ops.standardized import standardized
from kerasadv.ops.tempered import exp_t, log_t, tempered_sigmoid, tempered_softmax
from kerasadv.ops.weights import per_sample

__all__ = [
    "as_masks",
    "distance_transform",
    "embeddings",
    "exp_t",
    "gram_matrix",
    "log_t",
    "per_sample",
    "signed_distance",
    "standardized",
    "tempered_sigmoid",
    "tempered_softmax",
]
