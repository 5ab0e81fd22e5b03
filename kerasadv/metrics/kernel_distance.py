"""The kernel distance: how unlike two sets of images are, without a bias for small sets."""

import keras
from keras import ops

from kerasadv.metrics.through_extractor import ThroughExtractor
from kerasadv.saving import register


@register
class KernelDistance(ThroughExtractor):
    """Kernel distance of real and generated images: the squared maximum mean discrepancy.

    `mean k(x, x') + mean k(y, y') - 2 mean k(x, y)` over pairs of different images of a batch, with
    `k(x, y) = (x . y / features + 1)^3` of an extractor's features, then the mean over batches. It
    is unbiased: two sets of the same kind have a distance of 0 in the mean, and may have one below,
    whatever the number of images. The number of images in a batch decides how much it varies.

    With Inception's features this is known as KID, of which papers show the mean over batches of
    1,000, mostly times 1,000. Values of another extractor, Keras' InceptionV3 among them, are not
    comparable with those.

    Args:
        extractor: A Keras model from images to features, `(batch, features)`; others are averaged
            over positions and put side by side. Or `"inception_v3"`, which is
            `kerasadv.features.inception_v3()` for images of 0 to 255 and downloads its weights.
        name: Name in the logs.
        **kwargs: `dtype`, as for every Keras metric.

    Input shape:
        `y_true`: real images, `(batch, height, width, channels)`. `y_pred`: generated ones, as many
        or not. `sample_weight`: how much each of both counts, `(batch,)`; with it, there have to be
        as many of both. A batch counts by the sum of weights of its generated images, one without a
        pair not at all.

    Raises:
        ValueError: If `extractor` is neither, or `sample_weight` is not one number per image of
            each kind.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> import kerasadv
    >>> image = keras.Input((None, None, 1))
    >>> metric = kerasadv.metrics.KernelDistance(keras.Model(image, image))  # sees the brightness
    >>> brightness = np.array([0.0, 1.0]).reshape(2, 1, 1, 1)
    >>> float(metric(brightness, brightness))  # 1 + 1 - 2 * (1 + 1 + 1 + 2^3) / 4
    -3.5

    Reference:
        Binkowski et al., "Demystifying MMD GANs", ICLR 2018. Gretton et al., "A kernel two-sample
        test", JMLR 2012.
    """

    def __init__(self, extractor, name="kernel_distance", **kwargs):
        super().__init__(extractor, name=name, **kwargs)
        dtype = keras.backend.result_type("float64")
        self.total = self.add_variable((), "zeros", dtype, name="total")
        self.count = self.add_variable((), "zeros", dtype, name="count")

    def update_state(self, y_true, y_pred, sample_weight=None):
        def mean(one, other):
            (x, v), (y, w) = one, other
            kernel = (ops.matmul(x, ops.transpose(y)) / x.shape[-1] + 1) ** 3
            pairs = v[:, None] * w
            if one is other:  # No image with itself.
                pairs = pairs * (1 - ops.eye(ops.shape(v)[0], dtype=v.dtype))
            return ops.divide_no_nan(ops.sum(pairs * kernel), ops.sum(pairs)), ops.sum(pairs)

        real, generated = self.embeddings(y_true, y_pred, sample_weight)
        (of_real, n), (of_generated, m) = mean(real, real), mean(generated, generated)
        distance = of_real + of_generated - 2 * mean(real, generated)[0]
        count = ops.where(ops.minimum(n, m) > 0, ops.sum(generated[1]), 0)
        self.total.assign_add(count * distance)
        self.count.assign_add(count)

    def result(self):
        return ops.cast(ops.divide_no_nan(self.total, self.count), self.dtype)
