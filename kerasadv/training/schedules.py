"""Weights of loss terms that move while a model trains."""

from kerasadv.saving import register


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
