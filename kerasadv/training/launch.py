"""Starts a training as several TensorFlow workers on this machine, and ends them together.

python -m kerasadv.training.launch --workers 4 -- -m zoo.unet.train --strategy multi_worker

What follows `--` is what Python runs, once per worker, each with a `TF_CONFIG` of its own. Worker
0, the chief, writes to the terminal, the others to `worker-1.log` and so on. One that fails ends
all; SIGTERM and Ctrl-C are passed on. If SIGKILL ends this program, its workers end too on Linux,
and stay elsewhere. Each worker sees all GPUs of this machine, which one process with `mirrored`
uses better: this is for processors, and to try what shall run on a cluster. TensorFlow's workers
listen on all networks, and trust whoever calls.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Turns into the worker, after what is not safe to do between fork and exec. 1 is PR_SET_PDEATHSIG:
# the kernel kills this process when its parent ends, which it may have done just before.
_BECOME = """
import ctypes, os, signal, sys, time
parent, cores, log, *command = sys.argv[1:]
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != int(parent):
        sys.exit(1)
if cores:
    os.sched_setaffinity(0, map(int, cores.split(",")))
if log:
    os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND), 1)
    os.dup2(1, 2)
    print("started", time.ctime(), flush=True)
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
os.execv(sys.executable, [sys.executable, *command])
"""


def launch(
    command: list[str],
    workers: int,
    restarts: int = 0,
    grace: float = 30.0,
    logs: str | os.PathLike | None = None,
    pin: bool = False,
) -> int:
    """Run a Python program as several workers, until all have ended. Needs the main thread.

    Args:
        command: What Python runs, such as `["-m", "zoo.unet.train"]`.
        workers: How many of them.
        restarts: How often all are started again, on new ports, after one has failed.
        grace: Seconds to save what there is, from SIGTERM to SIGKILL.
        logs: Folder for what all but the first write. A temporary one, removed if nothing fails.
        pin: Give each worker cores of its own, to all the same number.

    Returns:
        The status: 0, that of the first to fail, or 128 + the signal that ended it or this program.

    Raises:
        ValueError: If an argument cannot be, or `TF_CONFIG` is set already.

    Example:
    >>> from kerasadv.training.launch import launch
    >>> launch(["-c", "import os; os.environ['TF_CONFIG']"], workers=2)
    0
    """
    if not command:
        raise ValueError("expected, after --, what Python shall run, as in: -- -m zoo.unet.train")
    least = {"workers": (workers, 1), "restarts": (restarts, 0), "grace": (grace, 0)}
    for name, (value, minimum) in least.items():
        if not value >= minimum:
            raise ValueError(f"--{name}: expected at least {minimum}. Received: {value}")
    if "TF_CONFIG" in os.environ:
        raise ValueError("TF_CONFIG: is set already; unset it, as each worker gets one of its own")
    cores = sorted(os.sched_getaffinity(0)) if pin and hasattr(os, "sched_getaffinity") else []
    each = len(cores) // workers
    if pin and each == 0:
        raise ValueError(f"--pin: {workers} workers need as many cores. Received: {len(cores)}")
    shares = [",".join(map(str, cores[k * each :][:each])) for k in range(workers)]
    folder = Path(logs or tempfile.mkdtemp(prefix="launch-"))
    folder.mkdir(parents=True, exist_ok=True)
    files = ["", *(str(folder / f"worker-{index}.log") for index in range(1, workers))]
    for file in files[1:]:
        Path(file).touch()  # Fails here, if it has to.
    where = f"; logs: {folder}" if workers > 1 else ""
    # When that was: it names the folder of a training, for all workers and at each start.
    environment = {
        # Memory that is kept for the next step: given back to the system after each, as TensorFlow
        # does otherwise under its strategies, it costs a U-Net on CPUs a quarter of its time.
        "TF_CPU_ALLOCATOR_USE_BFC": "true",
        **os.environ,
        "KERASADV_LAUNCHED": str(time.time()),
    }
    came: list[int] = []
    caught = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {
        number: signal.signal(number, lambda n, _: came.append(n))
        for number in caught
        if signal.getsignal(number) != signal.SIG_IGN  # As nohup leaves it.
    }
    try:
        for left in reversed(range(restarts + 1)):
            failed = _run_once(command, environment, shares, files, grace, came)
            if came:
                _say(f"ended by {signal.Signals(came[0]).name}{where}")
                return 128 + came[0]
            if failed is None:
                if logs is None and left == restarts:
                    shutil.rmtree(folder, ignore_errors=True)
                return 0
            index, code = failed
            if index > 0:
                lines = Path(files[index]).read_text("utf-8", "replace").splitlines()
                _say("\n  ".join([f"{files[index]} ends with", *lines[-20:]]))
            again = f"; all start again, restarts left: {left - 1}" if left else ""
            _say(f"{_fate(index, code)}{again}{where}")
        return code if code > 0 else 128 - code
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run_once(
    command: list[str],
    environment: dict[str, str],
    shares: list[str],
    files: list[str],
    grace: float,
    came: list[int],
) -> tuple[int, int] | None:
    """Run all until they have ended; gives the worker that failed first, if any, and its status."""
    running: dict[int, subprocess.Popen] = {}
    failed, deadline = None, 0.0
    with contextlib.ExitStack() as at_last:
        at_last.callback(lambda: list(map(_kill, running.values())))
        sockets = [at_last.enter_context(socket.socket()) for _ in shares]
        for held in sockets:
            # Nobody else is given its port; the worker may listen there, as it says this too.
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind(("localhost", 0))
        cluster = {"worker": [f"localhost:{held.getsockname()[1]}" for held in sockets]}
        for index, (cores, log) in enumerate(zip(shares, files)):
            config = {"cluster": cluster, "task": {"type": "worker", "index": index}}
            running[index] = subprocess.Popen(
                [sys.executable, "-ISc", _BECOME, str(os.getpid()), cores, log, *command],
                env={**environment, "TF_CONFIG": json.dumps(config)},
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in a terminal reaches it through us, thus once.
            )
        while running:
            time.sleep(0.05)
            for index, process in list(running.items()):
                if process.poll() is not None:
                    _kill(running.pop(index))  # Its children, if it left some behind.
                    if process.returncode and not came:
                        failed = failed or (index, process.returncode)
            if running and (failed or came) and not deadline:
                _say(f"{_fate(*failed)}; the others have to end" if failed else "all have to end")
                deadline = time.monotonic() + grace
                # A terminal that is closed asks for no less than SIGTERM: to save and end.
                number = signal.SIGINT if came[:1] == [signal.SIGINT] else signal.SIGTERM
                for process in running.values():  # Not its children: it may need them to save.
                    process.send_signal(number)
            elif running and 0 < deadline < time.monotonic():
                _say(f"killed, as still running after {grace:g} s: workers {[*running]}")
                break
    return failed


def _kill(process: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _fate(index: int, code: int) -> str:
    if code > 0:
        return f"worker {index} ended with status {code}"
    names = {-each.value: each.name for each in signal.Signals}
    return f"worker {index} was killed by {names.get(code, f'signal {-code}')}"


def _say(text: str) -> None:
    # The chief may have left the cursor in the middle of a line.
    print(f"\nlaunch: {text}", file=sys.stderr, flush=True)


def main(argv: list[str] | None = None) -> None:
    """The command line: options, then `--`, then what Python runs."""
    argv = sys.argv[1:] if argv is None else argv
    end = argv.index("--") if "--" in argv else len(argv)
    parser = argparse.ArgumentParser(
        "python -m kerasadv.training.launch",
        usage="%(prog)s --workers N [options] -- WHAT PYTHON RUNS",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--workers", type=int, required=True, metavar="N", help="how many")
    add("--restarts", type=int, default=0, metavar="K", help="start all again after a failure")
    add("--grace", type=float, default=30.0, metavar="S", help="seconds to save, then SIGKILL")
    add("--logs", metavar="DIR", help="folder for worker-1.log and so on (default: temporary)")
    add("--pin", action="store_true", help="each worker on cores of its own")
    known, unknown = parser.parse_known_args(argv[:end])
    if unknown:
        parser.error(
            f"unrecognized arguments: {' '.join(unknown)}; what Python runs comes after a --"
        )
    options = vars(known)
    try:
        sys.exit(launch(argv[end + 1 :], **options))
    except (ValueError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
