"""Ends a worker that waits for others which do not come: a program of its own, not to be imported.

python waiting.py PATIENCE PID INDEX ADDRESS ADDRESS ...

TensorFlow waits for an hour, and lets no other thread of Python run meanwhile. This program looks
for the workers at their addresses until its standard input ends.
"""

import os
import select
import signal
import socket
import sys
import time

# Looks, a second apart, that have to fail before a worker that was there counts as gone.
_FAILURES = 5


def watch(patience: float, pid: int, index: int, addresses: list[str]) -> None:
    """Kill a process, and say why, as soon as one of the others has gone or is too late."""
    others = {k: address for k, address in enumerate(addresses) if k != index}
    failures = dict.fromkeys(others, 0)
    seen: set[int] = set()
    end = time.monotonic() + patience
    while not select.select([sys.stdin], [], [], 1)[0]:
        late = time.monotonic() > end
        for other, address in others.items():
            if _answers(address):
                seen.add(other)
                failures[other] = 0
                continue
            failures[other] += 1
            gone = other in seen and failures[other] >= _FAILURES
            if gone or late:
                what = (
                    "was there and has gone" if gone else f"did not come in {patience:.0f} seconds"
                )
                print(
                    f"error: worker {other} at {address} {what}; its own output may say why. Start "
                    "all workers again",
                    file=sys.stderr,
                    flush=True,
                )
                os.kill(pid, signal.SIGKILL)
                return


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=5):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    watch(float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
