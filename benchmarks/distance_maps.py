"""What the boundary loss' distance maps cost of a U-Net training step.

python benchmarks/distance_maps.py
"""

import argparse
import functools
import time

import keras
import numpy as np
import tensorflow as tf

import kerasadv
import zoo
from zoo.unet.cells import draw_cells


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256, help="height and width (default: 256)")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--filters", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=11, help="timed rounds (default: 11)")
    arguments = parser.parse_args()
    examples = draw_cells(arguments.batch_size, arguments.size)
    images = tf.constant(np.stack([e.image for e in examples]).astype("float32"))
    masks = tf.constant(np.stack([e.mask for e in examples])[..., None])
    print(
        f"{len(images)} images of {arguments.size} x {arguments.size}, medians of alternating runs"
    )
    print("precision        step without   step with   maps alone   maps / step with")
    for precision in ("float32", "mixed_bfloat16"):
        keras.config.set_dtype_policy(precision)
        terms = {"dice": kerasadv.losses.GeneralizedDice()}
        without = step(arguments, images, masks, terms)
        with_maps = step(arguments, images, masks, terms | {"b": kerasadv.losses.Boundary()})
        maps = functools.partial(tf.function(kerasadv.ops.signed_distance), masks)
        a, b, c = medians([without, with_maps, maps], arguments.rounds)
        print(f"{precision:15} {a:10.3f} s {b:11.3f} s {c:10.3f} s {c / b:14.0%}")


def step(arguments, images, masks, terms):
    """A training step of a U-Net with these loss terms, as a function."""
    model = zoo.UNet(images.shape[1:], filters=arguments.filters)
    model.compile("adam", loss=kerasadv.losses.Compound(terms))
    return lambda: model.train_on_batch(images, masks)


def medians(functions, rounds):
    """The median time of each function, run in turn, after two rounds to warm up."""
    times = []
    for _ in range(rounds + 2):
        row = []
        for function in functions:
            start = time.perf_counter()
            function()
            row.append(time.perf_counter() - start)
        times.append(row)
    return np.median(times[2:], axis=0)


if __name__ == "__main__":
    main()
