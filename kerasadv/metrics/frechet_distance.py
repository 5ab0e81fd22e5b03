"""The Fréchet distance: how far images as a whole lie from real ones, in features of a network."""

from keras import ops

from kerasadv.metrics.through_extractor import ThroughExtractor
from kerasadv.saving import register


@register
class FrechetDistance(ThroughExtractor):
    """Fréchet distance between real and generated images, two normal distributions of features.

    `|m1 - m2|^2 + trace(C1 + C2 - 2 (C1 C2)^(1/2))`, of the means and covariances of an extractor's
    features. Only sums are kept, in float64 (float32 on the JAX backend, where features far from 0
    lose digits), so any number of images can be shown, in batches of any size. Take many more
    images than there are features: with few, the distance is too large.

    With Inception's features this is known as FID. Published values come from one particular file
    of weights of 2015, from images enlarged in one particular way, and mostly from 50,000 images;
    Keras' InceptionV3 is another network. So compare values of the same extractor, range and number
    of images with each other, and not with published ones.

    The result takes an eigenvalue decomposition, about a second for 1,000 features. Keras asks for
    it after each batch if the metric is given to `compile` of a model of your own;
    `kerasadv.training.GAN` asks once.

    Args:
        extractor: A Keras model from images to features, `(batch, features)`; others are averaged
            over positions and put side by side. Or `"inception_v3"`, which is
            `kerasadv.features.inception_v3()` for images of 0 to 255 and downloads its weights.
        name: Name in the logs.
        **kwargs: `dtype`, as for every Keras metric.

    Input shape:
        `y_true`: real images, `(batch, height, width, channels)`. `y_pred`: generated ones, as many
        or not. `sample_weight`: how often each of both counts, `(batch,)`; with it, there have to
        be as many of both.

    Raises:
        ValueError: If `extractor` is neither, or `sample_weight` is not one number per image of
            each kind.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> import kerasadv
    >>> image = keras.Input((None, None, 1))
    >>> metric = kerasadv.metrics.FrechetDistance(keras.Model(image, image))  # sees the brightness
    >>> brightness = np.array([0.0, 1.0, 2.0]).reshape(3, 1, 1, 1)
    >>> float(metric(brightness, 3 + 2 * brightness))  # (5 - 1)^2 + (2 - 1)^2
    17.0

    Reference:
        Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash
        equilibrium", NeurIPS 2017. Dowson and Landau, "The Fréchet distance between multivariate
        normal distributions", 1982.
    """

    def __init__(self, extractor, name="frechet_distance", **kwargs):
        super().__init__(extractor, name=name, **kwargs)
        self._sums = None

    def update_state(self, y_true, y_pred, sample_weight=None):
        both = self.embeddings(y_true, y_pred, sample_weight)
        for kind, (x, w) in zip(("real", "generated"), both):
            count, total, products = self._of(kind, x)
            count.assign_add(ops.sum(w))
            total.assign_add(ops.matmul(w, x))
            products.assign_add(ops.matmul(ops.transpose(x * w[:, None]), x))

    def _of(self, kind, x):
        """The sums of one kind of images."""
        if self._sums is None:
            # The number of features is first known here, as in Keras' FBetaScore.
            n, self._sums = x.shape[-1], {}
            for name in ("real", "generated"):
                self._sums[name] = [
                    self.add_variable(shape, "zeros", x.dtype, name=f"{name}_{part}")
                    for part, shape in (("count", ()), ("total", (n,)), ("products", (n, n)))
                ]
        return self._sums[kind]

    def result(self):
        if self._sums is None:
            return ops.zeros((), self.dtype)
        means, roots, traces = [], [], []
        for count, total, products in self._sums.values():
            mean = ops.divide_no_nan(total, count)
            spread = products - count * mean[:, None] * mean
            covariance = spread / ops.maximum(count - 1, 1)
            values, vectors = ops.eigh(covariance)
            means.append(mean)
            traces.append(ops.trace(covariance))
            roots.append(vectors * ops.sqrt(ops.maximum(values, 0)))
        # C = R R^T for both, so that the eigenvalues of (C1 C2)^(1/2) are the singular values here.
        shared = ops.sum(ops.svd(ops.matmul(ops.transpose(roots[0]), roots[1]), compute_uv=False))
        distance = ops.sum(ops.square(means[0] - means[1])) + sum(traces) - 2 * shared
        return ops.cast(ops.maximum(distance, 0), self.dtype)
