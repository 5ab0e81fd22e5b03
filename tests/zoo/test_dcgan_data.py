"""The pictures a generator learns from: drawn, read from a sheet, from a folder; and batches."""

import numpy as np
import pytest
from PIL import Image

from kerasadv.data import DataError, EpochOrder
from zoo.dcgan.data import batches, load, scale, unscale

RNG = np.random.default_rng(0)


def test_digits_need_nothing_and_come_in_any_size():
    images = load("digits")
    assert images.shape == (5000, 28, 28, 1) and images.dtype == "uint8"
    assert load("digits", image_size=8).shape == (5000, 8, 8, 1)


def twemoji(folder, number, rows=None):
    """A sheet of `number` emoji, each of one colour, and their names."""
    colours = np.zeros((-(-number // 60) * 60, 3), "uint8")
    colours[:number, 0], colours[:number, 1] = np.arange(number) % 256, np.arange(number) // 256
    sheet = colours.reshape(-1, 60, 3).repeat(64, axis=0).repeat(64, axis=1)
    Image.fromarray(sheet[: rows and rows * 64]).save(
        folder / "twemoji64_white.webp", lossless=True
    )
    (folder / "names.txt").write_text("".join(f"{k:x}\n" for k in range(number)))


def test_emoji_are_cut_from_their_sheet(tmp_path):
    (tmp_path / "deeper").mkdir()
    twemoji(tmp_path / "deeper", 65)
    images = load("twemoji64", str(tmp_path))
    # Five are left in the second row, and what is empty behind them is none.
    assert images.shape == (65, 64, 64, 3) and images.dtype == "uint8"
    assert (images == images[:, :1, :1]).all()
    assert sorted(images[:, 0, 0, 0]) == list(range(65))
    small = load("twemoji64", str(tmp_path), image_size=32)
    np.testing.assert_array_equal(small, images[:, :32, :32])


def test_faults_of_a_sheet_are_named(tmp_path):
    with pytest.raises(DataError, match="twemoji64: name the directory that .* --data-dir"):
        load("twemoji64")
    with pytest.raises(DataError, match="nowhere: there is no such directory"):
        load("twemoji64", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="holds no twemoji64_white.webp; put"):
        load("twemoji64", str(tmp_path))
    twemoji(tmp_path, 70)
    (tmp_path / "names.txt").unlink()
    with pytest.raises(DataError, match="names.txt: is missing"):
        load("twemoji64", str(tmp_path))
    twemoji(tmp_path, 70, rows=1)
    expected = "expected 3840 x 128 pixels, for the 70 names in names.txt. Received: 3840 x 64"
    with pytest.raises(DataError, match=f"twemoji64_white.webp: {expected}"):
        load("twemoji64", str(tmp_path))
    twemoji(tmp_path, 2)
    (tmp_path / "names.txt").write_text("same\nsame\n")
    with pytest.raises(DataError, match="twemoji64_white.webp: expected .*different names"):
        load("twemoji64", str(tmp_path))
    (tmp_path / "twemoji64_white.webp").write_bytes(b"no picture")
    with pytest.raises(DataError, match="twemoji64_white.webp: cannot be read as a picture"):
        load("twemoji64", str(tmp_path))


def test_the_middle_of_each_picture_of_a_folder_is_taken(tmp_path):
    wide = np.full((20, 60, 3), 90, "uint8")
    wide[:, 20:40] = (200, 0, 0)
    Image.fromarray(wide).save(tmp_path / "a.png")
    Image.fromarray(wide.transpose(1, 0, 2)).save(tmp_path / "b.png")
    images = load("folder", str(tmp_path), image_size=16)
    np.testing.assert_array_equal(images[1], images[0].transpose(1, 0, 2))
    assert (images[:, 4:12, 4:12] == (200, 0, 0)).all()
    assert load("folder", str(tmp_path)).shape == (2, 64, 64, 3)


def test_grey_folders_have_one_channel_and_transparent_parts_are_white(tmp_path):
    Image.new("L", (9, 9), 50).save(tmp_path / "a.png")
    Image.new("RGB", (9, 9), (7, 7, 7)).save(tmp_path / "b.png")
    assert load("folder", str(tmp_path), 8)[:, 0, 0].tolist() == [[50], [7]]
    Image.new("RGBA", (9, 9), (200, 0, 0, 0)).save(tmp_path / "c.png")
    assert load("folder", str(tmp_path), 8)[2].min() == 255
    Image.new("RGB", (9, 9), (7, 7, 8)).save(tmp_path / "b.png")
    assert load("folder", str(tmp_path), 8)[:, 0, 0].tolist() == [[50] * 3, [7, 7, 8], [255] * 3]


def test_faults_of_a_folder_are_named_all_at_once(tmp_path):
    with pytest.raises(DataError, match="folder: name the directory .*--data-dir"):
        load("folder")
    with pytest.raises(DataError, match="nowhere: there is no such directory"):
        load("folder", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="holds no pictures"):
        load("folder", str(tmp_path))
    Image.new("L", (9, 9)).save(tmp_path / "good.png")
    for name in ("bad.png", "worse.jpg"):
        (tmp_path / name).write_bytes(b"no picture")
    with pytest.raises(DataError, match="bad.png: cannot be read.*worse.jpg: cannot be read"):
        load("folder", str(tmp_path))


def test_other_sets_and_sizes_are_refused(nothing_prepared):
    with pytest.raises(DataError, match="digits, fashion_mnist, twemoji64 or folder.*'mnist'"):
        load("mnist")
    with pytest.raises(DataError, match="image_size: expected at least 1. Received: 0"):
        load("digits", image_size=0)
    with pytest.raises(DataError, match="fashion_mnist: name the directory that holds t10k-"):
        load("fashion_mnist")


def test_black_is_minus_one_and_white_is_one_and_back():
    values = np.arange(256, dtype="uint8").reshape(1, 16, 16, 1)
    scaled = np.array(scale(values))
    assert scaled.dtype == "float32"
    np.testing.assert_allclose(scaled.ravel()[[0, 51, 255]], [-1, -0.6, 1], atol=1e-6)
    np.testing.assert_array_equal(unscale(scaled), values)
    assert unscale(np.array([-1.01, 1.01])).tolist() == [0, 255]


def test_batches_are_one_epoch_whose_order_depends_on_seed_and_epoch_alone():
    images = np.arange(10, dtype="uint8").reshape(10, 1, 1, 1) * np.ones((1, 2, 2, 3), "uint8")

    def epoch(number, seed=0):
        order = EpochOrder(range(10), 4, seed)
        order.on_epoch_begin(number)
        found = [batch.numpy() for batch in batches(order, images)]
        assert [batch.shape for batch in found] == [(4, 2, 2, 3)] * 2
        return unscale(np.concatenate(found))[:, 0, 0, 0].tolist()

    assert epoch(3) == epoch(3) and len(set(epoch(3))) == 8
    assert epoch(3) != epoch(4) and epoch(3) != epoch(3, seed=1)
    assert len(batches(EpochOrder(range(10), 4), images)) == 2


def test_the_real_fashion_mnist(real_data):
    images = load("fashion_mnist", str(real_data))
    assert images.shape == (60000, 28, 28, 1) and images.dtype == "uint8"
    # The mean that this set is known for.
    assert images.mean() / 255 == pytest.approx(0.2860, abs=1e-4)


def test_the_real_emoji(real_data):
    images = load("twemoji64", str(real_data))
    assert images.shape == (3660, 64, 64, 3)
    corners = images[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == 255).mean() > 0.8  # Most of them stand on white.
    assert images.std() > 50
