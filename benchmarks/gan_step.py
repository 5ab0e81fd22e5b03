"""What a step of both players costs, over the recipe that Keras users copy.

python benchmarks/gan_step.py

The recipe is that of keras.io's DCGAN example: the generator runs twice, with new latents each
time, and the discriminator sees real and generated images as one batch, then the second ones again.
"""

import argparse
import time

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import kerasadv

LATENT = 100


def players(filters, batch_norm):
    """The networks of Radford et al. for 64 x 64 pixels."""

    def block(layer, number, **kwargs):
        parts = [layer(number, 4, strides=2, padding="same", **kwargs)]
        return parts + ([layers.BatchNormalization()] if batch_norm else [])

    generator = [keras.Input((LATENT,)), layers.Dense(16 * 8 * filters)]
    generator += [layers.Reshape((4, 4, 8 * filters)), layers.ReLU()]
    for number in (4 * filters, 2 * filters, filters):
        # Its batch normalization is no matter of this comparison.
        generator += [*block(layers.Conv2DTranspose, number)[:1], layers.BatchNormalization()]
        generator.append(layers.ReLU())
    generator += block(layers.Conv2DTranspose, 3, activation="tanh")[:1]
    discriminator = [keras.Input((64, 64, 3)), *block(layers.Conv2D, filters)[:1]]
    discriminator.append(layers.LeakyReLU(0.2))
    for number in (2 * filters, 4 * filters, 8 * filters):
        discriminator += [*block(layers.Conv2D, number), layers.LeakyReLU(0.2)]
    discriminator += [layers.Flatten(), layers.Dense(1)]
    return keras.Sequential(generator), keras.Sequential(discriminator)


def adam():
    return keras.optimizers.Adam(2e-4, beta_1=0.5)


def recipe(filters, batch_norm):
    """The step as users write it today."""
    generator, discriminator = players(filters, batch_norm)
    of_generator, of_discriminator = adam(), adam()
    crossentropy = keras.losses.BinaryCrossentropy(from_logits=True)

    @tf.function
    def step(images):
        number = tf.shape(images)[0]
        fake = generator(tf.random.normal((number, LATENT)), training=True)
        labels = tf.concat([tf.ones((number, 1)), tf.zeros((number, 1))], axis=0)
        labels += 0.05 * tf.random.uniform(tf.shape(labels))
        with tf.GradientTape() as tape:
            scores = discriminator(tf.concat([fake, images], axis=0), training=True)
            loss = crossentropy(labels, scores)
        weights = discriminator.trainable_weights
        of_discriminator.apply_gradients(zip(tape.gradient(loss, weights), weights))
        latents = tf.random.normal((number, LATENT))
        with tf.GradientTape() as tape:
            scores = discriminator(generator(latents, training=True), training=True)
            loss = crossentropy(tf.zeros((number, 1)), scores)
        weights = generator.trainable_weights
        of_generator.apply_gradients(zip(tape.gradient(loss, weights), weights))

    return step


def ours(filters, batch_norm):
    """The step of `kerasadv.training.GAN`."""
    gan = kerasadv.training.GAN(*players(filters, batch_norm), latent_shape=(LATENT,), seed=0)
    gan.compile(adam(), adam(), jit_compile=False)
    return tf.function(lambda images: gan.train_step((images,)))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch-size", type=int, default=64, help="(default: 64)")
    parser.add_argument("--filters", type=int, default=32, help="of both (default: 32)")
    parser.add_argument("--rounds", type=int, default=9, help="timed rounds (default: 9)")
    arguments = parser.parse_args()
    shape = (arguments.batch_size, 64, 64, 3)
    images = tf.constant(np.random.default_rng(0).uniform(-1, 1, shape), tf.float32)
    for batch_norm in (True, False):
        steps = {
            "recipe": recipe(arguments.filters, batch_norm),
            "ours": ours(arguments.filters, batch_norm),
        }
        times = {name: [] for name in steps}
        for step in steps.values():
            step(images)
        for _ in range(arguments.rounds):  # In turns, so that noise meets both.
            for name, step in steps.items():
                began = time.perf_counter()
                step(images)
                times[name].append(time.perf_counter() - began)
        medians = {name: float(np.median(values)) for name, values in times.items()}
        print(
            f"discriminator {'with' if batch_norm else 'without'} batch normalization: "
            f"recipe {medians['recipe']:.3f} s, ours {medians['ours'] / medians['recipe']:.2f} "
            "of that"
        )


if __name__ == "__main__":
    main()
