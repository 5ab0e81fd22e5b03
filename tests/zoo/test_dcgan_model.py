"""The two players of the DCGAN: their sizes, their parts, their ranges, their weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.dcgan.model import halvings

RNG = np.random.default_rng(0)
LATENTS = RNG.normal(size=(3, 128)).astype("float32")


@pytest.mark.parametrize("image_size, channels", [(28, 1), (32, 3), (64, 3)])
def test_makes_and_judges_pictures_of_a_size(image_size, channels):
    generator = zoo.DCGANGenerator(image_size, channels, filters=2)
    discriminator = zoo.DCGANDiscriminator(image_size, channels, filters=2)
    images = np.array(generator(LATENTS))
    assert images.shape == (3, image_size, image_size, channels) and images.dtype == "float32"
    assert discriminator(images).shape == (3, 1)
    for model in (generator, discriminator):
        assert type(model) is keras.src.models.functional.Functional


@pytest.mark.parametrize(
    "image_size, sides", [(28, [4, 7, 14]), (32, [4, 8, 16]), (64, [4, 8, 16, 32])]
)
def test_the_number_of_parameters_is_that_of_the_architecture(image_size, sides):
    # From the picture inwards: half the size, twice the channels. The generator's convolutions lead
    # from each stage to the one before, and its stages are normalized: four numbers a channel.
    widths = [5 * 2**k for k in range(len(sides))]
    making = 11 * sides[0] ** 2 * widths[-1] + sum(4 * width for width in widths)
    making += 16 * widths[0] * 3 + 3
    making += sum(16 * narrow * wide for narrow, wide in zip(widths, widths[1:]))
    generator = zoo.DCGANGenerator(image_size, 3, latent_size=11, filters=5)
    assert generator.count_params() == making
    judging = 16 * 3 * widths[0] + widths[0] + sides[0] ** 2 * widths[-1] + 1
    plain = judging + sum(16 * a * b + b for a, b in zip(widths, widths[1:]))
    assert zoo.DCGANDiscriminator(image_size, 3, filters=5).count_params() == plain
    normalized = judging + sum(16 * a * b + 4 * b for a, b in zip(widths, widths[1:]))
    model = zoo.DCGANDiscriminator(image_size, 3, filters=5, batch_normalization=True)
    assert model.count_params() == normalized


def test_the_default_generator_can_be_published():
    assert 4 * zoo.DCGANGenerator().count_params() < 15e6
    assert 4 * zoo.DCGANGenerator(64, 3, filters=48).count_params() < 15e6


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "prelu", "elu"])
def test_every_activation_is_the_one_that_was_asked_for(activation):
    negative = {"relu": 0.0, "leaky_relu": -0.2, "prelu": -0.25, "elu": np.exp(-1.0) - 1}
    generator = zoo.DCGANGenerator(8, filters=2, activation=activation)
    discriminator = zoo.DCGANDiscriminator(8, filters=2, activation=activation)
    for model in (generator, discriminator):
        layer = model.get_layer(f"stage1_{activation}")
        got = layer(np.full((1, 4, 4, 2), -1.0, "float32"))
        np.testing.assert_allclose(got, np.full((1, 4, 4, 2), negative[activation]), atol=1e-6)
    images = np.array(generator(LATENTS))
    assert np.abs(images).max() <= 1 and np.isfinite(discriminator(images)).all()
    assert images.std(axis=0).max() > 0


def test_pictures_fill_the_range_of_tanh_and_scores_have_no_bounds():
    generator, discriminator = (
        zoo.DCGANGenerator(8, filters=2),
        zoo.DCGANDiscriminator(8, filters=2),
    )
    generator.get_layer("picture").bias.assign([50.0])
    assert float(np.min(generator(LATENTS))) == pytest.approx(1.0)
    discriminator.get_layer("score").bias.assign([-50.0])
    assert float(np.max(discriminator(generator(LATENTS)))) < -40


def test_first_weights_are_those_of_the_paper():
    for model in (zoo.DCGANGenerator(), zoo.DCGANDiscriminator()):
        for layer in model.layers:
            if hasattr(layer, "kernel"):
                kernel = np.array(layer.kernel)
                assert abs(kernel.mean()) < 0.004 and kernel.std() == pytest.approx(0.02, rel=0.1)


def test_nothing_is_normalized_where_pictures_come_in_or_out():
    def normalized(model):
        names = [layer.name for layer in model.layers]
        kinds = [type(layer).__name__ for layer in model.layers]
        return names, [k for k, kind in enumerate(kinds) if kind == "BatchNormalization"]

    names, found = normalized(zoo.DCGANGenerator(64, filters=2))
    assert [names[k - 1] for k in found] == ["reshape", "double1", "double2", "double3"]
    names, found = normalized(zoo.DCGANDiscriminator(64, filters=2, batch_normalization=True))
    assert [names[k - 1] for k in found] == ["halve2", "halve3", "halve4"]
    assert normalized(zoo.DCGANDiscriminator(64, filters=2))[1] == []


def test_every_pixel_is_reached_by_as_many_weights_as_its_neighbours():
    """What makes checkerboards, or keeps them away: kernel and stride alone."""
    generator = zoo.DCGANGenerator(28, filters=2)
    last = generator.get_layer("picture")
    last.kernel.assign(np.ones(last.kernel.shape))
    got = np.array(last(np.ones((1, 14, 14, 2), "float32")))[0, ..., 0]
    # Two weights in each direction, from two channels; at the rim one of the two is missing.
    np.testing.assert_array_equal(got[1:-1, 1:-1], np.full((26, 26), 8.0))


def test_the_default_discriminator_judges_each_picture_by_itself():
    from kerasadv.training.adversarial_step import _PER_IMAGE_LAYERS

    plain = zoo.DCGANDiscriminator(28, filters=2)
    # One way back for both players is exact where layers are of these kinds.
    assert all(isinstance(layer, _PER_IMAGE_LAYERS) for layer in plain.layers)
    images = RNG.uniform(-1, 1, (4, 28, 28, 1)).astype("float32")
    together = np.array(plain(images, training=True))
    alone = np.concatenate([np.array(plain(image[None], training=True)) for image in images])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    normalized = zoo.DCGANDiscriminator(28, filters=2, batch_normalization=True)
    assert not np.allclose(
        normalized(images, training=True)[:2], normalized(images[:2], training=True)
    )


def test_survives_a_weights_file_and_a_keras_file(tmp_path):
    model = zoo.DCGANGenerator(8, filters=2, activation="prelu")
    model.save_weights(tmp_path / "model.weights.h5")
    again = zoo.DCGANGenerator(
        8, filters=2, activation="prelu", weights=tmp_path / "model.weights.h5"
    )
    np.testing.assert_array_equal(again(LATENTS), model(LATENTS))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(LATENTS), model(LATENTS))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_gives_float32(policy):
    keras.config.set_dtype_policy(policy)
    generator, discriminator = (
        zoo.DCGANGenerator(8, filters=2),
        zoo.DCGANDiscriminator(8, filters=2),
    )
    images = generator(LATENTS)
    assert generator.output.dtype == discriminator.output.dtype == "float32"
    assert generator.get_layer("picture").compute_dtype == policy.removeprefix("mixed_")
    assert np.isfinite(discriminator(images)).all()


def test_sizes_are_halved_until_a_kernel_covers_them():
    assert [halvings(size) for size in (8, 9, 24, 50)] == [
        [8, 4],
        [9, 5, 3],
        [24, 12, 6, 3],
        [50, 25, 13, 7, 4],
    ]


@pytest.mark.parametrize("size", [9, 21, 28, 50])
def test_a_picture_of_any_size_is_made_and_judged_as_a_whole(size):
    generator, discriminator = (
        zoo.DCGANGenerator(size, filters=2),
        zoo.DCGANDiscriminator(size, filters=2),
    )
    images = tf.constant(generator(LATENTS))
    assert images.shape == (3, size, size, 1)
    # Each of the last features depends on more than half of the picture, in each direction.
    last = keras.Model(discriminator.input, discriminator.get_layer("flatten").input)
    with tf.GradientTape() as tape:
        tape.watch(images)
        value = last(images)[:, 1, 1, 0]
    reached = np.abs(np.array(tape.gradient(value, images))).sum(axis=(0, 3)) > 0
    assert reached.any(axis=0).sum() > size / 2 and reached.any(axis=1).sum() > size / 2


@pytest.mark.parametrize("size", [0, -28, 4, 7, 28.0, None, "28"])
def test_sizes_that_are_too_small_are_named(size):
    for build in (zoo.DCGANGenerator, zoo.DCGANDiscriminator):
        with pytest.raises(ValueError, match="`image_size`: expected .*at least 8.*Received"):
            build(size)


@pytest.mark.parametrize(
    "argument, value",
    [
        ("channels", 0),
        ("filters", 1.5),
        ("filters", -1),
        ("activation", "swish"),
        ("activation", None),
        ("latent_size", 0),
        ("batch_normalization", "yes"),
    ],
)
def test_bad_arguments_are_named(argument, value):
    builds = [zoo.DCGANGenerator, zoo.DCGANDiscriminator]
    if argument == "latent_size":
        builds.pop()
    elif argument == "batch_normalization":
        builds.pop(0)
    for build in builds:
        with pytest.raises(ValueError, match=f"`{argument}`: expected .*Received"):
            build(8, **{argument: value})
