"""Workers that are killed, told to end, or cannot write: the others stop, and nothing is lost."""

import functools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
LAUNCH = ROOT / "kerasadv/training/launch.py"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
# How many workers are killed in each of two trainings; 10 make it twenty kills, and half an hour.
KILLS = int(os.environ.get("KERASADV_KILLS", "2"))
UNET = ["-m", "zoo.unet.train", "--image-size", "32", "--filters", "2", "--batch-size", "32"]
GAN = ["-m", "zoo.dcgan.train", "--image-size", "8", "--filters", "2", "--batch-size", "250"]
# Starting workers takes most of the time, more than it is worth to cut short.
pytestmark = pytest.mark.timeout(3600)


def started(command, *options, workers=2):
    command = [*command, "--strategy", "multi_worker"]
    return ended_later(
        [sys.executable, LAUNCH, "--workers", str(workers), *options, "--", *command], ENVIRONMENT
    )


def ended_later(command, environment):
    """A process whose output goes to a file: it may write more than a pipe holds."""
    output = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
    process = subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
    )
    process.output = output
    return process


def end_of(process, timeout):
    """What a process has written when it has ended."""
    process.wait(timeout)
    with process.output as output:
        output.seek(0)
        return output.read()


def children(process):
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(pid) for pid in found]


def others(process, old):
    """Whether all workers have been replaced."""
    return len({*children(process)} - {*old}) == 2


def wait_until(true, process, seconds=300):
    end = time.monotonic() + seconds
    while not true():
        assert process.poll() is None, end_of(process, 1)[-3000:]
        assert time.monotonic() < end
        time.sleep(0.05)


def weights(run):
    found = {}
    with h5py.File(run / "model.weights.h5") as file:
        file.visititems(lambda name, item: found.update({name: item[()]})
                        if isinstance(item, h5py.Dataset) else None)  # fmt: skip
    return found


def assert_same(run, other):
    ours, theirs = weights(run), weights(other)
    assert ours.keys() == theirs.keys() and ours
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name])


@pytest.fixture(scope="module", params=["unet", "gan"])
def whole(request, tmp_path_factory):
    """A training of two workers that nothing happens to: command, folder, and seconds."""
    command = [*{"unet": UNET, "gan": GAN}[request.param], "--epochs", "3"]
    run, start = tmp_path_factory.mktemp(request.param) / "whole", time.monotonic()
    process = started([*command, "--output", str(run)])
    output = end_of(process, 900)
    assert process.returncode == 0, output[-3000:]
    return command, run, time.monotonic() - start


@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
def test_however_often_workers_are_killed_a_training_ends_as_if_none_had_been(whole, tmp_path):
    command, reference, seconds = whole
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # Shown where this fails.
    chance, killed = random.Random(seed), 0
    while killed < KILLS:
        run = tmp_path / f"run-{killed}"
        process = started([*command, "--output", str(run)], "--restarts", str(KILLS), "--grace=5")
        here = 0
        while killed + here < KILLS:
            # From the very start on; the start takes a good part of the time.
            time.sleep(chance.uniform(0, 0.8 * seconds))
            alive = children(process)
            if len(alive) < 2:
                break  # It has ended, or is about to.
            os.kill(chance.choice(alive), signal.SIGKILL)
            here += 1
            wait_until(functools.partial(others, process, alive), process, 120)
        output = end_of(process, 1200)
        assert process.returncode == 0, output[-3000:]
        assert output.count("all start again") == here
        assert_same(run, reference)
        killed += here


@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
def test_sigterm_saves_and_the_same_command_goes_on(whole, tmp_path):
    command, reference, _ = whole
    run = tmp_path / "run"
    process = started([*command, "--output", str(run)])
    wait_until(lambda: any(run.glob("checkpoint/epoch-0001*")), process)
    process.send_signal(signal.SIGTERM)
    output = end_of(process, 120)
    assert process.returncode == 128 + signal.SIGTERM
    assert "ended by SIGTERM after" in output and f"--resume {run}" in output
    process = started([*command, "--output", str(run)])
    output = end_of(process, 900)
    assert process.returncode == 0, output[-3000:]
    assert_same(run, reference)


def two_by_hand(command):
    """The same without the launcher, as on two machines."""
    held = [socket.socket() for _ in range(2)]
    for each in held:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        each.bind(("localhost", 0))
    cluster = {"worker": [f"localhost:{each.getsockname()[1]}" for each in held]}

    def start(index):
        config = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        command_ = [sys.executable, *command, "--strategy", "multi_worker"]
        return ended_later(command_, ENVIRONMENT | {"TF_CONFIG": json.dumps(config)})

    return held, start


# SIGSTOP leaves connections open, as a machine does that loses its power.
@pytest.mark.parametrize("victim, how", [(0, "SIGKILL"), (1, "SIGKILL"), (1, "SIGSTOP")])
def test_the_other_worker_stops_within_a_minute_and_says_why(victim, how, tmp_path):
    run = tmp_path / "run"
    held, start = two_by_hand([*UNET, "--epochs", "500", "--output", str(run)])
    workers = [start(0), start(1)]
    try:
        wait_until(lambda: any(run.glob("checkpoint/epoch-*")), workers[1 - victim])
        workers[victim].send_signal(signal.Signals[how])
        output = end_of(workers[1 - victim], 60)
    finally:
        for process in workers:
            process.kill()
            process.wait()
            process.output.close()
        for each in held:
            each.close()
    assert workers[1 - victim].returncode == 1
    said = [
        line for line in output.splitlines() if line.startswith("error: another worker has gone")
    ]
    assert len(said) == 1, output[-3000:]
    assert said[0].endswith(f"start all workers again with --resume {run}")


def test_a_worker_that_goes_before_training_is_noticed(tmp_path):
    held, start = two_by_hand([*UNET, "--output", str(tmp_path / "run")])
    held[1].listen()  # All that there is of the other worker.
    first = start(0)
    try:
        held[1].settimeout(300)
        held[1].accept()[0].close()  # It has been seen.
        time.sleep(2)
        held[1].close()
        output = end_of(first, 60)
    finally:
        first.kill()
        first.wait()
        first.output.close()
        held[0].close()
    assert first.returncode == -signal.SIGKILL
    assert "error: worker 1 at localhost:" in output and "was there and has gone" in output
