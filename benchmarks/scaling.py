"""How a U-Net's training grows with workers: measured on this machine, and a model of the cost.

python benchmarks/scaling.py

Each worker is a process pinned to one core, or to a share of all where there are more workers than
cores, and takes batches of the same size as one process alone. The model is

    step(N) = compute x N / cores in use
              + gradients x 2 (N - 1) / N / bandwidth + 2 (N - 1) x latency

with the compute measured in one process, bandwidth and latency in two; three and more are
predictions. Of GPUs it is one altogether, from the figures in `GPUS`: none was measured.
"""

import argparse
import json
import math
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from kerasadv.training.launch import launch

# What makers and standards say of one device and of the way to the next. Rates of devices are
# peaks; convolutional networks reach about a third of them.
GPUS = {
    "flop/s": 495e12 / 3,  # H100 SXM, dense TF32 (NVIDIA's data sheet)
    "within a machine": (450e9, 5e-6),  # NVLink 4, bytes/s in each direction, s
    "between machines": (50e9, 10e-6),  # 400 Gb/s InfiniBand for each GPU
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--size", type=int, default=128, help="pixels of a crop (default: 128)")
    parser.add_argument("--batch-size", type=int, default=8, help="of each worker (default: 8)")
    parser.add_argument("--filters", type=int, default=16)
    parser.add_argument("--steps", type=int, default=30, help="timed steps (default: 30)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each number (default: 3)")
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    found = {workers: [] for workers in sorted({1, 2, *arguments.workers})}
    for number in range(arguments.rounds):
        for workers in found:
            found[workers].append(measured(workers, cores, arguments))
            step = found[workers][-1]["step"]
            print(f"round {number + 1}, {workers} workers: {step:.3f} s", file=sys.stderr)
    report(found, len(cores), arguments)


def measured(workers: int, cores: list[int], arguments) -> dict:
    """What the first of some workers measures."""
    use = cores[:workers]
    os.sched_setaffinity(0, use)  # Of which `launch` gives each worker its share.
    try:
        with tempfile.TemporaryDirectory() as folder:
            numbers = [arguments.size, arguments.batch_size, arguments.filters, arguments.steps]
            command = [__file__, "worker", f"{folder}/found.json", *map(str, numbers)]
            if launch(command, workers, pin=len(use) == workers) != 0:
                sys.exit("error: a worker failed")
            return json.loads(Path(folder, "found.json").read_text())
    finally:
        os.sched_setaffinity(0, cores)


def worker(path: str, *numbers: str) -> None:
    """Train for some steps, as `zoo.unet.train` does, and write down what they took."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf

    import kerasadv
    from kerasadv.training import cluster
    from zoo.unet.cells import draw_cells
    from zoo.unet.train import Recipe, loss, optimizer

    size, batch_size, filters, steps = map(int, numbers)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(2)
    task = cluster.task()
    alone = len(task.workers) == 1
    strategy = kerasadv.training.strategy("none" if alone else "multi_worker")
    batch = batch_size * len(task.workers)
    crops = kerasadv.data.TrainingCrops(draw_cells(batch * (steps + 4), size), size, batch)
    recipe = Recipe(epochs=1, filters=filters)
    with strategy.scope():
        import zoo

        model = zoo.UNet((None, None, 1), filters=filters, standardize=False)
        model.compile(
            optimizer(recipe, crops.steps_per_epoch),
            loss(recipe, 1),
            metrics=[kerasadv.metrics.Dice()],
        )
    run = Path(path).parent
    board = kerasadv.training.TensorBoard(run / "logs")
    callbacks = [board, kerasadv.training.Checkpoint(run / "checkpoint", crops)]
    ends: list[float] = []
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: ends.append(time.perf_counter())
    )
    batches = crops.batches(len(task.workers))
    model.fit(batches, shuffle=False, verbose=0, callbacks=[crops, *callbacks, watch])
    variables = model.trainable_variables
    found = {
        "step": statistics.median(end - start for start, end in zip(ends[3:], ends[4:])),
        "bytes": sum(4 * int(tf.size(v.value)) for v in variables),
        "flop": 3 * batch_size * forward_flop(size, filters),  # Backward takes twice as much.
    }
    if not alone:
        for name, values in (("gradients", [v.value for v in variables]), ("number", [1.0])):
            found[name] = all_reduce(strategy, [tf.convert_to_tensor(v) for v in values])
    if cluster.is_chief(cluster.of(model)):
        Path(path).write_text(json.dumps(found))


def all_reduce(strategy, tensors) -> float:
    """Median seconds that workers take to add up tensors."""
    import tensorflow as tf

    @tf.function
    def together():
        def one():
            context = tf.distribute.get_replica_context()
            return [tf.reduce_sum(x) for x in context.all_reduce("sum", tensors)]

        return strategy.run(one)

    times = []
    for _ in range(33):
        start = time.perf_counter()
        together()
        times.append(time.perf_counter() - start)
    return statistics.median(times[3:])


def forward_flop(size: int, filters: int) -> float:
    """Multiplications and additions of all convolutions for one image."""
    import zoo

    total = 0
    for layer in zoo.UNet((size, size, 1), filters=filters).layers:
        if hasattr(layer, "kernel"):
            # Each weight meets each pixel of the output or, where that is larger, of the input.
            pixels = min(math.prod(x.shape[1:3]) for x in (layer.input, layer.output))
            total += 2 * math.prod(layer.kernel.shape) * pixels
    return total


def report(found: dict[int, list[dict]], cores: int, arguments) -> None:
    """Print what was measured beside what the model says, and what it says of GPUs."""
    median = {
        workers: {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        for workers, runs in found.items()
    }
    one, two = median[1], median[2]
    latency = two["number"] / 2
    bandwidth = one["bytes"] / max(two["gradients"] - two["number"], 1e-9)

    def model(workers, compute, bandwidth, latency):
        ring = 2 * (workers - 1)
        return compute + one["bytes"] * ring / workers / bandwidth + ring * latency

    print(
        f"U-Net, {arguments.filters} filters, {arguments.size} x {arguments.size}, "
        f"{arguments.batch_size} images for each worker, {one['bytes'] / 1e6:.1f} MB of gradients; "
        f"medians of {arguments.rounds} runs on {cores} cores\n"
        f"two workers: {two['gradients'] * 1e3:.1f} ms to add up gradients, "
        f"{two['number'] * 1e3:.1f} ms for a number, so {bandwidth / 1e9:.2f} GB/s\n"
    )
    print("| workers | step (s) | by the model | images/s | times one |")
    print("|---|---|---|---|---|")
    for workers, values in median.items():
        step = values["step"]
        rate, times = arguments.batch_size * workers / step, workers * one["step"] / step
        expected = model(workers, one["step"] * max(1, workers / cores), bandwidth, latency)
        print(f"| {workers} | {step:.3f} | {expected:.3f} | {rate:.1f} | {times:.2f} |")
    compute = one["flop"] / GPUS["flop/s"]
    print(f"\npredicted, not measured, for GPUs that take {compute * 1e3:.2f} ms for such a batch:")
    within = model(8, compute, *GPUS["within a machine"])
    # First within each machine, then each GPU with its like in the other machines, then back.
    across = within + model(8, 0, GPUS["between machines"][0] * 8, GPUS["between machines"][1])
    for number, step in ((8, within), (64, across)):
        print(f"{number} GPUs: {step * 1e3:.2f} ms a step, {number * compute / step:.1f} times one")


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        worker(*sys.argv[2:])
    else:
        main()
