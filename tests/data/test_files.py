"""Pictures and masks from files: every common kind is read, every fault is named."""

import numpy as np
import pytest
from PIL import Image

from kerasadv.data import DataError, read_folder, read_image, read_mask, split_by_name

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (6, 9), "uint8")
RGB = RNG.integers(0, 256, (6, 9, 3), "uint8")


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp"])
def test_reads_lossless_formats(suffix, tmp_path):
    path = tmp_path / f"picture.{suffix}"
    Image.fromarray(RGB).save(path, **({"lossless": True} if suffix == "webp" else {}))
    np.testing.assert_array_equal(read_image(path), RGB)
    np.testing.assert_array_equal(read_image(path.read_bytes()), RGB)
    assert read_image(path, channels=1).shape == (6, 9, 1)


def test_reads_grey_rgba_palette_and_16_bit(tmp_path):
    path = tmp_path / "picture.png"
    Image.fromarray(GREY).save(path)
    np.testing.assert_array_equal(read_image(path), np.dstack([GREY] * 3))
    Image.fromarray(np.dstack([RGB, GREY])).save(path)
    np.testing.assert_array_equal(read_image(path), RGB)
    Image.fromarray(RGB // 64 * 64).quantize(64).save(path)
    np.testing.assert_array_equal(read_image(path), RGB // 64 * 64)
    Image.fromarray(GREY.astype("uint16") * 257).save(path)  # 255 * 257 = 65535
    np.testing.assert_array_equal(read_image(path, channels=1)[..., 0], GREY)


@pytest.mark.parametrize("white", [1, 255])
def test_floating_point_numbers_up_to_1_are_shares_of_white(tmp_path, white):
    path = tmp_path / "picture.tif"
    Image.fromarray((GREY / np.float32(255 / white)).astype("float32")).save(path)
    np.testing.assert_array_equal(read_image(path, channels=1)[..., 0], GREY)


def test_whatever_a_reader_raises_names_the_file(tmp_path, monkeypatch):
    path = tmp_path / "picture.png"
    Image.fromarray(RGB).save(path)

    def raising(self):
        raise TypeError("unsupported operand")  # As of some malformed TIFF files.

    monkeypatch.setattr(Image.Image, "load", raising)
    with pytest.raises(DataError, match="picture.png: cannot be read as a picture .unsupported"):
        read_image(path)


def test_a_background_shows_through_transparent_parts(tmp_path):
    path = tmp_path / "picture.png"
    Image.fromarray(np.dstack([RGB, GREY])).save(path)
    share = GREY[..., None] / 255.0
    got = read_image(path, background="white").astype("float64")
    np.testing.assert_allclose(got, share * RGB + (1 - share) * 255, atol=1)
    Image.fromarray(RGB).save(path)
    np.testing.assert_array_equal(read_image(path, background="white"), RGB)


def test_16_bit_is_16_bit_however_dark_and_may_be_see_through(tmp_path):
    path = tmp_path / "picture.png"
    Image.fromarray(np.full((4, 5), 200, "uint16")).save(path)  # 200 / 257 of 255
    np.testing.assert_array_equal(read_image(path, channels=1), 1)
    values = GREY.astype("uint16") * 257
    values[0, 0] = 1000
    Image.fromarray(values).save(path, transparency=1000)
    got = read_image(path, channels=1, background="white")[..., 0]
    assert got[0, 0] == 255
    np.testing.assert_array_equal(got[1:], GREY[1:])


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow says so as well.
@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_a_damaged_exif_block_does_not_matter(tmp_path, kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / f"picture.{kind}"
    Image.fromarray(RGB).save(path, exif=exif.tobytes() + bytes(200))
    content = path.read_bytes()
    # Behind the name of the block and the eight bytes that say how its numbers are written.
    start, chance = content.upper().index(b"EXIF") + 14, np.random.default_rng(0)
    for _ in range(300):
        changed = bytearray(content)
        changed[start : start + 20] = chance.bytes(20)
        path.write_bytes(changed)
        assert sorted(read_image(path).shape) == sorted(RGB.shape)


def test_turns_by_exif(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: turn a quarter clockwise to show.
    Image.fromarray(RGB).save(tmp_path / "picture.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "picture.png"), np.rot90(RGB, -1))


@pytest.mark.parametrize(
    "values, classes", [((0, 255), 2), ((0, 1), 2), ((0, 1, 2), 3), ((255,), 2)]
)
def test_masks_are_labels(values, classes, tmp_path):
    labels = RNG.choice(values, (6, 9)).astype("uint8")
    Image.fromarray(labels).save(tmp_path / "mask.png")
    expected = labels // 255 if 255 in values else labels
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png", classes), expected)
    Image.fromarray(np.dstack([labels] * 3)).save(tmp_path / "mask.png")  # Grey, saved as RGB.
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png", classes), expected)


def test_black_and_white_masks(tmp_path):
    mask = GREY > 99
    Image.fromarray(mask).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png"), mask)


@pytest.fixture
def folder(tmp_path):
    for part, array in (("images", RGB), ("masks", (GREY > 99).astype("uint8"))):
        (tmp_path / part).mkdir()
        for name in "abc":
            Image.fromarray(array).save(tmp_path / part / f"{name}.png")
    return tmp_path


def test_reads_a_folder(folder):
    examples, classes = read_folder(folder)
    assert [e.name for e in examples] == ["a", "b", "c"]
    assert classes == ["background", "foreground"]
    np.testing.assert_array_equal(examples[0].image, RGB)
    np.testing.assert_array_equal(examples[0].mask, GREY > 99)


def truncate(path):
    path.write_bytes(path.read_bytes()[:60])


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda f: truncate(f / "images/b.png"), r"images/b.png: cannot be read as a picture"),
        (lambda f: (f / "images/b.png").write_bytes(b""), r"images/b.png: .* \(no known format\)"),
        (
            lambda f: Image.fromarray(RGB).save(f / "images/b.bmp"),
            r"images/b.bmp: b.png has the same name but for its ending",
        ),
        (lambda f: truncate(f / "masks/b.png"), r"masks/b.png: cannot be read as a picture"),
        (lambda f: (f / "masks/b.png").unlink(), r"images/b.png: there is no mask"),
        (lambda f: (f / "images/b.png").unlink(), r"masks/b.png: there is no image"),
        (
            lambda f: Image.fromarray(GREY[:4] % 2).save(f / "masks/b.png"),
            r"masks/b.png: this mask is 9 x 4 pixels, its image 9 x 6",
        ),
        (
            lambda f: Image.fromarray(GREY % 2 * 7).save(f / "masks/b.png"),
            r"masks/b.png: labels of 2 classes lie in 0 to 1; this mask holds 7",
        ),
        (lambda f: Image.fromarray(RGB).save(f / "masks/b.png"), r"masks/b.png: .* has colours"),
        (lambda f: [p.unlink() for p in (f / "images").iterdir()], r"images: holds no pictures"),
        (lambda f: (f / "masks").rename(f / "truth"), r"expected a folder 'masks'"),
        (lambda f: (f / "classes.txt").write_text("one\n"), r"classes.txt: expected 2 to 256"),
    ],
)
def test_every_fault_is_named_in_one_line(folder, damage, message):
    damage(folder)
    with pytest.raises(DataError, match=message) as caught:
        read_folder(folder)
    assert "\n" not in str(caught.value)


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere: there is no such directory"):
        read_folder(tmp_path / "nowhere")


def test_classes_are_named_in_a_file(folder):
    (folder / "classes.txt").write_text("sky\nground\nwater\n")
    assert read_folder(folder)[1] == ["sky", "ground", "water"]


def test_the_split_is_stable():
    names = [f"image {k}" for k in range(500)]
    held = split_by_name(names)
    assert 25 < len(held) < 75
    assert split_by_name(names[::-1]) == held
    assert split_by_name(names[:200]) == held & set(names[:200])
    assert len(split_by_name(["one", "two"])) == 1  # Never none, where there are two.
