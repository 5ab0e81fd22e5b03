"""Random numbers for a game of two players, and what comes of them: images, and a sheet of them."""

import keras
import numpy as np


def drawn(distribution, number, shape, seed_generator):
    """Random numbers, `(number, *shape)`; those of several replicas are those of one with all.

    Args:
        distribution: `keras.random.normal` or another function of a shape and a `seed`.
        number: How many this replica takes.
        shape: Of each.
        seed_generator: A `keras.random.SeedGenerator`.
    """

    def draw(number):
        return distribution((number, *shape), seed=seed_generator)

    if keras.backend.backend() != "tensorflow":
        return draw(number)
    from kerasadv.training.adversarial_step import share

    return share(number, draw)


def generated(generator, latents, batch_size):
    """Images of a generator as a NumPy array, so many at once."""
    images = [
        keras.ops.convert_to_numpy(generator(latents[start : start + batch_size], training=False))
        for start in range(0, len(latents), batch_size)
    ]
    return np.concatenate(images)


def sheet(images, value_range):
    """Images as one picture, uint8, as square as can be.

    Args:
        images: NumPy array, `(number, height, width, 1 or 3)`.
        value_range: Values of black and white.

    Returns:
        `(rows * height, columns * width, channels)`; places without an image are black.

    Example:
    >>> import numpy as np
    >>> from kerasadv.training.sampling import sheet
    >>> sheet(np.array([-1.0, 0.2, 1.0]).reshape(3, 1, 1, 1), (-1, 1))[..., 0].tolist()
    [[0, 153], [255, 0]]
    """
    low, high = value_range
    number, height, width, channels = images.shape
    columns = int(np.ceil(np.sqrt(number)))
    rows = -(-number // columns)
    page = np.zeros((rows * columns, height, width, channels), "uint8")
    page[:number] = np.rint(255 * np.clip((images - low) / (high - low), 0, 1))
    page = page.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    return page.reshape(rows * height, columns * width, channels)
