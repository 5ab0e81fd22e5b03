"""Who the workers are, and what becomes of one whose fellows do not come."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kerasadv.training import cluster, waiting


def config(jobs, kind="worker", index=0):
    return json.dumps({"cluster": jobs, "task": {"type": kind, "index": index}})


TWO = {"worker": ["a:1", "b:2"]}


@pytest.mark.parametrize(
    "text, expected",
    [
        (config(TWO, index=1), (1, ["a:1", "b:2"])),
        (config({"chief": ["c:3"], **TWO}, index=1), (2, ["c:3", "a:1", "b:2"])),
        (config({"chief": ["c:3"], **TWO}, "chief"), (0, ["c:3", "a:1", "b:2"])),
        (config({"chief": ["c:3"]}, "chief"), (0, ["c:3"])),
        (config({"worker": ["[::1]:4"]}), (0, ["[::1]:4"])),
    ],
)
def test_a_worker_knows_its_place(text, expected, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    assert cluster.task() == expected


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        config(TWO, index=2),
        config(TWO, index=-1),
        config(TWO, "ps"),
        config({"ps": ["a:1"], **TWO}),
        config({"worker": "a:1"}),
        config({"worker": ["a"]}),
        config({"worker": ["2222"]}),
        json.dumps({"cluster": TWO}),
    ],
)
def test_what_is_no_cluster_of_workers_is_refused(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match=r"`TF_CONFIG`: expected .*Received: "):
        cluster.task()


def test_without_a_cluster_there_is_nobody_to_ask(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert cluster.task() is None
    # And what another program's TF_CONFIG says is no concern of a model on one device.
    monkeypatch.setenv("TF_CONFIG", config({"ps": ["a:1"]}, "ps"))
    assert cluster.workers_where(None, True) == [0]
    assert cluster.workers_where(None, False) == []
    assert cluster.alike(None, [1, 2]) and cluster.is_chief(None)


@pytest.fixture
def waits():
    """A process that waits, and a function that starts the program that watches it."""
    victim = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    watchers = []

    def start(patience, *addresses):
        program = [sys.executable, "-IS", str(Path(waiting.__file__))]
        arguments = [str(patience), str(victim.pid), "0", "localhost:1", *addresses]
        pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        watchers.append(subprocess.Popen([*program, *arguments], **pipes))
        return victim, watchers[-1]

    yield start
    for process in (victim, *watchers):
        process.kill()
        process.wait()
        for pipe in filter(None, (process.stdin, process.stderr)):
            pipe.close()


def test_who_waits_in_vain_is_ended_with_a_reason(waits):
    with socket.socket() as nobody:
        nobody.bind(("localhost", 0))  # Not listening.
        address = f"localhost:{nobody.getsockname()[1]}"
        victim, watcher = waits(2.0, address)
        assert victim.wait(60) == -9
    assert f"error: worker 1 at {address} did not come in 2 seconds" in watcher.stderr.read()


def test_one_that_goes_again_is_noticed_long_before_that(waits):
    with socket.create_server(("localhost", 0)) as fellow:
        address = f"localhost:{fellow.getsockname()[1]}"
        victim, watcher = waits(600.0, address)
        fellow.settimeout(60)
        fellow.accept()[0].close()
    assert victim.wait(60) == -9
    assert f"error: worker 1 at {address} was there and has gone" in watcher.stderr.read()


def test_when_all_are_there_the_watcher_ends_and_harms_nobody(waits):
    with socket.create_server(("localhost", 0)) as fellow:
        victim, watcher = waits(0.0, f"localhost:{fellow.getsockname()[1]}")
        fellow.settimeout(60)
        fellow.accept()[0].close()
        watcher.stdin.close()
        assert watcher.wait(60) == 0
    assert victim.poll() is None
