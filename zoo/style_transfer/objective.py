"""What a painted photo is measured by: the content of the photo, the style of a painting."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

import kerasadv
from kerasadv.losses.perceptual import perceptual_terms
from kerasadv.losses.total_variation import total_variation
from zoo.style_transfer.data import resize

# One layer in each block, as Johnson et al. have it, and no deeper than its first convolution in
# the fourth: the other three would cost a third of the time again.
CONTENT = "block3_conv3"
STYLE = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv1")
# Pixels of the shorter side of a painting, which decide how large its strokes are in a photo.
PAINTING_SIZE = 256
# Against specks; so little that the strokes stay.
TOTAL_VARIATION = 1.0


class Objective:
    """The loss of photos painted in the styles of several paintings.

    Args:
        paintings: uint8, `(height, width, 3)`, by the names of their styles.
        vgg: The path of a file with the weights of VGG19, `"imagenet"` or `"random"`.
        style_weight: Weight of each layer of the style term; that of the content is 1.

    Raises:
        ValueError: If the weights cannot be found.
    """

    def __init__(self, paintings: Mapping[str, np.ndarray], vgg: str, style_weight: float):
        self.styles = list(paintings)
        self.content, self.style = {CONTENT: 1.0}, dict.fromkeys(STYLE, style_weight)
        weights = None if vgg == "random" else vgg
        self.extractor = kerasadv.features.vgg("vgg19", [CONTENT, *STYLE], weights)
        rows = [self._gram_matrices(painting) for painting in paintings.values()]
        self.paintings = {layer: np.stack([row[layer] for row in rows]) for layer in STYLE}
        self._loss = self.loss()

    def _gram_matrices(self, painting):
        images = resize(painting, PAINTING_SIZE)[None].astype("float32")
        features = self.extractor.predict_on_batch(images)
        return {layer: np.asarray(kerasadv.ops.gram_matrix(features[layer])[0]) for layer in STYLE}

    def loss(self) -> kerasadv.losses.Compound:
        """The loss for `compile`; targets are photos with the shares of paintings behind."""
        return kerasadv.losses.Compound(
            {
                "perceptual": kerasadv.losses.Perceptual(
                    self.extractor, self.content, self.style, self.paintings
                ),
                "total_variation": kerasadv.losses.TotalVariation(),
            },
            weights={"total_variation": TOTAL_VARIATION},
        )

    def terms(self, targets, painted) -> dict:
        """The weighted terms of `loss`, one value per photo each."""
        terms = perceptual_terms(
            targets, painted, self.extractor, self.content, self.style, self.paintings
        )
        variation = total_variation(targets, painted)
        return terms | {"total_variation": TOTAL_VARIATION * variation}

    @tf.function
    def value_and_slope(self, targets, painted):
        """The mean of `loss` and its gradient by the pixels of painted photos, tensors."""
        with tf.GradientTape() as tape:
            tape.watch(painted)
            value = self._loss(targets, painted)
        return value, tape.gradient(value, painted)
