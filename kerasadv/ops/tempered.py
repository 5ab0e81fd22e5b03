"""Tempered logarithm, exponential, softmax and sigmoid, exact for every temperature."""

import copy
import math
import numbers

import keras
from keras import ops

# Closer to 1 than this, powers of `1 + (1 - t) x` lose digits, and `log1p` does not.
_NEAR_ONE = 0.095


def log_t(x, t):
    """The tempered logarithm `(x^(1 - t) - 1) / (1 - t)`; at `t = 1`, `log(x)`.

    Args:
        x: Numbers of at least 0, of any shape.
        t: Temperature, a number. Below 1 the result is bounded below by `-1 / (1 - t)`, above 1
            bounded above by `1 / (t - 1)`.

    Returns:
        Numbers in the shape and dtype of `x`.

    Raises:
        ValueError: If `t` is not a finite number.

    Example:
    >>> from kerasadv import ops
    >>> [float(ops.log_t(4.0, t)) for t in (0.0, 0.5, 2.0)]
    [3.0, 2.0, 0.75]

    Reference:
        Naudts, "Deformed exponentials and logarithms in generalized thermostatistics", Physica A
        2002.
    """
    t = temperature("t", t, "as temperature", allowed=math.isfinite)

    # A gradient of its own: the chain rule meets 0 times infinity at 0.
    @ops.custom_gradient
    def log(x):
        def grad(*args, upstream=None):
            upstream = args[0] if upstream is None else upstream
            return upstream * ops.power(x, -t)

        return _log_t_of_log(ops.log(x), t), grad

    return in_float32(log, x)


def exp_t(x, t):
    """The tempered exponential `max(1 + (1 - t) x, 0)^(1 / (1 - t))`; at `t = 1`, `exp(x)`.

    The inverse of `log_t`. Above 1 its tail is heavy: it falls like a power, not exponentially;
    there it is infinite from `x = 1 / (t - 1)` on. Below 1 it is exactly 0 from
    `x = -1 / (1 - t)` down.

    Args:
        x: Numbers, of any shape.
        t: Temperature, a number.

    Returns:
        Numbers in the shape and dtype of `x`.

    Raises:
        ValueError: If `t` is not a finite number.

    Example:
    >>> from kerasadv import ops
    >>> [float(ops.exp_t(-1.0, t)) for t in (0.0, 0.5, 2.0)]
    [0.0, 0.25, 0.5]

    Reference:
        Naudts, "Deformed exponentials and logarithms in generalized thermostatistics", Physica A
        2002.
    """
    t = temperature("t", t, "as temperature", allowed=math.isfinite)

    @ops.custom_gradient
    def exp(x):
        # Minus infinity where there is no logarithm: 0 below `t = 1`, infinity above.
        log = x if t == 1 else ops.log1p(ops.maximum((1 - t) * x, -1)) / (1 - t)

        def grad(*args, upstream=None):
            upstream = args[0] if upstream is None else upstream
            return upstream * ops.where(log > float("-inf"), ops.exp(t * log), 0)

        return ops.exp(log), grad

    return in_float32(exp, x)


def tempered_softmax(logits, t, axis=-1):
    """Probabilities `exp_t(logits - normalizer)` that sum to 1; at `t = 1`, the softmax.

    Above 1 the tails are heavy: no class gets a probability near 0, however low its logit. Below 1
    they are finite: classes far below the best get exactly 0, as in sparsemax, which is `t = 0`.

    Args:
        logits: Scores, `(..., classes)`.
        t: Temperature, at least 0. For a model trained with a bi-tempered loss this is its `t2`.
        axis: The axis of the classes.

    Returns:
        Probabilities in the shape and dtype of `logits`, computed in float32 at least.

    Raises:
        ValueError: If `t` is negative or not finite.

    Example:
    >>> import numpy as np
    >>> from kerasadv import ops
    >>> np.array(ops.tempered_softmax(np.array([3.0, 2.5, 0.0], "float32"), t=0))
    array([0.75, 0.25, 0.  ], dtype=float32)

    Reference:
        Amid et al., "Robust bi-tempered logistic loss based on Bregman divergences", NeurIPS 2019;
        for t = 0, Martins and Astudillo, "From softmax to sparsemax", ICML 2016.
    """
    t = temperature("t", t)

    @ops.custom_gradient
    def softmax(logits):
        p = Tempered(logits, t, axis)

        def grad(*args, upstream=None):
            upstream = args[0] if upstream is None else upstream
            slope = p.power(t)
            mean = ops.sum(upstream * slope, axis, keepdims=True) / p.total(t)
            return slope * (upstream - mean)

        return p.power(1), grad

    return in_float32(softmax, logits)


def tempered_sigmoid(logits, t):
    """The probability of a class against another one whose logit is 0; at `t = 1`, the sigmoid.

    Args:
        logits: Scores, of any shape.
        t: Temperature, at least 0; see `tempered_softmax`.

    Returns:
        Probabilities in the shape and dtype of `logits`.

    Raises:
        ValueError: If `t` is negative or not finite.

    Example:
    >>> import numpy as np
    >>> from kerasadv import ops
    >>> np.array(ops.tempered_sigmoid(np.array([-2.0, 0.0, 0.5], "float32"), t=0))
    array([0.  , 0.5 , 0.75], dtype=float32)

    Reference:
        Amid et al., "Robust bi-tempered logistic loss based on Bregman divergences", NeurIPS 2019.
    """
    return tempered_softmax(against_zero(logits), t, axis=0)[0]


def against_zero(logits):
    """Logits and, as a second class along a new first axis, zeros: `(2, ...)`."""
    logits = ops.convert_to_tensor(logits)
    return ops.stack([logits, ops.zeros_like(logits)])


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
            return _log_t_of_log(form, t)
        n = 1 / abs(1 - self.t)
        if 1 - t < _NEAR_ONE:
            return _log_t_of_log(n * ops.log(form), t)
        return (_power(form, n * (1 - t)) - 1) * (1 / (1 - t))


def temperature(name, value, wanted="of at least 0", allowed=lambda t: t >= 0):
    """The temperature as a float, if it is a finite number that is allowed.

    Raises:
        ValueError: If it is not; the message calls it `name` and says what was `wanted`.
    """
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not allowed(value):
        raise ValueError(f"`{name}`: expected a finite number {wanted}. Received: {name}={value!r}")
    return float(value)


def in_float32(function, x):
    """`function(x)` in the dtype of `x`, computed in float32 if that is a half precision."""
    x = ops.convert_to_tensor(x)
    wide = keras.backend.result_type(x.dtype, "float32")
    y = function(ops.cast(x, wide))
    return ops.cast(y, x.dtype) if keras.backend.is_float_dtype(x.dtype) else y


def _log_t_of_log(log, t):
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
