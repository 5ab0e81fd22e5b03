"""Random numbers for a game of two players, and what comes of them: images, and a sheet of them."""

import keras
import numpy as np

from kerasadv.training import player_checks as checks


def drawn(distribution, images, shape, seed_generator):
    """Random numbers for images; those of several replicas are those of one with all images.

    Args:
        distribution: `keras.random.normal` or another function of a shape and a `seed`.
        images: Those of this replica.
        shape: Of what each image gets.
        seed_generator: A `keras.random.SeedGenerator`.

    Returns:
        `(number of images, *shape)`.
    """
    number = keras.ops.shape(images)[0]

    def draw(number):
        return distribution((number, *shape), seed=seed_generator)

    if keras.backend.backend() != "tensorflow":
        return draw(number)
    from kerasadv.training.adversarial_step import share

    return share(number, draw)


def random_states(model):
    """The states of a model's random numbers by names, also of layers such as `Dropout`.

    Keras saves none of them.
    """
    states = [v for v in model.variables if v.name == "seed_generator_state"]
    return {f"seed_generator_{number}": state for number, state in enumerate(states)}


def sample(generator, latent_shape, number, seed, batch_size):
    """So many images of a generator, as `GAN.generate` gives them."""
    checks.check_numbers(number=number, batch_size=batch_size)
    seed = np.random.default_rng().integers(2**31) if seed is None else seed
    checks.check_seed(seed)
    latents = keras.random.normal((number, *latent_shape), seed=int(seed))
    return np.concatenate(list(generated(generator, latents, batch_size)))


def generated(generator, latents, batch_size):
    """Images of a generator: float32 arrays of so many at once, one after the other."""
    for start in range(0, len(latents), batch_size):
        images = generator(latents[start : start + batch_size], training=False)
        # NumPy has no bfloat16 of its own.
        yield keras.ops.convert_to_numpy(keras.ops.cast(images, "float32"))


def sheet_of(images, value_range):
    """Pictures on one sheet, whatever the values of black and white; those beyond are cut off."""
    low, high = value_range
    shares = (images - low) / (high - low)
    return sheet(np.rint(255 * shares.clip(0, 1)).astype("uint8"))


def sheet(images, columns=None):
    """Pictures side by side on white, with a gap of two pixels.

    Args:
        images: NumPy array, uint8, `(number, height, width, channels)`.
        columns: How many in a row. By default as many as there are rows, or one more.

    Returns:
        uint8, `(height, width, channels)`.

    Example:
    >>> import numpy as np
    >>> from kerasadv.training.sampling import sheet
    >>> sheet(np.zeros((3, 4, 5, 1), "uint8")).shape  # 2 rows, 2 columns
    (14, 16, 1)
    """
    columns = columns or int(np.ceil(np.sqrt(len(images))))
    rows, gap = -(-len(images) // columns), 2
    height, width, channels = images.shape[1:]
    page = np.full((rows, height + gap, columns, width + gap, channels), 255, "uint8")
    for place, image in enumerate(images):
        page[place // columns, :height, place % columns, :width] = image
    page = page.reshape(rows * (height + gap), columns * (width + gap), channels)
    return np.pad(page, ((gap, 0), (gap, 0), (0, 0)), constant_values=255)
