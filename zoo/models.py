"""Every model, one line each."""

import kerasadv  # noqa: F401  Registers the layers that saved models are made of.
from zoo.dcgan.model import DCGANDiscriminator, DCGANGenerator
from zoo.noisy_labels.model import ResidualClassifier
from zoo.style_transfer.model import StyleTransfer
from zoo.unet.model import UNet

__all__ = [
    "DCGANDiscriminator",
    "DCGANGenerator",
    "ResidualClassifier",
    "StyleTransfer",
    "UNet",
]
