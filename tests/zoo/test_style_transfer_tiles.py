"""Large photos: parts that fit together, statistics that fit the whole, bounded memory."""

import keras
import numpy as np
import pytest

import kerasadv
import zoo
from zoo.style_transfer import tiles
from zoo.style_transfer.tiles import Painter, sample

RNG = np.random.default_rng(0)


def texture(height, width):
    """A picture whose values wander, unlike noise, so that its parts differ."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / (5 + 7 * c) + y / (31 - 8 * c) + c) for c in range(3)]
    light = 0.6 + 0.4 * np.sin(x / 97)[..., None]
    noise = RNG.normal(0, 20, (height, width, 3))
    return (127 + 100 * np.stack(waves, -1) * light + noise).clip(0, 255).astype("uint8")


@pytest.fixture(scope="module")
def painter():
    keras.utils.set_random_seed(0)
    model = zoo.StyleTransfer(num_styles=2, filters=4, residual_blocks=1)
    for variable in model.variables:
        if variable.path.split("/")[-1] in ("gamma", "beta"):
            variable.assign(RNG.normal(1, 0.5, variable.shape))
    for layer in model.layers:
        if isinstance(layer, kerasadv.layers.ConditionalInstanceNormalization):
            layer.epsilon = 0.1  # Not the default: what paints in parts has to ask for it.
    return Painter(model)


SHARES = np.array([0.3, 0.7], "float32")


def test_with_the_statistics_of_the_image_itself_convolutions_are_enough(painter):
    image = texture(70, 61)
    painter.fix(image[None], np.ones(1), SHARES)
    whole = painter.in_tiles(image, 128)
    expected = painter.model([image[None].astype("float32"), SHARES[None]])[0]
    assert np.abs(whole - np.array(expected)).max() <= 0.51  # rounded


@pytest.mark.parametrize("size", [(150, 141), (131, 96), (96, 203), (97, 98)])
def test_parts_are_what_they_are_in_the_whole(painter, size):
    image = texture(*size)
    painter.fix(image[None], np.ones(1), SHARES)
    whole = painter.in_tiles(image, 256).astype(int)
    assert np.abs(painter.in_tiles(image, 96) - whole).max() <= 1  # either side of a half


def test_the_margin_is_no_larger_than_it_must_be(painter):
    # Statistics fixed, a pixel changes the picture as far away as the radius, and no farther.
    image = texture(160, 160)
    painter.fix(image[None], np.ones(1), SHARES)
    reached = []
    for place in range(80, 84):  # Pixels share a larger one with others on one side.
        changed = image.copy()
        changed[place, place] = 255 - changed[place, place]
        a, b = (np.asarray(painter._fixed(x[None].astype("float32")))[0] for x in (image, changed))
        rows, columns, _ = np.nonzero(np.abs(a - b) > 0)
        reached += [*np.abs(rows - place), *np.abs(columns - place)]
    assert max(reached) == tiles._radius(1) <= painter._margin < max(reached) + 4


def test_a_large_photo_is_painted_nearly_as_if_whole(painter, monkeypatch):
    image = texture(300, 420)
    fading = np.linspace(0, 1, 420)[:, None]  # flat on the left, lively on the right
    image = (90 + (image - 90.0) * fading).clip(0, 255).astype("uint8")
    expected = painter(image, SHARES).astype(int)
    monkeypatch.setattr(tiles, "WHOLE", 128)
    monkeypatch.setattr(tiles, "SQUARE", 64)
    got = painter(image, SHARES)
    assert got.shape == image.shape and got.dtype == "uint8"
    painter.fix(
        image[None, :256, :256], np.ones(1), SHARES
    )  # As many pixels, but all from one corner.
    corner = painter.in_tiles(image)
    assert np.abs(got - expected).mean() < min(10, np.abs(corner - expected).mean() / 2)


@pytest.mark.parametrize("size", [(16, 40), (60, 50)])
def test_a_frame_that_the_network_paints_is_cut_off(painter, size, monkeypatch):
    def framing(network, image, shares=None):
        framed = np.full_like(image, 255)
        framed[8:-8, 8:-8] = image[8:-8, 8:-8]
        return framed

    monkeypatch.setattr(tiles, "_paint", framing)
    image = np.minimum(texture(*size), 200)
    np.testing.assert_array_equal(painter(image, SHARES), image)
    monkeypatch.setattr(tiles, "WHOLE", 30)
    np.testing.assert_array_equal(painter(image, SHARES)[8:-8, 8:-8], image[8:-8, 8:-8])


@pytest.mark.parametrize("background", ["sky", "flat"])
def test_a_thing_alone_in_a_large_photo_is_seen(painter, background, monkeypatch):
    monkeypatch.setattr(tiles, "SQUARE", 32)
    noise = RNG.normal(0, 1.5 if background == "sky" else 0, (200, 400, 3))
    image = (40 + noise).round().astype("uint8")
    # Wherever it is; a fixed grid of squares would have gaps.
    for row, column in ((70, 205), (100, 330)):
        photo = image.copy()
        photo[row : row + 30, column : column + 30] = texture(30, 30)
        expected = painter(photo, SHARES).astype(int)
        with monkeypatch.context() as patch:
            patch.setattr(tiles, "WHOLE", 128)
            off = np.abs(painter(photo, SHARES) - expected)
        assert off[row : row + 30, column : column + 30].mean() < 8 and off.mean() < 8


@pytest.mark.parametrize("colour", [0, 130, 255])
def test_a_large_photo_may_be_of_one_colour(painter, colour, monkeypatch):
    photo = np.full((200, 60, 3), colour, "uint8")
    expected = painter(photo, SHARES).astype(int)
    monkeypatch.setattr(tiles, "WHOLE", 128)
    monkeypatch.setattr(tiles, "SQUARE", 32)
    assert np.abs(painter(photo, SHARES) - expected).max() <= 3


def test_a_sample_takes_what_differs_and_counts_what_is_like_it(monkeypatch):
    monkeypatch.setattr(tiles, "SQUARE", 4)
    monkeypatch.setattr(tiles, "SQUARES", 3)
    image = np.zeros((10, 12, 3))  # Rows from 0, 3 and 6, columns from 0, 4 and 8.
    image[:3, 8:] = 255
    image[9, 4:8] = [0, 255, 0]
    squares, parts = sample(image)
    expected = [image[0:4, 0:4], image[0:4, 8:12], image[6:10, 4:8]]
    order = [next(k for k in range(3) if (squares[k] == x).all()) for x in expected]
    np.testing.assert_allclose(parts[order], np.array([7, 1, 1]) / 9)
    squares, parts = sample(np.ones((10, 3, 3)))  # Nothing differs: one is enough.
    assert squares.shape == (1, 4, 3, 3) and parts.tolist() == [1]


@pytest.mark.parametrize("length", [16, 95, 96, 97, 200, 1001])
def test_windows_cover_every_pixel_once_and_begin_at_multiples_of_four(length):
    kept = np.zeros(length, int)
    for start, stop, first, last in tiles._windows(length, 96, 24):
        assert start % 4 == 0 and stop - start <= 96 and start <= first < last <= stop
        assert start == 0 or first - start == 24
        assert stop == length or stop - last == 24
        kept[first:last] += 1
    assert (kept == 1).all()


def test_memory_is_bounded_by_the_tile(painter, monkeypatch):
    shapes = []
    paint = tiles._paint

    def watched(network, image, shares=None):
        shapes.append(image.shape)
        return paint(network, image, shares)

    looked_at = []

    def watched_look(squares, parts, look=painter._look_at):
        looked_at.append(squares.shape)
        return look(squares, parts)

    monkeypatch.setattr(painter, "_look_at", watched_look)
    monkeypatch.setattr(tiles, "_paint", watched)
    monkeypatch.setattr(tiles, "WHOLE", 128)
    monkeypatch.setattr(tiles, "SQUARE", 32)
    monkeypatch.setattr(tiles.Painter.in_tiles, "__defaults__", (96,))
    painter(texture(200, 150), SHARES)
    assert len(shapes) > 4 and max(max(shape) for shape in shapes) <= 96
    assert looked_at == [(16, 32, 32, 3)]
