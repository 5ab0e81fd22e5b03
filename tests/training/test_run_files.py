"""Small files of a run: whole or not at all, and named where they are bad."""

import os

import keras
import numpy as np
import pytest

from kerasadv.training import run_files


def test_what_was_written_is_read_and_replaced(tmp_path):
    path = tmp_path / "result.json"
    for value in ({"dice": 0.5}, [{"epoch": 1}]):
        run_files.write_json(path, value)
        assert run_files.read_json(path) == value
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "result.json"
    run_files.write_json(path, 1)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        run_files.write_json(path, 2)
    assert run_files.read_json(path) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


def test_weights_in_memory_are_those_of_a_file(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")])
    model.compile("adam", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    run_files.write_bytes(tmp_path / "a.weights.h5", run_files.weights_of(model))
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")])
    other.compile("adam", "mse")
    other.optimizer.build(other.trainable_variables)
    other.load_weights(tmp_path / "a.weights.h5")
    for a, b in zip(model.variables, other.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    assert int(other.optimizer.iterations) == 1


@pytest.mark.parametrize("content", [b"", b'{"dice": 0.', b"\xff\xfe"])
def test_a_file_that_is_no_json_is_named(tmp_path, content):
    path = tmp_path / "result.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="result.json: expected JSON. Received: "):
        run_files.read_json(path)


def test_whatever_a_model_json_asks_for_ends_in_one_line(tmp_path):
    (tmp_path / "model.weights.h5").write_bytes(b"")
    run_files.write_json(tmp_path / run_files.MODEL, {"units": 2**50})

    def build(units, weights):
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(units)])

    with pytest.raises(ValueError, match=r"model.weights.h5: does not fit model.json \(.+\)"):
        run_files.load_model(tmp_path / "model.weights.h5", build)
