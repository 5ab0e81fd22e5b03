"""What a generator, a discriminator and their training have to be, with an error that says so."""

import keras

from kerasadv.ops.value_range import check_value_range


def check_players(generator, discriminator, latent_shape, ema_momentum, value_range):
    """Raise a `ValueError` if two networks cannot play against each other."""
    for argument, model in (("generator", generator), ("discriminator", discriminator)):
        if not isinstance(model, keras.Model) or not hasattr(model, "outputs"):
            raise ValueError(
                f"`{argument}`: expected a functional or sequential model with known inputs. "
                f"Received: {model!r}"
            )
    if tuple(generator.input_shape[1:]) != latent_shape:
        raise ValueError(
            f"`latent_shape`: expected {tuple(generator.input_shape[1:])}, which the generator "
            f"takes. Received: {latent_shape}"
        )
    made, judged = generator.output_shape[1:], discriminator.input_shape[1:]
    if len(made) != len(judged) or any(None not in (a, b) and a != b for a, b in zip(made, judged)):
        raise ValueError(
            f"`discriminator`: expected one of images of shape {tuple(made)}, as the generator "
            f"makes them. Received: one of {tuple(judged)}"
        )
    if not 0 <= ema_momentum < 1:
        raise ValueError(
            "`ema_momentum`: expected a share from 0 to below 1. "
            f"Received: ema_momentum={ema_momentum}"
        )
    check_value_range(value_range)


def check_settings(optimizers, loss, discriminator_steps, metrics, policy):
    """Raise a `ValueError` if a `GAN` cannot be compiled with these."""
    if not isinstance(loss, keras.losses.Loss) or not hasattr(loss, "generator"):
        raise ValueError(
            "`loss`: expected a loss of two players, such as kerasadv.losses.Minimax(). "
            f"Received: loss={loss!r}"
        )
    for argument, optimizer in optimizers.items():
        if not isinstance(optimizer, keras.optimizers.Optimizer):
            raise ValueError(f"`{argument}`: expected a Keras optimizer. Received: {optimizer!r}")
    if len({id(optimizer) for optimizer in optimizers.values()}) == 1:
        raise ValueError(
            "`discriminator_optimizer`: expected another object than `generator_optimizer`, as "
            "each has a state of its own. Received: the same"
        )
    for metric in metrics:
        if not isinstance(metric, keras.metrics.Metric):
            raise ValueError(
                "`metrics`: expected Keras metrics of two sets of images, such as "
                f"kerasadv.metrics.FrechetDistance(extractor). Received: {metric!r}"
            )
    if discriminator_steps is not None:
        if not isinstance(discriminator_steps, int) or discriminator_steps < 1:
            raise ValueError(
                "`discriminator_steps`: expected None or a whole number of at least 1. "
                f"Received: discriminator_steps={discriminator_steps!r}"
            )
        if keras.backend.backend() != "tensorflow" or policy.name == "mixed_float16":
            raise ValueError(
                "`discriminator_steps`: expected None with mixed_float16 (mixed_bfloat16 can "
                "alternate) and on other backends than TensorFlow. "
                f"Received: discriminator_steps={discriminator_steps}"
            )
