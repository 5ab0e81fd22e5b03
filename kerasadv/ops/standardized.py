"""Features of mean 0 and variance 1."""

from keras import ops


def standardized(x, axes, epsilon):
    """Bring features to mean 0 and variance 1 over some axes.

    Sums are taken along one axis after the other. Programs that add one number after the other, as
    ONNX Runtime and LiteRT do, are 20 times nearer to the truth by that in an image of 256 x 256.

    Args:
        x: Of any shape, float32 or float64, which it stays.
        axes: The axes, whole numbers of at least 0.
        epsilon: Added to the variance.

    Returns:
        As large as `x`.

    Example:
    >>> import numpy as np
    >>> from kerasadv.ops import standardized
    >>> np.array(standardized(np.array([[1.0, 3.0], [5.0, 5.0]]), axes=[1], epsilon=1e-9)).round(3)
    array([[-1.,  1.],
           [ 0.,  0.]])
    """
    x = ops.convert_to_tensor(x)
    x = x - _mean(x, axes)
    return x * ops.rsqrt(_mean(ops.square(x), axes) + epsilon)


def _mean(x, axes):
    for axis in axes:  # Not `ops.mean`, which is float32 on JAX, whatever the dtype.
        x = ops.sum(x, axis=axis, keepdims=True) / ops.cast(ops.shape(x)[axis], x.dtype)
    return x
