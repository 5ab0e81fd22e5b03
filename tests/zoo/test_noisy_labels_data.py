"""The pictures of the classifier: three parts, and wrong labels in the first two alone."""

import hashlib
import time

import numpy as np
import pytest
from PIL import Image

from kerasadv.data import DataError, split_by_name
from zoo.noisy_labels.data import load
from zoo.noisy_labels.digits import draw_digits


def test_digits_are_the_same_for_the_same_seed():
    (one, labels), (again, _), (other, _) = (draw_digits(40, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    assert one.shape == (40, 28, 28, 1) and one.dtype == "uint8"
    assert set(labels) <= set(range(10))


def test_digits_look_alike_within_a_class():
    images, labels = draw_digits(2000)
    means = np.stack([images[labels == digit].mean(axis=0).ravel() for digit in range(10)])
    others, truth = draw_digits(500, seed=1)
    correlation = np.corrcoef(others.reshape(500, -1), means)[:500, 500:]
    # By far more than the tenth that chance would give.
    assert (correlation.argmax(axis=1) == truth).mean() > 0.4


@pytest.mark.parametrize("noise, share", [("0", 0), ("0.4", 0.4), ("small_margin:0.2", 0.2)])
def test_noise_is_in_all_parts_but_the_test_part(noise, share):
    clean, noisy = load("digits"), load("digits", noise=noise, seed=5)
    assert (len(clean.images), len(clean.validation_images), len(clean.test_images)) == (
        2000,
        500,
        1000,
    )
    for name in ("images", "true_labels", "validation_images", "test_images", "test_labels"):
        np.testing.assert_array_equal(getattr(clean, name), getattr(noisy, name))
    np.testing.assert_array_equal(clean.labels, clean.true_labels)
    assert (noisy.labels != clean.labels).sum() == share * 2000
    assert (noisy.validation_labels != clean.validation_labels).sum() == share * 500
    other = load("digits", noise=noise, seed=6)
    if noise == "0.4":
        assert (other.labels != noisy.labels).any()
    assert noisy.classes == list("0123456789") and len(set(noisy.names)) == 2000


@pytest.fixture
def folder(tmp_path):
    """Two classes of 60 pictures: red ones that are 40 wide, and bright ones that are 40 high."""
    for name, size, colour in (("low", (40, 30), (255, 0, 0)), ("tall", (30, 40), (250,) * 3)):
        (tmp_path / name).mkdir()
        for k in range(60):
            Image.new("RGB", size, colour).save(tmp_path / name / f"{k}.png")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "notes.txt").write_text("no class")
    return tmp_path


def test_a_folder_has_a_folder_per_class(folder):
    data = load("folder", str(folder))
    assert data.classes == ["low", "tall"]
    assert data.images.shape[1:] == (28, 28, 1) and data.images.dtype == "uint8"
    for image, label, name in zip(data.images, data.labels, data.names):
        assert image.min() == image.max() == (76, 250)[label]  # Red is 29.9 % of white.
        assert name.startswith(data.classes[label] + "/")
    everything = {f"{name}/{k}.png" for name in ("low", "tall") for k in range(60)}
    held_back = split_by_name(everything)
    assert len(data.test_labels) == len(held_back)
    assert not held_back & set(data.names)
    assert len(data.names) + len(data.validation_labels) + len(held_back) == 120
    assert 4 < len(data.validation_labels) < 25


def test_the_middle_square_of_a_picture_is_kept(tmp_path):
    stripes = np.zeros((28, 84), "uint8")
    stripes[:, 28:56] = 200
    for name in "ab":
        (tmp_path / name).mkdir()
        for k in range(20):
            Image.fromarray(stripes).save(tmp_path / name / f"{k}.png")
    assert (load("folder", str(tmp_path)).images == 200).all()


def test_the_labels_of_a_folder_are_left_as_they_are_unless_noise_is_asked_for(folder):
    plain, noisy = load("folder", str(folder)), load("folder", str(folder), "0.5")
    np.testing.assert_array_equal(plain.labels, plain.true_labels)
    assert (noisy.labels != plain.labels).sum() == round(0.5 * len(plain.labels))
    np.testing.assert_array_equal(noisy.test_labels, plain.test_labels)


def test_what_is_wrong_with_a_folder_is_named(folder, tmp_path):
    with pytest.raises(DataError, match="folder: name the directory .*--data-dir"):
        load("folder")
    with pytest.raises(DataError, match="nowhere: there is no such directory"):
        load("folder", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="low: expected two folders or more, one per class"):
        load("folder", str(folder / "low"))
    (folder / "none").mkdir()
    with pytest.raises(DataError, match="none: holds no pictures"):
        load("folder", str(folder))
    (folder / "none" / "bad.png").write_bytes(b"no picture")
    (folder / "low" / "worse.jpg").write_bytes(b"")
    both = "low/worse.jpg: cannot be read as a picture .*none/bad.png: cannot be read as a picture"
    with pytest.raises(DataError, match=both):
        load("folder", str(folder))


def test_names_that_differ_in_their_ending_alone_are_different_pictures(folder):
    before = load("folder", str(folder))
    Image.new("L", (28, 28), 9).save(folder / "low" / "same.png")
    Image.new("L", (28, 28), 9).save(folder / "low" / "same.jpg")
    after = load("folder", str(folder))
    parts = ("images", "validation_images", "test_images")
    assert sum(len(getattr(after, part)) - len(getattr(before, part)) for part in parts) == 2


def test_a_folder_of_too_few_pictures_is_named(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        Image.new("L", (28, 28)).save(tmp_path / name / "1.png")
    with pytest.raises(DataError, match="leaves no pictures for the .* part"):
        load("folder", str(tmp_path))


FILES = [
    f"{part}-{kind}-ubyte.gz"
    for part in ("t10k", "train")
    for kind in ("images-idx3", "labels-idx1")
]


def test_missing_and_damaged_files_are_named_at_once(tmp_path, nothing_prepared):
    started = time.monotonic()
    with pytest.raises(DataError, match="name the directory that holds t10k-.* --data-dir"):
        load("fashion_mnist")
    with pytest.raises(DataError, match="nowhere: there is no such directory"):
        load("fashion_mnist", str(tmp_path / "nowhere"))
    for name in FILES[:3]:
        (tmp_path / name).write_bytes(b"damaged")
    with pytest.raises(DataError, match="holds no train-labels-idx1-ubyte.gz"):
        load("fashion_mnist", str(tmp_path))
    (tmp_path / FILES[3]).write_bytes(b"damaged")
    with pytest.raises(DataError, match="t10k-images-idx3-ubyte.gz: is not the original"):
        load("fashion_mnist", str(tmp_path))
    # tensorflow-datasets, asked for what is not there, would wait minutes for a network.
    assert time.monotonic() - started < 100


@pytest.mark.parametrize("noise", ["1.5", "pear:0.4"])
def test_unknown_words_are_refused(noise):
    with pytest.raises(ValueError, match="`noise`.*Received"):
        load("fashion_mnist", "nowhere", noise)
    with pytest.raises(DataError, match="expected digits, fashion_mnist or folder.*'mnist'"):
        load("mnist")


def test_the_real_fashion_mnist(real_data):
    before = {p: p.stat().st_mtime for p in real_data.rglob("*")}
    data = load("fashion_mnist", str(real_data), "0.4", seed=3)
    assert data.images.shape == (20000, 28, 28, 1)
    assert data.validation_images.shape == (5000, 28, 28, 1)
    assert data.test_images.shape == (10000, 28, 28, 1)
    # The set has exactly 1,000 test images of each class.
    assert np.bincount(data.test_labels).tolist() == [1000] * 10
    assert data.classes[0] == "T-shirt/top" and data.classes[9] == "Ankle boot"
    assert (data.labels != data.true_labels).sum() == 8000
    # The split is the same everywhere and for every seed: published numbers depend on it.
    pixels = data.images.tobytes() + data.validation_images.tobytes()
    assert hashlib.sha256(pixels).hexdigest()[:16] == "e552f075784fc055"
    assert {p: p.stat().st_mtime for p in real_data.rglob("*")} == before
    # Prepared, it needs no directory.
    again = load("fashion_mnist", seed=4)
    np.testing.assert_array_equal(again.images, data.images)
