"""One step of two players on TensorFlow, with as few passes through both networks as possible."""

import keras
import tensorflow as tf

from kerasadv.layers import ELU, PReLU
from kerasadv.training.game import spread

# Layers in which no image of a batch touches another.
_PER_IMAGE_LAYERS = (
    keras.layers.InputLayer,
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
    keras.layers.Dense,
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ELU,
    keras.layers.Rescaling,
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.AveragePooling2D,
    keras.layers.MaxPooling2D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.ZeroPadding2D,
    keras.layers.UpSampling2D,
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
    keras.layers.Add,
    PReLU,
    ELU,
)


def step(gan, images):
    """Take a step of the discriminator and of the generator of a compiled `GAN`."""
    if gan.discriminator_steps is None:
        gan.optimizer.apply(*_gradients(gan, images, ("discriminator", "generator")))
        return
    number, steps = tf.shape(images)[0], gan.discriminator_steps
    ends = [k * number // steps for k in range(steps + 1)]
    for start, end in zip(ends, ends[1:]):
        # The end of an epoch may have fewer images than steps: some then serve more than once.
        part = images[start : tf.maximum(end, start + 1)]
        gan.discriminator_optimizer.apply(*_gradients(gan, part, ("discriminator",)))
    gan.generator_optimizer.apply(*_gradients(gan, part, ("generator",)))
    gan.optimizer.iterations.assign_add(1)


def share(number, draw):
    """This replica's share of what is drawn for all of them, so that they draw what one would.

    Args:
        number: How many this replica takes.
        draw: Function of a number that gives so many.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return draw(number)
    # TensorFlow deals the parts of a batch out to the workers in turn, and each worker's to its
    # replicas; where it cannot be divided, the last ones get less.
    here = len(context.strategy.extended.worker_devices)
    workers = context.num_replicas_in_sync // here
    place = context.replica_id_in_sync_group % here * workers
    place += context.replica_id_in_sync_group // here
    everywhere = context.all_reduce("sum", number)
    most = -(-everywhere // context.num_replicas_in_sync)
    return draw(everywhere)[place * most :][:number]


def _portion(images):
    """What the mean over this replica's images counts, where the mean replica's counts 1."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return 1.0
    number = tf.cast(tf.shape(images)[0], "float32")
    return number * context.num_replicas_in_sync / context.all_reduce("sum", number)


def _gradients(gan, images, players):
    """The gradients of the weights of some players, and these weights."""
    portion, kept = _portion(images), _kept(gan)
    with tf.GradientTape(persistent=True) as tape:
        fake = gan.generator(gan.latents(images), training=True)
        # The way back through the discriminator ends here. Else it were traced on through the
        # generator, and where that normalizes over all replicas they would have to agree within
        # the choice below, which they cannot.
        seen = tf.stop_gradient(fake)
        tape.watch(seen)
        losses = {}
        if "discriminator" in players:
            # Real and generated images apart: batch normalization is not to tell them by the mix.
            real_scores = gan.discriminator(images, training=True)
        fake_scores = gan.discriminator(seen, training=True)
        if "discriminator" in players:
            loss = gan.game.discriminator_loss(real_scores, fake_scores)
            loss += gan.penalty(images, tf.stop_gradient(seen))
            loss = portion * loss + gan.game.regularization(gan.discriminator)
            losses["discriminator"] = gan.optimizer.scale_loss(loss)
            gan.game.show(spread=spread(images, seen))
        if "generator" in players:
            loss = portion * gan.game.generator_loss(fake_scores)
            losses["generator"] = gan.optimizer.scale_loss(loss)
            own = tf.convert_to_tensor(gan.game.regularization(gan.generator))
            own = gan.optimizer.scale_loss(own)
    weights = {
        "discriminator": gan.discriminator.trainable_variables,
        "generator": gan.generator.trainable_variables,
    }

    def separately():
        """One way back for each player."""
        sources = {"discriminator": weights["discriminator"], "generator": [seen]}
        return [
            gradient
            for player in players
            for gradient in tape.gradient(losses[player], sources[player])
        ]

    if len(players) == 1 or not _scores_are_independent(gan, fake_scores):
        gradients = separately()
    else:
        # Both losses reach an image through its score alone, so that their gradients by the image
        # differ by a factor.
        theirs, ours = (tape.gradient(losses[player], fake_scores) for player in players)

        def together():
            """One way back for both."""
            *gradients, of_fake = tape.gradient(losses[players[0]], [*weights[players[0]], seen])
            factor = tf.reshape(ours / theirs, (-1, *[1] * (len(fake.shape) - 1)))
            return [*gradients, of_fake * factor]

        # Where the discriminator's own gradient is 0, or nearly, nothing can be had from it.
        enough = tf.reduce_all(1e25 * tf.abs(theirs) > tf.abs(ours))
        gradients = tf.cond(enough, together, separately)
    if "generator" in players:
        *gradients, of_fake = gradients
        gradients += tape.gradient(
            [fake, own], weights["generator"], output_gradients=[of_fake, tf.ones_like(own)]
        )
    gradients = _watched(gan, gradients, kept, {player: len(weights[player]) for player in players})
    return gradients, [weight for player in players for weight in weights[player]]


def _scores_are_independent(gan, scores):
    """Whether each image has one score, in floats of full range, that no other image touches."""
    operations = getattr(gan.discriminator, "operations", gan.discriminator.layers)
    return (
        scores.shape[1:] == (1,)
        and gan.dtype_policy.name != "mixed_float16"
        # Exactly these: a subclass may do anything. Operations are layers and what lies between.
        and all(
            type(operation) in _PER_IMAGE_LAYERS and _known(operation) for operation in operations
        )
    )


def _known(operation):
    """Whether a layer has an activation of Keras' own, or none."""
    activation = getattr(operation, "activation", None)
    name = getattr(activation, "__name__", "")
    return activation is None or activation is getattr(keras.activations, name, None)


def _kept(gan):
    """What both players have besides weights, such as moving means, before a step that may fail."""
    if not isinstance(gan.optimizer, keras.optimizers.LossScaleOptimizer):
        return []
    held = gan.generator.non_trainable_weights + gan.discriminator.non_trainable_weights
    return [(variable, tf.identity(variable.value)) for variable in held]


def _watched(gan, gradients, kept, lengths):
    """The gradients, of which the norm of each player's is shown, over all replicas and unscaled.

    Under a scale of the loss they are NaN on all replicas if they are on one, as Keras looks at
    the first alone, and all that was `kept` is again what it was.
    """
    rest, norms = list(gradients), {}
    context = tf.distribute.get_replica_context()
    if context is not None and context.num_replicas_in_sync > 1:
        # Keras' optimizers sum them too, and there is no way to hand them the sums: so replicas
        # send gradients twice.
        rest = context.all_reduce("sum", rest)
    for player, length in lengths.items():
        own, rest = rest[:length], rest[length:]
        norm = tf.linalg.global_norm(own) / gan.optimizer.scale_loss(1.0)
        norms[f"{player}_gradient_norm"] = norm
    if not isinstance(gan.optimizer, keras.optimizers.LossScaleOptimizer):
        gan.game.show(**norms)
        return gradients
    # The same on all replicas, as the sums are. A step that is left out has no norm to show.
    finite = tf.reduce_all(tf.math.is_finite(list(norms.values())))
    gan.game.show(finite, **{name: tf.where(finite, norm, 0) for name, norm in norms.items()})
    for variable, before in kept:
        variable.assign(tf.where(finite, variable, before))
    return [tf.where(finite, x, tf.constant(float("nan"), x.dtype)) for x in gradients]
