"""Paints one photo without a network: its pixels change until VGG sees the painting in it.

python -m zoo.style_transfer.optimize photo.jpg --painting wave.jpg --vgg PATH --output painted.png

That is how Gatys et al. began, and it takes minutes for each photo. A trained network minimizes the
same loss in one forward pass; how far it gets is told by the iterations that this would take.
"""

import argparse
import itertools
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np

from kerasadv.data import DataError, read_image
from kerasadv.saving import register
from zoo.style_transfer.data import check_size, with_shares
from zoo.style_transfer.objective import Objective
from zoo.style_transfer.paint import reduced, save


def optimize(
    objective: Objective,
    photo: np.ndarray,
    shares: np.ndarray,
    start: str = "photo",
    method: str = "lbfgs",
) -> Iterator[tuple[float, np.ndarray]]:
    """Change the pixels of a picture, step by step, so that its loss falls.

    Args:
        objective: The loss.
        photo: uint8, `(height, width, 3)`, whose content to keep.
        shares: Weights of the styles, `(num_styles,)`.
        start: `"photo"`, or `"noise"` as in the papers, from where it takes longer.
        method: `"lbfgs"`, as in the papers, or `"adam"`, which is slower.

    Yields:
        The loss and the picture, float32, which may leave the range of 0 to 255: before the first
        iteration and after each, without an end.
    """
    target = photo[None].astype("float32")
    first = target
    if start == "noise":
        first = np.random.default_rng(0).uniform(0, 255, target.shape)
    targets = np.asarray(with_shares(target, shares[None].astype("float32")))
    nothing = keras.Input((1,), batch_size=1)
    pixels = Pixels(target.shape)
    model = keras.Model(nothing, pixels(nothing))
    # A step of gradient descent at a rate of 1 is the gradient.
    model.compile(keras.optimizers.SGD(1.0), loss=objective.loss())

    def loss_and_gradient(vector):
        picture = vector.reshape(target.shape).astype("float32")
        pixels.set_weights([picture])
        loss = model.train_on_batch(np.zeros((1, 1)), targets)
        return float(loss), (picture - pixels.get_weights()[0]).ravel().astype("float64")

    minimize = {"lbfgs": lbfgs, "adam": adam}[method]
    for loss, vector in minimize(loss_and_gradient, first.ravel().astype("float64")):
        yield loss, vector.reshape(photo.shape).astype("float32")


def adam(
    loss_and_gradient: Callable, start: np.ndarray, rate: float = 8.0
) -> Iterator[tuple[float, np.ndarray]]:
    """Adam: steps of about `rate` for each number, along the mean of the last gradients.

    Arguments and what it yields are those of `lbfgs`.

    Reference:
        Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.
    """
    x, mean, square = start, 0.0, 0.0
    for step in itertools.count(1):
        loss, gradient = loss_and_gradient(x)
        yield loss, x
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        length = np.sqrt(square / (1 - 0.999**step)) + 1e-8
        x = x - rate * mean / (1 - 0.9**step) / length


def lbfgs(
    loss_and_gradient: Callable, start: np.ndarray, history: int = 20
) -> Iterator[tuple[float, np.ndarray]]:
    """L-BFGS: descent along gradients corrected by how they changed in the last steps.

    Args:
        loss_and_gradient: Function of a vector that gives a number and a vector.
        start: Where to begin, float64.
        history: How many steps to remember.

    Yields:
        The loss and the vector, first of `start`, then after each iteration; the last ones again
        when no step helps any more.

    Example:
    >>> import itertools
    >>> import numpy as np
    >>> from zoo.style_transfer.optimize import lbfgs
    >>> bowl = lambda x: (float((x**2) @ [1, 100]), 2 * x * [1, 100])
    >>> steps = list(itertools.islice(lbfgs(bowl, np.array([1.0, 1.0])), 20))
    >>> steps[0][0], steps[-1][0] < 1e-20
    (101.0, True)

    Reference:
        Nocedal and Wright, "Numerical optimization", 2006, algorithms 3.1, 7.4 and 7.5.
    """
    remembered: deque = deque(maxlen=history)
    x = start
    loss, gradient = loss_and_gradient(x)
    yield loss, x
    # The first step moves the average pixel, say, by one.
    scale = 1 / max(np.abs(gradient).mean(), 1e-30)
    while True:
        direction = -_corrected(gradient, remembered, scale)
        slope, step = gradient @ direction, 1.0
        for _ in range(20):
            candidate = x + step * direction
            new_loss, new_gradient = loss_and_gradient(candidate)
            # Armijo's condition. NaN is not below anything.
            if new_loss <= loss + 1e-4 * step * slope:
                break
            step /= 2
        else:
            yield from itertools.repeat((loss, x))
        change, turn = candidate - x, new_gradient - gradient
        if change @ turn > 1e-10 * (turn @ turn):
            remembered.append((change, turn, 1 / (change @ turn)))
            scale = (change @ turn) / (turn @ turn)
        x, loss, gradient = candidate, new_loss, new_gradient
        yield loss, x


def _corrected(gradient, remembered, scale):
    """The gradient times the inverse of the curvature that the remembered steps showed."""
    vector, shares = gradient.copy(), []
    for change, turn, weight in reversed(remembered):
        share = weight * (change @ vector)
        vector -= share * turn
        shares.append(share)
    vector *= scale
    for (change, turn, weight), share in zip(remembered, reversed(shares)):
        vector += change * (share - weight * (turn @ vector))
    return vector


@register
class Pixels(keras.layers.Layer):
    """A picture as the weights of a layer, to be trained as those of a network are.

    Args:
        shape: `(batch, height, width, 3)`.
        **kwargs: `name` and `dtype`, as for every Keras layer.

    Input shape:
        Any; it is not looked at.

    Output shape:
        `shape`.
    """

    def __init__(self, shape, **kwargs):
        super().__init__(**kwargs)
        self.shape = tuple(shape)

    def build(self, input_shape):
        self.pixels = self.add_weight(name="pixels", shape=self.shape, initializer="zeros")
        self.built = True

    def call(self, inputs):
        return keras.ops.convert_to_tensor(self.pixels)

    def compute_output_shape(self, input_shape):
        return self.shape

    def get_config(self):
        return {**super().get_config(), "shape": self.shape}


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
        "--style-weight", type=float, default=5.0, help="the content weighs 1 (default: 5)"
    )
    parser.add_argument("--output", default="painted.png", help="(default: painted.png)")
    arguments = parser.parse_args(argv)
    try:
        if arguments.iterations < 1:
            raise DataError(f"--iterations: expected at least 1. Received: {arguments.iterations}")
        photo = read_image(arguments.photo, background="white")
        photo = reduced(check_size(photo, arguments.photo), arguments.size)
        painting = check_size(read_image(arguments.painting), arguments.painting)
        objective = Objective({"style": painting}, arguments.vgg, arguments.style_weight)
        bar = keras.utils.Progbar(arguments.iterations, stateful_metrics=["loss"])
        steps = optimize(objective, photo, np.ones(1))
        next(steps)  # The photo itself.
        for done in range(1, arguments.iterations + 1):
            loss, picture = next(steps)
            bar.update(done, [("loss", loss)])
        save(picture.clip(0, 255).round().astype("uint8"), Path(arguments.output))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {(str(error) or repr(error)).splitlines()[0]}")
    print(arguments.output)


if __name__ == "__main__":
    main()
