"""What a generator, a discriminator and their training have to be, with an error that says so."""

import keras
import numpy as np

from kerasadv.ops.value_range import check_value_range
from kerasadv.training.game import NAMES

# The same for a loss without sample weights.
_MEANS = ("sum_over_batch_size", "mean", "mean_with_sample_weight")
# What `Model.compile` takes that a `GAN` can use.
_KEYWORDS = ("run_eagerly", "jit_compile", "steps_per_execution", "auto_scale_loss")


def check_players(generator, discriminator, latent_shape, policy, ema_momentum, value_range):
    """Raise a `ValueError` if two networks cannot play against each other."""
    for argument, model in (("generator", generator), ("discriminator", discriminator)):
        if not isinstance(model, keras.Model) or not hasattr(model, "outputs"):
            raise ValueError(
                f"`{argument}`: expected a functional or sequential model with known inputs. "
                f"Received: {model!r}"
            )
        for layer in model._flatten_layers():
            if getattr(layer, "activity_regularizer", None) is not None:
                raise ValueError(
                    f"`{argument}`: expected regularizers of weights alone. Received: layer "
                    f"{layer.name} with an activity_regularizer"
                )
            if layer.compute_dtype == "float16" and policy.name != "mixed_float16":
                raise ValueError(
                    f"`{argument}`: expected layers that compute in {policy.name}, as the GAN "
                    "does; give it dtype='mixed_float16', which scales losses. "
                    f"Received: layer {layer.name} in float16"
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
    _check_scores(discriminator)
    if not isinstance(ema_momentum, (int, float)) or not 0 <= ema_momentum < 1:
        raise ValueError(
            "`ema_momentum`: expected a share from 0 to below 1. "
            f"Received: ema_momentum={ema_momentum!r}"
        )
    check_value_range(value_range)


def _check_scores(discriminator):
    """Raise a `ValueError` for outputs that are no scores: one for each image or for each patch."""
    scores = discriminator.outputs
    # A single axis, and rows and columns, need no last axis of size 1.
    if len(scores) != 1 or (len(scores[0].shape) in (2, 4) and scores[0].shape[-1] != 1):
        raise ValueError(
            "`discriminator`: expected one output, scores of shape (batch, 1) or (batch, height, "
            f"width, 1). Received: one with {[tuple(x.shape) for x in scores]}"
        )
    activation = _last_activation(discriminator)
    if activation in ("sigmoid", "hard_sigmoid", "softmax"):
        raise ValueError(
            "`discriminator`: expected scores without activation, as the losses take logits or any "
            f"numbers. Received: one that ends in {activation}"
        )


def _last_activation(model):
    """The name of the activation that a model ends in, as far as it is to be seen."""
    last = model.outputs[0]._keras_history.operation
    if isinstance(last, keras.Model) and hasattr(last, "outputs"):
        return _last_activation(last)
    last = getattr(last, "layer", last)  # As SpectralNormalization has it.
    # Of an operation without activation, such as `ops.sigmoid`, its own name says it.
    function = getattr(last, "activation", type(last))
    return getattr(function, "__name__", "").lower()


def check_settings(gan, optimizers, rules, keywords):
    """Raise a `ValueError` for what `GAN.compile` cannot use."""
    check_optimizers(gan, optimizers)
    check_rules(gan, **rules)
    check_keywords(gan, keywords)


def check_optimizers(gan, optimizers):
    """Raise a `ValueError` for optimizers, by their arguments, that two players cannot have."""
    for argument, optimizer in optimizers.items():
        if not isinstance(optimizer, keras.optimizers.Optimizer):
            raise ValueError(f"`{argument}`: expected a Keras optimizer. Received: {optimizer!r}")
    if len({id(optimizer) for optimizer in optimizers.values()}) == 1:
        raise ValueError(
            "`discriminator_optimizer`: expected another object than `generator_optimizer`, as "
            "each has a state of its own. Received: the same"
        )
    for argument, optimizer in optimizers.items() if _on_replicas(gan) else ():
        for setting in (
            "gradient_accumulation_steps",
            "global_clipnorm",
            "ema_overwrite_frequency",
        ):
            value = getattr(optimizer, setting)
            if value and (optimizer.use_ema or not setting.startswith("ema")):
                raise ValueError(
                    f"`{argument}`: expected no {setting}, which Keras does not get right on "
                    f"several replicas. Received: {setting}={value}"
                )


def check_rules(gan, loss, penalties, metrics, discriminator_steps):
    """Raise a `ValueError` for what is no rule of a game, or not of one between these players."""
    if not isinstance(loss, keras.losses.Loss) or not hasattr(loss, "generator"):
        raise ValueError(
            "`loss`: expected a loss of two players, such as kerasadv.losses.Minimax(). "
            f"Received: loss={loss!r}"
        )
    if loss.reduction not in _MEANS:
        raise ValueError(
            "`loss`: expected reduction='sum_over_batch_size', as the losses of both players are "
            f"means over images. Received: one with reduction={loss.reduction!r}"
        )
    for argument, given in (("penalties", penalties), ("metrics", metrics)):
        if not isinstance(given, (list, tuple)):
            raise ValueError(f"`{argument}`: expected a list. Received: {argument}={given!r}")
    for penalty in penalties:
        if not callable(penalty) or not hasattr(penalty, "name"):
            raise ValueError(
                "`penalties`: expected penalties on a discriminator, such as "
                f"kerasadv.training.R1(). Received: {penalty!r}"
            )
    for metric in metrics:
        if not isinstance(metric, keras.metrics.Metric):
            raise ValueError(
                "`metrics`: expected Keras metrics of two sets of images, such as "
                f"kerasadv.metrics.FrechetDistance(extractor). Received: {metric!r}"
            )
        seen = getattr(metric, "value_range", None)
        if seen is not None and tuple(seen) != gan.value_range:
            raise ValueError(
                f"`metrics`: expected {metric.name} to look at images from {gan.value_range[0]} to "
                f"{gan.value_range[1]}, as the GAN does; give its extractor value_range="
                f"{gan.value_range}, as in kerasadv.features.inception_v3(value_range="
                f"{gan.value_range}). Received: one that looks at {seen}"
            )
    taken = {*NAMES}
    for argument, given in (("penalties", penalties), ("metrics", metrics)):
        for one in given:
            if one.name in taken:
                raise ValueError(
                    f"`{argument}`: expected names that nothing else in the logs has. "
                    f"Received: another {one.name!r}"
                )
            taken.add(one.name)
    if discriminator_steps is None:
        return
    whole = isinstance(discriminator_steps, int) and not isinstance(discriminator_steps, bool)
    if not whole or discriminator_steps < 1:
        raise ValueError(
            "`discriminator_steps`: expected None or a whole number of at least 1. "
            f"Received: discriminator_steps={discriminator_steps!r}"
        )
    if keras.backend.backend() != "tensorflow" or gan.dtype_policy.name == "mixed_float16":
        raise ValueError(
            "`discriminator_steps`: expected None with mixed_float16 (mixed_bfloat16 can "
            "alternate) and on other backends than TensorFlow. "
            f"Received: discriminator_steps={discriminator_steps}"
        )


def check_keywords(gan, keywords):
    """Raise a `ValueError` for arguments of `Model.compile` that a `GAN` cannot use."""
    for argument in keywords:
        if argument not in _KEYWORDS:
            raise ValueError(
                f"`{argument}`: expected no others than {', '.join(_KEYWORDS)}. "
                f"Received: {argument}={keywords[argument]!r}"
            )
    for argument, fine in (("steps_per_execution", (None, 1)), ("jit_compile", ("auto", False))):
        value = keywords.get(argument, fine[0])
        if value not in fine and _on_replicas(gan):
            raise ValueError(
                f"`{argument}`: expected {fine[-1]}, as Keras cannot do more on several replicas. "
                f"Received: {argument}={value}"
            )


def _on_replicas(gan):
    """Whether a model is copied to several devices, where Keras cannot do everything."""
    if keras.backend.backend() != "tensorflow":
        return False
    return gan.distribute_strategy.num_replicas_in_sync > 1


def check_no_weights(sample_weight=None, class_weight=None, **others):
    """Raise a `ValueError` for weights, which would have no say."""
    for argument, weight in (("sample_weight", sample_weight), ("class_weight", class_weight)):
        if weight is not None:
            raise ValueError(
                f"`{argument}`: expected none; to a GAN all images are alike. Received: {weight}"
            )


def check_images(images, value_range):
    """Raise a `ValueError` for an array of images that plainly has other values than it should."""
    if getattr(images, "ndim", None) != 4 or not len(images):
        return
    low, high = value_range
    some = np.asarray(images[:64], "float32")
    # Standardized images, say, do no harm; those of 0 to 255 differ from others by 100 widths.
    if abs(some - (low + high) / 2).max() > 5 * (high - low):
        raise ValueError(
            "`value_range`: expected the values of black and white of the images to learn from. "
            f"Received: value_range={value_range}, and images from {some.min():g} to "
            f"{some.max():g}"
        )


def check_numbers(**numbers):
    """Raise a `ValueError` for what is no whole number above 0."""
    for argument, number in numbers.items():
        if not isinstance(number, (int, np.integer)) or number < 1:
            raise ValueError(
                f"`{argument}`: expected a whole number above 0. Received: {argument}={number!r}"
            )


def check_seed(seed):
    """Raise a `ValueError` for what is no whole number that random numbers can start from."""
    if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise ValueError(
            f"`seed`: expected a whole number from 0 to 2^32 - 1. Received: seed={seed!r}"
        )
