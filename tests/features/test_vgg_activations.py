"""VGG's activations against keras.applications, and what makes an extractor frozen and whole."""

import keras
import numpy as np
import pytest

import kerasadv
from kerasadv.features import vgg

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (2, 40, 35, 3)).astype("float32")
NETWORKS = {
    "vgg16": (keras.applications.VGG16, keras.applications.vgg16.preprocess_input),
    "vgg19": (keras.applications.VGG19, keras.applications.vgg19.preprocess_input),
}


@pytest.fixture(scope="module", params=NETWORKS)
def saved(request, tmp_path_factory):
    """A network of keras.applications with random weights and biases, and its file of weights."""
    network = NETWORKS[request.param][0](include_top=False, weights=None)
    for layer in network.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, RNG.normal(size=bias.shape)])
    path = tmp_path_factory.mktemp("weights") / f"{request.param}.weights.h5"
    network.save_weights(path)
    return request.param, network, path


def theirs(name, network, layers):
    outputs = [network.get_layer(layer).output for layer in layers]
    preprocess = NETWORKS[name][1]
    return keras.Model(network.input, outputs)(preprocess(IMAGES.copy()))


def test_gives_the_activations_of_keras_applications(saved):
    name, network, path = saved
    last = {"vgg16": "block5_conv3", "vgg19": "block5_conv4"}[name]
    layers = ["block1_conv2", "block3_pool", "block1_conv1", last]
    found = vgg(name, layers, weights=path)(IMAGES)
    assert list(found) == layers
    for layer, expected in zip(layers, theirs(name, network, layers)):
        np.testing.assert_allclose(found[layer], expected, rtol=1e-4, atol=1e-4)


def test_loads_what_keras_downloads(saved, tmp_path, monkeypatch):
    name, network, path = saved
    asked = []

    def offline(include_top, weights):
        asked.append((include_top, weights))
        return network

    monkeypatch.setattr(keras.applications, name.upper(), offline)
    expected = vgg(name, ["block2_conv1"], weights="imagenet")(IMAGES)
    monkeypatch.undo()
    assert asked == [(False, "imagenet")]
    np.testing.assert_array_equal(
        vgg(name, ["block2_conv1"], weights=path)(IMAGES)["block2_conv1"],
        expected["block2_conv1"],
    )


def test_a_download_that_fails_is_one_clear_line(monkeypatch):
    def offline(include_top, weights):
        raise Exception("URL fetch failure on https://x: None -- no route\nmore")

    monkeypatch.setattr(keras.applications, "VGG16", offline)
    with pytest.raises(ValueError, match="`weights`: the download of VGG16 failed.*no route"):
        vgg("vgg16", ["block1_conv1"])


def test_files_that_do_not_fit_are_named(saved, tmp_path):
    name, _, path = saved
    other = {"vgg16": "vgg19", "vgg19": "vgg16"}[name]
    with pytest.raises(
        ValueError, match=f"`weights`: expected weights of .* {other.upper()} without"
    ):
        vgg(other, ["block1_conv1"], weights=path)
    broken = tmp_path / "broken.weights.h5"
    broken.write_bytes(b"no weights")
    with pytest.raises(ValueError, match="`weights`.*Received: weights='.*broken.weights.h5'"):
        vgg(name, ["block1_conv1"], weights=broken)
    with pytest.raises(ValueError, match="`weights`.*gone.h5', where there is none"):
        vgg(name, ["block1_conv1"], weights=str(tmp_path / "gone.h5"))
    with pytest.raises(ValueError, match="`weights`: expected 'imagenet', None or .*Received: 5"):
        vgg(name, ["block1_conv1"], weights=5)


@pytest.mark.parametrize("value_range", [(0, 1), (-1, 1), [20, 30]])
def test_images_may_have_another_range(value_range):
    low, high = value_range
    expected = vgg("vgg16", ["block1_conv1"], None)(IMAGES)["block1_conv1"]
    scaled = low + (high - low) * IMAGES / 255
    got = vgg("vgg16", ["block1_conv1"], None, value_range)(scaled)["block1_conv1"]
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-2)


def test_stops_at_the_last_layer_asked_for():
    # Weights and biases of the first two blocks of table 1, by hand.
    parameters = (27 + 1) * 64 + (576 + 1) * 64 + (576 + 1) * 128
    extractor = vgg("vgg19", ["block2_conv1", "block1_conv1"], None)
    assert extractor.count_params() == parameters


@pytest.mark.parametrize("policy", ["mixed_float16", "float16", "mixed_bfloat16"])
def test_is_frozen_and_float32_whatever_the_policy(policy, saved):
    name, _, path = saved
    expected = vgg(name, ["block2_conv1"], path)(IMAGES)["block2_conv1"]
    keras.config.set_dtype_policy(policy)
    extractor = vgg(name, ["block2_conv1"], path)
    assert keras.config.dtype_policy().name == policy
    assert extractor.trainable_variables == []
    assert {v.dtype for v in extractor.variables} == {"float32"}
    np.testing.assert_array_equal(extractor(IMAGES.astype("uint8"))["block2_conv1"], expected)


def test_random_weights_are_always_the_same():
    a, b = (vgg("vgg16", ["block2_conv2"], None)(IMAGES)["block2_conv2"] for _ in range(2))
    np.testing.assert_array_equal(a, b)
    c = vgg("vgg16", ["block3_conv1", "block2_conv2"], None)(IMAGES)["block2_conv2"]
    np.testing.assert_array_equal(a, c)


def test_is_saved_as_the_arguments_it_was_made_from(saved):
    name, _, path = saved
    extractor = vgg(name, ["block1_conv2"], path, (0, 1))
    config = keras.saving.serialize_keras_object(extractor)
    assert config["config"] == {
        "name": name, "layers": ["block1_conv2"], "weights": str(path), "value_range": [0, 1],
    }  # fmt: skip
    again = keras.saving.deserialize_keras_object(config)
    np.testing.assert_array_equal(
        again(IMAGES / 255)["block1_conv2"], extractor(IMAGES / 255)["block1_conv2"]
    )


@pytest.mark.parametrize(
    "arguments, named",
    [
        ({"name": "vgg11"}, "name"),
        ({"layers": []}, "layers"),
        ({"layers": 5}, "layers"),
        ({"layers": ["block3_conv9"]}, "layers"),
        ({"name": "vgg16", "layers": ["block3_conv4"]}, "layers"),
        ({"value_range": (1, 0)}, "value_range"),
        ({"value_range": (0, float("inf"))}, "value_range"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(ValueError, match=f"`{named}`.*Received"):
        kerasadv.features.vgg(**{"weights": None} | arguments)
