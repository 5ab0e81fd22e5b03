"""What the bi-tempered loss costs beside Keras' cross-entropy from logits, forward and backward.

python benchmarks/bi_tempered.py
"""

import argparse
import functools
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import kerasadv

SHAPES = ((256, 10), (256, 1000), (8, 128, 128, 21))
T1 = 0.8
T2 = (0.8, 1.2, 1.37, 2.0)  # At 1.37, 1 / (t2 - 1) is no whole number, nor half of one.


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21, help="timed rounds (default: 21)")
    parser.add_argument("--peaks", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peaks:
        table(lambda steps: [peak(step) for step in steps], "{:9.0f} MB")
        return
    print(f"t1 = {T1}; logits are normal, deviation 1. Time of cross-entropy, then that of")
    print(f"bi-tempered over it: medians of {options.rounds} rounds in which all losses take turns")
    table(lambda steps: relative(medians(steps, options.rounds)), "{:12.2f}")
    print("\nMegabytes that a step takes, at most, beside its input, without and with each t2")
    # Blocks go back to the system at once, not to oneDNN's own store of them, so that the size of
    # the process shows them.
    honest = {
        "MALLOC_MMAP_THRESHOLD_": "65536",
        "MALLOC_TRIM_THRESHOLD_": "0",
        "TF_ENABLE_ONEDNN_OPTS": "0",
    }
    subprocess.run([sys.executable, __file__, "--peaks"], env={**os.environ, **honest}, check=True)


def table(measure, cell):
    """Print a line for each shape, mode and kind of labels, with a cell for each loss."""
    print(f"{'':40}{'cross-entropy':>14}" + "".join(f"{f't2 = {t2}':>12}" for t2 in T2))
    for shape in SHAPES:
        rng = np.random.default_rng(0)
        logits = tf.constant(rng.normal(size=shape).astype("float32"))
        labels = tf.constant(rng.integers(0, shape[-1], shape[:-1]))
        one_hot = tf.one_hot(labels, shape[-1])
        for jit, mode in ((True, "XLA"), (False, "plain graph")):
            for kind, y, losses in (
                ("one-hot", one_hot, dense_losses()),
                ("sparse", labels, sparse_losses()),
            ):
                steps = [functools.partial(step(loss, jit), y, logits) for loss in losses]
                first, *others = measure(steps)
                print(f"{shape!s:19} {mode:11} {kind:8}", end="")
                print(first if isinstance(first, str) else cell.format(first), end="  ")
                print("".join(cell.format(value) for value in others), flush=True)


def relative(times):
    return [f"{times[0] * 1e3:9.2f} ms", *(times[1:] / times[0])]


def dense_losses():
    return [
        keras.losses.CategoricalCrossentropy(from_logits=True),
        *(kerasadv.losses.BiTempered(T1, t2) for t2 in T2),
    ]


def sparse_losses():
    return [
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        *(kerasadv.losses.SparseBiTempered(T1, t2) for t2 in T2),
    ]


def step(loss, jit):
    """The loss and its gradient by the logits, as one compiled function."""

    @tf.function(jit_compile=jit)
    def value_and_gradient(y, logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss(y, logits)
        return value, tape.gradient(value, logits)

    return value_and_gradient


def medians(functions, rounds):
    """The median time of one call of each function; they take turns, after a warm-up."""
    for function in functions:
        function()
    start = time.perf_counter()
    functions[0]()
    # Enough calls in a row to be above the clock's noise.
    calls = max(1, min(200, int(0.02 / (time.perf_counter() - start))))
    times = []
    for _ in range(rounds):
        row = []
        for function in functions:
            start = time.perf_counter()
            for _ in range(calls):
                function()
            row.append((time.perf_counter() - start) / calls)
        times.append(row)
    return np.median(times, axis=0)


def peak(function):
    """Megabytes by which the process grows during a call, at most; NaN where /proc cannot tell."""
    for _ in range(2):  # Building it takes memory of its own.
        function()
    try:
        # The peak so far becomes the present size.
        Path("/proc/self/clear_refs").write_text("5")
        before = memory("VmRSS")
        function()
        return max(0.0, memory("VmHWM") - before)
    except OSError:
        return float("nan")


def memory(name):
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found.group(1)) / 1024


if __name__ == "__main__":
    main()
