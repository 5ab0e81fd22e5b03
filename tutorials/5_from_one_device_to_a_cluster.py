# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From one device to a cluster: one program, three ways to run it
#
# The same training runs here on one device, on two devices of one process, and in two processes
# that talk over the network as two machines would. Nothing in the program changes but the name of
# its *strategy*, and nothing in its result changes but rounding. Then a worker dies, and the
# training ends as if it had not. At the end stands what to watch, and how to do it on machines of
# your own.
#
# You need `kerasadv` and its dependencies, and no data: digits are drawn here. It takes about three
# minutes on two processor cores; GPUs are not needed, and are used if there are any. As a script it
# writes its pictures into the folder `OUTPUT`; opened with jupytext it is a notebook that shows
# them.

# %%
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kerasadv.training.launch import launch
from zoo.noisy_labels.digits import draw_digits

NUM_DIGITS = 2048
EPOCHS = 4
BATCH_SIZE = 32  # over all devices, however many there are
OUTPUT = Path("cluster")
OUTPUT.mkdir(exist_ok=True)

# %% [markdown]
# ## The program
#
# It is an ordinary Keras program. What is special are three lines: the strategy is chosen before
# TensorFlow computes anything, as workers have to find each other first; the model is built and
# compiled in its `scope()`; and the `Checkpoint` lets the training go on when it is started again.
#
# `EpochOrder` shuffles the digits anew in each epoch, by a seed, so that every worker knows the
# same order and a training that goes on sees what it would have seen. Batch normalization is
# `synchronized`: its means are those of the whole batch, not of a device's share.

# %%
PROGRAM = f'''
import json
import os
import sys

import keras
import numpy as np
import tensorflow as tf

import kerasadv
from kerasadv.training import cluster
from zoo.noisy_labels.digits import draw_digits

name, folder = sys.argv[1:3]
if name == "mirrored" and not tf.config.list_physical_devices("GPU"):
    processor = tf.config.list_physical_devices("CPU")[0]  # Without GPUs: two devices out of one.
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(processor, two)

strategy = kerasadv.training.strategy(name)  # <- all that differs

keras.utils.set_random_seed(0)
pictures, labels = draw_digits({NUM_DIGITS}, seed=0)
order = kerasadv.data.EpochOrder(range(len(pictures)), {BATCH_SIZE}, seed=0)
with strategy.scope():
    model = keras.Sequential(
        [
            keras.Input(pictures.shape[1:]),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(8, 3, strides=2, use_bias=False),
            keras.layers.BatchNormalization(synchronized=True),
            kerasadv.layers.PReLU(),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )
    loss = kerasadv.losses.SparseBiTempered(t1=0.8, t2=1.2)
    model.compile(keras.optimizers.SGD(0.01), loss, metrics=["accuracy"])
    checkpoint = kerasadv.training.Checkpoint(folder + "/checkpoint", order)
    done = checkpoint.restore(model)


class Accident(keras.callbacks.Callback):
    """Ends the second worker in the middle of the second epoch, once."""

    def on_train_batch_end(self, batch, logs=None):
        if model.optimizer.iterations == order.steps_per_epoch * 3 // 2 and done == 0:
            if cluster.task().worker == 1:
                os._exit(9)


class History(keras.callbacks.Callback):
    """The loss after each step, as every worker sees it."""

    losses = []

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(float(logs["loss"]))


accident = [Accident()] if sys.argv[3:] == ["accident"] else []
checkpoint.fit(
    model,
    lambda: order.batches(pictures, labels),
    {EPOCHS},
    [*accident, History()],
    verbose=2,
)
if cluster.is_chief(strategy):  # One process writes.
    np.savez(folder + "/weights.npz", *model.get_weights())
    with open(folder + "/losses.json", "w") as file:
        json.dump(History.losses, file)
'''
(OUTPUT / "program.py").write_text(PROGRAM)


def run(name, folder, *more, workers=None, restarts=0):
    """Run the program, as one process or as some workers, and give its weights and losses."""
    folder = OUTPUT / folder
    shutil.rmtree(folder, ignore_errors=True)  # Else it would go on where it ended last time.
    folder.mkdir()
    command = [str(OUTPUT / "program.py"), name, str(folder), *more]
    if workers is None:
        subprocess.run([sys.executable, *command], check=True)
    else:
        assert launch(command, workers, restarts) == 0
    weights = list(np.load(folder / "weights.npz").values())
    return weights, json.loads((folder / "losses.json").read_text())


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# %% [markdown]
# ## One device, two devices, two processes
#
# `launch` starts workers on this machine, each with a `TF_CONFIG` of its own; from a shell it is
# `python -m kerasadv.training.launch --workers 2 -- program.py multi_worker FOLDER`.

# %%
one, losses = run("none", "one")
two, losses_of_two = run("mirrored", "two")
processes, losses_of_processes = run("multi_worker", "processes", workers=2)


def difference(weights):
    return max(float(np.abs(a - b).max()) for a, b in zip(one, weights))


print(f"one device against two devices:   {difference(two):.1e}")
print(f"one device against two processes: {difference(processes):.1e}")
assert difference(two) < 1e-4 and difference(processes) < 1e-4

# %% [markdown]
# These are the largest differences of any weight. They are rounding: sums over a batch are added up
# in another order. (Training amplifies rounding. With a high learning rate and a long run, weights
# drift apart as those of two runs on one GPU do, and are as good.)
#
# What each worker gets of a batch: its share of the same pictures, in the same order. Here are the
# first batches of the first epoch, the first worker's share framed in blue, the second's in orange.

# %%
INK, BLUE, ORANGE = (40, 40, 40), (0, 114, 178), (213, 94, 0)


def save(picture, name):
    picture.save(OUTPUT / name)
    return picture


def shares():
    import kerasadv

    pictures, _ = draw_digits(NUM_DIGITS, seed=0)
    order = kerasadv.data.EpochOrder(range(len(pictures)), BATCH_SIZE, seed=0)
    page = Image.new("RGB", (BATCH_SIZE * 32 + 8, 4 * 40 + 8), "white")
    pen = ImageDraw.Draw(page)
    for row, (batch,) in enumerate(order.batches(pictures).take(4)):
        for column, picture in enumerate(batch.numpy()[..., 0]):
            left, top = 4 + 32 * column, 8 + 40 * row
            colour = BLUE if column < BATCH_SIZE // 2 else ORANGE
            pen.rectangle([left, top, left + 31, top + 31], fill=colour)
            page.paste(Image.fromarray(picture), (left + 2, top + 2))
    return page


save(shares(), "shares.png")

# %% [markdown]
# And the loss as all three saw it, one curve on top of the others. (It is the mean since the epoch
# began, as Keras shows it, so it jumps where the next one begins.)


# %%
def curves(series):
    width, height, margin = 720, 300, 40
    page = Image.new("RGB", (width, height), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=14)
    top = max(map(max, series.values()))
    places = enumerate(zip(series.items(), (INK, BLUE, ORANGE), (9, 5, 2)))
    for row, ((name, values), colour, thick) in places:
        across = (width - 2 * margin) / max(1, len(values) - 1)
        down = (height - 2 * margin) / top
        points = [
            (margin + k * across, height - margin - value * down) for k, value in enumerate(values)
        ]
        pen.line(points, colour, thick)
        pen.line([(width - 230, 24 + 20 * row), (width - 200, 24 + 20 * row)], colour, thick)
        pen.text((width - 190, 15 + 20 * row), name, INK, font)
    pen.line([(margin, margin), (margin, height - margin), (width - margin, height - margin)], INK)
    pen.text((margin, 12), "loss", INK, font)
    pen.text((width - 2 * margin, height - margin + 6), "step", INK, font)
    return page


named = {"one device": losses, "two devices": losses_of_two, "two processes": losses_of_processes}
save(curves(named), "losses.png")

# %% [markdown]
# ## A worker dies
#
# Now the second worker ends in the middle of the second epoch, without a word. The first notices,
# as a sum over both never comes; `launch` ends it and starts both again; the checkpoint of the
# first epoch is found, and the training ends with the weights that it would have had, to the bit.

# %%
again, _ = run("multi_worker", "accident", "accident", workers=2, restarts=1)
assert all(np.array_equal(a, b) for a, b in zip(processes, again))
print("the same weights, to the bit")

# %% [markdown]
# ## What to watch
#
# * **The batch is that of all devices together.** `BATCH_SIZE` above is 32 on one device and on
#   two. More devices are only faster if you let the batch grow with them; then the learning rate
#   wants to grow too, in proportion at first, after a warm-up.
# * **Every batch is shared evenly, or not at all.** Let the number of devices divide the size of
#   each batch, the last one too: Keras averages shares as if they were of one size.
# * **Batch normalization** sees a device's share unless it is `synchronized`. `GroupNormalization`
#   and `LayerNormalization` do not care.
# * **Randomness.** All workers need the same seeds, for the order of the data above all.
#   `kerasadv.training.GAN` draws the latents of the whole batch on each replica and takes its
#   share; Keras' `Dropout` draws on each replica for itself, which is fine and differs from one
#   device.
# * **One process writes.** `TensorBoard` and `Checkpoint` of `kerasadv` know; what you write
#   yourself belongs behind `cluster.is_chief(strategy)`, and nothing else does: `predict`,
#   `evaluate` and the result of a metric take all workers, and the one that is left alone waits
#   for ever. All workers have to *see* the folder of the checkpoints, so on several machines it is
#   on a shared disk.
# * **Every worker reads all data** and keeps its share. Where that is slow, make a data set for
#   each worker with `strategy.distribute_datasets_from_function`; `fit` takes it.
# * **What Keras cannot do on several replicas**: `steps_per_execution` above 1, gradient
#   accumulation, `jit_compile=True` on CPUs, averaging weights by `ema_overwrite_frequency`; and
#   `global_clipnorm` clips each replica's gradient, not their sum. `float16` looks for overflow on
#   the first replica alone; take `mixed_bfloat16`. `GAN` refuses what would go wrong, and looks for
#   overflow everywhere.
#
# What it costs: with $N$ workers each sends and receives $2\,(N-1)/N$ times the size of the
# gradients in each step, so a step takes about
#
# $$ t_N = t_1 + \frac{2\,(N-1)}{N}\,\frac{\mathrm{bytes}}{\mathrm{bandwidth}}
#    + 2\,(N-1)\,\mathrm{latency}. $$
#
# `benchmarks/scaling.py` measures all of it. Small networks with large pictures, such as a U-Net,
# scale well: there is much to compute for each weight.
#
# ## Machines of your own
#
# `TF_CONFIG` tells a process who all workers are and which one it is:
#
# ```
# TF_CONFIG='{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]},
#             "task": {"type": "worker", "index": 0}}' \
#     python -m zoo.unet.train --strategy multi_worker --output /shared/run
# ```
#
# the same on the other machine, with index 1. The ports must be open between the machines and to
# nobody else: TensorFlow's workers trust whoever calls.
#
# **SLURM**, in a job of several nodes:
#
# ```
# srun bash -c '
#   hosts=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed "s/.*/\"&:2222\"/" | paste -sd,)
#   export TF_CONFIG="{\"cluster\": {\"worker\": [$hosts]},
#                      \"task\": {\"type\": \"worker\", \"index\": $SLURM_NODEID}}"
#   exec python -m zoo.unet.train --strategy multi_worker --output $HOME/run'
# ```
#
# with `#SBATCH --ntasks-per-node=1`, as one process takes all GPUs of its node; `--requeue` and
# `--signal=TERM@60` let a job that is preempted save itself and go on.
#
# **Kubernetes**: an indexed Job gives each pod its number, a headless service their names:
#
# ```
# command: ["bash", "-c"]
# args:
#   - |
#     hosts='"train-0.train:2222", "train-1.train:2222"'
#     export TF_CONFIG="{\"cluster\": {\"worker\": [$hosts]},
#                        \"task\": {\"type\": \"worker\", \"index\": $JOB_COMPLETION_INDEX}}"
#     exec python -m zoo.unet.train --strategy multi_worker --output /shared/run
# ```
#
# A pod that is evicted gets SIGTERM first: the training saves itself within the epoch, on all
# workers, and goes on there when the pods are back. A worker that vanishes ends the others within a
# minute, with a line that says so; `backoffLimit`, or `--restarts` of the launcher, starts them
# again.
