"""What the perceptual loss costs of a training step, over its floor and over one pass per term.

python benchmarks/perceptual.py

The floor is one forward pass of prediction and target through the extractor and one backward pass
to the prediction, nothing else. Weights are random: time does not depend on them.
"""

import argparse
import time

import keras
import numpy as np
import tensorflow as tf

import kerasadv

CONTENT = {"block3_conv4": 1.0}
STYLE = dict.fromkeys(["block1_conv2", "block2_conv2", "block3_conv4", "block4_conv4"], 5.0)


class Floor(keras.losses.Loss):
    """The mean of the deepest features: everything that a loss on them cannot do without."""

    def __init__(self, extractor):
        super().__init__()
        self.look = lambda images: extractor(images, training=False)["block4_conv4"]

    def call(self, y_true, y_pred):
        pred, true = self.look(y_pred), tf.stop_gradient(self.look(y_true))
        return tf.reduce_mean(pred, axis=(1, 2, 3)) - tf.reduce_mean(true, axis=(1, 2, 3))


class PerTerm(keras.losses.Loss):
    """The straightforward version: each term looks for itself, as deep as it needs to."""

    def __init__(self):
        super().__init__()
        self.parts = [
            kerasadv.losses.Perceptual(extractor([layer]), **{kind: {layer: weight}})
            for kind, terms in (("content", CONTENT), ("style", STYLE))
            for layer, weight in terms.items()
        ]

    def call(self, y_true, y_pred):
        return sum(part.call(y_true, y_pred) for part in self.parts)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=192, help="height and width (default: 192)")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--filters", type=int, default=32, help="of the network (default: 32)")
    parser.add_argument("--rounds", type=int, default=11, help="timed rounds (default: 11)")
    parser.add_argument("--jit-compile", action="store_true", help="with XLA")
    arguments = parser.parse_args()
    shape = (arguments.batch_size, arguments.size, arguments.size, 3)
    images = tf.constant(np.random.default_rng(0).integers(0, 256, shape), tf.float32)
    whole = extractor({**CONTENT, **STYLE})
    matrices = {layer: kerasadv.ops.gram_matrix(x)[0] for layer, x in whole(images).items()}
    paintings = {layer: matrices[layer] for layer in STYLE}
    losses = {
        "floor": Floor(whole),
        "perceptual": kerasadv.losses.Perceptual(whole, CONTENT, STYLE),
        "perceptual, style of a painting": kerasadv.losses.Perceptual(
            whole, CONTENT, STYLE, paintings
        ),
        "one pass per term": PerTerm(),
    }
    steps = [step(arguments, images, loss) for loss in losses.values()]
    seconds = timed(steps, arguments.rounds)
    # A machine that slows down slows all of a round, so what is compared are runs of one round.
    ratios = np.median(seconds / seconds[:, :1], axis=0)
    print(f"{shape[0]} images of {shape[1]} x {shape[2]}, medians of {arguments.rounds} rounds")
    for name, median, ratio in zip(losses, np.median(seconds, axis=0), ratios):
        print(f"{name:32} {median:7.3f} s a step {ratio:6.2f} of the floor")


def extractor(layers):
    return kerasadv.features.vgg("vgg19", list(layers), weights=None)


def step(arguments, images, loss):
    """A training step of a small network with this loss, as a function."""
    inputs = keras.Input(images.shape[1:])
    x = inputs
    for filters in (arguments.filters, arguments.filters):
        x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    model = keras.Model(inputs, keras.layers.Conv2D(3, 3, padding="same")(x))
    model.compile("adam", loss=loss, jit_compile=arguments.jit_compile)
    return lambda: model.train_on_batch(images, images)


def timed(functions, rounds):
    """Seconds of each function, run in turn, `(rounds, functions)`, after two rounds to warm up."""
    times = []
    for _ in range(rounds + 2):
        row = []
        for function in functions:
            start = time.perf_counter()
            function()
            row.append(time.perf_counter() - start)
        times.append(row)
    return np.array(times[2:])


if __name__ == "__main__":
    main()
