"""The sets a U-Net learns from: archives, a folder, cells drawn by a formula."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from kerasadv.data import DataError
from zoo.unet.cells import draw_cells
from zoo.unet.data import load

RNG = np.random.default_rng(0)


def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "png")
    return file.getvalue()


def archive(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


IMAGES = {f"{k:03}": RNG.integers(0, 256, (20 + k, 24, 3), "uint8") for k in range(12)}
NUCLEI = {k: RNG.choice(np.array([0, 0, 1, 300], "uint16"), v.shape[:2]) for k, v in IMAGES.items()}


def repacked():
    files = {f"images/{k}.png": png(v) for k, v in IMAGES.items()}
    return files | {f"instances/{k}.png": png(v) for k, v in NUCLEI.items()}


def kaggle():
    files = {f"{k}/images/{k}.png": png(np.dstack([v, v[..., 0]])) for k, v in IMAGES.items()}
    for k, nuclei in NUCLEI.items():
        for number in (1, 300):
            mask = ((nuclei == number) * 255).astype("uint8")
            files[f"{k}/masks/{number}.png"] = png(mask)
    return files


@pytest.mark.parametrize(
    "name, files", [("dsb2018_stage1.zip", repacked()), ("stage1_train.zip", kaggle())]
)
def test_dsb2018_in_both_layouts(name, files, tmp_path):
    (tmp_path / "deeper").mkdir()
    archive(tmp_path / "deeper" / name, files)
    data = load("dsb2018", str(tmp_path))
    examples = {e.name: e for e in data.training + data.held_back}
    assert set(examples) == set(IMAGES) and data.held_back and data.training
    for key, example in examples.items():
        np.testing.assert_array_equal(example.image, IMAGES[key])
        np.testing.assert_array_equal(example.mask, NUCLEI[key] > 0)
    again = load("dsb2018", str(tmp_path))
    assert [e.name for e in again.training] == [e.name for e in data.training]


def test_isbi2012_learns_the_membrane(tmp_path):
    grey = {f"{k:02}": RNG.integers(0, 256, (16, 16), "uint8") for k in range(4)}
    interior = {k: (v > 60).astype("uint8") * 255 for k, v in grey.items()}
    files = {f"image/{k}.png": png(v) for k, v in grey.items()}
    archive(
        tmp_path / "isbi2012_train.zip",
        files | {f"label/{k}.png": png(v) for k, v in interior.items()},
    )
    data = load("isbi2012", str(tmp_path))
    for example in data.training + data.held_back:
        np.testing.assert_array_equal(example.image[..., 0], grey[example.name])
        np.testing.assert_array_equal(example.mask, grey[example.name] <= 60)


def test_magnetic_tile_reads_every_class(tmp_path):
    files = {}
    for kind in ("Blowhole", "Free"):
        for k in range(3):
            jpeg = io.BytesIO()
            Image.fromarray(np.full((16, 16), 90, "uint8")).save(jpeg, "jpeg")
            files[f"{kind}/{k}.jpg"] = jpeg.getvalue()
            files[f"{kind}/{k}.png"] = png(np.eye(16, dtype="uint8") * (255 * (kind != "Free")))
    archive(tmp_path / "mtd_small.zip", files)
    data = load("magnetic_tile", str(tmp_path))
    sums = {e.name: int(e.mask.sum()) for e in data.training + data.held_back}
    assert sums == {f"{n}-{k}": s for n, s in (("Blowhole", 16), ("Free", 0)) for k in range(3)}


def test_another_archive_is_not_mistaken_for_the_first(tmp_path):
    for side in (16, 32):
        image, mask = np.zeros((2, side, side), "uint8")
        archive(
            tmp_path / "isbi2012_train.zip",
            {f"{p}/{k}.png": png(x) for k in "ab" for p, x in (("image", image), ("label", mask))},
        )
        assert load("isbi2012", str(tmp_path)).training[0].mask.shape == (side, side)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"images/003.png": b"no picture"}, "images/003.png: cannot be read as a picture"),
        ({"instances/003.png": b""}, "instances/003.png: cannot be read as a picture"),
        ({"instances/003.png": None}, "instances/003.png cannot be read"),
        (
            {"instances/003.png": png(np.zeros((5, 5), "uint8"))},
            "instances/003.png: this mask is 5 x 5 pixels, its image 24 x 23",
        ),
    ],
)
def test_faults_in_an_archive_are_named(change, message, tmp_path):
    files = {k: v for k, v in (repacked() | change).items() if v is not None}
    archive(tmp_path / "dsb2018_stage1.zip", files)
    with pytest.raises(DataError, match=f"dsb2018_stage1.zip: .*{message}"):
        load("dsb2018", str(tmp_path))


@pytest.mark.parametrize(
    "name, files, message",
    [
        ("dsb2018_stage1.zip", {}, "dsb2018_stage1.zip: expected"),
        (
            "dsb2018_stage1.zip",
            repacked() | {"images/003.webp": png(IMAGES["003"])},
            "dsb2018_stage1.zip: expected .* different names",
        ),
        (
            "stage1_train.zip",
            {k: v for k, v in kaggle().items() if "003/masks" not in k},
            "stage1_train.zip: 003/masks: expected masks",
        ),
        (
            "stage1_train.zip",
            kaggle() | {"003/masks/1.png": png(np.zeros((4, 4), "uint8"))},
            "stage1_train.zip: 003/masks: expected masks, all of one size",
        ),
    ],
)
def test_archives_that_hold_something_else_are_named(name, files, message, tmp_path):
    archive(tmp_path / name, files)
    with pytest.raises(DataError, match=message):
        load("dsb2018", str(tmp_path))


@pytest.mark.parametrize("names", ["a", "ab"])
def test_too_few_images_are_named(names, tmp_path, monkeypatch):
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
        for name in names:
            (tmp_path / part / f"{name}.png").write_bytes(png(np.zeros((8, 8), "uint8")))
    monkeypatch.setattr("zoo.unet.data.split_by_name", set)
    with pytest.raises(DataError, match="holds 1 images|all its images are held back"):
        load("folder", str(tmp_path))


def test_masks_without_foreground_are_named(tmp_path):
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
        for name in "abcd":
            (tmp_path / part / f"{name}.png").write_bytes(png(np.zeros((8, 8), "uint8")))
    with pytest.raises(DataError, match="nothing but background"):
        load("folder", str(tmp_path))


def test_a_truncated_archive_is_named(tmp_path):
    archive(tmp_path / "whole.zip", repacked())
    content = (tmp_path / "whole.zip").read_bytes()
    (tmp_path / "dsb2018_stage1.zip").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="dsb2018_stage1.zip: cannot be read as a zip archive"):
        load("dsb2018", str(tmp_path))


def test_what_is_missing_is_named_at_once(tmp_path):
    with pytest.raises(DataError, match="dsb2018: name the directory that holds .* --data-dir"):
        load("dsb2018")
    with pytest.raises(DataError, match="nowhere: there is no such directory"):
        load("dsb2018", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="holds no dsb2018_stage1.zip or stage1_train.zip"):
        load("dsb2018", str(tmp_path))


def test_cells_are_the_same_for_the_same_seed():
    one, two, other = draw_cells(3), draw_cells(3), draw_cells(3, seed=1)
    for a, b, c in zip(one, two, other):
        np.testing.assert_array_equal(a.image, b.image)
        assert (a.image != c.image).any()
        assert a.image.shape == (128, 128, 1) and set(np.unique(a.mask)) <= {0, 1}


@pytest.mark.parametrize(
    "name, number, share",
    [("dsb2018", 664, 0.139), ("isbi2012", 30, 0.22), ("magnetic_tile", 317, None)],
)
def test_the_real_sets(name, number, share, real_data):
    data = load(name, str(real_data))
    examples = data.training + data.held_back
    assert len(examples) == number
    if share:  # The share of foreground that the sets are known for.
        assert abs(np.mean([e.mask.mean() for e in examples]) - share) < 0.01
