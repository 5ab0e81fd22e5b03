"""Published weights by name: found, verified, and built with the arguments that fit."""

import argparse
import dataclasses
import functools
import hashlib
import http.server
import importlib
import json
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import zoo
from kerasadv.training import recipe as recipes
from zoo import __main__ as command
from zoo import catalogue, publishing, weights
from zoo.download import WeightsMismatch, WeightsMissing, WeightsUnreachable

ROOT = Path(zoo.__file__).parents[1]
NAME = "noisy_labels/fashion_mnist"
ROW = catalogue.tables()[NAME]


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    """Neither the cache of who runs the tests nor an address that they have set."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv(catalogue.ADDRESS, raising=False)


@pytest.fixture
def wheel(monkeypatch, tmp_path):
    """An installation without the weights of the checkout."""
    monkeypatch.setattr(catalogue, "BESIDE", tmp_path / "nothing")


@pytest.fixture
def server(tmp_path):
    """A static server of the folder that `publish` makes."""
    publishing.publish(tmp_path / "served")
    handler = functools.partial(Quiet, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.mark.parametrize("name", sorted(catalogue.tables()))
def test_every_row_is_true_and_in_the_checkout(name):
    row = catalogue.tables()[name]
    path = catalogue.BESIDE / row.file
    assert catalogue.here(row) == path
    assert (row.size, row.sha256) == (
        path.stat().st_size,
        hashlib.sha256(path.read_bytes()).hexdigest(),
    )
    assert publishing.verify(row) == ""
    left = [path.parent / file for file in ("measured.json", "result.json")]
    result = {k: v for f in left if f.is_file() for k, v in json.loads(f.read_text()).items()}
    assert row.result.items() <= result.items() and row.minutes == result.get("minutes")
    # A short name is enough.
    short = name.split("/")[1]
    model = getattr(zoo, row.model)(weights=short)
    assert getattr(zoo, row.model)(weights=name).count_params() == model.count_params()
    assert same(weights.fingerprint(model), row.fingerprint)


def test_all_weights_take_at_most_60_megabytes():
    assert sum(row.size for row in catalogue.tables().values()) < 60e6
    assert all(row.size < 15e6 for row in catalogue.tables().values())


def test_a_name_brings_its_arguments_and_others_must_agree():
    row = catalogue.table("noisy_labels")["fashion_mnist_40_wrong"]
    model = zoo.ResidualClassifier(weights="fashion_mnist_40_wrong", input_shape=(28, 28, 1))
    # Its output are probabilities, as its temperature of 4 says.
    assert row.arguments["temperature"] == 4.0
    output = model.predict_on_batch(np.zeros((1, 28, 28, 1), "float32"))
    assert output.sum() == pytest.approx(1, abs=1e-4)
    with pytest.raises(ValueError, match="`temperature`: expected 4.0, as the weights .*ived: 1.5"):
        zoo.ResidualClassifier(weights="fashion_mnist_40_wrong", temperature=1.5)
    # Also where the table says nothing, as it was trained with the default.
    with pytest.raises(ValueError, match="`standardize`: expected True, as .*Received: False"):
        zoo.UNet(weights="dsb2018", standardize=False)
    assert zoo.UNet(weights="dsb2018", name="mine").name == "mine"


@pytest.mark.parametrize("wrong", [5.5, ["dsb2018"], b"dsb2018"])
def test_what_is_neither_a_name_nor_a_path_is_refused(wrong):
    with pytest.raises(ValueError, match="`weights`: expected None, a name or a path. Received"):
        zoo.UNet(weights=wrong)


def test_a_path_is_a_path_and_an_unknown_name_is_told_the_others(tmp_path):
    zoo.UNet(filters=1, depth=1).save_weights(tmp_path / "own.weights.h5")
    zoo.UNet(filters=1, depth=1, weights=tmp_path / "own.weights.h5")
    zoo.UNet(filters=1, depth=1, weights=str(tmp_path / "own.weights.h5"))
    with pytest.raises(
        WeightsMissing, match="a file, or one of dsb2018, magnetic_tile. Received: 'isbi2012'"
    ):
        zoo.UNet(weights="isbi2012")


def test_commands_take_a_name_or_the_file_of_a_run(tmp_path):
    named = weights.trained("unet/dsb2018", "unet", zoo.UNet)
    beside = weights.trained(
        catalogue.BESIDE / "unet-dsb2018" / "model.weights.h5", "unet", zoo.UNet
    )
    for a, b in zip(named.get_weights(), beside.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(
        WeightsMissing, match="gone: there is no such file; .* run, dsb2018, magnetic_tile$"
    ):
        weights.trained(str(tmp_path / "gone"), "unet", zoo.UNet)


def test_without_an_address_the_error_says_what_to_set(wheel, tmp_path):
    with pytest.raises(WeightsMissing, match="Set KERASADV_ZOO_URL to the address") as caught:
        zoo.ResidualClassifier(weights="fashion_mnist")
    assert str(tmp_path / "keras") in str(caught.value)


def test_weights_are_downloaded_once_and_then_used_offline(server, wheel, monkeypatch):
    monkeypatch.setenv(catalogue.ADDRESS, server + "/")
    there = zoo.ResidualClassifier(weights="fashion_mnist")
    monkeypatch.setenv("KERASADV_ZOO_OFFLINE", "1")
    monkeypatch.setenv(catalogue.ADDRESS, "https://nowhere.invalid")
    again = zoo.ResidualClassifier(weights="fashion_mnist")
    assert catalogue.here(ROW) == catalogue.cached(ROW)
    for a, b in zip(there.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_damaged_file_in_the_cache_is_replaced(server, wheel, monkeypatch):
    path = catalogue.cached(ROW)
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(ROW.size))
    monkeypatch.setenv(catalogue.ADDRESS, server)
    assert catalogue.find(ROW) == path
    assert hashlib.sha256(path.read_bytes()).hexdigest() == ROW.sha256


@pytest.mark.parametrize("network", [None, "https://nowhere.invalid"])
def test_a_damaged_file_in_the_cache_is_called_that_and_removed(network, wheel, monkeypatch):
    if network:
        monkeypatch.setenv(catalogue.ADDRESS, network)
        monkeypatch.setenv("KERASADV_ZOO_OFFLINE", "1")
    path = catalogue.cached(ROW)
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(ROW.size))
    with pytest.raises(WeightsMismatch, match=f"{path}: expected SHA-256"):
        catalogue.find(ROW)
    assert not path.exists()


@pytest.mark.timeout(900)
def test_a_thousand_corruptions_of_published_weights_are_never_loaded(monkeypatch, tmp_path):
    monkeypatch.setattr(catalogue, "BESIDE", tmp_path)
    content = (ROOT / "zoo" / "weights" / ROW.file).read_bytes()
    path = tmp_path / ROW.file
    path.parent.mkdir()
    chance = np.random.default_rng(0)
    for k in range(1000):
        changed = bytearray(content)
        changed[chance.integers(len(changed))] ^= 1 << chance.integers(8)
        if k % 10 == 0:
            del changed[chance.integers(len(changed)) :]
        path.write_bytes(changed)
        with pytest.raises(WeightsMismatch, match="expected SHA-256|expected .* bytes"):
            zoo.ResidualClassifier(weights="fashion_mnist")


def test_a_read_only_cache_that_has_the_file_is_enough(wheel, tmp_path):
    path = catalogue.cached(ROW)
    path.parent.mkdir(parents=True)
    shutil.copyfile(ROOT / "zoo" / "weights" / ROW.file, path)
    path.parent.chmod(0o500)
    try:
        assert catalogue.find(ROW) == path
        assert [p.name for p in path.parent.iterdir()] == [path.name]  # No lock, nothing else.
    finally:
        path.parent.chmod(0o700)


def same(a, b):
    return np.allclose(a, b, rtol=0, atol=1e-3 * max(map(abs, b)))


@pytest.mark.parametrize("name", ["fashion_mnist", "fashion_mnist_40_wrong"])
def test_the_fingerprint_shows_a_change_of_nearly_any_array_by_one_percent(name):
    model, row = zoo.ResidualClassifier(weights=name), catalogue.table("noisy_labels")[name]
    arrays = model.get_weights()
    unseen = 0
    for k in range(len(arrays)):
        model.set_weights([1.01 * x if i == k else x for i, x in enumerate(arrays)])
        unseen += same(weights.fingerprint(model), row.fingerprint)
    assert unseen <= len(arrays) / 10


def test_the_table(capsys):
    command.main([])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["weights", "model", "size", "result", "data", "licence", "here"]
    assert len(lines) == 1 + len(catalogue.tables())
    (line,) = (line for line in lines if line.startswith(NAME + " "))
    assert line.split() == [
        NAME, "ResidualClassifier", "0.8", "MB", "test", "accuracy", "0.8847", "Fashion-MNIST",
        "MIT", "yes",
    ]  # fmt: skip


def test_download_and_verify_by_command(server, wheel, monkeypatch, capsys, refused):
    monkeypatch.setenv(catalogue.ADDRESS, server)
    command.main(["download", NAME])
    assert str(catalogue.cached(ROW)) in capsys.readouterr().out
    command.main(["verify"])
    out = capsys.readouterr().out
    assert f"{NAME}: as published" in out and "unet/dsb2018: not here" in out
    catalogue.cached(ROW).write_bytes(bytes(ROW.size))
    assert NAME in refused(command.main, "verify")
    assert "expected SHA-256" in capsys.readouterr().out
    assert "unet/none: expected one of" in refused(command.main, "download", "unet/none")


WITHOUT_NETWORK = """
import runpy, socket, sys
def refuse(*arguments, **options):
    raise OSError("there is no network")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
sys.argv = ["zoo", "verify"]
runpy.run_module("zoo", run_name="__main__", alter_sys=True)
"""


def test_without_a_network_every_model_loads_from_the_checkout_and_gives_its_fingerprint():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_NETWORK], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == [f"{name}: as published" for name in catalogue.tables()]


def test_what_publish_makes_has_everything_and_its_manifest(tmp_path, capsys):
    command.main(["publish", str(tmp_path / "served")])
    assert "http.server" in capsys.readouterr().out
    manifest = json.loads((tmp_path / "served" / "manifest.json").read_text())
    assert set(manifest) == set(catalogue.tables())
    for row in manifest.values():
        file = tmp_path / "served" / catalogue.address(catalogue.Published(**row))
        assert hashlib.sha256(file.read_bytes()).hexdigest() == row["sha256"]
    for folder in {name.split("/")[0] for name in manifest}:
        card = tmp_path / "served" / folder / "README.md"
        pictures = re.findall(r"!\[[^]]*\]\(([^)]*)\)", card.read_text(encoding="utf-8"))
        assert pictures and all((card.parent / picture).is_file() for picture in pictures)


def test_a_finished_training_can_be_added(tmp_path, monkeypatch, refused):
    fake = tmp_path / "zoo"
    for folder in ("unet", "noisy_labels"):
        (fake / folder).mkdir(parents=True)
    monkeypatch.setattr(catalogue, "HOME", fake)
    monkeypatch.setattr(catalogue, "BESIDE", fake / "weights")
    run = ROOT / "zoo" / "weights" / "noisy_labels-fashion_mnist"
    mine = tmp_path / "run"
    shutil.copytree(run, mine)
    recipe = json.loads((mine / "recipe.json").read_text())
    (mine / "recipe.json").write_text(json.dumps(recipe | {"data_dir": "mydata"}))
    words = ["--data", "Fashion-MNIST", "--licence", "MIT"]
    command.main(["add", str(mine), "noisy_labels/mine", *words])
    row = catalogue.table("noisy_labels")["mine"]
    # The last digits are those of the processor.
    assert same(row.fingerprint, ROW.fingerprint)
    assert dataclasses.replace(row, file=ROW.file, fingerprint=ROW.fingerprint) == ROW
    assert "mydata" not in (fake / "weights" / "noisy_labels-mine" / "recipe.json").read_text()
    assert publishing.verify(row) == ""
    # What is published stays as it is if something is wrong with what should take its place.
    (mine / "model.json").write_text('{"filters": 1}')
    assert "does not fit" in refused(command.main, "add", mine, "noisy_labels/mine", *words)
    assert publishing.verify(row) == "" and catalogue.table("noisy_labels")["mine"] == row
    # Nor does a full disk leave half of it.
    shutil.copyfile(run / "model.json", mine / "model.json")

    def full(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        assert "No space" in refused(command.main, "add", mine, "noisy_labels/mine", *words)
    assert publishing.verify(row) == "" and catalogue.table("noisy_labels")["mine"] == row
    assert [path.name for path in (fake / "weights").iterdir()] == ["noisy_labels-mine"]
    # What was measured later comes first.
    (mine / "measured.json").write_text('{"frechet_distance": 1.5}')
    command.main(["add", str(mine), "noisy_labels/mine", *words])
    assert catalogue.table("noisy_labels")["mine"].headline == "frechet distance 1.5"
    model = zoo.ResidualClassifier(**row.arguments)
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    model.save_weights(mine / "model.weights.h5")
    message = refused(command.main, "add", mine, "noisy_labels/mine", *words)
    assert "expected weights alone. Received: those of an optimizer" in message
    (mine / "result.json").unlink()
    assert "holds no result.json" in refused(command.main, "add", mine, "noisy_labels/x", *words)
    for name in ("mine", "noisy_labels/a/b", "noisy_labels/..", "noisy_labels/"):
        assert "expected FOLDER/NAME" in refused(command.main, "add", mine, name, *words)


def test_the_commands_of_the_tables_are_those_that_trained():
    for name, row in catalogue.tables().items():
        folder = name.split("/")[0]
        recipe = (catalogue.BESIDE / row.file).with_name("recipe.json")
        assert row.command == publishing.command(folder, json.loads(recipe.read_text()))
        train = importlib.import_module(f"zoo.{folder}.train")
        parser = argparse.ArgumentParser()
        recipes.add_arguments(parser, train.Recipe)
        options = vars(parser.parse_args(row.command.split()[3:]))
        options = {k: None if v == "PATH" else v for k, v in options.items()}
        assert train.Recipe(**options) == recipes.load(recipe, train.Recipe)


def test_the_three_errors_are_three():
    kinds = {WeightsMismatch, WeightsMissing, WeightsUnreachable}
    assert not any(issubclass(a, b) for a in kinds for b in kinds - {a})


def test_the_cache_is_where_keras_home_says_when_it_is_needed(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "late"))  # zoo was imported long ago.
    assert catalogue.cache() == tmp_path / "late" / "kerasadv"
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert catalogue.cache() == tmp_path / ".keras" / "kerasadv"
