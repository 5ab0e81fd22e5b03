"""InceptionV3 as an extractor: what it is shown, and what goes wrong with its weights."""

import keras
import numpy as np
import pytest
from keras.applications.inception_v3 import preprocess_input

import kerasadv


def test_images_reach_the_network_as_it_expects_them():
    extractor = kerasadv.features.inception_v3(weights=None, value_range=(-1, 3))
    network = extractor.get_layer("inception_v3")
    image = np.random.default_rng(0).uniform(0, 255, (1, 299, 299, 3)).astype("float32")
    expected = network(preprocess_input(image.copy()), training=False)
    got = extractor(image / 255 * 4 - 1)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
    assert np.std(np.asarray(expected)) > 0.1  # Random weights that let something through.
    assert not extractor.trainable_variables
    assert extractor.value_range == (-1, 3)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(extractor))
    np.testing.assert_allclose(again(image), extractor(image), rtol=1e-5)


def test_weights_that_cannot_be_had_are_named(tmp_path):
    missing = tmp_path / "inception.h5"
    with pytest.raises(ValueError, match="`weights`: .*where there is none"):
        kerasadv.features.inception_v3(missing)
    missing.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="`weights`: expected weights of .*InceptionV3"):
        kerasadv.features.inception_v3(missing)
    with pytest.raises(ValueError, match="`value_range`: .*(1, 0)"):
        kerasadv.features.inception_v3(None, (1, 0))
