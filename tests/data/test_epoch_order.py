"""The order of an epoch: another in each, and the same whenever it is asked for."""

import keras
import numpy as np
import pytest

from kerasadv.data import EpochOrder


def rows(order, epoch):
    order.on_epoch_begin(epoch)
    return [int(row) for _, row in order.pairs()]


def test_each_epoch_has_each_example_once_in_an_order_of_its_own():
    order = EpochOrder(range(50), batch_size=10, seed=3)
    orders = [rows(order, epoch) for epoch in range(3)]
    assert all(sorted(one) == list(range(50)) for one in orders)
    assert len({tuple(one) for one in orders}) == 3
    assert rows(EpochOrder(range(50), 10, seed=3), 2) == orders[2]
    assert rows(EpochOrder(range(50), 10, seed=4), 2) != orders[2]


def test_the_order_is_that_of_trainings_that_were_published():
    # From the first version of `TrainingCrops`, by which the published U-Net was trained.
    assert rows(EpochOrder(range(8), batch_size=8, seed=0), 1) == [3, 5, 6, 4, 2, 1, 7, 0]


def test_what_does_not_fill_a_batch_is_left_out_and_another_in_each_epoch():
    order = EpochOrder(range(10), batch_size=4)
    assert order.steps_per_epoch == 2
    left_out = [frozenset(range(10)) - set(rows(order, epoch)) for epoch in range(8)]
    assert {len(some) for some in left_out} == {2} and len(set(left_out)) > 1


def test_no_two_examples_of_any_epochs_share_a_key():
    order = EpochOrder([0, 0, 1, 2, 2], batch_size=5)
    keys = []
    for epoch in range(4):
        order.on_epoch_begin(epoch)
        keys += [int(key) for key, _ in order.pairs()]
    assert len(set(keys)) == 20


def test_batches_hold_the_same_rows_of_each_array():
    images = np.arange(30, dtype="uint8").reshape(10, 3)
    labels = images.sum(axis=1)
    order = EpochOrder(range(10), batch_size=4, seed=1)
    order.on_epoch_begin(2)
    batches = [(x.numpy(), y.numpy()) for x, y in order.batches(images, labels)]
    assert order.batches(images, labels).cardinality() == 2
    for x, y in batches:
        assert x.shape == (4, 3) and x.dtype == "uint8"
        np.testing.assert_array_equal(x.sum(axis=1), y)
    seen = [int(row) for x, _ in batches for row in x[:, 0] // 3]
    assert seen == rows(EpochOrder(range(10), 4, seed=1), 2)


def test_fit_gives_the_epoch_under_way_resumed_or_not():
    numbers = np.arange(6, dtype="float32")[:, None]

    def predictions(initial_epoch):
        order, seen = EpochOrder(range(6), batch_size=1), []

        class Watch(keras.layers.Layer):
            def call(self, x):
                import tensorflow as tf

                tf.py_function(lambda value: seen.append(int(value[0, 0])), [x], [])
                return x

        model = keras.Sequential([keras.Input((1,)), Watch(), keras.layers.Dense(1)])
        model.compile("sgd", "mse", run_eagerly=True)
        seen.clear()
        model.fit(
            order.batches(numbers, numbers),
            epochs=3,
            initial_epoch=initial_epoch,
            callbacks=[order],
            shuffle=False,
            verbose=0,
        )
        return seen[-6 * (3 - initial_epoch) :]

    expected = [rows(EpochOrder(range(6), 1), epoch) for epoch in range(3)]
    assert predictions(0) == sum(expected, [])
    assert predictions(2) == expected[2]


@pytest.mark.parametrize("batch_size", [0, 11])
def test_other_batch_sizes_are_refused(batch_size):
    with pytest.raises(ValueError, match="`batch_size`.*examples in an epoch.*Received"):
        EpochOrder(range(10), batch_size)
