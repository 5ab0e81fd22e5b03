"""What every public loss, layer and metric promises, whatever it computes."""

import doctest
import importlib
import inspect
import json
import pkgutil

import keras
import numpy as np
import pytest
from keras import ops

import kerasadv
import zoo
from kerasadv.losses.per_sample import PerSample
from kerasadv.training.schedules import Ramp

TENSORFLOW = keras.backend.backend() == "tensorflow"
needs_tensorflow = pytest.mark.skipif(not TENSORFLOW, reason="is about TensorFlow")

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 3, (4, 8, 8))
LABELS[0] = 0  # A sample without the other classes.
SCORES = RNG.normal(size=(4, 8, 8, 3)).astype("float32")
PROBABILITIES = np.exp(SCORES) / np.exp(SCORES).sum(-1, keepdims=True)


class Segmentation:
    """Labels and probabilities of three classes for a loss or a metric on images."""

    y_true = LABELS
    y_pred = PROBABILITIES
    perfect = np.eye(3, dtype="float32")[LABELS]
    hopeless = np.eye(3, dtype="float32")[(LABELS + 1) % 3]
    channels = 3
    forms = (LABELS, LABELS[..., None], perfect)  # of labels, that mean the same


class Labels:
    """A label of three classes for each pixel, and logits."""

    y_true = LABELS
    y_pred = SCORES
    perfect = 40 * np.eye(3, dtype="float32")[LABELS]
    hopeless = 40 * np.eye(3, dtype="float32")[(LABELS + 1) % 3]
    channels = 3
    forms = (LABELS, LABELS[..., None])


class OneHot(Labels):
    """The same labels, one-hot."""

    y_true = np.eye(3, dtype="int64")[LABELS]
    forms = (y_true,)


class Binary(OneHot):
    """The same as three questions of yes and no."""

    perfect = 40.0 * (2 * OneHot.y_true - 1).astype("float32")
    hopeless = -perfect


class Pictures:
    """Pictures for a loss that compares images; they are of whole numbers, but no labels."""

    y_true = RNG.integers(0, 3, (4, 8, 8, 3))
    y_pred = (3 * RNG.random((4, 8, 8, 3))).astype("float32")
    perfect = y_true.astype("float32")
    hopeless = 2 - perfect
    channels = 3


class Scores(Pictures):
    """A discriminator's scores of patches of real images, and of generated ones."""

    y_true = RNG.integers(-2, 3, (4, 8, 8, 1))
    y_pred = RNG.normal(size=(4, 8, 8, 1)).astype("float32")
    perfect = np.full((4, 8, 8, 1), -40, "float32")
    hopeless = -perfect
    channels = 1


EXTRACTOR = kerasadv.features.vgg("vgg16", ["block1_conv1", "block2_conv1"], None, [0, 40])
SMALL = kerasadv.features.vgg("vgg16", ["block1_conv1"], None, [0, 40])

# Every constructor argument of a class, with a value that is not its default.
LOSSES = {
    "BiTempered": (OneHot, {"t1": 0.5, "t2": 0.9, "label_smoothing": 0.1}),
    "BinaryBiTempered": (Binary, {"t1": 0.5, "t2": 0.9, "label_smoothing": 0.1}),
    "SparseBiTempered": (Labels, {"t1": 0.5, "t2": 0.9, "ignore_class": 2}),
    "Boundary": (
        Segmentation,
        {"spacing": [2.0, 0.5], "classes": [1, 2], "from_logits": True, "from_distance_maps": True},
    ),
    "GeneralizedDice": (Segmentation, {"from_logits": True}),
    "Compound": (
        Segmentation,
        {
            "losses": {
                "dice": kerasadv.losses.GeneralizedDice(from_logits=True),
                "boundary": kerasadv.losses.Boundary(spacing=0.5),
                "crossentropy": keras.losses.SparseCategoricalCrossentropy(),
            },
            "weights": {"dice": 0.5, "boundary": Ramp(0.25, 1.0, 7)},
        },
    ),
    "HingeGAN": (Scores, {}),
    "LSGAN": (Scores, {"label_smoothing": 0.1}),
    "Minimax": (Scores, {"saturating": True, "label_smoothing": 0.1}),
    "WGAN": (Scores, {}),
    "Perceptual": (
        Pictures,
        {
            "extractor": EXTRACTOR,
            "content": {"block2_conv1": 0.5},
            "style": {"block1_conv1": 3.0},
            "paintings": {"block1_conv1": RNG.random((64, 64)).astype("float32")},
        },
    ),
    "TotalVariation": (Pictures, {"beta": 1.5}),
}
REQUIRED = {
    "Compound": {"losses": {"dice": kerasadv.losses.GeneralizedDice()}},
    "Perceptual": {
        "extractor": EXTRACTOR,
        "content": {"block2_conv1": 1.0},
        "style": {"block1_conv1": 1.0},
    },
    "ConditionalInstanceNormalization": {"num_styles": 1},
    "TemperedSoftmax": {"t": 1.2},
    "FrechetDistance": {"extractor": SMALL},
    "KernelDistance": {"extractor": SMALL},
}
LAYERS = {
    "ELU": {"alpha": 0.5},
    "PReLU": {
        "alpha_initializer": keras.initializers.Constant(0.1),
        "alpha_regularizer": keras.regularizers.L2(1e-3),
        "alpha_constraint": keras.constraints.NonNeg(),
        "shared_axes": [-1],
    },
    "TemperedSoftmax": {"t": 0.9, "axis": 1},
    "ConditionalInstanceNormalization": {
        "num_styles": 1,
        "epsilon": 1e-3,
        "gamma_initializer": keras.initializers.Constant(0.1),
        "beta_initializer": keras.initializers.Constant(0.2),
    },
    "ReflectionPadding2D": {"padding": [[1, 2], [0, 3]]},
}
# The number of axes that a layer takes, where it does not take any.
RANKS = {"ConditionalInstanceNormalization": {3, 4, 5}, "ReflectionPadding2D": {4}}
METRICS = {
    "Dice": (Segmentation, {"threshold": 0.25, "per_class": True}),
    "FrechetDistance": (Pictures, {"extractor": SMALL}),
    "KernelDistance": (Pictures, {"extractor": SMALL}),
}

loss_classes = pytest.mark.parametrize("name", LOSSES)
label_losses = pytest.mark.parametrize(
    "name", [n for n in LOSSES if not issubclass(LOSSES[n][0], Pictures)]
)
layer_classes = pytest.mark.parametrize("name", LAYERS)
metric_classes = pytest.mark.parametrize("name", METRICS)
# Its batches are samples of their own: a mean over other batches is another number.
sums = pytest.mark.parametrize("name", [n for n in METRICS if n != "KernelDistance"])
label_metrics = pytest.mark.parametrize(
    "name", [n for n in METRICS if not issubclass(METRICS[n][0], Pictures)]
)


def make_loss(name, **kwargs):
    return getattr(kerasadv.losses, name)(**REQUIRED.get(name, {}), **kwargs)


def make_layer(name, **kwargs):
    return getattr(kerasadv.layers, name)(**REQUIRED.get(name, {}), **kwargs)


def make_metric(name, /, **kwargs):
    return getattr(kerasadv.metrics, name)(**{**REQUIRED.get(name, {}), **kwargs})


def constructor_arguments(cls):
    parameters = inspect.signature(cls.__init__).parameters.values()
    return {p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD} - {"self", "name"}


def classes_of(room):
    return {n for n in room.__all__ if inspect.isclass(getattr(room, n))}


def plain(config):
    return json.loads(json.dumps(keras.saving.serialize_keras_object(config), sort_keys=True))


# --- for all of them


def test_every_public_class_is_tested():
    assert classes_of(kerasadv.losses) == set(LOSSES)
    assert classes_of(kerasadv.layers) == set(LAYERS)
    assert classes_of(kerasadv.metrics) == set(METRICS)


@pytest.mark.parametrize("room", ["losses", "layers", "metrics"])
def test_every_class_of_a_file_is_exported(room):
    package = getattr(kerasadv, room)
    kinds = (keras.losses.Loss, keras.layers.Layer, keras.metrics.Metric)
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        for name, value in vars(importlib.import_module(module.name)).items():
            ours = inspect.isclass(value) and value.__module__ == module.name
            # Without a `call` or an `update_state` of its own it is abstract.
            whole = {"call", "update_state"} & set(vars(value) if ours else ())
            if whole and issubclass(value, kinds) and not name.startswith("_"):
                assert name in package.__all__


ALL = [
    *((f"losses.{n}", a) for n, (_, a) in LOSSES.items()),
    *((f"layers.{n}", a) for n, a in LAYERS.items()),
    *((f"metrics.{n}", a) for n, (_, a) in METRICS.items()),
]


@pytest.mark.parametrize("path, arguments", ALL, ids=[path for path, _ in ALL])
def test_config_holds_every_argument(path, arguments):
    room, name = path.split(".")
    cls = getattr(getattr(kerasadv, room), name)
    assert constructor_arguments(cls) == set(arguments), "give each argument a value here"
    assert len(arguments) <= 6
    extra = {"name": "other", "dtype": "float64"}
    if room == "losses":
        extra["reduction"] = "sum"
    thing = cls(**arguments, **extra)
    config = thing.get_config()
    assert set(arguments) | set(extra) <= set(config)
    # Through JSON, as in a `.keras` file, and back to an equal object.
    again = keras.saving.deserialize_keras_object(
        json.loads(json.dumps(keras.saving.serialize_keras_object(thing)))
    )
    assert type(again) is cls
    assert plain(again.get_config()) == plain(config)
    assert keras.saving.get_registered_name(cls) == f"kerasadv>{name}"
    default = cls(**REQUIRED.get(name, {})).get_config()
    for key in set(arguments) - set(REQUIRED.get(name, {})):
        assert plain(default[key]) != plain(config[key]), f"{key}: not another value than default"


def public_modules():
    for package in (kerasadv, zoo):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield module.name


@needs_tensorflow
@pytest.mark.parametrize("name", list(public_modules()))
def test_docstring_examples_run(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


@pytest.mark.parametrize("path", [path for path, _ in ALL])
def test_docstrings_say_what_users_need(path):
    room, name = path.split(".")
    text = getattr(getattr(kerasadv, room), name).__doc__
    wanted = ["Args:", "Input shape:", "Example:", "Raises:"]
    if room == "layers":
        wanted.append("Output shape:")
    for part in wanted:
        assert part in text, f"{part} is missing"
    if name != "Compound":  # The only one that comes from no paper.
        assert "Reference:" in text
    for argument in constructor_arguments(getattr(getattr(kerasadv, room), name)):
        assert f"        {argument}:" in text, f"{argument} is not described"


# --- losses


@loss_classes
def test_loss_gives_a_value_per_sample(name):
    case, _ = LOSSES[name]
    values = make_loss(name, reduction=None)(case.y_true, case.y_pred)
    assert values.shape[0] == len(case.y_true)
    mean = make_loss(name)(case.y_true, case.y_pred)
    np.testing.assert_allclose(mean, np.mean(values), rtol=1e-6)


@loss_classes
def test_zero_weight_leaves_a_sample_out(name):
    case, _ = LOSSES[name]
    weight = np.array([1.0, 0.0, 1.0, 1.0], "float32")
    loss = make_loss(name, reduction="sum")
    keep = weight > 0
    np.testing.assert_allclose(
        loss(case.y_true, case.y_pred, sample_weight=weight),
        loss(case.y_true[keep], case.y_pred[keep]),
        rtol=1e-6,
    )


@loss_classes
def test_a_weight_per_pixel_is_refused_or_counts_and_one_per_sample_may_have_more_axes(name):
    case, _ = LOSSES[name]
    weight = np.array([1.0, 2.0, 3.0, 4.0], "float32")
    loss = make_loss(name)
    expected = loss(case.y_true, case.y_pred, sample_weight=weight)
    got = loss(case.y_true, case.y_pred, sample_weight=weight[:, None])
    np.testing.assert_allclose(got, expected)
    per_pixel = RNG.uniform(size=(4, 8, 8)).astype("float32")
    if issubclass(getattr(kerasadv.losses, name), PerSample):
        with pytest.raises(ValueError, match="`sample_weight`.*per sample.*Received"):
            loss(case.y_true, case.y_pred, sample_weight=per_pixel)
    else:
        values = np.array(make_loss(name, reduction=None)(case.y_true, case.y_pred))
        got = loss(case.y_true, case.y_pred, sample_weight=per_pixel)
        np.testing.assert_allclose(got, np.mean(values * per_pixel), rtol=1e-5)


@loss_classes
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_loss_takes_predictions_of_any_float(name, dtype):
    case, _ = LOSSES[name]
    expected = make_loss(name)(case.y_true, case.y_pred)
    got = make_loss(name)(case.y_true, ops.cast(case.y_pred, dtype))
    tolerance = {"float16": 2e-3, "bfloat16": 2e-2, "float64": 1e-6}[dtype]
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


@loss_classes
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("size", [1, 12])
def test_loss_computes_in_its_dtype(name, dtype, size):
    case, _ = LOSSES[name]
    # Large images as well: half precision ends at 65504.
    y_true, y_pred = (np.tile(x, (1, size, size, 1)[: x.ndim]) for x in (case.y_true, case.y_pred))
    value = make_loss(name, dtype=dtype)(y_true, y_pred)
    assert keras.backend.standardize_dtype(value.dtype) == dtype
    expected = make_loss(name)(y_true, y_pred)
    tolerance = {"float16": 5e-3, "bfloat16": 4e-2, "float32": 1e-6}[dtype]
    np.testing.assert_allclose(float(value), expected, rtol=tolerance, atol=tolerance)


@loss_classes
def test_nan_in_the_prediction_is_nan_in_the_loss(name):
    case, _ = LOSSES[name]
    y_pred = case.y_pred.copy()
    y_pred[1, 0, 0, 0] = np.nan
    values = np.array(make_loss(name, reduction=None)(case.y_true, y_pred))
    assert np.isnan(values[1]).any() and np.isfinite(values[[0, 2, 3]]).all()


@label_losses
@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "float32"])
def test_labels_may_be_any_number(name, dtype):
    case, _ = LOSSES[name]
    expected = make_loss(name)(case.y_true, case.y_pred)
    for y_true in case.forms:
        np.testing.assert_allclose(make_loss(name)(y_true.astype(dtype), case.y_pred), expected)


def gradient(loss, y_true, y_pred):
    if TENSORFLOW:
        import tensorflow as tf

        y_pred = tf.constant(y_pred)
        with tf.GradientTape() as tape:
            tape.watch(y_pred)
            value = loss(y_true, y_pred)
        return np.array(tape.gradient(value, y_pred))
    import jax

    return np.array(jax.grad(lambda p: loss(y_true, p))(y_pred))


@loss_classes
@pytest.mark.parametrize("guess", ["perfect", "hopeless"])
def test_gradients_are_finite_at_the_corners(name, guess):
    case, _ = LOSSES[name]
    assert np.isfinite(gradient(make_loss(name), case.y_true, getattr(case, guess))).all()


@loss_classes
def test_a_gradient_step_goes_downhill(name):
    case, _ = LOSSES[name]
    loss = make_loss(name)
    slope = gradient(loss, case.y_true, case.y_pred)
    step = 1e-3 * slope / np.abs(slope).max()
    before, after = (float(loss(case.y_true, p)) for p in (case.y_pred, case.y_pred - step))
    # First-order change: -step . slope, within the curvature of so small a step.
    np.testing.assert_allclose(before - after, (step * slope).sum(), rtol=0.05)


def compiled(function):
    if TENSORFLOW:
        import tensorflow as tf

        return tf.function(function, jit_compile=True)
    import jax

    return jax.jit(function)


@loss_classes
def test_loss_is_the_same_under_xla(name):
    case, _ = LOSSES[name]
    loss = make_loss(name)
    y_true, y_pred = ops.convert_to_tensor(case.y_true), ops.convert_to_tensor(case.y_pred)
    np.testing.assert_allclose(
        compiled(lambda t, p: loss(t, p))(y_true, y_pred), loss(y_true, y_pred), rtol=1e-5
    )


@needs_tensorflow
@loss_classes
def test_loss_takes_images_of_unknown_size(name):
    import tensorflow as tf

    case, _ = LOSSES[name]
    loss = make_loss(name)
    step = tf.function(
        lambda t, p: loss(t, p),
        input_signature=[
            tf.TensorSpec((None,) * case.y_true.ndim, "int64"),
            tf.TensorSpec((None, None, None, case.channels), "float32"),
        ],
    )
    np.testing.assert_allclose(
        step(case.y_true, case.y_pred), loss(case.y_true, case.y_pred), rtol=1e-5
    )


def small_model(case):
    inputs = keras.Input((8, 8, 1))
    activation = "softmax" if case.channels > 1 else None
    x = keras.layers.Conv2D(case.channels, 3, padding="same", activation=activation, name="head")
    return keras.Model(inputs, x(inputs))


@needs_tensorflow
@loss_classes
def test_two_replicas_take_the_step_of_one(name, mirrored):
    import tensorflow as tf

    case, _ = LOSSES[name]
    images = RNG.normal(size=(4, 8, 8, 1)).astype("float32")
    results = []
    for strategy in (tf.distribute.get_strategy(), mirrored):
        keras.utils.set_random_seed(1)
        with strategy.scope():
            model = small_model(case)
            model.compile(keras.optimizers.SGD(0.1), loss=make_loss(name))
        data = tf.data.Dataset.from_tensor_slices((images, case.y_true)).batch(4)
        history = model.fit(data, epochs=2, verbose=0, shuffle=False).history
        results.append((history["loss"], model.get_weights()))
    (one_loss, one), (two_loss, two) = results
    np.testing.assert_allclose(one_loss, two_loss, rtol=1e-5)
    for a, b in zip(one, two):
        np.testing.assert_allclose(a, b, atol=1e-6)


@needs_tensorflow
@loss_classes
def test_loss_survives_a_keras_file(name, tmp_path):
    case, arguments = LOSSES[name]
    cls = getattr(kerasadv.losses, name)
    loss = cls(**arguments, name="other", reduction="sum", dtype="float16")
    model = small_model(case)
    model.compile("sgd", loss=loss)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert plain(again.loss.get_config()) == plain(loss.get_config())
    assert again.loss.dtype == "float16"


# --- layers


@layer_classes
def test_layer_survives_a_keras_file(name, tmp_path):
    layer = getattr(kerasadv.layers, name)(**LAYERS[name], name="other")
    inputs = keras.Input((6, 5, 3))
    model = keras.Model(inputs, layer(inputs))
    images = RNG.normal(size=(2, 6, 5, 3)).astype("float32")
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(images), model(images))
    assert plain(again.get_layer("other").get_config()) == plain(layer.get_config())


@layer_classes
@pytest.mark.parametrize("shape", [(4, 3), (4, 7, 3), (4, 6, 5, 3), (4, 6, 5, 4, 3)])
def test_layer_tells_its_output_shape(name, shape):
    if len(shape) not in RANKS.get(name, {len(shape)}):
        pytest.skip("does not take so many axes")
    layer = make_layer(name)
    assert layer.compute_output_shape(shape) == layer(np.zeros(shape, "float32")).shape


@layer_classes
def test_layer_takes_images_of_unknown_size(name):
    layer = make_layer(name)
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, None, None, 3)
    images = RNG.normal(size=(2, 6, 5, 3)).astype("float32")
    np.testing.assert_array_equal(model(images), layer(images))


@layer_classes
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_layer_follows_the_dtype_policy(name, policy):
    layer = make_layer(name, dtype=policy)
    inputs = RNG.normal(size=(2, 6, 5, 3)).astype("float32")
    got = layer(inputs)
    assert keras.backend.standardize_dtype(got.dtype) == layer.compute_dtype
    expected = make_layer(name)(inputs)
    np.testing.assert_allclose(ops.cast(got, "float32"), expected, rtol=0.02, atol=1e-3)


@layer_classes
def test_layer_is_the_same_under_xla(name):
    layer = make_layer(name)
    inputs = ops.convert_to_tensor(RNG.normal(size=(2, 6, 5, 3)).astype("float32"))
    expected = layer(inputs)
    got = compiled(lambda x: layer(x))(inputs)
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)


@layer_classes
def test_layer_gradients_are_right(name):
    layer = make_layer(name, dtype="float64")
    x = RNG.normal(size=(2, 3, 3, 2))
    weights = RNG.normal(size=layer(x).shape)
    slope = gradient(lambda _, p: ops.sum(layer(p) * weights), None, x)

    def value(x):
        return float(ops.sum(layer(x) * weights))

    for index in np.ndindex(2, 3, 3, 2):
        step = np.zeros_like(x)
        step[index] = 1e-6
        np.testing.assert_allclose(
            slope[index], (value(x + step) - value(x - step)) / 2e-6, rtol=1e-5, atol=1e-8
        )


# --- metrics

# JAX adds in float32.
DIGITS = 1e-6 if TENSORFLOW else 1e-4


@sums
def test_metric_adds_up_over_batches(name):
    case, _ = METRICS[name]
    whole, parts = (make_metric(name) for _ in range(2))
    whole.update_state(case.y_true, case.y_pred)
    for rows in (slice(0, 1), slice(1, 4)):
        parts.update_state(case.y_true[rows], case.y_pred[rows])
    np.testing.assert_allclose(parts.result(), whole.result(), rtol=DIGITS)
    parts.reset_state()
    assert float(parts.result()) == 0
    parts.update_state(case.y_true, case.y_pred)
    np.testing.assert_allclose(parts.result(), whole.result(), rtol=DIGITS)


@metric_classes
def test_metric_leaves_out_samples_of_zero_weight(name):
    case, _ = METRICS[name]
    weight = np.array([1.0, 0.0, 1.0, 1.0])
    weighted, part = (make_metric(name) for _ in range(2))
    weighted.update_state(case.y_true, case.y_pred, sample_weight=weight)
    part.update_state(case.y_true[weight > 0], case.y_pred[weight > 0])
    np.testing.assert_allclose(weighted.result(), part.result(), rtol=DIGITS)


@label_metrics
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_metric_takes_predictions_of_any_float_and_labels_of_any_kind(name, dtype):
    case, _ = METRICS[name]
    expected = make_metric(name)(case.y_true, case.y_pred)
    # Rounded first, so that near ties do not fall on the other side.
    y_pred = ops.cast(case.y_pred, dtype)
    rounded = make_metric(name)(case.y_true, ops.cast(y_pred, "float32"))
    np.testing.assert_allclose(rounded, expected, atol=0.05)
    for y_true in (case.y_true, case.y_true[..., None], case.perfect, case.y_true.astype("uint8")):
        got = make_metric(name)(y_true, y_pred)
        np.testing.assert_allclose(got, rounded, rtol=1e-6)


@needs_tensorflow
@metric_classes
def test_metric_survives_a_keras_file(name, tmp_path):
    case, arguments = METRICS[name]
    metric = make_metric(name, **arguments, name="other", dtype="float64")
    model = small_model(case)
    model.compile("sgd", "mse", metrics=[metric])
    images = RNG.normal(size=(4, 8, 8, 1)).astype("float32")
    before = model.evaluate(images, case.perfect, verbose=0, return_dict=True)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    after = again.evaluate(images, case.perfect, verbose=0, return_dict=True)
    assert set(before) == set(after) > {"loss"}
    for key in before:
        np.testing.assert_allclose(after[key], before[key], rtol=1e-6)


@needs_tensorflow
@metric_classes
def test_metric_is_the_same_under_xla_and_for_unknown_sizes(name):
    import tensorflow as tf

    case, _ = METRICS[name]
    expected = make_metric(name)(case.y_true, case.y_pred)
    for options in (
        {"jit_compile": True},
        {
            "input_signature": [
                tf.TensorSpec((None,) * case.y_true.ndim, "int64"),
                tf.TensorSpec((None, None, None, case.channels), "float32"),
            ]
        },
    ):
        metric = make_metric(name)
        metric(case.y_true[:1], case.y_pred[:1])  # Makes its variables.
        metric.reset_state()
        tf.function(metric.update_state, **options)(case.y_true, case.y_pred)
        np.testing.assert_allclose(metric.result(), expected, rtol=1e-6)


@needs_tensorflow
@sums
def test_metric_is_the_same_on_two_replicas(name, mirrored):
    import tensorflow as tf

    case, _ = METRICS[name]
    results = []
    for strategy in (tf.distribute.get_strategy(), mirrored):
        with strategy.scope():
            inputs = keras.Input(case.y_pred.shape[1:])
            model = keras.Model(inputs, keras.layers.Activation("linear")(inputs))
            model.compile(loss="mse", metrics=[make_metric(name)])
        data = tf.data.Dataset.from_tensor_slices((case.y_pred, case.perfect)).batch(2)
        logs = model.evaluate(data, verbose=0, return_dict=True)
        results.append(logs[make_metric(name).name])
    np.testing.assert_allclose(*results, rtol=1e-6)
