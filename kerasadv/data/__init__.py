"""From files to batches: images and masks read, checked, changed together and shown."""

from kerasadv.data.batches import (
    Example,
    TrainingCrops,
    fixed_batches,
    middle,
    standardize,
)
from kerasadv.data.epoch_order import EpochOrder
from kerasadv.data.files import DataError, read_folder, read_image, read_mask, split_by_name
from kerasadv.data.overlay import Overlays, overlay, side_by_side

__all__ = [
    "DataError",
    "EpochOrder",
    "Example",
    "Overlays",
    "TrainingCrops",
    "fixed_batches",
    "middle",
    "overlay",
    "read_folder",
    "read_image",
    "read_mask",
    "side_by_side",
    "split_by_name",
    "standardize",
]
