"""Workers that start together and end together, as scripts that take no time."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kerasadv.training import launch as launcher

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "kerasadv/training/launch.py"
# What a worker in these tests begins with: its place, and files to tell the tests of.
WORKER = """
import json, os, signal, socket, subprocess, sys, time
from pathlib import Path

config = json.loads(os.environ["TF_CONFIG"])
me = config["task"]["index"]
here = Path(__file__).parent

def tell(name, text=""):
    with open(here / f"{name}-{me}", "a") as file:
        print(text, file=file)

def wait_for(name):  # And for what it tells.
    while not (here / name).exists() or not (here / name).stat().st_size:
        time.sleep(0.02)

tell("pid", os.getpid())
"""


@pytest.fixture
def start(tmp_path, monkeypatch):
    """A function that starts launch with what a worker does; it is killed after the test."""
    monkeypatch.delenv("TF_CONFIG", raising=False)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    started = []

    def run(code, *options, program=(str(FILE),), hangup=signal.SIG_DFL, **others):
        script = tmp_path / "worker.py"
        script.write_text(WORKER + code)
        arguments = [*map(str, options), "--", str(script)]
        # Whatever the tests themselves have been started by.
        inherited = {signal.SIGINT: signal.SIG_DFL, signal.SIGHUP: hangup}
        before = {number: signal.signal(number, how) for number, how in inherited.items()}
        try:
            started.append(
                subprocess.Popen(
                    [sys.executable, *program, *arguments],
                    stderr=subprocess.PIPE,
                    text=True,
                    **{"stdout": subprocess.PIPE, "start_new_session": True} | others,
                )
            )
        finally:
            for number, how in before.items():
                signal.signal(number, how)
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()
        for pipe in filter(None, (process.stdout, process.stderr)):
            pipe.close()


@pytest.fixture
def ended(start):
    """A function that runs launch to its end, and gives status, output and errors."""

    def run(*arguments, **others):
        process = start(*arguments, **others)
        output, errors = process.communicate(timeout=120)
        return process.returncode, output, errors

    return run


def wait_until(condition):
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit, "waited for a minute"
        time.sleep(0.02)


def pids(folder, name="pid"):
    return [int(line) for path in folder.glob(f"{name}-*") for line in path.read_text().split()]


def alive(pid):
    try:  # A process that nobody has asked for its status is dead all the same.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def lines(folder, name):
    return sorted(line for path in folder.glob(f"{name}-*") for line in path.read_text().split())


def test_each_worker_knows_of_all_and_of_its_place(ended, tmp_path):
    status, _, errors = ended("tell('config', json.dumps(config))", "--workers", 3)
    assert (status, errors) == (0, "")
    configs = [json.loads((tmp_path / f"config-{index}").read_text()) for index in range(3)]
    assert [config["task"] for config in configs] == [
        {"type": "worker", "index": index} for index in range(3)
    ]
    assert configs[0]["cluster"] == configs[1]["cluster"] == configs[2]["cluster"]
    hosts, ports = zip(*(one.split(":") for one in configs[0]["cluster"]["worker"]))
    assert hosts == ("localhost",) * 3 and len(set(ports)) == 3


def test_a_port_is_free_for_its_worker_and_for_nobody_else(ended, tmp_path):
    code = """
address = ("127.0.0.1", int(config["cluster"]["worker"][me].split(":")[1]))
with socket.socket() as other:
    try:
        other.bind(address)
    except OSError:
        tell("others", "refused")
with socket.socket() as server:  # As the servers of gRPC do.
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("0.0.0.0", address[1]))
    server.listen()
    socket.create_connection(address).close()
    tell("worker", "connected")
"""
    status, _, errors = ended(code, "--workers", 2)
    assert (status, errors) == (0, "")
    assert lines(tmp_path, "others") == ["refused"] * 2
    assert lines(tmp_path, "worker") == ["connected"] * 2


@pytest.mark.parametrize("before, then", [(None, "true"), ("false", "false")])
def test_workers_keep_their_memory_unless_told_otherwise(
    ended, tmp_path, monkeypatch, before, then
):
    monkeypatch.delenv("TF_CPU_ALLOCATOR_USE_BFC", raising=False)
    if before:
        monkeypatch.setenv("TF_CPU_ALLOCATOR_USE_BFC", before)
    ended("tell('keeps', os.environ['TF_CPU_ALLOCATOR_USE_BFC'])", "--workers", 2)
    assert lines(tmp_path, "keeps") == [then] * 2


def test_the_chief_writes_to_the_terminal_and_the_others_to_logs(start, tmp_path):
    terminal, end = pty.openpty()
    code = "print('worker', me, sys.stdout.isatty(), len(sys.stdin.read()))"
    process = start(code, "--workers", 2, "--logs", tmp_path / "a/b", stdin=end, stdout=end)
    assert process.wait(120) == 0
    os.close(end)
    assert os.read(terminal, 1000).split() == [b"worker", b"0", b"True", b"0"]
    os.close(terminal)
    assert "worker 1 False 0\n" in (tmp_path / "a/b/worker-1.log").read_text()


@pytest.mark.parametrize(
    "end, status, fate",
    [
        ("sys.exit(3)", 3, "ended with status 3"),
        ("raise RuntimeError", 1, "ended with status 1"),
        ("os.kill(os.getpid(), signal.SIGKILL)", 137, "was killed by SIGKILL"),
        pytest.param(
            "os.kill(os.getpid(), 40)",
            168,
            "was killed by signal 40",  # A real-time signal has no name.
            marks=pytest.mark.skipif(sys.platform != "linux", reason="has no such signal"),
        ),
    ],
)
def test_a_failure_is_told_with_status_and_last_words(ended, tmp_path, end, status, fate):
    code = f"""
for line in range(50):
    print(f"({{me}}, {{line}})")
wait_for("pid-1" if me != 1 else "pid-0")
if me == 1:
    {end}
time.sleep(600)
"""
    received, output, errors = ended(code, "--workers", 3)
    assert received == status
    assert errors.splitlines()[-1].startswith(f"launch: worker 1 {fate}; logs: ")
    assert "(1, 49)" in errors and "(1, 29)" not in errors and "(2, " not in errors
    assert "(1, " not in output
    logs = Path(errors.splitlines()[-1].split("logs: ")[1])
    assert logs.is_relative_to(tmp_path / "tmp")
    assert "(1, 0)" in (logs / "worker-1.log").read_text()
    assert not any(map(alive, pids(tmp_path)))


def test_after_a_failure_the_others_have_time_to_save(ended, tmp_path):
    code = """
def save(number, frame):
    tell("begun", signal.Signals(number).name)
    time.sleep(1)
    tell("saved")
    sys.exit()

signal.signal(signal.SIGTERM, save)
tell("ready")
if me == 1:
    wait_for("ready-0"), wait_for("ready-2")
    sys.exit(5)
time.sleep(600)
"""
    assert ended(code, "--workers", 3)[0] == 5
    assert lines(tmp_path, "begun") == ["SIGTERM"] * 2
    assert (tmp_path / "saved-0").exists() and (tmp_path / "saved-2").exists()


def test_who_takes_longer_than_the_grace_is_killed(ended, tmp_path):
    code = """
signal.signal(signal.SIGTERM, lambda *_: tell("asked"))
tell("ready")
if me == 0:
    wait_for("ready-1")
    sys.exit(5)
time.sleep(600)
"""
    status, _, errors = ended(code, "--workers", 2, "--grace", 2)
    assert status == 5
    assert "killed, as still running after 2 s: workers [1]" in errors
    assert (tmp_path / "asked-1").exists() and not any(map(alive, pids(tmp_path)))


def test_who_is_done_is_no_failure(ended, tmp_path):
    code = """
if me == 1:
    wait_for("pid-0")
    pid = int((here / "pid-0").read_text())
    try:
        while True:
            os.kill(pid, 0)
            time.sleep(0.02)
    except ProcessLookupError:
        pass
    time.sleep(0.5)
    tell("went-on")
"""
    assert ended(code, "--workers", 2) == (0, "", "")
    assert (tmp_path / "went-on-1").exists()
    assert not any((tmp_path / "tmp").iterdir())


def test_what_a_worker_has_started_ends_with_it(ended, tmp_path):
    code = """
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
tell("child", child.pid)
os._exit(me)
"""
    assert ended(code, "--workers", 2)[0] == 1
    children = pids(tmp_path, "child")
    assert children
    wait_until(lambda: not any(map(alive, children)))


# Worker 1 fails until all have been started `number` times.
FAILS = """
def starts(worker):
    return len((here / f"pid-{{worker}}").read_text().split())

tell("port", config["cluster"]["worker"][me])
wait_for("pid-0")
if me == 0:
    wait_for("done-1")
else:
    while starts(0) < starts(1):
        time.sleep(0.02)
    if starts(1) < {number}:
        sys.exit(4)
    tell("done")
"""


def test_after_a_failure_all_start_again(ended, tmp_path):
    options = ("--workers", 2, "--restarts", 5, "--logs", tmp_path / "logs")
    status, _, errors = ended(FAILS.format(number=3), *options)
    assert status == 0
    assert [line for line in errors.splitlines() if "restarts left" in line] == [
        f"launch: worker 1 ended with status 4; all start again, restarts left: {left}; "
        f"logs: {tmp_path / 'logs'}"
        for left in (4, 3)
    ]
    assert len(lines(tmp_path, "pid")) == 6
    assert len(set((tmp_path / "port-1").read_text().split())) > 1
    assert (tmp_path / "logs/worker-1.log").read_text().count("started") == 3


def test_restarts_come_to_an_end(ended, tmp_path):
    status, _, errors = ended(FAILS.format(number=9), "--workers", 2, "--restarts", 1)
    assert status == 4
    assert len(lines(tmp_path, "pid")) == 4
    assert errors.count("all start again") == 1 and "restarts left: 0" in errors
    assert errors.splitlines()[-1].startswith("launch: worker 1 ended with status 4; logs: ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_a_signal_reaches_each_worker_once_and_ends_all(start, tmp_path, number):
    code = """
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: tell("got", signal.Signals(number).name))
tell("ready")
while not (here / f"got-{me}").exists():
    time.sleep(0.02)
time.sleep(0.5)
sys.exit(7)
"""
    process = start(code, "--workers", 2, "--restarts", 3)
    wait_until(lambda: all((tmp_path / f"ready-{index}").exists() for index in range(2)))
    os.killpg(process.pid, number)  # As Ctrl-C does.
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert f"launch: ended by {number.name}" in errors and "start again" not in errors
    assert lines(tmp_path, "got") == [number.name] * 2
    assert len(pids(tmp_path)) == 2


def test_a_closed_terminal_lets_workers_save_and_nohup_lets_them_run(start, tmp_path):
    code = """
def save(number, frame):
    tell("saved")
    sys.exit()

signal.signal(signal.SIGTERM, save)
tell("ready")
wait_for("go")
"""
    ready = tmp_path / "ready-0"
    process = start(code, "--workers", 1)
    wait_until(ready.exists)
    process.send_signal(signal.SIGHUP)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGHUP and "ended by SIGHUP" in errors
    assert (tmp_path / "saved-0").exists()
    ready.unlink()
    process = start(code, "--workers", 1, hangup=signal.SIG_IGN)  # What nohup does.
    wait_until(ready.exists)
    process.send_signal(signal.SIGHUP)
    (tmp_path / "go").write_text("on")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0 and errors == ""


def test_a_signal_after_a_failure_leaves_no_restart(start, tmp_path):
    code = """
def save(number, frame):
    tell("saving")
    wait_for("go")
    sys.exit()

signal.signal(signal.SIGTERM, save)
tell("ready")
if me == 1:
    wait_for("ready-0")
    sys.exit(5)
time.sleep(600)
"""
    process = start(code, "--workers", 2, "--restarts", 3)
    wait_until((tmp_path / "saving-0").exists)
    process.terminate()
    (tmp_path / "go").write_text("on")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM
    assert "ended by SIGTERM" in errors and "start again" not in errors
    assert len(pids(tmp_path)) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of the death of a parent")
def test_no_worker_outlives_a_killed_launcher(start, tmp_path):
    code = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
tell("ready")
time.sleep(600)
"""
    process = start(code, "--workers", 3)
    wait_until(lambda: all((tmp_path / f"ready-{index}").exists() for index in range(3)))
    workers = pids(tmp_path)
    assert all(map(alive, workers)) and len(workers) == 3
    process.kill()
    wait_until(lambda: not any(map(alive, workers)))


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_pinned_workers_have_cores_of_their_own(ended, tmp_path):
    cores = os.sched_getaffinity(0)
    workers = min(len(cores), 4)
    code = "tell('cores', ','.join(map(str, os.sched_getaffinity(0))))"
    assert ended(code, "--workers", workers, "--pin")[0] == 0
    shares = [set(map(int, share.split(","))) for share in lines(tmp_path, "cores")]
    assert len(shares) == workers
    assert all(len(share) == len(cores) // workers for share in shares)
    assert len(set.union(*shares)) == sum(map(len, shares)) and set.union(*shares) <= cores
    status, _, errors = ended(code, "--workers", len(cores) + 1, "--pin")
    assert status == 2 and f"{len(cores) + 1} workers need as many cores" in errors


@pytest.mark.parametrize(
    "options, message",
    [
        (["--workers", "0", "--", "x"], "--workers: expected at least 1. Received: 0"),
        (["--workers", "two", "--", "x"], "argument --workers: invalid int value: 'two'"),
        (["--", "x"], "the following arguments are required: --workers"),
        (["--workers", "2"], "expected, after --, what Python shall run"),
        (["--workers", "2", "--"], "expected, after --, what Python shall run"),
        (["--workers", "2", "--speed", "3", "--", "x"], "unrecognized arguments: --speed 3"),
        (["--workers", "2", "train.py"], "unrecognized arguments: train.py"),
        (["--workers", "2", "--restarts", "-1", "--", "x"], "--restarts: expected at least 0"),
        (["--workers", "2", "--grace", "nan", "--", "x"], "--grace: expected at least 0"),
        (["--workers", "2", "--logs", __file__, "--", "x"], "test_launch.py"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(options, message, capsys, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(SystemExit) as caught:
        launcher.main(options)
    assert caught.value.code == 2
    usage, error = capsys.readouterr().err.splitlines()
    assert usage.startswith("usage: ") and message in error


def test_a_tf_config_that_is_there_is_refused(capsys, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "{}")
    with pytest.raises(SystemExit) as caught:
        launcher.main(["--workers", "2", "--", "-c", "pass"])
    assert caught.value.code == 2
    assert "TF_CONFIG: is set already" in capsys.readouterr().err


def test_help_has_an_example(capsys):
    with pytest.raises(SystemExit) as caught:
        launcher.main(["--help"])
    assert caught.value.code == 0
    assert "--workers 4 -- -m zoo.unet.train" in capsys.readouterr().out


def test_a_program_that_launches_gets_its_signal_handlers_back(tmp_path, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    both = (signal.SIGINT, signal.SIGTERM)
    before = list(map(signal.getsignal, both))
    assert launcher.launch(["-c", "import sys; sys.exit(6)"], workers=1, logs=tmp_path) == 6
    assert list(map(signal.getsignal, both)) == before


def test_launching_needs_nothing_but_python(ended):
    # Without the packages that are installed, Keras and TensorFlow among them.
    assert ended("", "--workers", 2, program=("-I", "-S", str(FILE))) == (0, "", "")


def test_it_runs_as_a_module_and_workers_have_not_loaded_tensorflow(ended):
    code = "print(sys.argv[1:], 'tensorflow' in sys.modules)"
    program = ("-m", "kerasadv.training.launch")
    status, output, _ = ended(code, "--workers", 2, program=program, cwd=ROOT)
    assert (status, output) == (0, "[] False\n")
