"""What a game of two players shows: spread, norms, distances, pictures, and what went wrong."""

import keras
import numpy as np
import pytest
from keras import layers

import kerasadv
from kerasadv.losses import WGAN, Minimax
from kerasadv.metrics import FrechetDistance
from kerasadv.training import GAN, GameWatch

TENSORFLOW = keras.backend.backend() == "tensorflow"
needs_tensorflow = pytest.mark.skipif(not TENSORFLOW, reason="is about TensorFlow")
IMAGES = np.random.default_rng(0).uniform(-1, 1, (16, 4, 4, 1)).astype("float32")


def make(loss=None, rates=(0.1, 0.1), kernel="glorot_uniform", **kwargs):
    keras.utils.set_random_seed(3)
    generator = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(16, activation="tanh", kernel_initializer=kernel),
            layers.Reshape((4, 4, 1)),
        ]
    )
    judge = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(1)])
    gan = GAN(generator, judge, latent_shape=(5,), seed=7)
    gan.compile(*(keras.optimizers.SGD(rate) for rate in rates), loss=loss, **kwargs)
    return gan


def fit(gan, images=IMAGES, **kwargs):
    given = {"batch_size": 16, "shuffle": False, "verbose": 0, **kwargs}
    return gan.fit(images, **given).history


def generated(gan, number=16):
    """What a GAN with seed 7 makes in its first step."""
    latents = keras.random.normal((number, 5), seed=keras.random.SeedGenerator(7))
    return np.array(gan.generator(latents))


def test_the_spread_is_that_of_a_batch_as_a_share_of_the_real_one():
    gan = make()
    expected = np.sqrt(generated(gan).var(axis=0).mean() / IMAGES.var(axis=0).mean())
    assert fit(gan)["spread"][0] == pytest.approx(expected, rel=1e-5)
    # Where real images are all the same, there is nothing to miss.
    assert fit(make(), np.ones_like(IMAGES))["spread"] == [1.0]


@needs_tensorflow
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_the_norms_are_those_of_the_gradients(policy):
    keras.config.set_dtype_policy(policy)
    gan = make()
    before = [np.array(v) for v in gan.trainable_variables]
    logs = fit(gan)
    # A step of gradient descent at a rate of 0.1 moves weights by a tenth of the gradient.
    moved = [10 * (np.array(v) - b).ravel() for v, b in zip(gan.trainable_variables, before)]
    ours = len(gan.generator.trainable_variables)
    for player, parts in (("generator", moved[:ours]), ("discriminator", moved[ours:])):
        length = np.linalg.norm(np.concatenate(parts))
        assert logs[f"{player}_gradient_norm"][0] == pytest.approx(length, rel=1e-3)


def brightness():
    image = keras.Input((4, 4, 1))
    return keras.Model(image, image)


def test_evaluation_shows_distances_and_training_does_not():
    gan = make(metrics=[FrechetDistance(brightness())])
    direct = FrechetDistance(brightness())
    seeds = keras.random.SeedGenerator(0)
    for rows in (slice(0, 8), slice(8, 16)):
        latents = keras.random.normal((8, 5), seed=seeds)  # as evaluation draws them
        direct.update_state(IMAGES[rows], gan.generator(latents))
    assert np.isnan(gan.test_on_batch(IMAGES, return_dict=True)["frechet_distance"])  # Not asked.
    found = gan.evaluate(IMAGES, batch_size=8, verbose=0, return_dict=True)
    assert found["frechet_distance"] == pytest.approx(float(direct.result()), rel=1e-4)
    assert found["frechet_distance"] > 1e-3
    again = gan.evaluate(IMAGES, batch_size=8, verbose=0, return_dict=True)
    assert again["frechet_distance"] == pytest.approx(found["frechet_distance"], rel=1e-4)
    logs = fit(gan, validation_data=(IMAGES,), epochs=2)
    assert "frechet_distance" not in logs
    assert np.all(np.isfinite(logs["val_frechet_distance"]))


@needs_tensorflow
def test_replicas_show_the_distances_of_one_and_ask_once(mirrored, monkeypatch):
    import tensorflow as tf

    asked, result = [], FrechetDistance.result
    monkeypatch.setattr(FrechetDistance, "result", lambda self: asked.append(0) or result(self))
    data = tf.data.Dataset.from_tensor_slices(IMAGES).batch(8)
    found = []
    for strategy in (tf.distribute.get_strategy(), mirrored):
        with strategy.scope():
            gan = make(metrics=[FrechetDistance(brightness())])
        found.append(gan.evaluate(data, verbose=0, return_dict=True)["frechet_distance"])
        assert len(asked) == 1  # Not in the step, nor when it is traced.
        asked.clear()
    assert found[1] == pytest.approx(found[0], rel=1e-4) and found[0] > 1e-3


@pytest.mark.parametrize("loss", [Minimax, WGAN])
def test_the_list_of_an_evaluation_is_in_the_order_of_the_names(loss):
    gan = make(loss(), penalties=[kerasadv.training.R1()], metrics=[FrechetDistance(brightness())])
    assert gan.metrics_names[-1] == "frechet_distance" and "r1" not in gan.metrics_names
    sgd = keras.optimizers.SGD
    for again in (False, True):
        if again:  # Nothing is left of the settings before.
            gan.compile(sgd(0.1), sgd(0.1), WGAN())
            assert len(gan.metrics_names) == 4
        listed = gan.evaluate(IMAGES, verbose=0)
        named = gan.evaluate(IMAGES, verbose=0, return_dict=True)
        assert dict(zip(gan.metrics_names, listed, strict=True)) == named


@needs_tensorflow
def test_distances_come_back_with_a_file(tmp_path):
    image = keras.Input((16, 16, 3))
    generator = keras.Sequential(
        [keras.Input((5,)), layers.Dense(768), layers.Reshape((16, 16, 3))]
    )
    judge = keras.Model(image, layers.Dense(1)(layers.Flatten()(image)))
    gan = GAN(generator, judge, latent_shape=(5,), seed=7)
    extractor = kerasadv.features.vgg("vgg16", ["block1_conv1"], None, (-1, 1))
    sgd = keras.optimizers.SGD
    gan.compile(sgd(0.1), sgd(0.1), metrics=[FrechetDistance(extractor)])
    gan.save(tmp_path / "gan.keras")
    images = np.random.default_rng(0).uniform(-1, 1, (4, 16, 16, 3)).astype("float32")
    found = [
        model.evaluate(images, verbose=0, return_dict=True)
        for model in (gan, keras.saving.load_model(tmp_path / "gan.keras"))
    ]
    assert found[0].keys() == found[1].keys() >= {"frechet_distance"}
    for name, value in found[0].items():
        assert found[1][name] == pytest.approx(value, rel=1e-4)


def test_pictures_are_always_of_the_same_latents():
    gan = make()
    page = gan.pictures()["generated"]
    np.testing.assert_array_equal(page, gan.pictures()["generated"])
    images = gan.generate(36, seed=0)
    # Six in a row, and two white pixels around each.
    assert page.shape == (1, 38, 38, 1) and page.dtype == np.uint8
    np.testing.assert_array_equal(page[0, 8:12, 14:18], np.rint((images[8] + 1) * 127.5))
    assert (page[0, 6:8] == 255).all()
    flat = keras.Sequential([keras.Input((2,)), layers.Dense(3)])
    judge = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    assert GAN(flat, judge, latent_shape=(2,)).pictures() == {}


@needs_tensorflow
def test_tensorboard_shows_them_unasked(tmp_path):
    import tensorflow as tf
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    gan = make()
    fit(gan, callbacks=[kerasadv.training.TensorBoard(tmp_path)])
    log = EventAccumulator(str(tmp_path / "validation"), {"tensors": 0})
    log.Reload()
    shown = tf.make_ndarray(log.Tensors("generated")[0].tensor_proto)[2]
    np.testing.assert_array_equal(tf.io.decode_png(shown), gan.pictures()["generated"][0])


def after(steps, logs, watch):
    """Let a callback see an epoch that ends with these steps and logs."""
    gan = make()
    gan.optimizer.iterations.assign(steps)
    watch.set_model(gan)
    watch.on_train_begin()
    watch.on_epoch_end(0, logs)


def test_a_collapse_is_named_once():
    # A generator that draws the same, whatever the latent, and is not moved: 16 steps an epoch, of
    # which 200 have to pass.
    gan = make(rates=(0.0, 0.0), kernel="zeros")
    images = np.tile(IMAGES, (4, 1, 1, 1))
    with pytest.warns(UserWarning) as said:
        fit(gan, images, batch_size=4, epochs=15, callbacks=[GameWatch()])
    (message,) = [str(w.message) for w in said if "collapse" in str(w.message)]
    assert message.startswith("epoch 13: mode collapse: ")
    assert " only 0.00 times " in message


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_images_far_from_the_range_are_named_before_training(dtype):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 4, 4, 1)).astype(dtype)
    with pytest.raises(ValueError, match=r"`value_range`: .*=\(-1, 1\), and images from .* to 25"):
        fit(make(), pixels)
    fit(make(), pixels / 127.5 - 1)
    fit(make(), 2 * np.random.default_rng(0).normal(size=(16, 4, 4, 1)))


@needs_tensorflow
@pytest.mark.parametrize("scale, named", [(255, "more than values from -1 to 1"), (1, "collapse")])
def test_images_far_from_the_range_are_no_collapse(scale, named):
    import tensorflow as tf

    # All but a collapse: a fifteenth of what real images of -1 to 1 differ, less of others.
    small = keras.initializers.RandomNormal(stddev=0.02, seed=0)
    gan = make(rates=(0.0, 0.0), kernel=small)
    images = scale * np.tile(IMAGES, (4, 1, 1, 1))  # Datasets are not looked into.
    data = tf.data.Dataset.from_tensor_slices(images).batch(4)
    with pytest.warns(UserWarning) as said:
        gan.fit(data, epochs=13, verbose=0, callbacks=[GameWatch()])
    (message,) = [str(w.message) for w in said if "epoch 13" in str(w.message)]
    assert named in message


def test_a_discriminator_that_has_won_is_named():
    sure = {"real_accuracy": 0.995, "fake_accuracy": 0.999, "spread": 0.9}
    with pytest.warns(UserWarning, match="discriminator has won: .* 99.5% .* 99.9%"):
        after(200, sure, GameWatch())


@pytest.mark.parametrize(
    "steps, logs",
    [
        (199, {"real_accuracy": 1.0, "fake_accuracy": 1.0, "spread": 0.0}),  # Too early to say.
        (200, {"real_accuracy": 1.0, "fake_accuracy": 0.98, "spread": 0.25}),
        (200, {"loss": 1.0}),  # No game.
    ],
)
def test_nothing_is_said_of_a_game_that_goes_well(steps, logs):
    after(steps, logs, GameWatch())  # Warnings are errors here.


def test_a_critic_may_be_right_and_has_no_accuracy():
    logs = fit(make(WGAN()))
    assert "spread" in logs and "real_accuracy" not in logs
    assert "real_accuracy" in fit(make(Minimax()))


@needs_tensorflow
def test_tensorboard_says_it_too(tmp_path):
    with pytest.warns(UserWarning, match="has won"):
        logs = {"real_accuracy": 1.0, "fake_accuracy": 1.0}
        after(200, logs, kerasadv.training.TensorBoard(tmp_path))
