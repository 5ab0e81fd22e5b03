"""Crops for training: image and mask together, the same for the same epoch."""

import keras
import numpy as np
import pytest

from kerasadv.data import Example, TrainingCrops, fixed_batches, middle, standardize

RNG = np.random.default_rng(0)


def example(height, width, channels=3):
    """An image that shows its own mask: bright where the mask is 1."""
    mask = np.zeros((height, width), "uint8")
    mask[height // 3 : height // 2, width // 4 : width // 2] = 1
    noise = RNG.integers(0, 20, (height, width, channels))
    return Example(f"{height}x{width}", (mask[..., None] * 200 + noise).astype("uint8"), mask)


EXAMPLES = [example(40, 56), example(64, 40), example(90, 130), example(20, 24)]


def epoch(crops, number):
    crops.on_epoch_begin(number)
    return [(x.numpy(), y.numpy()) for x, y in crops.batches()]


def test_shapes_and_number():
    crops = TrainingCrops(EXAMPLES, size=32, batch_size=2)
    # Roots of the areas over 32: 1.5, 1.6, 3.4, 0.7, so 1 or 2, 2, 3 and 1 crops.
    assert crops.steps_per_epoch == (round(2240**0.5 / 32) + 2 + 3 + 1) // 2
    batches = epoch(crops, 0)
    assert len(batches) == crops.steps_per_epoch
    for images, masks in batches:
        assert images.shape == (2, 32, 32, 3) and images.dtype == "float32"
        assert masks.shape == (2, 32, 32, 1) and set(np.unique(masks)) <= {0, 1}


def test_image_and_mask_change_together():
    crops = TrainingCrops(EXAMPLES, size=32, batch_size=4)
    checked = 0
    for number in range(12):
        for images, masks in epoch(crops, number):
            for image, mask in zip(images.mean(-1), masks[..., 0] > 0):
                if 30 < mask.sum() < 900:
                    # Bright where the mask is, or dark in a negative; not quite 1 for the noise
                    # and for edges that the image has blurred.
                    assert abs(np.corrcoef(image.ravel(), mask.ravel())[0, 1]) > 0.8
                    checked += 1
    assert checked > 20


def test_epochs_differ_and_repeat():
    one, again = (TrainingCrops(EXAMPLES, 32, 4, seed=5) for _ in range(2))
    other = TrainingCrops(EXAMPLES, 32, 4, seed=6)
    first, second = epoch(one, 0), epoch(one, 1)
    for (a, b), (c, d) in zip(second, epoch(again, 1)):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)
    assert (first[0][0] != second[0][0]).any()
    assert (first[0][0] != epoch(other, 0)[0][0]).any()


def test_fit_tells_the_epoch():
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(next(iter(crops.batches()))[0].numpy())

    crops = TrainingCrops(EXAMPLES, 32, 4)
    model = keras.Sequential([keras.layers.Conv2D(1, 1)])
    model.compile("sgd", "mse")
    model.fit(
        crops.batches(),
        epochs=4,
        initial_epoch=2,
        callbacks=[crops, Watch()],
        shuffle=False,
        verbose=0,
    )
    again = TrainingCrops(EXAMPLES, 32, 4)
    for images, number in zip(seen, (2, 3), strict=True):
        np.testing.assert_array_equal(images, epoch(again, number)[0][0])


def test_the_middle_is_standardized_as_part_of_the_whole():
    big, small = EXAMPLES[2], EXAMPLES[3]
    image, mask = middle(big, 32)
    np.testing.assert_allclose(image, standardize(big.image)[29:61, 49:81])
    np.testing.assert_array_equal(mask, big.mask[29:61, 49:81])
    image, mask = middle(small, 32)
    assert image.shape == (32, 32, 3) and mask.shape == (32, 32)
    np.testing.assert_array_equal(mask[6:26, 4:28], small.mask)
    whole = standardize(big.image)
    np.testing.assert_allclose([whole.mean(), whole.std()], [0, 1], atol=1e-4)
    assert np.isfinite(standardize(np.full((4, 4, 1), 7, "uint8"))).all()


def test_fixed_batches_keep_the_order():
    batches = list(fixed_batches(EXAMPLES, 32, 3))
    assert [len(x) for x, _ in batches] == [3, 1]
    np.testing.assert_array_equal(batches[1][0][0], middle(EXAMPLES[3], 32)[0])


@pytest.mark.parametrize("batch_size", [0, 9])
def test_other_batch_sizes_are_refused(batch_size):
    with pytest.raises(ValueError, match="`batch_size`.*crops in an epoch.*Received"):
        TrainingCrops(EXAMPLES, 32, batch_size)
