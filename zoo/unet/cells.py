"""Pictures of cells that never were: a small set to try everything on, drawn by a formula."""

import numpy as np

from kerasadv.data import Example


def draw_cells(number: int = 180, size: int = 128, seed: int = 0) -> list[Example]:
    """Draw grey microscope-like pictures with their masks, the same ones for the same seed.

    Each shows up to a dozen bright, textured, bent ellipses under uneven light, with noise and a
    few bright specks that are not cells; about one in fifteen shows no cell.

    Args:
        number: How many pictures.
        size: Height and width in pixels.
        seed: A whole number.

    Returns:
        The examples; mask 1 is cell.
    """
    rng = np.random.default_rng(seed)
    return [_draw(rng, size, f"cells-{seed}-{k:04d}") for k in range(number)]


def _draw(rng, size, name):
    y, x = np.mgrid[:size, :size] / size
    light = 0.15 + 0.15 * rng.random() + rng.uniform(-0.15, 0.15, 2) @ [y.ravel(), x.ravel()]
    picture = light.reshape(size, size)
    mask = np.zeros((size, size), bool)
    for _ in range(int(rng.integers(0, 13)) if rng.random() > 0.01 else 0):
        centre, radii = rng.random(2), rng.uniform(0.03, 0.11, 2)
        turn = rng.uniform(0, np.pi)
        a = (x - centre[0]) * np.cos(turn) + (y - centre[1]) * np.sin(turn)
        b = (y - centre[1]) * np.cos(turn) - (x - centre[0]) * np.sin(turn)
        b = b + rng.uniform(-3, 3) * a**2  # bent like a bean
        inside = (a / radii[0]) ** 2 + (b / radii[1]) ** 2
        cell = np.clip(3 * (1 - inside), 0, 1)
        texture = 1 + 0.3 * np.sin(rng.uniform(40, 90) * a + 6 * rng.random())
        picture = picture + cell * texture * rng.uniform(0.12, 0.5)
        mask |= inside < 1
    for _ in range(int(rng.integers(0, 5))):
        speck = (x - rng.random()) ** 2 + (y - rng.random()) ** 2
        picture = picture + 0.5 * np.exp(-speck / rng.uniform(2e-5, 1e-4))
    picture = picture + rng.normal(0, rng.uniform(0.02, 0.08), picture.shape)
    image = (np.clip(picture, 0, 1) * 255).astype("uint8")[..., None]
    return Example(name, image, mask.astype("uint8"))
