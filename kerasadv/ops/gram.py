"""Gram matrices: which features of an image occur together, wherever they occur."""

from keras import ops


def gram_matrix(features):
    """Sums over positions of products of channels, divided by the number of features.

    `G = F^T F / (height * width * channels)` with `F` the features as a matrix of positions by
    channels: the normalization of Johnson et al. (2016). Half precision is computed in float32, and
    divided before the product, so that nothing overflows.

    Args:
        features: `(batch, *spatial, channels)`, of any float.

    Returns:
        Gram matrices, at least float32, `(batch, channels, channels)`.

    Example:
    >>> import numpy as np
    >>> from kerasadv import ops
    >>> features = np.array([[1, 2], [3, 4]], "float32").reshape(1, 1, 2, 2)  # two positions
    >>> np.array(ops.gram_matrix(features))[0]  # [[1 + 9, 2 + 12], [2 + 12, 4 + 16]] / 4
    array([[2.5, 3.5],
           [3.5, 5. ]], dtype=float32)
    """
    features = ops.convert_to_tensor(features)
    if ops.dtype(features) != "float64":
        features = ops.cast(features, "float32")
    shape = ops.shape(features)
    size = 1
    for length in shape[1:]:
        size = size * length
    root = ops.sqrt(ops.cast(size, features.dtype))
    return _product(ops.reshape(features, (shape[0], -1, shape[-1])) / root)


def _product(matrix):
    # The product is symmetric, so one product is enough for its gradient, where autodiff takes two.
    @ops.custom_gradient
    def product(x):  # (b, n, c)
        def grad(*args, upstream=None):
            upstream = args[0] if upstream is None else upstream
            return ops.matmul(x, upstream + ops.transpose(upstream, (0, 2, 1)))

        return ops.matmul(ops.transpose(x, (0, 2, 1)), x), grad

    return product(matrix)
