"""Which training images may be labelled wrongly: those whose label a trained model doubts most."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from zoo.noisy_labels.data import Data
from zoo.pictures import write_picture


def ranking(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Indices of images, the most suspicious first: by the probability of the given label."""
    return np.argsort(probabilities[np.arange(len(labels)), labels], kind="stable")


def save_table(data: Data, probabilities: np.ndarray, path: Path) -> None:
    """Write a table of all training images, the most suspicious first."""
    with open(path, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("name", "given", "believed", "probability_of_given"))
        for k in ranking(probabilities, data.labels):
            given, believed = data.labels[k], probabilities[k].argmax()
            table.writerow(
                (
                    data.names[k],
                    data.classes[given],
                    data.classes[believed],
                    f"{probabilities[k, given]:.6f}",
                )
            )


def save_sheet(
    data: Data, probabilities: np.ndarray, path: Path, number: int = 40, columns: int = 8
) -> None:
    """Draw the most suspicious images; under each, the given class and the believed one."""
    side, gap, line, head = 84, 12, 13, 26
    shown = ranking(probabilities, data.labels)[:number]
    rows = -(-len(shown) // columns)
    width, height = side + gap, side + 2 * line + gap
    sheet = Image.new("RGB", (columns * width + gap, head + rows * height + gap), "white")
    draw = ImageDraw.Draw(sheet)
    # Okabe and Ito's vermilion and blue, which colour-blind readers can tell apart.
    colours = {"given label": (213, 94, 0), "believed by the model": (0, 114, 178)}
    for place, (words, colour) in enumerate(colours.items()):
        draw.text((gap + place * width, 8), words, fill=colour)
    for place, k in enumerate(shown):
        left, top = gap + place % columns * width, head + gap + place // columns * height
        pixels = data.images[k]
        picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
        sheet.paste(picture.resize((side, side), Image.Resampling.NEAREST), (left, top))
        given, believed = data.classes[data.labels[k]], data.classes[probabilities[k].argmax()]
        for row, (words, colour) in enumerate(zip((given, believed), colours.values())):
            place_of_words = (left, top + side + row * line)
            draw.text(place_of_words, _fitted(draw, words, side), fill=colour)
    write_picture(sheet, path)


def _fitted(draw, text: str, width: int) -> str:
    while draw.textlength(text) > width:
        text = text.removesuffix("…")[:-1] + "…"
    return text
