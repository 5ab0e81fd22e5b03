"""How far each pixel is from the edge of a mask: exact Euclidean distance transforms."""

import math

from keras import ops

# Farther than every distance; its square is still a float32 that other squares can be added to.
_FAR = 1e15


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
    inside = _inside(masks)
    return ops.where(inside, _to_other_side(inside, _check_spacing(spacing, inside)), 0.0)


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
    inside = _inside(masks)
    spacing = _check_spacing(spacing, inside)
    distance = _to_other_side(inside, spacing)
    signed = ops.where(inside, min(spacing) - distance, distance)
    return ops.where(ops.isinf(distance), 0.0, signed)


def _inside(masks):
    return ops.cast(ops.stop_gradient(ops.convert_to_tensor(masks)), "float32") > 0.5


def _check_spacing(spacing, masks):
    """`spacing` as a tuple with one positive number per spatial axis."""
    num_axes = len(masks.shape) - 2
    if num_axes not in (2, 3):
        raise ValueError(
            "`masks`: expected (batch, height, width, channels) or "
            f"(batch, depth, height, width, channels). Received: shape {tuple(masks.shape)}"
        )
    if spacing is None:
        return (1.0,) * num_axes
    values = (spacing,) * num_axes if isinstance(spacing, (int, float)) else tuple(spacing)
    if len(values) != num_axes or not all(0 < value < math.inf for value in values):
        raise ValueError(
            f"`spacing`: expected a positive number or {num_axes} of them, one per spatial axis. "
            f"Received: spacing={spacing}"
        )
    return tuple(float(value) for value in values)


def _to_other_side(inside, spacing):
    """Distance from each pixel to the nearest one on the other side of the edge, inf without one.

    Axis by axis: the nearest pixel of the other side lies on the same line, which `_along_line`
    finds, or in line with a pixel of one's own side that knows its distance from the axes before,
    which `_min_plus` finds. `_min_plus` takes pixels of the other side for such pixels too, but
    what it adds for them is never less than the way to them alone, which `_along_line` has. So one
    search serves both sides of the edge, where two transforms would take two.
    """
    squared = None
    for axis, step in enumerate(spacing, start=1):
        on_line = ops.square(_along_line(inside, axis, step))
        squared = on_line if axis == 1 else ops.minimum(on_line, _min_plus(squared, axis, step))
    distance = ops.sqrt(squared)
    return ops.where(distance > _FAR / 2, math.inf, distance)


def _column(values, rank):
    """A vector shaped so that it broadcasts along the first of `rank` axes."""
    return ops.reshape(values, (-1,) + (1,) * (rank - 1))


def _along_line(inside, axis, spacing):
    """Distance along one axis to the other side of the edge, `_FAR` where the line has none.

    Steps of 1, 2, 4 ... to either side reach every distance in log2(size) rounds.
    """
    inside = ops.moveaxis(inside, axis, 0)
    size = ops.shape(inside)[0]
    position = _column(ops.arange(size), len(inside.shape))

    def neighbours(values, step, missing):
        # `roll` wraps around; what wrapped is masked.
        return (
            ops.where(position >= step, ops.roll(values, step, axis=0), missing),
            ops.where(position < size - step, ops.roll(values, -step, axis=0), missing),
        )

    before, after = neighbours(inside, 1, inside)
    beside_edge = ops.logical_or(before != inside, after != inside)
    distance = ops.where(beside_edge, spacing, _FAR)
    # A size that is not known gets the rounds for 65,536 pixels.
    rounds = (size - 1).bit_length() if isinstance(size, int) else 16
    for step in (2**k for k in range(rounds)):
        nearest = ops.minimum(*neighbours(distance, step, _FAR))
        distance = ops.minimum(distance, nearest + step * spacing)
    return ops.moveaxis(distance, 0, axis)


def _min_plus(squared, axis, spacing):
    """For each pixel, the least `squared + (distance along the axis)^2` over its line."""
    squared = ops.moveaxis(squared, axis, 0)
    rank = len(squared.shape)
    positions = ops.cast(ops.arange(ops.shape(squared)[0]), "float32") * spacing

    def nearest(position):
        return ops.min(squared + _column(ops.square(positions - position), rank), axis=0)

    return ops.moveaxis(ops.map(nearest, positions), 0, axis)
