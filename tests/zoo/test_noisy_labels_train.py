"""Training with wrong labels from the command line: what is left behind, resumed, and refused."""

import csv
import json

import keras
import numpy as np
import pytest
from PIL import Image

import kerasadv
import zoo
from zoo.noisy_labels import data as datasets
from zoo.noisy_labels import suspects, train
from zoo.noisy_labels.digits import draw_digits
from zoo.noisy_labels.measure import probabilities, report


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of 200 digits in two classes, more than one batch of them to train on."""
    root = tmp_path_factory.mktemp("digits")
    images, labels = draw_digits(200)
    for k, (image, label) in enumerate(zip(images, labels)):
        path = root / ("odd" if label % 2 else "even") / f"{k}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image[..., 0]).save(path)
    return root


def options(folder, *more):
    wanted = ["--data", "folder", "--data-dir", folder, "--epochs", 2, "--noise", 0.3, *more]
    return list(map(str, wanted))


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "run"
    train.main(options(folder, "--output", path))
    return path


@pytest.fixture
def tiny(monkeypatch):
    """A model in the classifier's place that compiles in no time."""

    def build(input_shape, num_classes, activation, temperature, weights=None):
        layers = keras.layers  # All with names: weights files hold them.
        inputs = keras.Input(input_shape, name="i")
        x = layers.Flatten(name="f")(layers.Rescaling(1 / 255, name="r")(inputs))
        x = layers.Dense(8, activation="relu", name="a")(x)
        x = layers.BatchNormalization(synchronized=True, name="b")(x)
        outputs = layers.Dense(num_classes, name="c")(x)
        if temperature is not None:
            outputs = kerasadv.layers.TemperedSoftmax(temperature, name="t")(outputs)
        model = keras.Model(inputs, outputs, name="tiny")
        if weights is not None:
            model.load_weights(weights)
        return model

    monkeypatch.setattr(train, "ResidualClassifier", build)
    return build


def read(run, name="result.json"):
    return json.loads((run / name).read_text())


def test_leaves_everything_in_the_run_folder(run, folder):
    assert {p.name for p in run.iterdir()} == {
        "recipe.json",
        "model.json",
        "model.weights.h5",
        "result.json",
        "history.json",
        "suspects.csv",
        "suspects.png",
        "checkpoint",
        "logs",
    }
    result, history = read(run), read(run, "history.json")
    data = datasets.load("folder", str(folder), "0.3")
    assert result["wrong_labels"] == round(0.3 * len(data.labels))
    assert [row["epoch"] for row in history] == [1, 2]
    for key in ("test_accuracy", "validation_accuracy"):
        curve = [row[key.replace("validation", "val")] for row in history]
        assert (result[key], result[f"best_{key}"]) == (curve[-1], max(curve))


def test_the_weights_left_behind_have_the_accuracies_that_were_written_down(run, folder):
    data = datasets.load("folder", str(folder), "0.3")
    model = zoo.ResidualClassifier(
        **read(run, "model.json") | {"temperature": None}, weights=run / "model.weights.h5"
    )
    result = read(run)
    for images, labels, key in (
        (data.test_images, data.test_labels, "test_accuracy"),
        (data.validation_images, data.validation_labels, "validation_accuracy"),
        (data.images, data.labels, "training_accuracy_on_given_labels"),
        (data.images, data.true_labels, "training_accuracy_on_true_labels"),
    ):
        guesses = model.predict(images, verbose=0).argmax(axis=1)
        assert result[key] == pytest.approx((guesses == labels).mean(), abs=1e-6), key


def test_the_table_of_suspects_is_sorted_and_true(run, folder):
    data = datasets.load("folder", str(folder), "0.3")
    with open(run / "suspects.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["name"] for row in rows} == set(data.names) and len(rows) == len(data.names)
    doubts = [float(row["probability_of_given"]) for row in rows]
    assert doubts == sorted(doubts)
    given = dict(zip(data.names, data.labels))
    for row, doubt in zip(rows, doubts):
        assert row["given"] == data.classes[given[row["name"]]]
        # Of two classes, the believed one has the larger half.
        assert (row["believed"] == row["given"]) == (doubt > 0.5)
    true = dict(zip(data.names, data.true_labels))
    wrong = read(run)["wrong_labels"]
    found = np.mean([given[row["name"]] != true[row["name"]] for row in rows[:wrong]])
    assert read(run)["wrong_among_most_suspicious"] == pytest.approx(found)


def test_the_sheet_of_suspects_shows_them_in_order(tmp_path):
    images = (
        np.full((3, 28, 28, 1), 0, "uint8") + np.array([10, 20, 30], "uint8")[:, None, None, None]
    )
    labels = np.array([0, 1, 0])
    data = datasets.Data(
        images, labels, labels, list("abc"), images, labels, images, labels, ["no", "y" * 99]
    )
    chances = np.array([[0.9, 0.1], [0.95, 0.05], [0.2, 0.8]])
    suspects.save_sheet(data, chances, tmp_path / "sheet.png", number=2, columns=2)
    with Image.open(tmp_path / "sheet.png") as picture:
        sheet = np.asarray(picture)
    # The second image is doubted most, then the third; the first does not fit.
    row = sheet[80]
    assert np.flatnonzero((row == 20).all(-1)).max() < np.flatnonzero((row == 30).all(-1)).min()
    assert not (sheet == 10).all(-1).any()
    # The long name is cut to the width of its picture.
    assert (sheet[-30:, 105:108] == 255).all()


def test_the_report_counts_labels_learnt_by_heart_and_labels_seen_through(tmp_path):
    true = np.repeat(np.arange(4), 5)
    given = true.copy()
    given[:8] = (given[:8] + 1) % 4  # Eight wrong labels. The model repeats two, sees through five.
    believed = np.r_[given[:2], true[2:7], (true[7] + 2) % 4, true[8:18], (true[18:] + 1) % 4]
    # The brightest of an image's four pixels tells what the model believes.
    images = (keras.utils.to_categorical(believed, 4) * 9).astype("uint8").reshape(20, 2, 2, 1)
    inputs = keras.Input((2, 2, 1))
    model = keras.Model(inputs, keras.layers.Softmax()(keras.layers.Flatten()(inputs)))
    data = datasets.Data(
        images, given, true, list(map(str, range(20))), images, given, images, true, list("abcd")
    )
    rows = [
        {"test_accuracy": a, "val_accuracy": b} for a, b in ((0.5, 0.2), (0.7, 0.4), (0.6, 0.3))
    ]
    (tmp_path / "history.json").write_text(json.dumps(rows))
    result = report(model, data, tmp_path)
    assert result["wrong_labels"] == 8
    assert result["wrong_labels_memorized"] == pytest.approx(2 / 8)
    assert result["wrong_labels_seen_through"] == pytest.approx(5 / 8)
    assert result["training_accuracy_on_given_labels"] == pytest.approx((2 + 10) / 20)
    assert result["training_accuracy_on_true_labels"] == pytest.approx((5 + 10) / 20)
    # Doubted: the six wrong ones that it does not repeat and the last two, which are right.
    assert result["wrong_among_most_suspicious"] == pytest.approx(6 / 8)
    assert (result["test_accuracy"], result["best_test_accuracy"]) == (0.6, 0.7)


def test_says_what_it_made(run, folder, tmp_path, capsys):
    train.main(["--resume", str(run)])
    out = capsys.readouterr().out
    for words in ("has finished already", "on the test images", "suspects.png", "history.json"):
        assert words in out


def weights(path):
    return (path / "model.weights.h5").read_bytes()


def same(whole, parts):
    assert weights(whole) == weights(parts)
    assert read(whole, "history.json") == read(parts, "history.json")
    assert (whole / "suspects.csv").read_bytes() == (parts / "suspects.csv").read_bytes()
    results = [
        {k: v for k, v in read(path).items() if "minutes" not in k} for path in (whole, parts)
    ]
    assert results[0] == results[1]


def test_a_resumed_training_ends_as_an_uninterrupted_one(
    tiny, folder, tmp_path, stopped_after_one_epoch
):
    whole, parts = tmp_path / "one", tmp_path / "parts of one"
    train.main([*options(folder), "--output", str(whole)])
    stopped_after_one_epoch(train.main, options(folder), parts)
    # A kill between the end of an epoch and its checkpoint leaves a row too many.
    rows = read(parts, "history.json")
    (parts / "history.json").write_text(json.dumps([*rows, {"epoch": 2, "test_accuracy": 9.0}]))
    train.main(["--resume", str(parts)])
    same(whole, parts)
    # And two replicas, stopped or not, end where one ends.
    arguments = options(folder, "--strategy", "mirrored")
    train.main([*arguments, "--output", str(tmp_path / "two")])
    stopped_after_one_epoch(train.main, arguments, tmp_path / "parts")
    train.main(["--resume", str(tmp_path / "parts")])
    same(tmp_path / "two", tmp_path / "parts")
    one, two = (
        tiny(**read(tmp_path / name, "model.json"), weights=tmp_path / name / "model.weights.h5")
        for name in ("one", "two")
    )
    images = datasets.load("folder", str(folder)).images
    np.testing.assert_allclose(probabilities(one, images), probabilities(two, images), atol=1e-4)
    curves = (read(tmp_path / name, "history.json")[-1] for name in ("one", "two"))
    assert next(curves) == pytest.approx(next(curves), abs=1e-4)


def test_the_losses_are_what_their_names_and_temperatures_say():
    logits = np.array([[1.0, 2.0, 4.0], [0.0, 3.0, 0.0]], "float32")
    labels = np.array([2, 0])
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    p = p[[0, 1], labels]
    got = train.loss(train.Recipe(loss="crossentropy"))(labels, logits)
    assert float(got) == pytest.approx(-np.log(p).mean(), rel=1e-5)
    # -log_t(p) with t = t1.
    chances = keras.ops.softmax(logits)
    got = train.loss(train.Recipe(loss="generalized_crossentropy", t1=0.3))(labels, chances)
    assert float(got) == pytest.approx(((1 - p**0.7) / 0.7).mean(), rel=1e-4)
    got = train.loss(train.Recipe(loss="bi_tempered", t1=0.5, t2=1.0))(labels, logits)
    every = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    # Amid et al.: -log_t1(p_c) - (1 - sum p^(2 - t1)) / (2 - t1), with the ordinary softmax at 1.
    expected = (1 - p**0.5) / 0.5 - (1 - (every**1.5).sum(-1)) / 1.5
    assert float(got) == pytest.approx(expected.mean(), rel=1e-4)


@pytest.mark.parametrize(
    "loss, temperature",
    [("crossentropy", 1.0), ("generalized_crossentropy", 1.0), ("bi_tempered", 1.5)],
)
def test_every_loss_learns_and_leaves_a_model_of_its_temperature(
    loss, temperature, tiny, folder, tmp_path
):
    arguments = options(folder, "--loss", loss, "--epochs", 6, "--noise", 0, "--t2", 1.5)
    train.main([*arguments, "--output", str(tmp_path / "run")])
    rows = read(tmp_path / "run", "history.json")
    assert rows[-1]["loss"] < 0.8 * rows[0]["loss"]
    assert read(tmp_path / "run", "model.json")["temperature"] == temperature
    assert "wrong_labels_memorized" not in read(tmp_path / "run")


def test_bad_recipes_are_refused_before_anything_is_made(folder, tmp_path, monkeypatch, refused):
    monkeypatch.chdir(tmp_path)
    for option, value in (
        ("--epochs", 0),
        ("--learning-rate", -1),
        ("--activation", "relux"),
        ("--noise", "much"),
        ("--t1", 1.5),
        ("--t2", -0.5),
        ("--seed", -1),
    ):
        assert str(value) in refused(train.main, *options(folder), option, value)
    message = refused(train.main, *options(folder), "--loss", "generalized_crossentropy", "--t1", 1)
    assert "--t1: expected 0 to below 1" in message
    assert "no such directory" in refused(train.main, "--data", "folder", "--data-dir", "nowhere")
    assert "gone: holds no run to resume" in refused(train.main, "--resume", tmp_path / "gone")
    assert list(tmp_path.iterdir()) == []


def test_too_few_images_for_a_batch_are_refused(tmp_path, refused):
    for name in "ab":
        (tmp_path / name).mkdir()
        for k in range(30):
            Image.new("L", (28, 28), k).save(tmp_path / name / f"{k}.png")
    assert "expected 128 images to train on, a batch. Received: " in refused(
        train.main, *options(tmp_path)
    )


def test_nan_ends_with_one_line(tiny, folder, tmp_path, refused):
    message = refused(
        train.main, *options(folder, "--output", tmp_path / "run", "--learning-rate", "1e30")
    )
    assert "loss became" in message or "NaN or infinity" in message
