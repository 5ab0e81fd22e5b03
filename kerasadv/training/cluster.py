"""The cluster that `TF_CONFIG` describes: which worker this is, and whether the others came."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras

# Workers of a cluster may be started minutes apart.
PATIENCE = 600.0  # seconds


class Task(NamedTuple):
    """This process among the workers of a cluster."""

    worker: int
    workers: list[str]


def task() -> Task | None:
    """What `TF_CONFIG` says of this process, or `None` without that environment variable.

    Raises:
        ValueError: If it does not describe a cluster of workers and one of them as this process.

    Example:
    >>> import os
    >>> from kerasadv.training.cluster import task
    >>> os.environ["TF_CONFIG"] = (
    ...     '{"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 1}}'
    ... )
    >>> task()
    Task(worker=1, workers=['a:2222', 'b:2222'])
    >>> del os.environ["TF_CONFIG"]
    """
    text = os.environ.get("TF_CONFIG")
    if not text:
        return None
    try:
        config = json.loads(text)
        jobs, mine = config["cluster"], config["task"]
        # A chief is a worker too, the first one.
        workers = [*jobs.get("chief", []), *jobs.get("worker", [])]
        index = int(mine["index"]) + (len(jobs.get("chief", [])) if mine["type"] == "worker" else 0)
        fine = set(jobs) <= {"chief", "worker"} and mine["type"] in jobs
        fine = fine and 0 <= int(mine["index"]) < len(jobs[mine["type"]])
        ends = [address.rpartition(":") for address in workers]
        fine = fine and all(host and port.isdigit() for host, _, port in ends)
    except (ValueError, KeyError, TypeError, AttributeError):
        fine = False
    if not fine:
        raise ValueError(
            '`TF_CONFIG`: expected {"cluster": {"worker": ["host:port", ...]}, "task": {"type": '
            f'"worker", "index": 0}}}}, with an index below the number of workers. Received: {text}'
        )
    return Task(index, workers)


def of(model: keras.Model) -> Any:
    """The strategy of a model that several workers train; `None` for any other model."""
    strategy = getattr(model, "distribute_strategy", None)
    return strategy if getattr(strategy, "cluster_resolver", None) else None


def size(strategy: Any) -> int:
    """The number of workers of a strategy, each a process."""
    this = task() if strategy is not None else None
    return 1 if this is None else len(this.workers)


def is_chief(strategy: Any) -> bool:
    """Whether this process is the one that writes files: of several workers the first."""
    return strategy is None or strategy.extended.should_checkpoint


def alike(strategy: Any, numbers: Sequence[int]) -> bool:
    """Whether all workers of a strategy have the same numbers; each of them has to ask."""
    if strategy is None:
        return True
    workers = _sum(strategy, 1)
    # The mean of squares is the square of the mean where, and only where, all are equal.
    sums = [(_sum(strategy, n) / workers, _sum(strategy, n**2) / workers) for n in numbers]
    return all(mean**2 == square for mean, square in sums)


def of_chief(strategy: Any, number: float) -> float:
    """The number that the first worker of a strategy has; each of them has to ask."""
    if getattr(strategy, "cluster_resolver", None) is None:
        return number
    return _sum(strategy, number if is_chief(strategy) else 0.0)


def workers_where(strategy: Any, mine: bool) -> list[int]:
    """The workers of a strategy on which something is so; each of them has to ask."""
    this = task() if strategy is not None else None
    if this is None:
        return [0] if mine else []
    if not _sum(strategy, mine):  # The usual answer, for which one question is enough.
        return []
    asked = range(len(this.workers))
    return [index for index in asked if _sum(strategy, mine and index == this.worker)]


def _sum(strategy: Any, mine: float) -> float:
    """The sum of a number over the workers."""
    return float(strategy.reduce("SUM", keras.ops.convert_to_tensor(mine, "float64"), axis=None))


@contextlib.contextmanager
def waiting_for(mine: Task) -> Iterator[None]:
    """End this process with one line if, while this lasts, a worker goes away or does not come.

    Args:
        mine: This process; the others are looked for at their addresses.
    """
    program = [sys.executable, "-IS", str(Path(__file__).with_name("waiting.py"))]
    this = [str(PATIENCE), str(os.getpid()), str(mine.worker), *mine.workers]
    with subprocess.Popen([*program, *this], stdin=subprocess.PIPE) as watcher:
        try:
            yield
        finally:
            assert watcher.stdin is not None
            watcher.stdin.close()  # Which ends it.
