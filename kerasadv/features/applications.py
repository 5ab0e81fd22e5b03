"""Networks of `keras.applications` with their published weights, and why they cannot be had."""

import os
import warnings as python_warnings

import keras


def application(name, weights, **arguments):
    """A network of `keras.applications` without its top, float32 whatever the dtype policy.

    Args:
        name: Its name there, such as `"VGG16"`.
        weights: `"imagenet"` for a download, or the path of a file.
        **arguments: More arguments of the network.

    Raises:
        ValueError: If the weights cannot be found or do not fit.
    """
    if not isinstance(weights, (str, os.PathLike, type(None))):
        raise ValueError(
            f"`weights`: expected 'imagenet', None or the path of a file. Received: {weights!r}"
        )
    if weights not in ("imagenet", None) and not os.path.isfile(weights):
        raise ValueError(
            "`weights`: expected 'imagenet', None or the path of a file. "
            f"Received: weights={os.fspath(weights)!r}, where there is none"
        )
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")  # Another one would round the weights.
    try:
        with python_warnings.catch_warnings():
            # Keras only warns of some weights that do not fit.
            python_warnings.simplefilter("error", UserWarning)
            return getattr(keras.applications, name)(
                include_top=False, weights=weights, **arguments
            )
    except Exception as error:  # Keras raises a bare one when a download fails.
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        if weights == "imagenet":
            raise ValueError(
                f"`weights`: the download of {name} failed ({reason}); give the path of a file "
                f"instead. Received: weights='imagenet'"
            ) from None
        raise ValueError(
            f"`weights`: expected weights of keras.applications' {name} without the top. "
            f"Received: weights={os.fspath(weights)!r} ({reason})"
        ) from None
    finally:
        keras.config.set_dtype_policy(policy)
