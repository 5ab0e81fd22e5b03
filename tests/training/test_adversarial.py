"""Two players by compile and fit: the step against gradients taken one by one, and the rest."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import kerasadv
from kerasadv.losses import LSGAN, WGAN, HingeGAN, Minimax
from kerasadv.metrics import FrechetDistance, KernelDistance
from kerasadv.training import GAN, R1, GradientPenalty

TENSORFLOW = keras.backend.backend() == "tensorflow"
needs_tensorflow = pytest.mark.skipif(not TENSORFLOW, reason="is about TensorFlow's step")
IMAGES = np.random.default_rng(0).normal(size=(16, 4, 4, 1)).astype("float32")


@keras.saving.register_keras_serializable("tests")
def apart_from_the_mean(x):
    """An activation by which images of a batch touch each other."""
    return x * (1 + ops.std(x))


def networks(batch_norm=False, patches=False, mixing=False, decay=0.0, activation=None):
    keras.utils.set_random_seed(3)
    generator = [keras.Input((5,)), layers.Dense(16, activation="tanh"), layers.Reshape((4, 4, 1))]
    judge = [keras.Input((4, 4, 1)), layers.Conv2D(3, 3, padding="same"), layers.LeakyReLU()]
    if batch_norm:
        judge.append(layers.BatchNormalization())
    if activation:
        judge.append(layers.Activation(activation))
    judge += [layers.Conv2D(1, 4)] if patches else [layers.Flatten(), layers.Dense(1)]
    generator, judge = keras.Sequential(generator), keras.Sequential(judge)
    if mixing:  # By an operation that is no layer.
        image = keras.Input((4, 4, 1))
        judge = keras.Model(image, judge(image) * (1 + ops.std(image)))
    for variable in (generator.trainable_variables + judge.trainable_variables) * (decay > 0):
        variable.regularizer = keras.regularizers.L2(decay)
    return generator, judge


def pixels():
    """An extractor that sees nothing but values."""
    image = keras.Input((None, None, 1))
    return keras.Model(image, image)


def make(loss=None, rate=0.1, optimizer=keras.optimizers.SGD, network=None, **kwargs):
    own = {k: kwargs.pop(k) for k in ("ema_momentum",) if k in kwargs}
    gan = GAN(*networks(**network or {}), latent_shape=(5,), seed=7, **own)
    gan.compile(optimizer(rate), optimizer(2 * rate), loss=loss, **kwargs)
    return gan


def weights(gan):
    return [np.array(v) for v in gan.trainable_variables]


def close(gan, other, atol=1e-6):
    for a, b in zip(weights(gan), weights(other), strict=True):
        np.testing.assert_allclose(a, b, atol=atol)


def fit(gan, images=IMAGES, batch_size=16, epochs=1, **kwargs):
    return gan.fit(
        images, batch_size=batch_size, epochs=epochs, shuffle=False, verbose=0, **kwargs
    ).history


def by_hand(gan, player, images, latents):
    """The gradients of one player alone, with the game written down once more."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        fake = gan.discriminator(gan.generator(latents, training=True), training=True)
        real = gan.discriminator(images, training=True)
        one = tf.reduce_mean(fake), tf.reduce_mean(real)
        value = {
            "minimax": {
                "discriminator": -tf.reduce_mean(tf.math.log_sigmoid(real))
                - tf.reduce_mean(tf.math.log_sigmoid(-fake)),
                "generator": -tf.reduce_mean(tf.math.log_sigmoid(fake)),
            },
            "hinge_gan": {
                "discriminator": tf.reduce_mean(tf.maximum(0.0, 1 - real))
                + tf.reduce_mean(tf.maximum(0.0, 1 + fake)),
                "generator": -one[0],
            },
            "lsgan": {
                "discriminator": tf.reduce_mean((real - 1) ** 2 + fake**2) / 2,
                "generator": tf.reduce_mean((fake - 1) ** 2) / 2,
            },
            "wgan": {"discriminator": one[0] - one[1], "generator": -one[0]},
        }[gan.loss.name][player]
        if gan.loss.name == "minimax" and gan.loss.saturating and player == "generator":
            value = tf.reduce_mean(tf.math.log_sigmoid(-fake))
        for variable in getattr(gan, player).trainable_variables:
            if variable.regularizer is not None:
                value += 0.25 * tf.reduce_sum(variable.value**2)
    return tape.gradient(value, getattr(gan, player).trainable_variables)


def expected(gan, images, latents, players=("discriminator", "generator"), rate=0.1):
    """Weights of both players after a step of gradient descent, by hand."""
    slopes = {player: by_hand(gan, player, images, latents) for player in players}
    for player, values in slopes.items():
        step = {"generator": rate, "discriminator": 2 * rate}[player]
        for variable, slope in zip(getattr(gan, player).trainable_variables, values):
            variable.assign(variable - step * slope)


def latents(number, draws=1):
    """What a GAN with seed 7 draws in its first steps."""
    seeds = keras.random.SeedGenerator(7)
    return [keras.random.normal((number, 5), seed=seeds) for _ in range(draws)]


@needs_tensorflow
@pytest.mark.parametrize(
    "network",
    [
        {},
        {"batch_norm": True},
        {"patches": True},
        {"mixing": True},
        {"decay": 0.25},
        {"activation": "softplus"},
        {"activation": apart_from_the_mean},
    ],
    ids=["plain", "bn", "patches", "mixing", "decay", "activation", "mixing-activation"],
)
@pytest.mark.parametrize(
    "loss",
    [Minimax(), Minimax(saturating=True), HingeGAN(), LSGAN(), WGAN()],
    ids=["minimax", "saturating", "hinge", "lsgan", "wgan"],
)
def test_a_step_is_that_of_both_gradients_taken_apart(loss, network):
    gan, other = make(loss, network=network), make(loss, network=network)
    fit(gan)
    expected(other, IMAGES, latents(16)[0])
    close(gan, other)


class OnGenerated:
    """A penalty of a user's own, on generated images."""

    name = "on_generated"

    def __call__(self, discriminator, real, fake, interpolation):
        return ops.mean(ops.square(discriminator(fake)), axis=-1)


@needs_tensorflow
def test_the_step_on_tensorflow_is_keras_own_of_the_same_losses(monkeypatch):
    rules = {"penalties": [R1(0.5), OnGenerated()], "network": {"decay": 0.01}}
    gan, other = make(**rules), make(**rules)
    fit(gan, epochs=3)
    monkeypatch.setattr(GAN, "train_step", keras.Model.train_step)
    fit(other, epochs=3)
    close(gan, other)


@needs_tensorflow
@pytest.mark.parametrize("score", [-50, -200, 200])
def test_a_sure_discriminator_still_gives_the_generator_its_gradient(score):
    gan, other = make(), make()
    for each in (gan, other):
        each.discriminator.layers[-1].bias.assign([float(score)])
    fit(gan)
    expected(other, IMAGES, latents(16)[0])
    close(gan, other)


@needs_tensorflow
def test_uneven_batches_are_shared_among_alternating_steps():
    gan, other = make(discriminator_steps=3), make()
    fit(gan, IMAGES[:8])
    draws = keras.random.SeedGenerator(7)
    for rows in (slice(0, 2), slice(2, 5), slice(5, 8)):
        part = IMAGES[rows]
        expected(other, part, keras.random.normal((len(part), 5), seed=draws), ["discriminator"])
    expected(other, part, keras.random.normal((3, 5), seed=draws), ["generator"])
    close(gan, other)
    # Of two images, the first serves twice.
    fit(gan, IMAGES[:2])
    for rows in (slice(0, 1), slice(0, 1), slice(1, 2)):
        part = IMAGES[rows]
        expected(other, part, keras.random.normal((1, 5), seed=draws), ["discriminator"])
    expected(other, part, keras.random.normal((1, 5), seed=draws), ["generator"])
    close(gan, other)


@pytest.mark.parametrize("size", [16, 5])
def test_a_last_batch_may_be_smaller(size):
    gan, other = make(), make()
    fit(gan, IMAGES[:size], batch_size=4)
    for start in range(0, size, 4):
        fit(other, IMAGES[start : min(start + 4, size)])
    close(gan, other)


def test_sample_weights_are_refused():
    gan = make()
    with pytest.raises(ValueError, match="`sample_weight`: expected none"):
        fit(gan, sample_weight=np.ones(16))
    with pytest.raises(ValueError, match="`class_weight`: expected none.*Received: {0: 1}"):
        fit(gan, class_weight={0: 1})
    with pytest.raises(ValueError, match="`sample_weight`: expected none"):
        gan.evaluate(IMAGES, sample_weight=np.ones(16), verbose=0)
    with pytest.raises(ValueError, match="`sample_weight`: expected none"):
        fit(gan, validation_data=(IMAGES, None, np.ones(16)))
    with pytest.raises(ValueError, match="`sample_weight`: expected none"):
        fit(gan, y=np.ones(16), sample_weight=np.ones(16))
    if TENSORFLOW:
        import tensorflow as tf

        batches = tf.data.Dataset.from_tensors((IMAGES, np.ones(16), np.ones(16)))
        with pytest.raises(ValueError, match="`sample_weight`: expected none"):
            gan.fit(batches, shuffle=False, verbose=0)


@needs_tensorflow
@pytest.mark.parametrize("penalty", [R1(1.0), GradientPenalty(1.0)])
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_penalties_work_in_mixed_precision(penalty, policy):
    keras.config.set_dtype_policy(policy)
    gan = make(penalties=[penalty])
    keras.config.set_dtype_policy("float32")
    exact = make(penalties=[penalty])
    gan.set_weights(exact.get_weights())
    found = [fit(each)[penalty.name][0] for each in (gan, exact)]
    assert found[0] == pytest.approx(found[1], rel=0.05)


@needs_tensorflow
def test_penalties_take_pixels_as_integers():
    image = keras.Input((4, 4, 1))
    judge = keras.Model(image, layers.Dense(1)(layers.Flatten()(layers.Rescaling(1 / 255)(image))))
    x = np.arange(32, dtype="uint8").reshape(2, 4, 4, 1)
    kernel = np.array(judge.trainable_variables[0])
    np.testing.assert_allclose(R1(2.0)(judge, x), [((kernel / 255) ** 2).sum()] * 2, rtol=1e-5)


@needs_tensorflow
def test_players_may_alternate():
    gan, other = make(discriminator_steps=2), make()
    fit(gan)
    first, second, third = latents(8, draws=3)
    expected(other, IMAGES[:8], first, ["discriminator"])
    expected(other, IMAGES[8:], second, ["discriminator"])
    expected(other, IMAGES[8:], third, ["generator"])
    close(gan, other)
    assert int(gan.optimizer.iterations) == 1
    simultaneous = make()
    fit(simultaneous)
    with pytest.raises(AssertionError):
        close(gan, simultaneous, atol=1e-4)


@needs_tensorflow
@pytest.mark.parametrize(
    "loss, penalties", [(Minimax(), [R1(1.0)]), (HingeGAN(), []), (WGAN(), [GradientPenalty(1.0)])]
)
@pytest.mark.parametrize("size", [16, 11, 13])
def test_two_replicas_take_the_step_of_one(size, loss, penalties, mirrored):
    import tensorflow as tf

    found = []
    for strategy in (tf.distribute.get_strategy(), mirrored):
        with strategy.scope():
            network = {"decay": 0.1 * (size != 16)}
            gan = make(loss, penalties=penalties, ema_momentum=0.5, network=network)
        # 6 and 5 images, and the last 3 and 2; or 7 and 6, and 2 and 1.
        data = tf.data.Dataset.from_tensor_slices(IMAGES).batch(size)
        found.append((gan.fit(data, epochs=2, shuffle=False, verbose=0).history, gan))
    (one_logs, one), (two_logs, two) = found
    close(one, two)
    np.testing.assert_allclose(one.generate(2, seed=1), two.generate(2, seed=1), atol=1e-6)
    # Each replica sees how far the images of its own share spread.
    one_spread, two_spread = one_logs.pop("spread"), two_logs.pop("spread")
    if size == 16:
        np.testing.assert_allclose(two_spread, one_spread, rtol=0.1)
    for name, values in one_logs.items():
        np.testing.assert_allclose(two_logs[name], values, rtol=1e-5, err_msg=name)


@needs_tensorflow
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("size", [16, 11])
def test_players_may_normalize_over_all_replicas(size, batch_norm, mirrored):
    import tensorflow as tf

    def networks():
        keras.utils.set_random_seed(3)
        generator = [layers.Dense(16, use_bias=False), layers.BatchNormalization(synchronized=True)]
        judge = [layers.Flatten(), layers.Dense(4), layers.LeakyReLU(), layers.Dense(1)]
        if batch_norm:
            judge.insert(2, layers.BatchNormalization(synchronized=True))
        return (
            keras.Sequential([keras.Input((5,)), *generator, layers.Reshape((4, 4, 1))]),
            keras.Sequential([keras.Input((4, 4, 1)), *judge]),
        )

    found = []
    for strategy in (tf.distribute.get_strategy(), mirrored):
        with strategy.scope():
            gan = GAN(*networks(), latent_shape=(5,), seed=7)
            gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.2), penalties=[R1(0.1)])
        data = tf.data.Dataset.from_tensor_slices(IMAGES).batch(size)
        gan.fit(data, epochs=3, shuffle=False, verbose=0)
        found.append(gan)
    for one, two in zip(*(gan.get_weights() for gan in found), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-5)


@needs_tensorflow
@pytest.mark.parametrize("batch_norm", [False, True])
def test_nan_on_one_replica_skips_the_step_on_all(batch_norm, mirrored):
    import tensorflow as tf

    keras.config.set_dtype_policy("mixed_float16")
    try:
        with mirrored.scope():
            network = {"batch_norm": batch_norm}
            gan = make(optimizer=keras.optimizers.Adam, network=network)
    finally:
        keras.config.set_dtype_policy("float32")
    everything = [*gan.discriminator.weights, *gan.generator.weights]
    before = [np.array(v) for v in everything]
    bad = IMAGES.copy()
    bad[-1] = np.nan  # On the second replica.
    data = tf.data.Dataset.from_tensor_slices(bad).batch(16)
    logs = gan.fit(data, shuffle=False, verbose=0).history
    # The generator's gradient alone is finite, but a step that was not taken has none.
    assert logs["generator_gradient_norm"] == logs["discriminator_gradient_norm"] == [0.0]
    for a, b in zip(before, everything, strict=True):
        np.testing.assert_array_equal(a, b)
    scale = float(np.array(gan.optimizer.dynamic_scale))
    assert scale == gan.optimizer.initial_scale / 2
    gan.fit(
        tf.data.Dataset.from_tensor_slices(IMAGES).batch(16), epochs=5, shuffle=False, verbose=0
    )
    after = [np.array(v) for v in everything]
    assert all(np.isfinite(x).all() for x in after)
    assert all((a != b).any() for a, b in zip(before, after))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_takes_about_the_step_of_float32(policy):
    exact = make()
    keras.config.set_dtype_policy(policy)
    try:
        gan = make()
    finally:
        keras.config.set_dtype_policy("float32")
    gan.set_weights(exact.get_weights())
    before = weights(exact)
    fit(exact, epochs=2)
    fit(gan, epochs=2)
    for start, a, b in zip(before, weights(exact), weights(gan), strict=True):
        # The share of the way that is off: 11 and 8 bits of each number, over two steps.
        off = np.linalg.norm(a - b) / np.linalg.norm(a - start)
        assert off < (0.02 if policy == "mixed_float16" else 0.1)


def test_keras_own_checkpoints_hold_all_of_it(tmp_path):
    gan = make(optimizer=keras.optimizers.Adam, ema_momentum=0.9)
    path = str(tmp_path / "{epoch}.keras")
    best = keras.callbacks.ModelCheckpoint(path, monitor="loss", save_best_only=True)
    fit(gan, epochs=1, callbacks=[best])
    again = keras.saving.load_model(tmp_path / "1.keras")
    for model in (gan, again):
        fit(model)
    for a, b in zip(gan.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_two_and_two_epochs_are_four_also_after_a_file(tmp_path):
    kwargs = {"optimizer": keras.optimizers.Adam, "rate": 0.01, "ema_momentum": 0.9}
    kwargs["penalties"] = [GradientPenalty(0.5)]
    whole, part = make(**kwargs), make(**kwargs)
    fit(whole, batch_size=8, epochs=4)
    fit(part, batch_size=8, epochs=2)
    part.save(tmp_path / "gan.keras")
    again = keras.saving.load_model(tmp_path / "gan.keras")
    part.save_weights(tmp_path / "gan.weights.h5")
    other = make(**kwargs)
    other.load_weights(tmp_path / "gan.weights.h5")
    for gan in (part, again, other):
        fit(gan, batch_size=8, epochs=2)
        close(gan, whole, atol=0)
        np.testing.assert_array_equal(gan.generate(3, seed=0), whole.generate(3, seed=0))
    assert type(again.loss) is Minimax and again.generator_optimizer.learning_rate == 0.01


def test_layers_that_draw_go_on_drawing_after_a_file(tmp_path):
    def dropping():
        generator, _ = networks()
        drops = keras.Sequential([keras.Input((5,)), layers.Dropout(0.5, seed=1), generator])
        judge = judging(layers.Dropout(0.5, seed=2), layers.Dense(1))
        gan = GAN(drops, judge, latent_shape=(5,), ema_momentum=0.5, seed=7)
        gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.2))
        return gan

    whole, part = dropping(), dropping()
    fit(whole, epochs=4)
    fit(part, epochs=2)
    part.save(tmp_path / "gan.keras")
    again = keras.saving.load_model(tmp_path / "gan.keras")
    part.save_weights(tmp_path / "gan.weights.h5")
    other = dropping()
    other.load_weights(tmp_path / "gan.weights.h5")
    for gan in (part, again, other):
        fit(gan, epochs=2)
        close(gan, whole, atol=0)


@needs_tensorflow
def test_checkpoints_and_backups_go_on_where_they_were(tmp_path):
    kwargs = {"optimizer": keras.optimizers.Adam, "rate": 0.01}
    whole = make(**kwargs)
    fit(whole, epochs=4)
    checkpoint = kerasadv.training.Checkpoint(tmp_path / "ours")
    fit(make(**kwargs), epochs=2, callbacks=[checkpoint])
    gan = make(**kwargs)
    done = checkpoint.restore(gan)
    fit(gan, epochs=4, initial_epoch=done)
    close(gan, whole, atol=0)

    class Killed(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    backup = [keras.callbacks.BackupAndRestore(tmp_path / "keras")]
    with pytest.raises(KeyboardInterrupt):
        fit(make(**kwargs), epochs=4, callbacks=[*backup, Killed()])
    gan = make(**kwargs)
    fit(gan, epochs=4, callbacks=backup)
    close(gan, whole, atol=0)


def test_the_average_follows_the_generator():
    gan = make(ema_momentum=0.75)
    first = [np.array(w) for w in gan.generator.weights]
    fit(gan, epochs=1)
    second = [np.array(w) for w in gan.generator.weights]
    fit(gan, epochs=1)
    # Of the weights at the beginning of each step: first, then second.
    for average, a, b in zip(gan.averaged.weights, first, second, strict=True):
        np.testing.assert_allclose(average, 0.75 * a + 0.25 * b, atol=1e-6)


def test_evaluation_changes_nothing_and_has_the_value_of_the_game():
    gan, other = make(penalties=[R1(1.0)]), make(penalties=[R1(1.0)])
    before = weights(gan)
    found = gan.evaluate(IMAGES, batch_size=16, verbose=0, return_dict=True)
    real = np.array(gan.discriminator(IMAGES))
    always = keras.random.normal((16, 5), seed=keras.random.SeedGenerator(0))
    fake = np.array(gan.discriminator(gan.generator(always)))
    value = np.log1p(np.exp(-real)).mean() + np.log1p(np.exp(fake)).mean()
    assert found["discriminator_loss"] == pytest.approx(value, rel=1e-5)
    assert found["generator_loss"] == pytest.approx(np.log1p(np.exp(-fake)).mean(), rel=1e-5)
    assert found["real_accuracy"] == pytest.approx((real > 0).mean())
    assert found["fake_accuracy"] == pytest.approx((fake < 0).mean())
    assert found["loss"] == pytest.approx(found["generator_loss"] + found["discriminator_loss"])
    # What takes gradients is not there, instead of being 0.
    assert not any(name == "r1" or name.endswith("norm") for name in found)
    for a, b in zip(before, weights(gan), strict=True):
        np.testing.assert_array_equal(a, b)
    # Nor does training go on in another way.
    fit(gan)
    fit(other)
    close(gan, other, atol=0)


@pytest.mark.parametrize("loss, score", [(Minimax, np.log(2 / 3)), (LSGAN, 0.4)])
def test_accuracies_have_their_border_where_smoothed_labels_put_it(loss, score):
    gan = make(loss(label_smoothing=0.2))
    last = gan.discriminator.layers[-1]
    last.kernel.assign(np.zeros(last.kernel.shape))
    for off, found in ((0.01, (1, 0)), (-0.01, (0, 1))):
        last.bias.assign([score + off])  # What it says of all images.
        logs = gan.evaluate(IMAGES, verbose=0, return_dict=True)
        assert (logs["real_accuracy"], logs["fake_accuracy"]) == found


def test_evaluation_looks_at_the_generator_that_images_are_sampled_from():
    gan = make(ema_momentum=0.9)
    fit(gan, epochs=3)
    found = gan.evaluate(IMAGES, batch_size=16, verbose=0, return_dict=True)
    always = keras.random.normal((16, 5), seed=keras.random.SeedGenerator(0))
    for generator, same in ((gan.averaged, True), (gan.generator, False)):
        fake = np.array(gan.discriminator(generator(always)))
        loss = np.log1p(np.exp(-fake)).mean()
        assert np.isclose(found["generator_loss"], loss, rtol=1e-5, atol=0) == same


@needs_tensorflow
def test_tensorboard_shows_both_players_and_both_rates(tmp_path):
    import tensorflow as tf
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    gan = make()
    falling = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    gan.compile(keras.optimizers.SGD(falling), keras.optimizers.SGD(0.3), penalties=[R1(1.0)])
    board = kerasadv.training.TensorBoard(
        tmp_path, pictures=lambda gan: (255 * abs(gan.generate(3, seed=0))).astype("uint8")
    )
    history = fit(gan, epochs=3, callbacks=[board])
    log = EventAccumulator(str(tmp_path / "train"), {"tensors": 0})
    log.Reload()

    def curve(name):
        return [float(tf.make_ndarray(event.tensor_proto)) for event in log.Tensors(name)]

    # After 1, 2 and 3 steps.
    np.testing.assert_allclose(curve("learning_rate/generator"), [0.05, 0.025, 0.0125], rtol=1e-6)
    np.testing.assert_allclose(curve("learning_rate/discriminator"), [0.3] * 3, rtol=1e-6)
    for name in ("generator_loss", "discriminator_loss", "real_accuracy", "fake_accuracy", "r1"):
        np.testing.assert_allclose(curve(name), history[name], rtol=1e-6)


def test_pictures_of_a_seed_are_always_the_same_and_others_new():
    gan = make()
    one = gan.generate(5, seed=3)
    np.testing.assert_allclose(gan.generate(5, seed=3, batch_size=2), one, atol=1e-6)
    assert one.shape == (5, 4, 4, 1) and (one != gan.generate(5, seed=4)).any()
    assert (gan.generate(2) != gan.generate(2)).any()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_pictures_are_float32_in_mixed_precision(policy):
    keras.config.set_dtype_policy(policy)
    gan = make()
    assert gan.generator.outputs[0].dtype == policy.removeprefix("mixed_")
    images = gan.generate(3, seed=0)
    keras.config.set_dtype_policy("float32")
    exact = make()
    exact.generator.set_weights(gan.generator.get_weights())
    assert images.dtype == np.float32
    np.testing.assert_allclose(images, exact.generate(3, seed=0), atol=0.02)


@needs_tensorflow
@pytest.mark.parametrize("rules", [{}, {"penalties": [R1(0.5)]}, {"discriminator_steps": 2}])
def test_a_step_compiled_by_xla_is_the_same_for_the_same_latents(rules, monkeypatch):
    fixed = latents(16)[0]
    monkeypatch.setattr(
        GAN, "latents", lambda self, images, seeds=None: fixed[: ops.shape(images)[0]]
    )
    gan, other = make(jit_compile=True, **rules), make(jit_compile=False, **rules)
    fit(gan)
    fit(other)
    close(gan, other, atol=5e-7)


@needs_tensorflow
def test_alternating_replicas_take_the_step_of_one_with_their_parts_together(mirrored):
    import tensorflow as tf

    found = []
    # Each of two replicas cuts its own 8 images into halves.
    together = np.concatenate([IMAGES[k : k + 4] for k in (0, 8, 4, 12)])
    for strategy, images in ((tf.distribute.get_strategy(), together), (mirrored, IMAGES)):
        with strategy.scope():
            gan = make(discriminator_steps=2, penalties=[GradientPenalty(0.5)])
        data = tf.data.Dataset.from_tensor_slices(images).batch(16)
        gan.fit(data, epochs=2, shuffle=False, verbose=0)
        found.append(gan)
    close(*found)


@needs_tensorflow
def test_a_file_in_mixed_precision_goes_on_with_its_scale(tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    adam = keras.optimizers.Adam
    whole, part = (make(optimizer=adam, rate=0.01, ema_momentum=0.9) for _ in range(2))
    fit(whole, epochs=4)
    fit(part, epochs=2)
    part.save(tmp_path / "gan.keras")
    keras.config.set_dtype_policy("float32")  # The file knows.
    again = keras.saving.load_model(tmp_path / "gan.keras")
    assert again.dtype_policy.name == "mixed_float16"
    assert again.generator.layers[0].compute_dtype == "float16"
    for a, b in zip(part.optimizer.variables, again.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    fit(again, epochs=2)
    close(again, whole, atol=0)


def test_learns_where_the_data_is():
    # Points around (3, -2): generated ones have to move there.
    points = np.random.default_rng(1).normal([3, -2], 0.5, (512, 2)).astype("float32")
    keras.utils.set_random_seed(0)
    generator = keras.Sequential([keras.Input((2,)), layers.Dense(2)])
    discriminator = keras.Sequential(
        [keras.Input((2,)), layers.Dense(16, activation="tanh"), layers.Dense(1)]
    )
    gan = GAN(generator, discriminator, (2,), seed=0)
    adam = keras.optimizers.Adam
    gan.compile(adam(0.02, beta_1=0.5), adam(0.02, beta_1=0.5), penalties=[R1(0.1)])
    gan.fit(points, batch_size=64, epochs=40, verbose=0)
    np.testing.assert_allclose(gan.generate(500, seed=0).mean(axis=0), [3, -2], atol=0.5)


def quadratic():
    """A discriminator with scores x^T x / 2, whose gradient is x."""
    inputs = keras.Input((3,))
    return keras.Model(inputs, ops.sum(inputs * inputs, axis=-1, keepdims=True) / 2)


def test_penalties_are_their_formulas():
    x = np.random.default_rng(2).normal(size=(6, 3)).astype("float32")
    np.testing.assert_allclose(R1(4.0)(quadratic(), x), 2 * (x**2).sum(axis=1), rtol=1e-5)
    # From x to 3 x, where gradients are the points themselves.
    share = np.linspace(0, 1, 6).astype("float32")
    length = np.linalg.norm(x, axis=1) * (1 + 2 * share)
    got = GradientPenalty(2.0)(quadratic(), x, 3 * x, share)
    np.testing.assert_allclose(got, 2 * (length - 1) ** 2, rtol=1e-4)
    # Where the gradient is 0 its own gradient is finite.
    flat = keras.Sequential([keras.Input((3,)), layers.Dense(1, kernel_initializer="zeros")])
    np.testing.assert_allclose(GradientPenalty(1.0)(flat, x, x, share), np.ones(6), atol=1e-5)


@pytest.mark.parametrize(
    "change, named",
    [
        ({"latent_shape": (6,)}, r"`latent_shape`: expected \(5,\).*Received: \(6,\)"),
        ({"latent_shape": 6}, r"`latent_shape`: expected \(5,\).*Received: \(6,\)"),
        ({"ema_momentum": "0.9"}, "`ema_momentum`.*Received: ema_momentum='0.9'"),
        ({"value_range": None}, "`value_range`.*Received: value_range=None"),
        ({"generator": layers.Dense(3)}, "`generator`: expected a functional"),
        (
            {"discriminator": networks()[0]},
            r"`discriminator`: expected one of images .*\(4, 4, 1\)",
        ),
        ({"ema_momentum": 1.0}, "`ema_momentum`.*Received: ema_momentum=1.0"),
        ({"value_range": (1, 0)}, r"`value_range`.*Received: value_range=\(1, 0\)"),
        ({"value_range": ("a", "b")}, r"`value_range`.*Received: value_range=\('a', 'b'\)"),
        ({"value_range": (0, 1, 2)}, r"`value_range`.*Received: value_range=\(0, 1, 2\)"),
    ],
)
def test_players_that_do_not_fit_are_named(change, named):
    generator, discriminator = networks()
    given = {"generator": generator, "discriminator": discriminator, "latent_shape": (5,)}
    with pytest.raises(ValueError, match=named):
        GAN(**given | change)


def judging(*last):
    """A discriminator with these layers at its end."""
    return keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), *last])


def by_operation(function):
    judge = judging(layers.Dense(1))
    return keras.Model(judge.inputs, function(judge.outputs[0]))


@pytest.mark.parametrize(
    "judge, named",
    [
        (lambda: judging(layers.Dense(2)), r"one output, scores of .*\(None, 2\)"),
        (lambda: keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(3, 3)]), "2, 2, 3"),
        (lambda: by_operation(lambda x: [x, x]), r"one output.*\(None, 1\), \(None, 1\)"),
        (lambda: judging(layers.Dense(1, activation="sigmoid")), "ends in sigmoid"),
        (lambda: judging(layers.Dense(1), layers.Activation("softmax")), "ends in softmax"),
        (lambda: by_operation(ops.sigmoid), "ends in sigmoid"),
        (lambda: by_operation(judging_again), "ends in sigmoid"),
    ],
)
def test_scores_that_are_none_are_named(judge, named):
    with pytest.raises(ValueError, match=f"`discriminator`: expected .*{named}"):
        GAN(networks()[0], judge(), latent_shape=(5,))


def judging_again(x):
    last = layers.Dense(1, activation="sigmoid")
    return keras.Sequential([keras.Input((1,)), layers.SpectralNormalization(last)])(x)


@pytest.mark.parametrize("shape", [(), (1,), (4, 4), (4, 4, 1)])
def test_scores_of_images_and_of_patches_are_taken(shape):
    image = keras.Input((4, 4, 1))
    patches = layers.Dense(1)(image)
    scores = patches if shape[:1] == (4,) else ops.mean(patches, axis=(1, 2))
    judge = keras.Model(image, ops.reshape(scores, (-1, *shape)))
    gan = GAN(networks()[0], judge, latent_shape=(5,), seed=7)
    gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
    real = np.array(judge(IMAGES)).reshape(16, -1)
    fake = np.array(judge(gan.generator(latents(16)[0]))).reshape(16, -1)
    value = np.log1p(np.exp(-real)).mean() + np.log1p(np.exp(fake)).mean()
    assert fit(gan)["discriminator_loss"][0] == pytest.approx(value, rel=1e-5)


ADAM = keras.optimizers.Adam()


@pytest.mark.parametrize(
    "change, named",
    [
        ({"loss": keras.losses.MeanSquaredError()}, "`loss`: expected a loss of two players"),
        ({"generator_optimizer": "adam"}, "`generator_optimizer`: expected a Keras optimizer"),
        ({"generator_optimizer": ADAM, "discriminator_optimizer": ADAM}, "another object than"),
        ({"penalties": R1()}, "`penalties`: expected a list. Received: .*R1"),
        ({"penalties": ["r1"]}, "`penalties`: expected penalties on a discriminator.*'r1'"),
        ({"metrics": keras.metrics.Mean()}, "`metrics`: expected a list"),
        ({"loss_weights": [1, 2]}, r"`loss_weights`: expected no others than .*loss_weights=.1, 2"),
        ({"discriminator_steps": True}, "`discriminator_steps`.*Received: discrim.*=True"),
        ({"metrics": ["accuracy"]}, "`metrics`: expected Keras metrics of two sets.*'accuracy'"),
        ({"discriminator_steps": 0}, "`discriminator_steps`.*Received: discriminator_steps=0"),
        ({"loss": Minimax(reduction="sum")}, "`loss`: expected reduction=.*reduction='sum'"),
        ({"loss": LSGAN(reduction=None)}, "`loss`: expected reduction=.*reduction=None"),
        ({"penalties": [R1(), R1(2)]}, "`penalties`: expected names .*another 'r1'"),
        ({"penalties": [R1()], "metrics": [keras.metrics.Mean("r1")]}, "`metrics`: .*'r1'"),
        ({"metrics": [keras.metrics.Mean("m"), keras.metrics.Mean("m")]}, "`metrics`: .*'m'"),
        ({"metrics": [keras.metrics.Mean("loss")]}, "`metrics`: .*'loss'"),
        ({"metrics": [keras.metrics.Mean("spread")]}, "`metrics`: .*'spread'"),
    ],
)
def test_bad_settings_are_named(change, named):
    gan = GAN(*networks(), latent_shape=(5,))
    given = {
        "generator_optimizer": keras.optimizers.Adam(),
        "discriminator_optimizer": keras.optimizers.Adam(),
    }
    with pytest.raises(ValueError, match=named):
        gan.compile(**given | change)


@pytest.mark.parametrize("make_penalty", [lambda: R1(-1), lambda: GradientPenalty(float("inf"))])
def test_bad_penalties_are_named(make_penalty):
    with pytest.raises(ValueError, match="`weight`: expected a finite number .*Received: weight="):
        make_penalty()


def test_numbers_of_images_are_checked():
    gan = make()
    assert gan.generate(np.int64(3), seed=np.int64(1), batch_size=2).shape == (3, 4, 4, 1)
    for given in ({"number": 0}, {"number": 2, "batch_size": 0}, {"number": 1.5}):
        with pytest.raises(ValueError, match="expected a whole number above 0. Received: "):
            gan.generate(**given)
    for seed in (1.5, "a", -1, 2**32):
        with pytest.raises(ValueError, match=f"`seed`: expected a whole .*Received: seed={seed!r}"):
            gan.generate(2, seed=seed)
    gan.generate(2, seed=2**32 - 1)


def test_players_in_another_precision_than_the_gan_are_refused():
    keras.config.set_dtype_policy("mixed_float16")
    players = networks()
    keras.config.set_dtype_policy("float32")
    with pytest.raises(ValueError, match="`generator`: expected layers that compute in float32"):
        GAN(*players, latent_shape=(5,))


def test_penalties_on_activations_are_refused():
    generator, _ = networks()
    judge = [layers.Flatten(), layers.Dense(1, activity_regularizer="l2")]
    judge = keras.Sequential([keras.Input((4, 4, 1)), *judge])
    with pytest.raises(ValueError, match="`discriminator`: expected regularizers of weights alone"):
        GAN(generator, judge, latent_shape=(5,))


def test_a_metric_that_looks_at_another_range_is_refused():
    class Seen(keras.metrics.Mean):
        value_range = (0, 255)

    extractor = kerasadv.features.vgg("vgg16", ["block1_conv1"], None)
    for metric in (Seen(), FrechetDistance(extractor), KernelDistance(extractor)):
        with pytest.raises(ValueError, match=r"look at images from -1 to 1.*at \(0, 255\)"):
            make(metrics=[metric])
    same = kerasadv.features.vgg("vgg16", ["block1_conv1"], None, value_range=[-1, 1])
    make(metrics=[FrechetDistance(same), KernelDistance(pixels())])  # The last does not say.


@needs_tensorflow
@pytest.mark.parametrize(
    "setting", ["steps_per_execution", "jit_compile", "gradient_accumulation_steps"]
)
def test_what_keras_cannot_do_on_replicas_is_refused_before_training(setting, mirrored):
    value = {"jit_compile": True}.get(setting, 2)
    with mirrored.scope(), pytest.raises(ValueError, match=f"`.*{setting}.* on.*several replicas"):
        if setting == "gradient_accumulation_steps":
            make(optimizer=lambda rate: keras.optimizers.SGD(rate, **{setting: value}))
        else:
            make(**{setting: value})
