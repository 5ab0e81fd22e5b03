"""Painting from the command line: photos of every kind, blends, sheets, and what is refused."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import zoo
from kerasadv.data import DataError
from zoo.style_transfer import paint
from zoo.style_transfer.paint import blend, sheet

RNG = np.random.default_rng(0)
STYLES = ["great_wave", "scream", "starry_night"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A network of three styles that are far apart, with its `model.json`."""
    root = tmp_path_factory.mktemp("weights")
    model = zoo.StyleTransfer(3, filters=2)
    for variable in model.variables:
        if variable.path.split("/")[-1] in ("gamma", "beta"):
            variable.assign(RNG.normal(1, 0.5, variable.shape))
    model.save_weights(root / "model.weights.h5")
    (root / "model.json").write_text(json.dumps({"styles": STYLES, "filters": 2}))
    return root / "model.weights.h5"


def run(weights, *argv):
    """The exit code of the command."""
    with pytest.raises(SystemExit) as done:
        paint.main([*map(str, argv), "--weights", str(weights)])
    return done.value.code


def read(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


COLOURS = np.asarray(
    Image.fromarray(RNG.integers(0, 256, (4, 5, 3), "uint8")).resize((50, 40)), "uint8"
)
GREY = COLOURS[..., 0]


def test_paints_a_photo_in_its_size(weights, tmp_path, capsys):
    Image.fromarray(COLOURS).save(tmp_path / "photo.png")
    code = run(weights, tmp_path / "photo.png", "--style", "scream", "--output", tmp_path / "p.png")
    assert code == 0 and read(tmp_path / "p.png").shape == (40, 50, 3)
    assert "p.png" in capsys.readouterr().out


def test_paints_with_weights_of_a_run_as_the_command_it_is(weights, tmp_path):
    """A module that is run as a command has another name than one that is imported."""
    Image.fromarray(COLOURS).save(tmp_path / "photo.png")
    words = [tmp_path / "photo.png", "--style", "scream", "--weights"]
    code = run(weights, *words[:3], "--output", tmp_path / "imported.png")
    program = [sys.executable, "-m", "zoo.style_transfer.paint", *words]
    subprocess.run([*program, weights, "--output", tmp_path / "command.png"], check=True)
    assert code == 0
    pictures = [read(tmp_path / name) for name in ("imported.png", "command.png")]
    np.testing.assert_allclose(*pictures, atol=1)
    missing = subprocess.run([*program, tmp_path / "gone.h5"], capture_output=True, text=True)
    assert missing.returncode == 1 and "gone.h5: there is no such file" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_a_photo_can_be_reduced_first(weights, tmp_path, capsys):
    Image.fromarray(COLOURS).save(tmp_path / "photo.png")
    words = [tmp_path / "photo.png", "--style", "scream", "--output", tmp_path / "p.png"]
    assert run(weights, *words, "--size", 25) == 0
    assert read(tmp_path / "p.png").shape == (20, 25, 3)
    assert "--size: expected at least 16. Received: 15" in str(run(weights, *words, "--size", 15))


def test_the_published_styles_are_told_apart_by_their_colours(tmp_path):
    Image.fromarray(COLOURS).resize((100, 80)).save(tmp_path / "photo.png")
    warmth = {}
    for style in ("scream", "starry_night", "hoitsu"):
        picture = tmp_path / f"{style}.png"
        with pytest.raises(SystemExit):
            paint.main([str(tmp_path / "photo.png"), "--style", style, "--output", str(picture)])
        red, _, blue = read(picture).mean(axis=(0, 1))
        warmth[style] = red - blue
    # An orange sky, an old golden screen, a blue night.
    assert min(warmth["scream"], warmth["hoitsu"]) > 40
    assert warmth["starry_night"] < -20


def test_paints_grey_transparent_palette_16_bit_and_turned_photos_as_what_they_show(
    weights, tmp_path
):
    opaque = np.full_like(GREY, 255)
    hole = opaque.copy()
    hole[:, :20] = 0
    below = COLOURS.copy()
    below[:, :20] = 255
    turned = Image.Exif()
    turned[0x0112] = 3  # upside down
    few = COLOURS // 64 * 64
    files = {
        "grey": (Image.fromarray(GREY), np.dstack([GREY] * 3)),
        "rgba": (Image.fromarray(np.dstack([COLOURS, opaque])), COLOURS),
        "hole": (Image.fromarray(np.dstack([COLOURS, hole])), below),
        "palette": (Image.fromarray(few).quantize(64), few),
        "16bit": (Image.fromarray(GREY.astype("uint16") * 257), np.dstack([GREY] * 3)),
    }
    for name, (picture, plain) in files.items():
        picture.save(tmp_path / f"{name}.png")
        Image.fromarray(plain).save(tmp_path / f"{name}_plain.png")
    Image.fromarray(COLOURS[::-1, ::-1]).save(tmp_path / "turned.png", exif=turned)
    Image.fromarray(COLOURS).save(tmp_path / "turned_plain.png")
    names = [*files, "turned"]
    photos = [tmp_path / f"{n}{end}.png" for n in names for end in ("", "_plain")]
    assert run(weights, *photos, "--style", "great_wave", "--output", tmp_path / "out") == 0
    for name in names:
        got, expected = (
            read(tmp_path / "out" / f"{name}{end}_great_wave.png") for end in ("", "_plain")
        )
        np.testing.assert_array_equal(got, expected, err_msg=name)


def test_a_blend_lies_between_its_styles(weights, tmp_path):
    Image.fromarray(COLOURS).save(tmp_path / "photo.png")
    found = {}
    for style in ("scream", "starry_night", "scream:0.9,starry_night:0.1"):
        path = tmp_path / "out.png"
        assert run(weights, tmp_path / "photo.png", "--style", style, "--output", path) == 0
        found[style] = read(path)
    one, two, mix = found.values()
    assert 0 < np.abs(mix - one).mean() < np.abs(mix - two).mean()


def test_all_makes_a_sheet_of_photos_and_styles(weights, tmp_path):
    for name, image in (("a", COLOURS), ("b", COLOURS[:30])):
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    photos = [tmp_path / "a.png", tmp_path / "b.png"]
    assert run(weights, *photos, "--style", "all", "--output", tmp_path / "all.png") == 0
    page = read(tmp_path / "all.png")
    assert page.shape[1] > 4 * 50 and page.shape[0] > 40 + 30
    # The photo itself is the first picture.
    assert any((page[row : row + 40, 6:56] == COLOURS).all() for row in range(60))


def test_broken_and_tiny_photos_do_not_stop_the_others(weights, tmp_path, capsys):
    Image.fromarray(COLOURS).save(tmp_path / "good.png")
    Image.fromarray(COLOURS[:15]).save(tmp_path / "tiny.png")
    (tmp_path / "bad.png").write_bytes(b"bad")
    whole = (tmp_path / "good.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    photos = [tmp_path / f"{name}.png" for name in ("bad", "gone", "tiny", "cut", "good")]
    assert run(weights, *photos, "--style", "scream", "--output", tmp_path / "out") == 1
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["good_scream.png"]
    errors = [line for line in capsys.readouterr().err.splitlines() if line]
    for line, words in zip(
        errors,
        (
            "bad.png: cannot be read",
            "gone.png: there is no",
            "is 50 x 15 pixels",
            "cut.png: cannot",
        ),
    ):
        assert line.startswith("error: ") and words in line
    assert len(errors) == 4


def test_what_a_kind_of_picture_cannot_hold_is_said_and_nothing_is_lost(weights, tmp_path, capsys):
    photo, target = tmp_path / "wide.png", tmp_path / "kept.webp"
    Image.new("RGB", (16384, 16)).save(photo)  # One column more than WebP takes.
    Image.fromarray(COLOURS).save(target)
    before = target.read_bytes()
    assert run(weights, photo, "--style", "scream", "--output", target) == 1
    assert "kept.webp: cannot hold 16384 x 16 pixels" in capsys.readouterr().err
    assert target.read_bytes() == before and len(list(tmp_path.iterdir())) == 2


def test_what_is_painted_when_it_is_stopped_is_kept(weights, tmp_path, monkeypatch, capsys):
    for name in "ab":
        Image.fromarray(COLOURS).save(tmp_path / f"{name}.png")
    whole = paint.Painter.__call__

    def stopped(self, image, shares, done=[]):  # noqa: B006  What is kept from call to call.
        if len(done) == 3:  # The first photo in all styles.
            raise KeyboardInterrupt
        done.append(image)
        return whole(self, image, shares)

    monkeypatch.setattr(paint.Painter, "__call__", stopped)
    photos = [tmp_path / "a.png", tmp_path / "b.png"]
    assert run(weights, *photos, "--style", "all", "--output", tmp_path / "sheet.png") == 130
    assert "stopped" in capsys.readouterr().err
    assert 40 < read(tmp_path / "sheet.png").shape[0] < 90  # one row


def test_a_photo_too_narrow_for_a_sheet_does_not_spoil_it(weights, tmp_path, capsys):
    Image.fromarray(COLOURS).save(tmp_path / "good.png")
    Image.new("RGB", (3000, 30)).save(tmp_path / "narrow.png")  # 384 x 4 in a sheet
    photos = [tmp_path / "narrow.png", tmp_path / "good.png"]
    assert run(weights, *photos, "--style", "all", "--output", tmp_path / "sheet.png") == 1
    assert "narrow.png (3000 x 30 pixels, reduced): is 384 x 4 pixels" in capsys.readouterr().err
    assert read(tmp_path / "sheet.png").shape[0] > 40


def test_only_what_was_painted_now_is_listed(weights, tmp_path, capsys):
    Image.fromarray(COLOURS).save(tmp_path / "bad_scream.png")  # of another day
    (tmp_path / "bad.png").write_bytes(b"bad")
    argv = (tmp_path / "bad.png", "--style", "scream", "--output", tmp_path)
    assert run(weights, *argv) == 1
    assert "bad_scream.png" not in capsys.readouterr().out


def test_a_folder_may_have_a_dot_in_its_name(weights, tmp_path):
    folder = tmp_path / "v1.2"
    folder.mkdir()
    for name in "ab":
        Image.fromarray(COLOURS).save(tmp_path / f"{name}.png")
        photos = sorted(tmp_path.glob("*.png"))
        assert run(weights, *photos, "--style", "scream", "--output", folder) == 0
    assert sorted(p.name for p in folder.iterdir()) == ["a_scream.png", "b_scream.png"]


@pytest.mark.parametrize(
    "style, message",
    [
        ("sream", "no style 'sream'; there are great_wave, scream, starry_night, and all"),
        ("", "no style ''"),
        ("scream:0.5", "add up to 1; those of 'scream:0.5' to 0.5"),
        ("scream:0.5,great_wave:0.6", "add up to 1.*to 1.1"),
        ("scream:0.5,great_wave", "expected a share from 0 to 1 for great_wave, .*or no shares at"),
        ("scream,great_wave:0.5", "expected a share from 0 to 1 for scream"),
        ("scream,screem", "no style 'screem'; there are great_wave"),
        ("scream,scream", "scream is named twice"),
        ("scream:", "expected a share"),
        ("scream:x", "expected a share"),
        ("scream:nan", "expected a share"),
        ("scream:1.5,great_wave:-0.5", "expected a share"),
        ("scream:0.5,scream:0.5", "scream is named twice"),
        ("all:0.5,scream:0.5", "no style 'all'"),
    ],
)
def test_styles_and_blends_that_there_are_not_are_named(style, message):
    with pytest.raises(DataError, match=f"--style: .*{message}"):
        blend(style, STYLES)


def test_a_style_that_there_is_not_is_told_the_others_before_the_network_is_built(
    weights, monkeypatch, refused
):
    def load(weights):
        raise AssertionError("The network was built.")

    monkeypatch.setattr(paint, "load", load)
    for given, known in ((weights, "great_wave, scream,"), ("paintings", "portrait, hoitsu,")):
        message = refused(paint.main, "p.png", "--style", "screem", "--weights", given)
        assert f"no style 'screem'; there are {known}" in message


def test_styles_without_shares_have_equal_ones():
    np.testing.assert_allclose(blend("starry_night, scream", STYLES), [0, 0.5, 0.5])
    np.testing.assert_allclose(blend(",".join(STYLES), STYLES), [1 / 3] * 3)
    np.testing.assert_allclose(blend("scream", STYLES), [0, 1, 0])


def test_blends_are_shares_in_the_order_of_the_styles():
    np.testing.assert_allclose(blend("starry_night: 0.2, scream:0.8", STYLES), [0, 0.8, 0.2])
    np.testing.assert_allclose(blend("scream:0.3333,great_wave:0.6667", STYLES).sum(), 1, rtol=1e-3)


def test_nothing_is_overwritten_unasked(weights, tmp_path):
    photo = tmp_path / "photo.png"
    Image.fromarray(COLOURS).save(photo)
    before = photo.read_bytes()
    for argv, words in (
        ((photo, "--output", photo), "is one of the photos"),
        ((photo, tmp_path / "x" / "photo.jpg", "--output", tmp_path), "several photos of this"),
        ((photo, tmp_path / "b.png", "--output", tmp_path / "o.png"), "expected a folder"),
        ((photo, "--output", tmp_path / "o.txt"), "o.txt: expected one of .png, .jpg"),
        # Pillow only reads the first, and makes the second no larger than 256 pixels.
        ((photo, "--output", tmp_path / "o.psd"), "expected one of .png"),
        ((photo, "--output", tmp_path / "o.ico"), "expected one of .png"),
    ):
        message = run(weights, *argv, "--style", "scream")
        assert message.startswith("error: ") and words in message and "\n" not in message
    assert photo.read_bytes() == before


def test_weights_that_do_not_fit_are_named(weights, tmp_path):
    other = tmp_path / "model.weights.h5"
    argv = ("p.png", "--style", "scream")
    assert "no such file" in run(other, *argv)
    other.write_bytes(weights.read_bytes())
    assert "model.json: is missing" in run(other, *argv)
    for text in ('{"filters": 2}', '{"styles": ["scream"], "filters": 2}', "[]", "hostile"):
        (tmp_path / "model.json").write_text(text)
        assert "does not fit model.json" in run(other, *argv)
    (tmp_path / "model.json").write_text((weights.parent / "model.json").read_text())
    other.write_bytes(b"hostile")
    assert "does not fit model.json" in run(other, *argv)


def test_a_sheet_has_a_row_of_pictures_under_titles():
    rows = [[np.full((10, 20, 3), v, "uint8") for v in (10, 20)] for _ in range(2)]
    page = sheet(rows, ["one", "two"])
    assert page.shape[1] > 40 and page.shape[0] > 20
    for value in (10, 20):
        assert (page == value).all(-1).sum() >= 2 * 10 * 20
