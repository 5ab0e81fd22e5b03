"""The probabilities of a tempered softmax, in a form whose powers are cheap and exact."""

import copy

import keras
from keras import ops

# Closer to 1 than this, powers of `1 + (1 - t) x` lose digits, and `log1p` does not.
_NEAR_ONE = 0.095


class Tempered:
    """A tempered softmax, kept in the form from which its powers and logarithm are exact and cheap.

    For `t` away from 1 that form is the root `r` in `p = r^n`, `n = 1 / |1 - t|`: at `t = 1.2` a
    power of `p` is a product of `r`, without any logarithm or exponential. Near 1 it is `log p`.

    The normalizer is found by Newton's method on `log_t(sum of p) = 0`, which is convex or concave
    for every `t`: it starts at the largest logit and never passes the solution. With
    `s = (1 - t) (logits - max)` and `p = (1 + s + shift)^(1 / (1 - t))`, one round is
    `shift += (S^t - S) / sum(p^t)`, `S = sum(p)`, and `p^t` is `p / (1 + s + shift)`.

    Args:
        logits: Scores in float32 or float64.
        t: Temperature, at least 0.
        axis: The axis of the classes.
    """

    def __init__(self, logits, t, axis=-1):
        self.t = t
        self.axis = axis
        self._near_one = abs(t - 1) < _NEAR_ONE
        # The gradient of a softmax does not depend on where it is computed from.
        self.top = ops.max(logits, axis, keepdims=True)
        scaled = self._scaled(logits)
        if t == 1:
            self._shift = ops.log(ops.sum(ops.exp(scaled), axis, keepdims=True))
        else:
            self._shift = self._solve(scaled)
        self._form = self._form_of(scaled, self._shift)
        # A class that has most of the probability is set apart, as the others are what tells how
        # far it is from 1. With that margin above one half, rounding never lets two classes in.
        self.best = self._with(self._form_of(0.0, self._shift))
        self.alone = self.best.power(1) > 0.51
        self.first = logits == ops.where(self.alone, self.top, float("inf"))
        nothing = float("-inf") if self._near_one else 0
        self.others = self._with(ops.where(self.first, nothing, self._form))

    def power(self, exponent):
        """`p^exponent`; 0 where `p` is 0, whatever the exponent."""
        return self._power(self._form, exponent)

    def log(self, t):
        """`log_t(p)` for `t` up to 1."""
        return self._log(self._form, t)

    def sum(self, exponent):
        """The sum of `p^exponent` over the classes, with that axis kept."""
        return ops.sum(self.power(exponent), self.axis, keepdims=True)

    def total(self, exponent):
        """The same from `others` and `best`, whose sums the slope needs as well."""
        others = self.others.sum(exponent)
        return others + ops.where(self.alone, self.best.power(exponent), 0)

    def of(self, logits):
        """The same for single logits of each sample, `(..., 1)`, out of those that were given."""
        return self._with(self._form_of(self._scaled(logits), self._shift))

    def _with(self, form):
        other = copy.copy(self)
        other._form = form
        return other

    def _scaled(self, logits):
        return (logits - self.top) * (1.0 if self.t == 1 else 1 - self.t)

    def _solve(self, scaled):
        t = self.t
        # Newton's method doubles the digits: half of them before the last round are enough. Its
        # error after a round is at most about |1 - t| times the square of that before.
        double = keras.backend.standardize_dtype(scaled.dtype) == "float64"
        tolerance = 1.5e-8 if double else 3e-4 / max(abs(1 - t), 0.2)

        def newton(shift):
            form = self._form_of(scaled, shift)
            total = ops.sum(self._power(form, 1), self.axis, keepdims=True)
            slope = ops.sum(self._power(form, t), self.axis, keepdims=True)
            if self._near_one:
                return total * ops.expm1((t - 1) * ops.log(total)) / slope + shift, total
            return (ops.power(total, t) - total) / slope + shift, total

        # Three rounds are enough for nearly all rows; for few classes and mild temperatures, all.
        shift = ops.zeros_like(self.top) if self._near_one else ops.ones_like(self.top)
        for _ in range(3):
            shift, total = newton(shift)
        classes = scaled.shape[self.axis]
        if classes is not None and classes <= 32 and abs(1 - t) <= 0.25 and not double:
            return shift

        def unfinished(rounds, _, total):
            return ops.logical_and(rounds < 60, ops.any(ops.abs(total - 1) > tolerance))

        def again(rounds, shift, _):
            return rounds + 1, *newton(shift)

        return ops.while_loop(unfinished, again, (3, shift, total))[1]

    def _form_of(self, scaled, shift):
        if self.t == 1:
            return scaled - shift
        if self._near_one:
            # 0 below -1: then p is 0, and its logarithm minus infinity.
            return ops.log1p(ops.maximum(scaled + shift, -1)) / (1 - self.t)
        return ops.maximum(scaled + shift, 0) if self.t < 1 else 1 / (scaled + shift)

    def _power(self, form, exponent):
        if self._near_one:
            power = ops.exp(exponent * form)
            return power if exponent > 0 else ops.where(form > float("-inf"), power, 0)
        power = _power(form, exponent / abs(1 - self.t))
        return power if exponent > 0 else ops.where(form > 0, power, 0)

    def _log(self, form, t):
        if self._near_one:
            return log_t_of_log(form, t)
        n = 1 / abs(1 - self.t)
        if 1 - t < _NEAR_ONE:
            return log_t_of_log(n * ops.log(form), t)
        return (_power(form, n * (1 - t)) - 1) * (1 / (1 - t))


def log_t_of_log(log, t):
    """`log_t(x)` from `log(x)`, without loss near `t = 1`."""
    return log if t == 1 else ops.expm1((1 - t) * log) / (1 - t)


def _power(x, exponent):
    """`x^exponent`, as products and a square root where that is possible."""
    halves = round(2 * exponent)
    if abs(2 * exponent - halves) > 1e-9 or abs(halves) > 48:
        return ops.exp(exponent * ops.log(x))
    if halves < 0:
        return 1 / _power(x, -exponent)
    whole = halves // 2
    result = ops.sqrt(x) if halves % 2 else None
    while whole:
        if whole % 2:
            result = x if result is None else result * x
        whole //= 2
        x = x * x if whole else x
    return ops.ones_like(x) if result is None else result
