"""Several workers, started as processes on this machine, train as one does."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
LAUNCH = HERE.parents[1] / "kerasadv/training/launch.py"
# Starting workers takes most of the time.
pytestmark = pytest.mark.timeout(3600)
# As many devices in all as workers x devices of each.
GRIDS = [(2, 1), (1, 2), (2, 2), (4, 1)]


def run(workers, devices, folder, *tasks):
    folder.mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, LAUNCH, "--workers", str(workers), "--", str(HERE / "worker.py"),
         str(devices), str(folder), *tasks],
        capture_output=True, text=True, timeout=1200,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder


def told(folder, worker):
    lines = (folder / f"told-{worker}.json").read_text().splitlines()
    return {name: fact for line in lines for name, fact in json.loads(line).items()}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What one worker with one device leaves."""
    tasks = ("weights", "sources", "dealt", "weighted", "answers")
    return run(1, 1, tmp_path_factory.mktemp("alone") / "one", *tasks)


@pytest.mark.parametrize("workers, devices", GRIDS)
def test_fifty_steps_of_several_workers_are_those_of_one(workers, devices, alone, tmp_path):
    many = run(workers, devices, tmp_path / "many", "weights")
    for model in ("unet", "classifier", "gan"):
        one = np.load(alone / f"{model}-0.npz")
        for worker in range(workers):
            theirs = np.load(many / f"{model}-{worker}.npz")
            assert len(theirs) == len(one) > 0
            moved = [np.abs(one[k] - one[k.replace("50-", "0-")]).max() for k in one if k[0] == "5"]
            assert max(moved) > 1e-3  # Or all would be alike whatever they did.
            for name in one:
                limit = 1e-5 * max(1, np.abs(one[name]).max())
                np.testing.assert_allclose(theirs[name], one[name], rtol=0, atol=limit)
    # The first worker writes, the others do not.
    assert [path.name for path in many.glob("logs-*")] == ["logs-0"]


# A sum of powers of 5 says which numbers were counted, and how often, up to four times each.
ONCE = sum(5.0**k for k in range(22))


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What two workers with two devices each leave."""
    tasks = ("sources", "dealt", "weighted", "answers")
    return run(2, 2, tmp_path_factory.mktemp("two") / "two", *tasks)


SOURCES = ["arrays", "tensors", "one file", "four files", "tensorflow-datasets"]


@pytest.mark.parametrize("source", SOURCES)
def test_each_sample_is_seen_once_an_epoch(source, two, alone):
    times = 4 if source == "four files" else 1
    for folder, worker in ((alone, 0), (two, 0), (two, 1)):
        found = told(folder, worker)["sources"][source]
        assert found["fitted"] == [times * ONCE] * 2
        assert found["evaluated"] == times * ONCE
        expected = np.arange(22) + found["learned"]
        np.testing.assert_allclose(found["predicted"], expected, rtol=1e-6)
    assert told(two, 0)["sources"] == told(two, 1)["sources"]


def test_each_worker_makes_its_part_of_a_batch_and_no_more(two, alone):
    whole, parts = told(alone, 0), [told(two, worker) for worker in (0, 1)]
    assert len(whole["dealt"]) == 5
    for step, batch in enumerate(whole["dealt"]):
        # Of each worker two replicas got one example each.
        theirs = [part["dealt"][2 * step : 2 * step + 2] for part in parts]
        assert sorted(np.ravel(theirs)) == sorted(batch)
    for part in (whole, *parts):
        assert part["steps"] == 5
        assert part["seen"] == [sum(5.0**k for batch in whole["dealt"] for k in batch)]
    # Keras looks at the first batch before, for which an epoch so short is made twice; and with two
    # workers, five steps are three batches each.
    assert [part["made"] for part in (whole, *parts)] == [2 * 5 * 4, 2 * 3 * 4, 2 * 3 * 4]


def test_weights_of_samples_and_classes_count_as_they_do_alone(two, alone):
    one = told(alone, 0)["weighted"]
    for worker in (0, 1):
        for ours, theirs in zip(one, told(two, worker)["weighted"], strict=True):
            np.testing.assert_allclose(theirs, ours, rtol=2e-4, atol=1e-6)


def test_a_strategy_still_answers_what_others_ask(two, alone):
    one, first, second = told(alone, 0), told(two, 0), told(two, 1)
    answers = ("vector", "rows", "number", "where", "alike")
    assert all(first[name] == second[name] for name in answers)
    # Four replicas with [1, 2] each.
    assert one["vector"] == [1, 2] and first["vector"] == [4, 8]
    assert one["rows"] == first["rows"] == 1.5
    assert first["number"] == 4
    assert first["where"] == [1]
    assert first["chief"] == second["chief"] == 7
    assert first["alike"] == [True, False]


def test_nan_on_one_worker_stops_all_and_names_it(tmp_path):
    folder = run(2, 1, tmp_path / "nan", "nan")
    message = told(folder, 0)["nan"]
    assert message == told(folder, 1)["nan"]
    assert "batch 4 on worker 1: of its terms, 'dice' is nan" in message


def test_no_worker_says_that_something_was_saved_which_was_not(tmp_path):
    folder = run(2, 1, tmp_path / "full", "full")
    (good,) = (folder / "shared").glob("epoch-*")
    assert good.name.startswith("epoch-0001")
    chief, other = (told(folder, worker)["full"] for worker in range(2))
    assert "cannot write a checkpoint ([Errno 28] No space left on device" in chief
    assert "cannot write a checkpoint (the first worker says why)" in other
    assert chief.endswith(f"the last one is {good}") and other.endswith(f"the last one is {good}")
