"""Pictures of a segmentation: masks laid over images, truth beside prediction."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

# Okabe and Ito's palette, which colour-blind readers can tell apart; label 0 stays clear.
_COLOURS = np.array(
    [(0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178)]
    + [(213, 94, 0), (204, 121, 167)],
    "float32",
)


def overlay(image: np.ndarray, labels: np.ndarray, opacity: float = 0.45) -> np.ndarray:
    """An image with its labels as a wash of colour, their outline drawn in full.

    Args:
        image: uint8, `(height, width, 1 or 3)`.
        labels: Whole numbers, `(height, width)`; 0 is left as it is.
        opacity: Strength of the wash, 0 to 1.

    Returns:
        uint8, `(height, width, 3)`.

    Example:
    >>> import numpy as np
    >>> from kerasadv.data import overlay
    >>> overlay(np.zeros((1, 1, 1), "uint8"), np.ones((1, 1), int))[0, 0].tolist()
    [103, 71, 0]
    """
    image = np.broadcast_to(image, (*image.shape[:2], 3)).astype("float32")
    colour = _COLOURS[np.where(labels > 0, (labels - 1) % (len(_COLOURS) - 1) + 1, 0)]
    padded = np.pad(labels, 1, mode="edge")
    neighbours = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    edge = np.any([n != labels for n in neighbours], axis=0) & (labels > 0)
    strength = np.where(edge, 1.0, np.where(labels > 0, opacity, 0.0))[..., None]
    return (image * (1 - strength) + colour * strength).astype("uint8")


def side_by_side(
    images: Sequence[np.ndarray],
    truths: Sequence[np.ndarray],
    predictions: Sequence[np.ndarray],
    captions: Sequence[str],
    side: int = 256,
) -> np.ndarray:
    """A sheet with a row per image: the image, its true labels and the predicted ones over it.

    Args:
        images: uint8, `(height, width, 1 or 3)` each, of any sizes.
        truths: Labels, `(height, width)` each.
        predictions: Labels, `(height, width)` each.
        captions: A line to write above each row.
        side: Each picture is fitted into a square of this many pixels.

    Returns:
        The sheet, uint8, `(rows, columns, 3)`.
    """
    gap, line = 6, 16
    sheet = Image.new("RGB", (3 * (side + gap) + gap, len(images) * (side + line + gap)), "white")
    draw = ImageDraw.Draw(sheet)
    for row, (image, truth, guess, caption) in enumerate(
        zip(images, truths, predictions, captions)
    ):
        top = row * (side + line + gap)
        shown = (overlay(image, np.zeros_like(truth)), overlay(image, truth), overlay(image, guess))
        for column, (title, array) in enumerate(zip((caption, "truth", "prediction"), shown)):
            left = gap + column * (side + gap)
            picture = Image.fromarray(array)
            scale = side / max(picture.size)
            size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
            method = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
            sheet.paste(picture.resize(size, method), (left, top + line))
            draw.text((left, top + 2), title, fill="black")
    return np.asarray(sheet)


class Overlays:
    """Truth and prediction side by side for the same images each time: pictures for TensorBoard.

    Args:
        images: What the model takes, `(number, height, width, channels)`, in any range; shown from
            its darkest to its brightest value.
        masks: Labels, `(number, height, width)` or with a last axis of 1.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from kerasadv.data import Overlays
    >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(1, 1)])
    >>> show = Overlays(np.zeros((2, 8, 8, 1)), np.zeros((2, 8, 8)))
    >>> show(model)["truth_and_prediction"].shape
    (2, 8, 16, 3)
    """

    def __init__(self, images: np.ndarray, masks: np.ndarray):
        self.images = np.asarray(images)
        self.masks = np.asarray(masks).reshape(self.images.shape[:3]).astype("int64")
        # The brightest of a thousand pixels counts as white, a single hot one does not.
        low, high = np.percentile(self.images, (0.1, 99.9), axis=(1, 2, 3), keepdims=True)
        scaled = (self.images - low) / np.maximum(high - low, 1e-6)
        self._shown = (scaled.clip(0, 1) * 255).astype("uint8")

    def __call__(self, model) -> dict[str, np.ndarray]:
        guesses = np.asarray(model(self.images, training=False))
        labels = guesses[..., 0] > 0.5 if guesses.shape[-1] == 1 else guesses.argmax(-1)
        rows = [
            np.concatenate([overlay(image, mask), overlay(image, label)], axis=1)
            for image, mask, label in zip(self._shown, self.masks, labels.astype("int64"))
        ]
        return {"truth_and_prediction": np.stack(rows)}
