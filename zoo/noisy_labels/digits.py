"""Pictures of digits in a font: a small set to try everything on, drawn by a formula."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont


def draw_digits(number: int, seed: int = 0, size: int = 28) -> tuple[np.ndarray, np.ndarray]:
    """Draw light digits on dark ground, the same ones for the same seed.

    Each has a size, turn, place, brightness and contrast of its own, and lies under noise.

    Args:
        number: How many pictures.
        seed: A whole number.
        size: Height and width in pixels.

    Returns:
        The pictures, uint8, `(number, size, size, 1)`, and which digits they show.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, number)
    font = ImageFont.load_default(size=2 * size)
    # Drawn at twice the size and then reduced, for smooth edges.
    glyphs = [Image.new("L", (2 * size, 2 * size)) for _ in range(10)]
    for digit, glyph in enumerate(glyphs):
        ImageDraw.Draw(glyph).text((size, size), str(digit), fill=255, font=font, anchor="mm")
    return np.stack([_draw(rng, glyphs[label], size) for label in labels]), labels


def _draw(rng, glyph, size):
    turn, zoom = np.deg2rad(rng.uniform(-20, 20)), 1 / rng.uniform(0.6, 1.1)
    cosine, sine = zoom * np.cos(turn), zoom * np.sin(turn)
    x, y = size * (1 + rng.uniform(-0.15, 0.15, 2))  # where the middle of the digit comes to lie
    # Each place (u, v) of the picture shows the place of the glyph that this takes it to.
    matrix = (
        *(cosine, sine, size - cosine * x - sine * y),
        *(-sine, cosine, size + sine * x - cosine * y),
    )
    drawn = glyph.transform(
        glyph.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
    ).resize((size, size), Image.Resampling.BOX)
    picture = rng.uniform(0, 0.3) + rng.uniform(0.3, 0.7) * np.asarray(drawn) / 255
    picture = picture + rng.normal(0, rng.uniform(0.02, 0.1), picture.shape)
    return (picture.clip(0, 1) * 255).astype("uint8")[..., None]
