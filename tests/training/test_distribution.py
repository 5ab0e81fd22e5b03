"""Strategies by name."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasadv.training import strategy


def test_none_is_one_device():
    assert strategy("none").num_replicas_in_sync == 1


def test_mirrored_takes_every_local_device():
    assert strategy("mirrored").num_replicas_in_sync == len(tf.config.list_logical_devices("CPU"))
    assert strategy("mirrored") is strategy("mirrored")


def test_other_names_are_refused():
    with pytest.raises(
        ValueError, match="`name`.*'none', 'mirrored', 'multi_worker'.*Received: name='tpu'"
    ):
        strategy("tpu")


def test_an_uneven_batch_does_not_stop_training():
    # Keras fails here under TensorFlow's own MirroredStrategy (keras-team/keras#19246).
    x, y = np.ones((5, 3), "float32"), np.ones((5, 1), "float32")
    with strategy("mirrored").scope():
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.1), "mse")
    first, second = model.fit(x, y, batch_size=5, epochs=2, verbose=0).history["loss"]
    assert second < first
    assert model.evaluate(x, y, batch_size=5, verbose=0) < second
    assert model.predict(x, batch_size=5, verbose=0).shape == (5, 1)


def test_only_means_of_uneven_shares_are_answered_for_keras():
    mirrored = strategy("mirrored")
    with mirrored.scope():
        shares = mirrored.experimental_distribute_values_from_function(
            lambda context: tf.ones(context.replica_id_in_sync_group + 1)
        )
    assert mirrored.reduce("MEAN", shares, axis=None).numpy().tolist() == [1.0]
    with pytest.raises(tf.errors.InvalidArgumentError):
        mirrored.reduce("SUM", shares, axis=None)
