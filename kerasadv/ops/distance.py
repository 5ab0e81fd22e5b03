"""How far each pixel is from the edge of a mask: exact Euclidean distance transforms."""

import math

from keras import ops

# Larger than every squared distance, small enough that adding one to it stays finite.
_FAR = 1e30


def distance_transform(masks, spacing=None):
    """Exact Euclidean distance from each pixel inside a mask to the nearest pixel outside it.

    Pixels outside have distance 0. Where a mask covers the whole image there is nothing outside,
    and every distance is infinite. Equal to `scipy.ndimage.distance_transform_edt` wherever that
    one is defined; it runs inside `tf.function`, XLA and JAX, needs no temporary larger than a few
    copies of its input, and has no gradient.

    Args:
        masks: Masks, `(batch, height, width, channels)` or
            `(batch, depth, height, width, channels)`; above 0.5 is inside. Each sample and each
            channel is a mask of its own.
        spacing: Distance between neighbouring pixels along each spatial axis, in any unit; a
            positive number for every axis or a tuple of them. Defaults to 1.

    Returns:
        Distances in the unit of `spacing`, float32, shape of `masks`.

    Raises:
        ValueError: If `spacing` does not hold one positive number per spatial axis.

    Example:
    >>> import numpy as np
    >>> from kerasadv import ops
    >>> mask = np.array([[0, 1, 1], [1, 1, 1]], "float32").reshape(1, 2, 3, 1)
    >>> np.array(ops.distance_transform(mask))[0, :, :, 0].round(3)
    array([[0.   , 1.   , 2.   ],
           [1.   , 1.414, 2.236]], dtype=float32)

    Reference:
        Felzenszwalb and Huttenlocher, "Distance transforms of sampled functions", 2012: the
        squared distance is separable, one min-plus pass with a parabola per axis.
    """
    masks = ops.stop_gradient(ops.convert_to_tensor(masks))
    spacing = _check_spacing(spacing, len(masks.shape) - 2)
    squared = _along_first_axis(ops.cast(masks, "float32") > 0.5, spacing[0])
    for axis, step in enumerate(spacing[1:], start=2):
        squared = _min_plus(squared, axis, step)
    return ops.where(squared >= _FAR, math.inf, ops.sqrt(squared))


def signed_distance(masks, spacing=None):
    """Signed distance to the edge of each mask: positive outside it, never positive inside.

    Outside, the distance to the nearest pixel inside; inside, minus the distance to the nearest
    pixel outside, plus the smallest spacing, so that the outermost pixels of a mask have 0. At
    unit spacing this is the map of the authors of the boundary loss. A mask that is empty or covers
    the whole image has no edge: its map is 0 everywhere.

    Args:
        masks: As for `distance_transform`.
        spacing: As for `distance_transform`.

    Returns:
        Signed distances in the unit of `spacing`, float32, shape of `masks`.

    Raises:
        ValueError: If `spacing` does not hold one positive number per spatial axis.

    Example:
    >>> import numpy as np
    >>> from kerasadv import ops
    >>> mask = np.array([0, 0, 1, 1, 1], "float32").reshape(1, 1, 5, 1)
    >>> np.array(ops.signed_distance(mask)).ravel()
    array([ 2.,  1.,  0., -1., -2.], dtype=float32)

    Reference:
        Kervadec et al., "Boundary loss for highly unbalanced segmentation", MIDL 2019.
    """
    masks = ops.cast(ops.stop_gradient(ops.convert_to_tensor(masks)), "float32") > 0.5
    smallest = min(_check_spacing(spacing, len(masks.shape) - 2))
    both = ops.concatenate([ops.logical_not(masks), masks], axis=0)
    outside, inside = ops.split(distance_transform(both, spacing), 2, axis=0)
    spatial = tuple(range(1, len(masks.shape) - 1))
    has_edge = ops.logical_and(
        ops.any(masks, axis=spatial, keepdims=True),
        ops.logical_not(ops.all(masks, axis=spatial, keepdims=True)),
    )
    return ops.where(has_edge, ops.where(masks, smallest - inside, outside), 0.0)


def _check_spacing(spacing, num_axes):
    """`spacing` as a tuple with one positive number per spatial axis."""
    if num_axes not in (1, 2, 3):
        raise ValueError(
            "`masks`: expected (batch, *spatial, channels) with 1 to 3 spatial axes. "
            f"Received: {num_axes} spatial axes"
        )
    if spacing is None:
        return (1.0,) * num_axes
    values = tuple(spacing) if isinstance(spacing, (tuple, list)) else (spacing,) * num_axes
    if len(values) != num_axes or not all(0 < value < math.inf for value in values):
        raise ValueError(
            f"`spacing`: expected a positive number or {num_axes} of them, one per spatial axis. "
            f"Received: spacing={spacing}"
        )
    return tuple(float(value) for value in values)


def _column(values, rank):
    """A vector shaped so that it broadcasts along the first of `rank` axes."""
    return ops.reshape(values, (-1,) + (1,) * (rank - 1))


def _along_first_axis(inside, spacing):
    """Squared distance to the nearest outside pixel of the same line along axis 1.

    Steps of 1, 2, 4 ... to either side reach every distance in log2(size) rounds.
    """
    inside = ops.moveaxis(inside, 1, 0)
    size = ops.shape(inside)[0]
    position = _column(ops.arange(size), len(inside.shape))
    distance = ops.where(inside, _FAR, 0.0)
    # An unknown size gets rounds for 65,536 pixels; `roll` wraps and the mask hides what wrapped.
    rounds = (size - 1).bit_length() if isinstance(size, int) else 16
    for step in (2**k for k in range(rounds)):
        before = ops.where(position >= step, ops.roll(distance, step, axis=0), _FAR)
        after = ops.where(position < size - step, ops.roll(distance, -step, axis=0), _FAR)
        distance = ops.minimum(distance, ops.minimum(before, after) + step * spacing)
    # Clamped before the square, which would overflow.
    squared = ops.where(distance >= _FAR, _FAR, ops.square(ops.minimum(distance, 1e15)))
    return ops.moveaxis(squared, 0, 1)


def _min_plus(squared, axis, spacing):
    """For each pixel of a line, the least `squared + (distance along the line)^2`."""
    squared = ops.moveaxis(squared, axis, 0)
    rank = len(squared.shape)
    positions = ops.cast(ops.arange(ops.shape(squared)[0]), "float32") * spacing

    def nearest(position):
        return ops.min(squared + _column(ops.square(positions - position), rank), axis=0)

    return ops.moveaxis(ops.map(nearest, positions), 0, axis)
