"""The values of black and white in images."""

import math
import numbers


def check_value_range(value_range):
    """The values of black and white.

    Raises:
        ValueError: If they are not two, the first is not below the second, or one is not finite.
    """
    two = isinstance(value_range, (list, tuple)) and len(value_range) == 2
    two = two and all(isinstance(value, numbers.Real) for value in value_range)
    if not two or not -math.inf < value_range[0] < value_range[1] < math.inf:
        raise ValueError(
            "`value_range`: expected the values of black and white, the first below the second. "
            f"Received: value_range={value_range!r}"
        )
    return value_range
