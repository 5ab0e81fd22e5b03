"""Distance transforms against SciPy, brute force and hand calculation."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops
from scipy import ndimage

from kerasadv.ops import distance_transform, signed_distance

RNG = np.random.default_rng(0)


def blobs(shape, density):
    """Smooth random masks, `(batch, *spatial, channels)`."""
    noise = RNG.normal(size=shape)
    spatial = tuple(range(1, len(shape) - 1))
    smooth = ndimage.gaussian_filter(noise, 2, axes=spatial)
    return smooth > np.quantile(smooth, 1 - density)


def each(masks):
    for b, c in itertools.product(range(masks.shape[0]), range(masks.shape[-1])):
        yield (b, ..., c), masks[b, ..., c]


CASES = [
    ((2, 31, 47, 2), None),
    ((2, 31, 47, 2), (0.5, 3.0)),
    ((1, 1, 64, 1), 2.0),
    ((2, 12, 17, 9, 2), None),
    ((2, 12, 17, 9, 2), (2.0, 0.7, 0.7)),
]


@pytest.mark.parametrize("shape, spacing", CASES)
@pytest.mark.parametrize("density", [0.02, 0.5, 0.98])
def test_equals_scipy(shape, spacing, density):
    masks = blobs(shape, density)
    got = np.array(distance_transform(masks, spacing))
    for index, mask in each(masks):
        if not mask.all():
            expected = ndimage.distance_transform_edt(mask, sampling=spacing)
            np.testing.assert_allclose(got[index], expected, rtol=1e-6)


@pytest.mark.parametrize("spacing", [None, (0.5, 2.0)])
def test_equals_brute_force(spacing):
    mask = RNG.random((9, 7)) > 0.3
    steps = np.array(spacing or (1.0, 1.0))
    points = np.argwhere(np.ones_like(mask)) * steps
    outside = np.argwhere(~mask) * steps
    expected = np.sqrt(((points[:, None] - outside[None]) ** 2).sum(-1).min(1)).reshape(mask.shape)
    got = distance_transform(mask[None, ..., None], spacing)
    np.testing.assert_allclose(got[0, ..., 0], expected, rtol=1e-6)


def authors_map(mask):
    """The map of the boundary loss' authors (LIVIAETS/boundary-loss, one_hot2dist), from SciPy."""
    if not mask.any():
        return np.zeros(mask.shape)
    outside = ndimage.distance_transform_edt(~mask)
    inside = ndimage.distance_transform_edt(mask)
    return outside * ~mask - (inside - 1) * mask


@pytest.mark.parametrize("shape", [(3, 40, 33, 2), (2, 11, 12, 13, 2)])
def test_signed_map_is_the_authors_at_unit_spacing(shape):
    masks = blobs(shape, 0.2)
    got = np.array(signed_distance(masks))
    for index, mask in each(masks):
        np.testing.assert_allclose(got[index], authors_map(mask), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("spacing", [0.1, 0.5, 3.0, (2.0, 0.7), (0.01, 5.0)])
def test_inside_is_never_positive_and_outside_always(spacing):
    masks = blobs((4, 24, 24, 1), 0.4)
    signed = np.array(signed_distance(masks, spacing))
    assert (signed[masks] <= 0).all()
    assert (signed[~masks] > 0).all()
    smallest = np.min(spacing)
    inside = np.array(distance_transform(masks, spacing))
    np.testing.assert_allclose(signed[masks], smallest - inside[masks], rtol=1e-5, atol=1e-6)


def test_empty_and_full_masks_have_no_edge():
    masks = np.zeros((3, 6, 7, 1), bool)
    masks[1] = True
    masks[2, 2:4, 2:4] = True
    signed = np.array(signed_distance(masks))
    assert (signed[:2] == 0).all() and (signed[2] != 0).any()
    assert np.isinf(distance_transform(masks)[1]).all()
    assert (np.array(distance_transform(masks)[0]) == 0).all()


@pytest.mark.parametrize("position", [(0, 0), (0, 199), (150, 3)])
def test_a_single_pixel_reaches_the_far_corners(position):
    mask = np.zeros((1, 200, 200, 1), bool)
    mask[0, *position, 0] = True
    y, x = np.mgrid[:200, :200]
    expected = np.hypot(y - position[0], x - position[1])  # Pythagoras
    got = np.array(signed_distance(mask))[0, ..., 0]
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_equal_in_graph_and_xla():
    masks = blobs((2, 20, 30, 2), 0.3)
    eager = np.array(signed_distance(masks))
    if keras.backend.backend() == "jax":
        import jax

        compiled = [jax.jit(signed_distance)]
    else:
        import tensorflow as tf

        any_size = [tf.TensorSpec((None, None, None, 2), "bool")]
        compiled = [
            tf.function(signed_distance),
            tf.function(signed_distance, jit_compile=True),
            tf.function(signed_distance, input_signature=any_size),
            tf.function(signed_distance, input_signature=any_size, jit_compile=True),
        ]
    for function in compiled:
        np.testing.assert_allclose(function(masks), eager, rtol=1e-6, atol=1e-6)


def test_no_temporary_grows_with_the_square_of_a_side():
    if keras.backend.backend() == "jax":
        pytest.skip("counts the tensors of a TensorFlow graph")
    import tensorflow as tf

    volume = tf.TensorSpec((1, 40, 40, 40, 1), "bool")
    graph = tf.function(signed_distance).get_concrete_function(volume).graph
    definition = graph.as_graph_def(add_shapes=True)
    fields = {field.name: value for field, value in definition.ListFields()}
    bodies = [function.node_def for function in fields["library"].function]
    sizes = [
        np.prod([d.size for d in shape.dim])
        for nodes in (definition.node, *bodies)
        for node in nodes
        for shape in node.attr["_output_shapes"].list.shape
        if not shape.unknown_rank
    ]
    assert max(sizes) == 40**3 and len(sizes) > 100 and len(bodies) >= 4


@pytest.mark.parametrize("spacing", [0, -1.0, (1.0, 0.0), (1.0,), (1, 1, 1), float("nan"), np.inf])
def test_bad_spacing_is_named(spacing):
    with pytest.raises(ValueError, match="`spacing`.*Received"):
        signed_distance(np.zeros((1, 4, 4, 1)), spacing)


def test_bad_rank_is_named():
    with pytest.raises(ValueError, match="`masks`.*Received"):
        signed_distance(np.zeros((4, 4, 1)))


def test_has_no_gradient():
    if keras.backend.backend() == "jax":
        import jax

        slope = jax.grad(lambda m: ops.sum(signed_distance(m)))(np.ones((1, 4, 4, 1), "float32"))
        assert (np.array(slope) == 0).all()
    else:
        import tensorflow as tf

        masks = tf.Variable(np.eye(4, dtype="float32")[None, ..., None])
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(signed_distance(masks))
        assert tape.gradient(value, masks) is None
