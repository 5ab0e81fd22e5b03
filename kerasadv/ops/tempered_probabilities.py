"""The probabilities of a tempered softmax, in a form whose powers are cheap and exact."""

import copy
import math

import keras
from keras import ops

# Closer to 1 than this, powers of `1 + (1 - t) x` lose digits, and `log1p` does not.
_NEAR_ONE = 0.105
# From so many classes on, sums are folded.
_LONG = 64


class Tempered:
    """A tempered softmax, kept in the form from which its powers and logarithm are exact and cheap.

    For `t` away from 1 that form is the root `r` in `p = r^n`, `n = 1 / |1 - t|`: at `t = 1.2` a
    power of `p` is a product of `r`, without any logarithm or exponential. Near 1 it is `log p`.

    The normalizer is found by Newton's method on `log_t(sum of p) = 0`, which is convex or concave
    for every `t`, from a start between the two extremes. With `s = (1 - t) (logits - max)` and
    `p = (s + shift)^(1 / (1 - t))`, one round is `shift += (S^t - S) / sum(p^t)`, `S = sum(p)`, and
    `p^t` is `p / (s + shift)`. Values and slopes of the last two rounds together give a cubic whose
    zero is the shift: as good as another round or two, without another pass over the classes.

    Args:
        logits: Scores in float32 or float64.
        t: Temperature, at least 0.
        axis: The axis of the classes.

    Raises:
        ValueError: If `t` is so high that powers of the probabilities of so many classes are 0 in
            floats: in float32, above 12.6 for 1000 classes.
    """

    def __init__(self, logits, t, axis=-1):
        self.t = t
        self.axis = axis
        self._near_one = abs(t - 1) < _NEAR_ONE
        # The gradient of a softmax does not depend on where it is computed from.
        self.top = ops.max(logits, axis, keepdims=True)
        scaled = self._scaled(logits)
        if t == 1:
            self._shift = ops.log(self.add(ops.exp(scaled)))
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
        return self.add(self.power(exponent))

    def add(self, values):
        """The sum over the classes, with that axis kept."""
        classes = values.shape[self.axis]
        last = self.axis in (-1, len(values.shape) - 1)
        if classes is None or classes < _LONG or not last:
            return ops.sum(values, self.axis, keepdims=True)
        # XLA adds along the last axis of a CPU one by one, which is slow and rounds a lot. So many
        # classes are folded to a quarter first, where it adds many at a time.
        part = classes // 4
        folded = sum(values[..., i * part : (i + 1) * part] for i in range(4))
        result = ops.sum(folded, -1, keepdims=True)
        if classes % 4:
            result = result + ops.sum(values[..., 4 * part :], -1, keepdims=True)
        return result

    def total(self, exponent):
        """The same as `sum`, from `others` and `best`, whose sums the slope needs as well."""
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
        t, classes = self.t, scaled.shape[self.axis]
        double = keras.backend.standardize_dtype(scaled.dtype) == "float64"
        smallest = 700 if double else 80  # Of the powers of p, as a logarithm.
        if classes is not None and (t - 1) * math.log(classes) > smallest:
            raise ValueError(
                f"`t` (of a loss, `t2`): expected at most {1 + smallest / math.log(classes):.3g} "
                f"for {classes} classes, as powers of their probabilities would vanish. "
                f"Received: {t}"
            )
        # Of equal logits the sum is 1 at `most`, of one far above the others at `least`.
        least = 0.0 if self._near_one else 1.0
        size = classes or ops.cast(ops.shape(scaled)[self.axis], scaled.dtype)
        most = least + ops.expm1((t - 1) * ops.log(ops.cast(size, scaled.dtype)))
        limit = ops.maximum if t > 1 else ops.minimum

        def probe(shift):
            """`sum^(1 - t) - 1` and its inverse slope: how far off, and what to do about it."""
            form = self._form_of(scaled, shift)
            total = self.add(self._power(form, 1))
            slope = self.add(self._power(form, t))
            log = (1 - t) * ops.log(total)
            return ops.expm1(log), total / (slope * ops.exp(log))

        def newton(shift, off, inverse, *_):
            shift = limit(shift - off * inverse, least)
            return (shift, *probe(shift), off, inverse)

        start = ops.zeros_like(self.top) + (least + (most - least) / 4)
        state = newton(start, *probe(start))
        enough = None if double else _enough(t, classes)
        if enough != 2:
            state = newton(*state)
        if enough is None:
            # What `_cubic` leaves is about the square of the product of the last two, but not below
            # 1, where classes at the edge of the support make bends: there the last must be small.
            product = 1e-9 if double else 1e-5
            last = math.inf if t > 1 else (2e-14 if double else 5e-7) * max(1, (classes or 1) / 100)

            def unfinished(rounds, _, off, inverse, off_before, *others):
                far = ops.logical_or(ops.abs(off * off_before) > product, ops.abs(off) > last)
                return ops.logical_and(rounds < 30, ops.any(far))

            def again(rounds, *state):
                return (rounds + 1, *newton(*state))

            state = ops.while_loop(unfinished, again, (3, *state))[1:]
        return _cubic(*state)

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


def _enough(t, classes):
    """Probes that bring the sum within 1e-6 of 1 for all logits; `None` where that depends on them.

    Measured, in float64, on rows of one to all but one of the classes at the top and the others
    anywhere below, and on random ones of all sizes; a test holds float32 to twice that.
    """
    if classes is None or abs(1 - t) > 0.25 or classes > 100:
        return None
    return 2 if abs(1 - t) <= 0.2 and classes <= (24 if t > 1 else 16) else 3


def _cubic(shift, off, inverse, off_before, inverse_before):
    """Where a cubic in `off` is at 0 that has the value and slope of two rounds of Newton's method.

    With `part` the share of the way that was left after the former, its secant has the slope
    `inverse_before (1 - part)`. Two that hardly differ are rounding, and no guide: then this is one
    more round.
    """
    way = off - off_before
    differ = ops.abs(off) < 0.3 * ops.abs(off_before)
    part = ops.where(differ, off / ops.where(differ, way, 1), 0)
    lag = inverse_before * part
    bend = (inverse - inverse_before + lag) * (way - off_before) - lag * off_before
    return shift - inverse * off + part * part * bend


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
