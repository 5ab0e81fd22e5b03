"""Paints one photo without a network: its pixels change until VGG sees the painting in it.

python -m zoo.style_transfer.optimize photo.jpg --painting wave.jpg --vgg PATH --output painted.png

That is how Gatys et al. began, and it takes minutes for each photo; Ctrl-C ends it with the picture
of that moment. A trained network minimizes the same loss in one forward pass; how far it gets is
told by the iterations that this would take.
"""

import argparse
import itertools
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from scipy.optimize import Bounds, minimize

from kerasadv.data import DataError, read_image
from zoo.pictures import check_target, write_picture
from zoo.style_transfer.data import SMALLEST, check_size
from zoo.style_transfer.objective import STYLE_WEIGHT, Objective
from zoo.style_transfer.paint import reduced


def optimize(
    objective: Objective,
    photo: np.ndarray,
    shares: np.ndarray,
    iterations: int,
    start: str = "photo",
    watch: Callable[[int, float], bool | None] = lambda iteration, loss: None,
) -> np.ndarray:
    """Change the pixels of a picture, between black and white, so that its loss falls.

    Args:
        objective: The loss.
        photo: uint8, `(height, width, 3)`, whose content to keep.
        shares: Weights of the styles, `(num_styles,)`.
        iterations: Iterations of L-BFGS, each of which looks at the picture once, seldom more.
        start: `"photo"`, or `"noise"` as in the papers, from where it takes longer.
        watch: Function of the iteration and the loss after it, called with 0 before the first. It
            may return True to stop.

    Returns:
        The picture, float32, `(height, width, 3)`.

    Reference:
        Gatys et al., "Image style transfer using convolutional neural networks", CVPR 2016. Byrd et
        al., "A limited memory algorithm for bound constrained optimization", 1995.
    """
    target = objective.target(photo, shares)

    def evaluate(vector):
        picture = tf.constant(vector.reshape(1, *photo.shape), tf.float32)
        value, gradient = objective.value_and_gradient(target, picture)
        return factor * float(value), factor * np.asarray(gradient, "float64").ravel()

    done = itertools.count(1)

    def after_each(intermediate_result):
        if watch(next(done), float(intermediate_result.fun) / factor):
            raise StopIteration

    first = photo.ravel().astype("float64")
    if start == "noise":
        first = np.random.default_rng(0).uniform(0, 255, first.shape)
    factor = 1.0
    value, gradient = evaluate(first)
    # The first step is the gradient itself, whatever its size: it is to move the average pixel by
    # 10. Losses of other weights would hardly move it, and end there.
    factor = 10 / max(np.abs(gradient).mean(), 1e-30)
    if not watch(0, value):
        first = minimize(
            evaluate,
            first,
            jac=True,
            method="L-BFGS-B",
            bounds=Bounds(0, 255),
            callback=after_each,
            # As many iterations as were asked for, however little the last ones bring.
            options={"maxiter": iterations, "maxfun": 20 * iterations, "ftol": 0, "gtol": 0},
        ).x
    return first.reshape(photo.shape).astype("float32")


def main(argv: list[str] | None = None) -> None:
    """The command line: one photo, painted like one painting."""
    parser = argparse.ArgumentParser(
        "python -m zoo.style_transfer.optimize",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("photo", help="PNG, JPEG, WebP or TIFF file")
    parser.add_argument("--painting", required=True, help="picture of a painting")
    parser.add_argument(
        "--vgg", default="imagenet", help="file with the weights of VGG19 (default: a download)"
    )
    parser.add_argument("--iterations", type=int, default=200, help="(default: 200)")
    parser.add_argument(
        "--size", type=int, default=384, help="most pixels of the longer side (default: 384)"
    )
    parser.add_argument(
        "--style-weight",
        type=float,
        default=STYLE_WEIGHT,
        help="the content weighs 1 (default: %(default)s)",
    )
    parser.add_argument(
        "--painting-size",
        type=int,
        default=256,
        help="pixels of the painting's shorter side: more, and its strokes get larger (default: "
        "256)",
    )
    parser.add_argument("--output", default="painted.png", help="(default: painted.png)")
    arguments = parser.parse_args(argv)
    try:
        target = check_target(Path(arguments.output), [arguments.photo, arguments.painting])
        for name, least in (("iterations", 1), ("size", SMALLEST), ("painting_size", SMALLEST)):
            if getattr(arguments, name) < least:
                raise DataError(
                    f"--{name.replace('_', '-')}: expected at least {least}. "
                    f"Received: {getattr(arguments, name)}"
                )
        photo = read_image(arguments.photo, background="white")
        photo = check_size(reduced(photo, arguments.size), arguments.photo)
        painting = read_image(arguments.painting, background="white")
        painting = check_size(painting, arguments.painting)
        objective = Objective(
            {"style": painting}, arguments.vgg, arguments.style_weight, arguments.painting_size
        )
        bar = keras.utils.Progbar(arguments.iterations, stateful_metrics=["loss"])
        stopped: list[int] = []

        def watch(iteration, loss):
            bar.update(iteration, [("loss", loss)])
            if stopped:
                print(f"\nstopped after {iteration} iterations", file=sys.stderr)
            return bool(stopped)

        # Who has seen enough gets what has been painted so far.
        before = signal.signal(signal.SIGINT, lambda number, frame: stopped.append(number))
        try:
            picture = optimize(objective, photo, np.ones(1), arguments.iterations, watch=watch)
        finally:
            signal.signal(signal.SIGINT, before)
        write_picture(picture.round().astype("uint8"), target)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {(str(error) or repr(error)).splitlines()[0]}")
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        sys.exit(130)
    print(target)


if __name__ == "__main__":
    main()
