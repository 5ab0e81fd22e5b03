"""Photos and paintings: archives, folders, names of styles, crops that come back when resumed."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from kerasadv.data import DataError
from zoo.style_transfer.data import (
    Crops,
    load_paintings,
    load_photos,
    middle_square,
    resize,
    with_shares,
)

RNG = np.random.default_rng(0)


def smooth(height, width, seed=0):
    """A picture that survives JPEG."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (3, 3, 3), "uint8"))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))


def jpeg(array, **options):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "jpeg", quality=95, **options)
    return file.getvalue()


def archive(path, files):
    with zipfile.ZipFile(path / "caltech101_photos.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


PHOTOS = {f"kind/{k:02}.jpg": smooth(40 + k, 50, k) for k in range(12)}


def test_reads_the_archive_and_holds_some_photos_back(tmp_path):
    (tmp_path / "deeper").mkdir()
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by a quarter to the right
    files = {name: jpeg(image) for name, image in PHOTOS.items()}
    files["kind/90.jpg"] = jpeg(PHOTOS["kind/00.jpg"], exif=turned)
    files["kind/91.jpg"] = jpeg(PHOTOS["kind/00.jpg"][..., 0])
    archive(tmp_path / "deeper", files)
    photos = load_photos("photos_caltech101", str(tmp_path))
    found = photos.training | photos.held_back
    assert set(found) == set(files) and photos.training and photos.held_back
    expected = PHOTOS | {
        "kind/90.jpg": np.rot90(PHOTOS["kind/00.jpg"], -1),
        "kind/91.jpg": np.dstack([PHOTOS["kind/00.jpg"][..., 0]] * 3),
    }
    for name, image in expected.items():
        assert found[name].shape == image.shape and found[name].dtype == "uint8"
        assert np.abs(found[name].astype(int) - image).mean() < 3  # JPEG
    again = load_photos("photos_caltech101", str(tmp_path))
    assert list(again.held_back) == list(photos.held_back)


def test_a_broken_photo_in_the_archive_is_named(tmp_path):
    archive(tmp_path, {"a.jpg": jpeg(PHOTOS["kind/00.jpg"]), "b.jpg": b"no picture"})
    with pytest.raises(DataError, match="caltech101_photos.zip: b.jpg: cannot be read"):
        load_photos("photos_caltech101", str(tmp_path))


@pytest.fixture
def folder(tmp_path):
    for name, image in PHOTOS.items():
        Image.fromarray(image).save(tmp_path / f"{name[5:7]}.png")
    return tmp_path


def test_reads_a_folder(folder):
    photos = load_photos("folder", str(folder))
    found = photos.training | photos.held_back
    np.testing.assert_array_equal(found["03.png"], PHOTOS["kind/03.jpg"])
    assert len(found) == 12 and photos.held_back


@pytest.mark.parametrize(
    "name, what, message",
    [
        ("photos_caltech101", None, "--data-dir"),
        ("folder", None, "your photos with --data-dir"),
        ("photos_caltech101", "gone", "there is no such directory"),
        ("folder", "gone", "gone: there is no such directory"),
        ("photos_caltech101", ".", "holds no caltech101_photos.zip"),
        ("folder", ".", "holds no pictures"),
    ],
)
def test_what_is_missing_is_named(name, what, message, tmp_path):
    with pytest.raises(DataError, match=message):
        load_photos(name, what and str(tmp_path / what))


def test_tiny_and_single_photos_are_refused(tmp_path):
    Image.fromarray(smooth(30, 30)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="holds 1 photos; it takes more"):
        load_photos("folder", str(tmp_path))
    Image.fromarray(smooth(15, 30)).save(tmp_path / "b.png")
    with pytest.raises(DataError, match="b.png: is 30 x 15 pixels; it takes 16 x 16"):
        load_photos("folder", str(tmp_path))


def test_styles_are_called_as_their_files_are_without_artist_and_year(tmp_path):
    names = {
        "hokusai_great_wave_1831.jpg": "great_wave",
        "Munch_Scream_1893.png": "scream",
        "seaport.jpg": "seaport",
        "My Own-painting.png": "my_own_painting",
        "blue_period.png": "blue_period",
    }
    for file in names:
        Image.fromarray(smooth(20, 30)).save(tmp_path / file)
    paintings = load_paintings(str(tmp_path))
    assert set(paintings) == set(names.values())
    assert paintings["great_wave"].shape == (20, 30, 3)
    Image.fromarray(smooth(20, 30)).save(tmp_path / "x_seaport_1900.jpg")
    with pytest.raises(DataError, match="x_seaport_1900.jpg: needs another name; 'seaport'"):
        load_paintings(str(tmp_path))
    with pytest.raises(DataError, match="--styles"):
        load_paintings(None)


def test_a_style_may_not_be_called_all(tmp_path):
    Image.fromarray(smooth(20, 30)).save(tmp_path / "all.png")
    with pytest.raises(DataError, match="all.png: needs another name"):
        load_paintings(str(tmp_path))


def batches(crops, epoch):
    crops.on_epoch_begin(epoch)
    return [[np.array(x) for x in (*inputs, y)] for inputs, y in crops.batches()]


def test_crops_are_new_in_each_epoch_and_the_same_when_resumed():
    photos = list(PHOTOS.values())
    first = Crops(photos, num_styles=5, size=24, batch_size=4, seed=3)
    assert first.steps_per_epoch == 3
    zero, one = batches(first, 0), batches(first, 1)
    resumed = batches(Crops(photos, num_styles=5, size=24, batch_size=4, seed=3), 1)
    for a, b in zip(one, resumed):
        for x, y in zip(a, b):
            np.testing.assert_array_equal(x, y)
    assert not np.allclose(zero[0][0], one[0][0])


def test_styles_come_in_turn_and_their_shares_lie_behind_the_target():
    crops = Crops(list(PHOTOS.values()), num_styles=5, size=24, batch_size=4)
    styles = []
    for images, shares, targets in batches(crops, 0):
        assert images.shape == (4, 24, 24, 3) and targets.shape == (4, 24, 24, 8)
        np.testing.assert_array_equal(targets[..., :3], images)
        assert (targets[..., 3:] == shares[:, None, None]).all()
        styles += list(shares.argmax(-1))
    assert styles == [k % 5 for k in range(12)]


def test_crops_are_parts_of_the_photo():
    # Value and place go together in this photo: red grows to the right, green to the bottom.
    y, x = np.mgrid[:60, :80]
    photo = np.stack([3 * x, 4 * y, 0 * x], -1).astype("uint8")
    crops = Crops([photo] * 40, num_styles=1, size=30, batch_size=1)
    scales, mirrored = [], []
    for images, _, targets in batches(crops, 0):
        np.testing.assert_array_equal(targets, images)  # a single style needs no share
        red, green = images[0, 15, :, 0] / 3, images[0, :, 15, 1] / 4
        slope = np.diff(green)[5:-5].mean()  # pixels of the photo in one of the crop
        scales.append(slope)
        mirrored.append(np.diff(red)[5:-5].mean() < 0)
        np.testing.assert_allclose(np.abs(np.diff(red)[5:-5]), slope, atol=0.2)
    assert 0.9 < min(scales) < 1.2 and 1.7 < max(scales) < 2.1
    assert 5 < sum(mirrored) < 35


def test_a_photo_smaller_than_the_crop_is_made_larger():
    crops = Crops([smooth(20, 30)], num_styles=1, size=32, batch_size=1)
    assert batches(crops, 0)[0][0].shape == (1, 32, 32, 3)


def test_fewer_photos_than_a_batch_takes_are_named():
    with pytest.raises(ValueError, match="`batch_size`.*Received"):
        Crops([smooth(20, 30)], num_styles=1, size=16, batch_size=2)


def test_pictures_are_resized_by_their_shorter_side():
    assert resize(smooth(30, 60), 10).shape == (10, 20, 3)
    assert resize(smooth(90, 30), 60).shape == (180, 60, 3)
    assert middle_square(smooth(31, 64), 16).shape == (16, 16, 3)
    image = smooth(8, 14)
    np.testing.assert_array_equal(middle_square(image, 8), image[:, 3:11])


def test_shares_are_channels():
    images, shares = np.zeros((2, 4, 5, 3), "float32"), np.array([[0.25, 0.75], [1, 0]], "float32")
    got = np.array(with_shares(images, shares))
    assert got.shape == (2, 4, 5, 5) and (got[0, ..., 3:] == [0.25, 0.75]).all()
