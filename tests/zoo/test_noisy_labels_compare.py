"""The search and the grid: what is trained, chosen, skipped, written and drawn."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

from kerasadv.training import NotANumber
from kerasadv.training import recipe as recipes
from zoo.noisy_labels import compare
from zoo.noisy_labels.curves import draw_curves


@pytest.fixture
def trained(monkeypatch):
    """The recipes that were trained, by a training that only pretends: it ends as they say."""
    seen = []

    def pretend(recipe, data, run):
        seen.append(recipe)
        if recipe.learning_rate > 1:
            raise NotANumber("the loss became nan")
        run.mkdir(parents=True, exist_ok=True)
        recipes.save(recipe, run / "recipe.json")
        wrong = float(recipe.noise.split(":")[-1])
        last = 0.9 - wrong * {"crossentropy": 1.0}.get(recipe.loss, 0.1) - 0.01 * recipe.seed
        rows = [{"test_accuracy": 0.5}, {"test_accuracy": last + 0.02}, {"test_accuracy": last}]
        (run / "history.json").write_text(json.dumps(rows))
        result = {
            "test_accuracy": last,
            "best_test_accuracy": last + 0.02,
            # The best on wrong labels is the rate nearest to 0.03, with t1 nearest to 0.4; the
            # right labels, which must not choose, would take the highest rate.
            "validation_accuracy": 0.6 - abs(recipe.learning_rate - 0.03) - abs(recipe.t1 - 0.4),
        }
        if wrong:
            result |= {"wrong_labels_memorized": 0.5, "wrong_among_most_suspicious": 0.75}
        (run / "result.json").write_text(json.dumps(result))

    monkeypatch.setattr(compare, "train", pretend)
    monkeypatch.setattr(keras.backend, "clear_session", lambda: None)  # It takes its time.
    few = compare.Setting
    candidates = {
        "crossentropy": [few(0.01), few(0.02), few(9.0)],
        "generalized_crossentropy": [few(0.02, 0.3), few(0.02, 0.6)],
        "bi_tempered": [few(rate, t1, 3.0) for rate in (0.01, 0.03) for t1 in (0.8, 0.5, 0.2)],
    }
    monkeypatch.setattr(compare, "CANDIDATES", candidates)
    return seen


def main(*argv):
    compare.main([str(part) for part in argv])


def test_the_search_takes_what_does_best_on_wrong_labels(trained, tmp_path, capsys):
    main("--search", "--noise", "0.4", "--output", tmp_path)
    assert len(trained) == 3 + 2 + 6 and {recipe.seed for recipe in trained} == {0}
    settings = json.loads((tmp_path / "settings.json").read_text())["0.4"]
    chosen = {k: (v["learning_rate"], v["t1"], v["t2"]) for k, v in settings.items()}
    assert chosen == {
        # Temperatures that a loss does not have stay as they are.
        "crossentropy": (0.02, compare.Recipe.t1, compare.Recipe.t2),
        "generalized_crossentropy": (0.02, 0.3, compare.Recipe.t2),
        "bi_tempered": (0.03, 0.5, 3.0),
    }
    assert "the loss became nan" in capsys.readouterr().out
    # All that was tried and ended: 0.6 - |0.02 - 0.03| - |0.3 - 0.4|, and 0.9 - 0.4 * 0.1.
    table = (tmp_path / "search.md").read_text()
    assert "| 40% wrong | generalized cross-entropy | 0.02, 0.3 | 49.0 | 86.0 |" in table
    assert table.count("| 40% wrong |") == 2 + 2 + 6


def test_the_grid_takes_what_the_search_chose(trained, tmp_path):
    main("--search", "--noise", "0.4", "--losses", "bi_tempered", "--output", tmp_path)
    trained.clear()
    main("--noise", "0.4", "pair:0.2", "--losses", "bi_tempered", "--output", tmp_path)
    got = {(r.noise, r.seed): (r.learning_rate, r.t1, r.t2) for r in trained}
    assert set(got) == {(noise, seed) for noise in ("0.4", "pair:0.2") for seed in (1, 2, 3)}
    for (noise, _), setting in got.items():
        # Where nothing was searched, what the file says.
        expected = (0.03, 0.5, 3.0) if noise == "0.4" else compare.SETTINGS["bi_tempered"]
        assert setting == expected


def test_what_has_finished_is_not_trained_again(trained, tmp_path):
    main("--noise", "0", "--seeds", "1", "2", "--output", tmp_path)
    assert len(trained) == 6
    (tmp_path / "grid" / "noise-0" / "bi_tempered-2" / "result.json").unlink()
    main("--noise", "0", "--output", tmp_path)
    assert [(r.loss, r.seed) for r in trained[6:]] == [
        ("bi_tempered", 2),
        *((loss, 3) for loss in compare.LOSSES),
    ]


def test_a_folder_of_other_settings_is_not_mixed_in(trained, tmp_path):
    main("--noise", "0", "--seeds", "1", "--output", tmp_path)
    with pytest.raises(SystemExit, match="error: .*crossentropy-1: was trained with other setting"):
        main("--noise", "0", "--seeds", "1", "--output", tmp_path, "--epochs", "3")
    # The data may lie elsewhere.
    main("--noise", "0", "--seeds", "1", "--output", tmp_path, "--data-dir", "elsewhere")


def test_unknown_noise_is_refused_in_one_line(trained, tmp_path):
    with pytest.raises(SystemExit, match="error: `noise`: .*pear"):
        main("--noise", "pear:0.4", "--output", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match="error: .*file"):
        main("--output", tmp_path / "file")


def test_the_table_has_means_and_ranges(trained, tmp_path):
    main("--noise", "0.4", "0", "--losses", "crossentropy", "bi_tempered", "--output", tmp_path)
    lines = (tmp_path / "results.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "%" in line[:20]]
    assert [row[:2] for row in rows] == [
        ["0% wrong", "cross-entropy"],
        ["0% wrong", "bi-tempered"],
        ["40% wrong", "cross-entropy"],
        ["40% wrong", "bi-tempered"],
    ]
    # Cross-entropy at 0.4: 0.9 - 0.4 - 0.01 for seed 1, and so on.
    assert rows[2][3:] == [
        "3",
        "48.0 (47.0 to 49.0)",
        "50.0 (49.0 to 51.0)",
        "50.0 (50.0 to 50.0)",
        "75.0 (75.0 to 75.0)",
    ]
    assert rows[0][6:] == ["", ""]
    assert len(json.loads((tmp_path / "results.json").read_text())) == 12


def test_a_picture_is_drawn_of_what_there_is(trained, tmp_path):
    main("--noise", "0.4", "0", "--seeds", "1", "--output", tmp_path)
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.width > 2 * 300


def colour_at(picture, colour):
    """Where a picture has a colour, roughly: rows and columns."""
    return np.nonzero((abs(picture.astype(int) - colour) < 30).all(axis=-1))


def test_curves_rise_and_fall_with_their_values(tmp_path):
    up, down = np.linspace(0.5, 0.9, 10), np.linspace(0.9, 0.5, 10)
    panels = {"first": {"one": [up, up], "two": [down]}, "second": {"two": [up]}}
    draw_curves(panels, "title", tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as file:
        picture = np.asarray(file)[78:]  # Below the legend.
    half = picture.shape[1] // 2
    for colour, left, right in (((0, 114, 178), 1, None), ((213, 94, 0), -1, 1)):
        for sign, columns in ((left, slice(0, half)), (right, slice(half, None))):
            rows, places = colour_at(picture[:, columns], colour)
            assert (len(rows) == 0) == (sign is None)
            if sign:  # Rows count downwards.
                assert sign * np.corrcoef(rows, places)[0, 1] < -0.95


@pytest.mark.parametrize("epochs", [1, 2, 8, 40])
def test_curves_of_any_length_and_spread_are_drawn(epochs, tmp_path):
    bad_start = [0.01, *[0.9] * (epochs - 1)]
    panels = {str(k): {"same": [[0.5] * epochs], "bad": [bad_start]} for k in range(4)}
    draw_curves(panels, "title", tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.height > 2 * 250  # Four panels stand in two rows.


def test_trains_for_real(tmp_path, monkeypatch):
    def tiny(input_shape, num_classes, activation, temperature):
        layers = keras.layers
        return keras.Sequential(
            [keras.Input(input_shape), layers.Flatten(), layers.Dense(num_classes)]
        )

    monkeypatch.setattr("zoo.noisy_labels.train.ResidualClassifier", tiny)
    folder = tmp_path / "pictures"
    for name, grey in (("dark", 20), ("light", 200)):
        (folder / name).mkdir(parents=True)
        for k in range(85):
            Image.new("L", (28, 28), grey).save(folder / name / f"{k}.png")
    options = ["--data", "folder", "--data-dir", folder, "--epochs", 1, "--losses", "crossentropy"]
    main(*options, "--noise", "0.2", "--seeds", 5, "--output", tmp_path / "out")
    made = {p.name for p in (tmp_path / "out").iterdir()}
    assert made == {"grid", "results.json", "results.md", "curves.png"}
    run = json.loads((tmp_path / "out" / "results.json").read_text())[0]
    assert run["recipe"]["seed"] == 5 and 0 <= run["result"]["test_accuracy"] <= 1
