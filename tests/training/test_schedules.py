"""Learning rates that move; `Ramp` is tested with the losses that it moves."""

import math

import numpy as np
import pytest

from kerasadv.training import warmup_cosine


@pytest.mark.parametrize("steps, warmup", [(10000, 200), (2000, 200), (500, 50), (10, 1)])
def test_the_rate_rises_in_a_straight_line_and_falls_as_a_cosine(steps, warmup):
    rate, highest = warmup_cosine(0.02, steps), 0.02
    at = np.arange(steps + 10)
    rising = highest / 100 + (highest - highest / 100) * at / warmup
    done = np.minimum((at - warmup) / (steps - warmup), 1)
    falling = highest * (1 + np.cos(math.pi * done)) / 2
    expected = np.where(at < warmup, rising, falling)
    got = [float(rate(step)) for step in at[:: max(1, steps // 50)]]
    np.testing.assert_allclose(got, expected[:: max(1, steps // 50)], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("steps", range(1, 10))
def test_the_shortest_trainings_have_a_rate_too(steps):
    rate = warmup_cosine(0.02, steps)
    assert float(rate(0)) == pytest.approx(0.0002)
    assert all(0 <= float(rate(step)) <= 0.02 for step in range(steps + 1))


@pytest.mark.parametrize(
    "arguments, named",
    [((0.0, 5), "`learning_rate`"), ((float("nan"), 5), "`learning_rate`"), ((0.1, 0), "`steps`")],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(ValueError, match=f"{named}: expected .* Received: "):
        warmup_cosine(*arguments)
