"""The perceptual loss: its formulas, the code of others, one look at each image, what is saved."""

import json
import zipfile

import keras
import numpy as np
import pytest
from keras import ops

import kerasadv
from kerasadv.losses import Compound, Perceptual, TotalVariation
from kerasadv.losses.perceptual import perceptual

RNG = np.random.default_rng(0)
TRUE, PRED = RNG.random((2, 3, 6, 8, 3)).astype("float32")
TENSORFLOW = keras.backend.backend() == "tensorflow"
needs_tensorflow = pytest.mark.skipif(not TENSORFLOW, reason="is about TensorFlow")


def eyes(dtype="float32"):
    """An extractor that sees pixels, and halves of the picture."""
    image = keras.Input((None, None, 3))
    half = keras.layers.AveragePooling2D(2, dtype=dtype)(image)
    return keras.Model(image, {"pixels": image, "half": half})


def seen(images):
    half = images.reshape(len(images), 3, 2, 4, 2, 3).mean((2, 4))
    return {"pixels": images, "half": half}


def gram(features):
    flat = features.reshape(len(features), -1, features.shape[-1]).astype("float64")
    return np.einsum("bnc,bnd->bcd", flat, flat)


def vgg(weights=None, **kwargs):
    return kerasadv.features.vgg("vgg16", ["block1_conv1", "block2_conv1"], weights, **kwargs)


def test_content_is_the_mean_squared_difference_of_features():
    true, pred = seen(TRUE), seen(PRED)
    expected = sum(
        weight * ((true[layer] - pred[layer]) ** 2).mean((1, 2, 3))
        for layer, weight in (("pixels", 2.0), ("half", 0.5))
    )
    got = perceptual(TRUE, PRED, eyes(), content={"pixels": 2.0, "half": 0.5})
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_style_is_the_mean_squared_difference_of_gram_matrices():
    true, pred = seen(TRUE), seen(PRED)
    expected = sum(
        weight * ((gram(true[layer]) - gram(pred[layer])) ** 2).mean((1, 2)) / size**2
        for layer, weight, size in (("pixels", 2.0, 6 * 8 * 3), ("half", 0.5, 3 * 4 * 3))
    )
    got = perceptual(TRUE, PRED, eyes(), style={"pixels": 2.0, "half": 0.5})
    np.testing.assert_allclose(got, expected, rtol=1e-4)


C, N, S = 3, 3 * 4, 6 * 8  # channels and positions of the layer `half`, pixels of the image


@pytest.mark.parametrize(
    "theirs, factor",
    [
        # Squared Frobenius norm of Gram matrices over C N.
        (lambda g, h: ((g - h) ** 2).sum((1, 2)) / (C * N) ** 2, C**2),
        # Gatys et al., equation 4: 1 / (4 N_l^2 M_l^2) of raw Gram matrices.
        (lambda g, h: ((g - h) ** 2).sum((1, 2)) / (4 * C**2 * N**2), C**2 / 4),
        # Gatys' PyTorch notebook: div_(h * w), then MSELoss.
        (lambda g, h: ((g / N - h / N) ** 2).mean((1, 2)), C**2),
        # PyTorch's example: / (ch * h * w), then MSELoss.
        (lambda g, h: ((g - h) ** 2).mean((1, 2)) / (C * N) ** 2, 1),
        # keras.io: sum / (4 * 3^2 * size^2), size the pixels of the image.
        (lambda g, h: ((g - h) ** 2).sum((1, 2)) / (36 * S**2), (C * N) ** 2 * C**2 / (36 * S**2)),
        # piq: raw Gram matrices, mean.
        (lambda g, h: ((g - h) ** 2).mean((1, 2)), (C * N) ** 2),
    ],
)
def test_the_table_translates_style_weights(theirs, factor):
    expected = theirs(gram(seen(TRUE)["half"]), gram(seen(PRED)["half"]))
    got = perceptual(TRUE, PRED, eyes(), style={"half": factor})
    np.testing.assert_allclose(got, expected, rtol=1e-4)


@pytest.mark.parametrize(
    "theirs, factor",
    [
        (lambda x, y: 0.5 * ((x - y) ** 2).sum((1, 2, 3)), C * N / 2),  # Gatys et al., equation 1
        (lambda x, y: ((x - y) ** 2).sum((1, 2, 3)), C * N),  # keras.io
        (lambda x, y: ((x - y) ** 2).mean((1, 2)).sum(-1), C),  # piq
    ],
)
def test_the_table_translates_content_weights(theirs, factor):
    expected = theirs(seen(TRUE)["half"], seen(PRED)["half"])
    got = perceptual(TRUE, PRED, eyes(), content={"half": factor})
    np.testing.assert_allclose(got, expected, rtol=1e-4)


PAINTINGS = RNG.random((2, 9, 5, 3)).astype("float32")  # of another size than the images


def test_a_painting_is_the_style_of_every_image():
    matrix = gram(PAINTINGS)[0] / PAINTINGS[0].size
    expected = ((gram(PRED) / PRED[0].size - matrix) ** 2).mean((1, 2))
    got = perceptual(TRUE, PRED, eyes(), style={"pixels": 1.0}, paintings={"pixels": matrix})
    np.testing.assert_allclose(got, expected, rtol=1e-4)


def test_several_paintings_have_shares_behind_the_target():
    matrices = gram(PAINTINGS) / PAINTINGS[0].size
    shares = np.array([[1, 0], [0, 1], [0.25, 0.75]], "float32")
    behind = np.broadcast_to(shares[:, None, None], (3, 6, 8, 2))
    loss = Perceptual(
        eyes(),
        content={"half": 3.0},
        style={"pixels": 1.0},
        paintings={"pixels": matrices},
        reduction=None,
    )
    got = loss(np.concatenate([TRUE, behind], axis=-1), PRED)
    targets = np.tensordot(shares, matrices, axes=1)
    style = ((gram(PRED) / PRED[0].size - targets) ** 2).mean((1, 2))
    content = ((seen(TRUE)["half"] - seen(PRED)["half"]) ** 2).mean((1, 2, 3))
    np.testing.assert_allclose(got, style + 3 * content, rtol=1e-4)
    with pytest.raises(ValueError, match="`y_true`.*shares of 2 paintings.*Received"):
        loss(TRUE, PRED)


class Counting(keras.Model):
    """Counts the images it looks at."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def call(self, images):
        self.count += images.shape[0]
        return {"pixels": images, "double": 2 * images}


def test_each_image_is_looked_at_once_and_the_target_only_if_needed():
    layers = {"pixels": 1.0, "double": 1.0}
    extractor = Counting()
    perceptual(TRUE, PRED, extractor, content=layers, style=layers)
    assert extractor.count == 2 * len(PRED)
    extractor = Counting()
    matrices = dict.fromkeys(layers, np.eye(3))
    perceptual(TRUE, PRED, extractor, style=layers, paintings=matrices)
    assert extractor.count == len(PRED)


def test_the_extractor_may_be_subclassed_and_its_features_half_precision():
    layers = {"half": 1.0}
    keras.config.set_dtype_policy("mixed_float16")
    got = perceptual(200 * TRUE, 200 * PRED, eyes("float16"), layers, layers)
    assert keras.backend.standardize_dtype(got.dtype) == "float32"
    expected = perceptual(200 * TRUE, 200 * PRED, eyes("float32"), layers, layers)
    np.testing.assert_allclose(got, expected, rtol=1e-2)
    loss = Perceptual(Counting(), {"pixels": 1.0, "double": 1.0})
    np.testing.assert_allclose(loss(TRUE, PRED), 5 * ((TRUE - PRED) ** 2).mean(), rtol=1e-3)
    with pytest.raises(ValueError, match="`extractor`.*'double', 'pixels'.*Received: 'triple'"):
        Perceptual(Counting(), {"triple": 1.0})(TRUE, PRED)


@needs_tensorflow
def test_bright_pictures_stay_finite_in_mixed_float16():
    keras.config.set_dtype_policy("mixed_float16")
    extractor = vgg()
    layers = {"block1_conv1": 1.0, "block2_conv1": 1.0}
    model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(3, 1)])
    model.compile(keras.optimizers.SGD(0.0), loss=Perceptual(extractor, layers, layers))
    images = np.full((2, 16, 16, 3), 255.0)
    loss = model.fit(images, images, verbose=0).history["loss"][0]
    # Squares of differences of these features do not fit into float16.
    assert np.isfinite(loss) and loss > 65504


@needs_tensorflow
def test_the_way_back_leads_to_the_prediction_only_and_weights_are_no_constants():
    import tensorflow as tf

    extractor = kerasadv.features.vgg("vgg16", ["block3_conv3"], None)
    layers = {"block3_conv3": 1.0}
    loss = Perceptual(extractor, layers, layers)

    @tf.function
    def step(true, pred):
        with tf.GradientTape() as tape:
            tape.watch((true, pred))
            value = loss(true, pred)
        return tape.gradient(value, (true, pred), unconnected_gradients="zero")

    image = tf.constant(RNG.random((2, 16, 16, 3)), tf.float32)
    to_true, to_pred = step(image, 0.5 * image)
    assert not np.any(to_true) and np.any(to_pred)
    graph = step.get_concrete_function(image, image).graph
    kinds = [operation.type for operation in graph.get_operations()]
    convolutions = 7  # 2, 2 and 3 in the first three blocks
    assert kinds.count("Conv2DBackpropInput") == convolutions
    assert kinds.count("Conv2D") == 2 * convolutions
    weights = 4 * extractor.count_params()
    assert weights > 6e6 and graph.as_graph_def().ByteSize() < weights / 20


def painter():
    image = keras.Input((None, None, 3))
    return keras.Model(image, keras.layers.Conv2D(3, 1, kernel_initializer="ones")(image))


def test_is_saved_with_the_source_of_its_weights_and_without_them(tmp_path):
    # Weights that the source alone can bring back.
    network = keras.applications.VGG16(include_top=False, weights=None)
    network.save_weights(tmp_path / "vgg.weights.h5")
    extractor = vgg(str(tmp_path / "vgg.weights.h5"), value_range=(0, 1))
    features = extractor(PAINTINGS)["block1_conv1"]
    loss = Perceptual(
        extractor,
        {"block2_conv1": 0.5},
        {"block1_conv1": 2.0},
        {"block1_conv1": kerasadv.ops.gram_matrix(features)[0]},
    )
    model = painter()
    model.compile("sgd", loss=loss)
    before = model.evaluate(TRUE, PRED, verbose=0)
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    assert (tmp_path / "model.weights.h5").stat().st_size < 4 * extractor.count_params() / 4
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        sizes = {item.filename: item.file_size for item in file.infolist()}
    assert sizes["model.weights.h5"] < 4 * extractor.count_params() / 4
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.evaluate(TRUE, PRED, verbose=0), before, rtol=1e-6)
    (tmp_path / "vgg.weights.h5").unlink()
    with pytest.raises(ValueError, match="vgg.weights.h5', where there is none"):
        keras.saving.load_model(tmp_path / "model.keras")
    keras.saving.load_model(tmp_path / "model.keras", compile=False)


def test_an_extractor_that_would_come_back_blank_is_refused(tmp_path):
    model = painter()
    model.compile("sgd", loss=Perceptual(eyes(), {"pixels": 1.0}))
    model.fit(TRUE, TRUE, verbose=0)
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="`extractor`.*source of its weights.*`compile=False`"):
        keras.saving.load_model(tmp_path / "model.keras")
    keras.saving.load_model(tmp_path / "model.keras", compile=False)


@needs_tensorflow
def test_terms_show_in_the_logs_also_inside_a_compound():
    inner = Perceptual(eyes(), {"half": 2.0}, {"pixels": 3.0})
    terms = {"perceptual": inner, "total_variation": TotalVariation()}
    for loss, names in ((inner, set()), (Compound(terms), set(terms))):
        model = painter()
        model.compile(keras.optimizers.SGD(0.0), loss=loss)
        logs = model.fit(
            PRED, TRUE, 1, epochs=2, callbacks=[kerasadv.training.LossTerms()], verbose=0
        ).history
        assert set(logs) == {"loss", "content", "style"} | names
        painted = np.array(model(PRED))
        content = 2 * ((seen(TRUE)["half"] - seen(painted)["half"]) ** 2).mean()
        style = Perceptual(eyes(), style={"pixels": 3.0})(TRUE, painted)
        np.testing.assert_allclose(logs["content"], [content] * 2, rtol=1e-4)
        np.testing.assert_allclose(logs["style"], [style] * 2, rtol=1e-4)


@needs_tensorflow
def test_a_compound_forgets_the_terms_within_it_too():
    inner = Perceptual(eyes(), {"half": 2.0})
    loss = Compound({"perceptual": inner})
    loss(TRUE, PRED)
    assert inner.terms()["content"] > 0
    loss.reset_terms()
    assert inner.terms() == loss.terms() == {}


@needs_tensorflow
def test_an_extractor_built_for_two_replicas_gives_the_step_of_one(mirrored):
    import tensorflow as tf

    results = []
    images = (255 * RNG.random((4, 8, 8, 3))).astype("float32")
    for strategy in (tf.distribute.get_strategy(), mirrored):
        with strategy.scope():
            layers = {"block1_conv1": 1e-3, "block2_conv1": 1e-3}
            model = painter()
            model.compile(keras.optimizers.SGD(1e-6), loss=Perceptual(vgg(), layers, layers))
        data = tf.data.Dataset.from_tensor_slices((images, images[:, ::-1])).batch(4)
        model.fit(data, epochs=2, shuffle=False, verbose=0)
        results.append(model.get_weights())
    for one, two in zip(*results):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "arguments, named",
    [
        ({}, "content"),
        ({"extractor": len}, "extractor"),
        ({"content": {"gone": 1.0}}, "content"),
        ({"content": ["pixels"]}, "content"),
        ({"style": {"pixels": float("nan")}}, "style"),
        ({"style": {"pixels": -1.0}}, "style"),
        ({"style": {"pixels": "5"}}, "style"),
        ({"content": {"pixels": 1.0}, "paintings": {"pixels": np.eye(3)}}, "paintings"),
        ({"style": {"pixels": 1.0}, "paintings": {}}, "paintings"),
        ({"style": {"pixels": 1.0}, "paintings": {"pixels": np.ones((3, 4))}}, "paintings"),
        ({"style": {"pixels": 1.0}, "paintings": {"pixels": np.ones(3)}}, "paintings"),
        ({"style": {"pixels": 1.0}, "paintings": {"pixels": np.eye(1)}}, "paintings"),
        ({"style": {"pixels": 1.0}, "paintings": {"pixels": np.eye(4)}}, "paintings"),
        (
            {
                "style": {"pixels": 1.0, "half": 1.0},
                "paintings": {"pixels": np.ones((2, 3, 3)), "half": np.eye(3)},
            },
            "paintings",
        ),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(ValueError, match=f"`{named}`.*Received"):
        Perceptual(**{"extractor": eyes()} | arguments)


def test_a_model_that_returns_no_dictionary_is_refused():
    with pytest.raises(ValueError, match="`extractor`.*dictionary.*Received"):
        Perceptual(painter(), {"pixels": 1.0})


@pytest.mark.parametrize("shape", [(3, 6, 8, 4), (3, 6, 8), (3, 5, 8, 3), (1, 6, 8, 3)])
def test_targets_of_another_shape_are_named(shape):
    with pytest.raises(ValueError, match="`y_true`.*shape of `y_pred`.*Received"):
        perceptual(np.zeros(shape, "float32"), PRED, eyes(), content={"pixels": 1.0})


def test_style_may_come_from_a_target_of_another_size():
    got = perceptual(PAINTINGS[:1], PRED[:1], eyes(), style={"pixels": 1.0})
    difference = gram(PRED[:1]) / PRED[0].size - gram(PAINTINGS[:1]) / PAINTINGS[0].size
    np.testing.assert_allclose(got, (difference**2).mean((1, 2)), rtol=1e-4)


@pytest.mark.skipif(TENSORFLOW, reason="is about JAX")
def test_on_jax_the_model_may_carry_the_weights_of_the_extractor():
    model, extractor = painter(), vgg()
    model.extractor = extractor
    model.compile("sgd", loss=Perceptual(extractor, {"block1_conv1": 1.0}))
    held = {id(variable) for variable in model.non_trainable_variables}
    assert {id(variable) for variable in extractor.variables} <= held
    before = ops.convert_to_numpy(extractor.variables[0])
    model.fit(TRUE, TRUE, verbose=0)
    np.testing.assert_array_equal(extractor.variables[0], before)


def test_weights_from_numpy_can_be_saved():
    config = Perceptual(eyes(), content={"pixels": np.float32(0.5)}).get_config()
    assert json.dumps(config["content"]) == '{"pixels": 0.5}'
