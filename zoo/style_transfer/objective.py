"""What a painted photo is measured by: the content of the photo, the style of a painting."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

import kerasadv
from kerasadv.losses.perceptual import compared, look, perceptual_terms
from kerasadv.losses.total_variation import total_variation
from zoo.style_transfer.data import resize

# One layer in each block, as Johnson et al. have it, and no deeper than its first convolution in
# the fourth: the other three would cost a third of the time again.
CONTENT = "block3_conv3"
STYLE = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv1")
# Of each of these layers, where the content weighs 1: what is in the photo stays recognizable.
STYLE_WEIGHT = 1.5
# Against specks; so little that the strokes stay.
TOTAL_VARIATION = 1.0


class Objective:
    """The loss of photos painted in the styles of several paintings.

    Args:
        paintings: uint8, `(height, width, 3)`, by the names of their styles.
        vgg: The path of a file with the weights of VGG19, `"imagenet"` or `"random"`.
        style_weight: Weight of each layer of the style term; that of the content is 1.
        painting_size: Pixels of the shorter side of each painting when it is looked at, which
            decide how large its strokes are in a photo.

    Raises:
        ValueError: If `style_weight` is out of range, or the weights of VGG19 cannot be found.
    """

    def __init__(
        self,
        paintings: Mapping[str, np.ndarray],
        vgg: str,
        style_weight: float,
        painting_size: int = 256,
    ):
        if not 0 <= style_weight < float("inf"):
            raise ValueError(
                f"--style-weight: expected a number of at least 0. Received: {style_weight}"
            )
        self.styles = list(paintings)
        self.content, self.style = {CONTENT: 1.0}, dict.fromkeys(STYLE, style_weight)
        weights = None if vgg == "random" else vgg
        self.extractor = kerasadv.features.vgg("vgg19", [CONTENT, *STYLE], weights)
        rows = [self._gram_matrices(resize(x, painting_size)) for x in paintings.values()]
        self.paintings = {layer: np.stack([row[layer] for row in rows]) for layer in STYLE}

    def _gram_matrices(self, painting):
        features = self.extractor.predict_on_batch(painting[None].astype("float32"))
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

    def target(self, photo: np.ndarray, shares: np.ndarray) -> tuple[dict, dict]:
        """What to come near, for `value_and_gradient`: the photo is looked at here, once.

        Args:
            photo: `(height, width, 3)`, 0 to 255.
            shares: Weights of the styles, `(num_styles,)`.
        """
        features = look(self.extractor, tf.constant(photo[None], tf.float32))
        matrices = {
            layer: tf.constant(np.tensordot(shares, rows, axes=1)[None], tf.float32)
            for layer, rows in self.paintings.items()
        }
        return {CONTENT: features[CONTENT]}, matrices

    @tf.function
    def value_and_gradient(self, target, painted):
        """The loss of a painted photo, `(1, height, width, 3)`, and its gradient by the pixels."""
        features, matrices = target
        with tf.GradientTape() as tape:
            tape.watch(painted)
            seen = look(self.extractor, painted)
            terms = compared(seen, features, matrices, self.content, self.style)
            terms["total_variation"] = TOTAL_VARIATION * total_variation(painted, painted)
            value = tf.reduce_sum(sum(terms.values()))
        return value, tape.gradient(value, painted)
