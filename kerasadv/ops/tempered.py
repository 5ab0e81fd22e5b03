"""Tempered logarithm, exponential, softmax and sigmoid, exact for every temperature."""

import math
import numbers

import keras
from keras import ops

from kerasadv.ops.tempered_probabilities import Tempered, log_t_of_log


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

        return log_t_of_log(ops.log(x), t), grad

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
        ValueError: If `t` is negative or not finite, or too high for so many classes (in float32,
            above 12.6 for 1000).

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
    double = keras.backend.standardize_dtype(x.dtype) == "float64"
    y = function(ops.cast(x, "float64" if double else "float32"))
    return ops.cast(y, x.dtype) if keras.backend.is_float_dtype(x.dtype) else y
