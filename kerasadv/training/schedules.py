"""Numbers that move while a model trains: weights of loss terms, and the learning rate."""

import keras

from kerasadv.saving import register

# Steps of a warm-up: at most so many, and at most this part of all.
_WARMUP, _PART = 200, 10


def warmup_cosine(learning_rate: float, steps: int) -> keras.optimizers.schedules.CosineDecay:
    """A learning rate that warms up for a short time, then falls as a cosine to zero.

    It begins at a hundredth of the highest rate, and rises in a straight line for a tenth of the
    steps, though for no more than 200.

    Args:
        learning_rate: The highest rate, above 0.
        steps: All steps of the training.

    Returns:
        The schedule, for any Keras optimizer.

    Raises:
        ValueError: If `learning_rate` is not above 0 and finite, or `steps` below 1.

    Example:
    >>> import kerasadv
    >>> rate = kerasadv.training.warmup_cosine(0.1, steps=1000)
    >>> [round(float(rate(step)), 4) for step in (0, 50, 100, 550, 1000)]
    [0.001, 0.0505, 0.1, 0.05, 0.0]

    Reference:
        Loshchilov and Hutter, "SGDR: Stochastic gradient descent with warm restarts", ICLR 2017:
        the cosine. Goyal et al., "Accurate, large minibatch SGD", 2017: the warm-up.
    """
    if not 0 < learning_rate < float("inf"):
        raise ValueError(
            "`learning_rate`: expected a finite number above 0. "
            f"Received: learning_rate={learning_rate}"
        )
    if steps < 1:
        raise ValueError(f"`steps`: expected at least 1. Received: steps={steps}")
    warmup = min(_WARMUP, steps // _PART)
    return keras.optimizers.schedules.CosineDecay(
        learning_rate / 100,
        max(1, steps - warmup),
        warmup_target=learning_rate,
        warmup_steps=max(1, warmup),
    )


@register
class Ramp:
    """A number that moves in a straight line for some epochs, then stays.

    The boundary loss' authors rebalance: `(1 - alpha) * region + alpha * boundary`, where alpha
    grows from 0.01 by 0.01 an epoch. That is a ramp for each of the two terms of a `Compound`:

    Args:
        start: Value until epoch `begin`.
        stop: Value from epoch `begin + epochs` on.
        epochs: Number of epochs it takes, at least 1.
        begin: Epoch, from 0, in which it starts to move: a boundary loss, say, does best once the
            network finds its objects.

    Raises:
        ValueError: If a value is not finite, `epochs` is below 1 or `begin` below 0.

    Example:
    >>> import kerasadv
    >>> from kerasadv.training import Ramp
    >>> loss = kerasadv.losses.Compound(
    ...     {"dice": kerasadv.losses.GeneralizedDice(), "boundary": kerasadv.losses.Boundary()},
    ...     weights={"dice": Ramp(0.99, 0.01, epochs=98), "boundary": Ramp(0.01, 0.99, epochs=98)},
    ... )
    >>> loss.set_epoch(49)  # the callbacks LossTerms and TensorBoard do this
    >>> {name: round(weight, 6) for name, weight in loss.current_weights().items()}
    {'dice': 0.5, 'boundary': 0.5}

    Reference:
        Kervadec et al., "Boundary loss for highly unbalanced segmentation", Medical Image Analysis
        2021, section 3.
    """

    def __init__(self, start: float, stop: float, epochs: int, begin: int = 0):
        if not (abs(start) < float("inf") and abs(stop) < float("inf")):
            raise ValueError(
                f"`start`, `stop`: expected finite numbers. Received: start={start}, stop={stop}"
            )
        if epochs < 1:
            raise ValueError(f"`epochs`: expected at least 1. Received: epochs={epochs}")
        if begin < 0:
            raise ValueError(f"`begin`: expected at least 0. Received: begin={begin}")
        self.start = start
        self.stop = stop
        self.epochs = epochs
        self.begin = begin

    def __call__(self, epoch: int) -> float:
        done = min(max((epoch - self.begin) / self.epochs, 0.0), 1.0)
        return self.start + (self.stop - self.start) * done

    def get_config(self) -> dict:
        return {
            "start": self.start,
            "stop": self.stop,
            "epochs": self.epochs,
            "begin": self.begin,
        }

    @classmethod
    def from_config(cls, config: dict) -> "Ramp":
        return cls(**config)
