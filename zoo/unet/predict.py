"""Labels the pixels of pictures with a trained U-Net: a mask and an overlay as PNG.

python -m zoo.unet.predict cells.png --weights dsb2018
python -m zoo.unet.predict photo.png --weights runs/unet-.../model.weights.h5
"""

import argparse
import sys
from pathlib import Path

import keras
import numpy as np

from kerasadv.data import DataError, overlay, read_image
from zoo.catalogue import table
from zoo.pictures import write_picture
from zoo.unet.model import UNet
from zoo.weights import trained


def label(model: keras.Model, image: np.ndarray) -> np.ndarray:
    """The label of each pixel of one image of any size.

    Args:
        model: A `UNet`.
        image: `(height, width, channels)`.

    Returns:
        Labels, uint8, `(height, width)`: 0 and 1 for a model of one class (above 0.5), else the
        most probable class.
    """
    height, width = image.shape[:2]
    multiple = model.get_layer("divisible_size").multiple
    # Reflection leaves mean and spread of the image nearly as they are.
    padding = ((0, -height % multiple), (0, -width % multiple), (0, 0))
    padded = np.pad(image, padding, mode="symmetric").astype("float32")
    probabilities = np.asarray(model(padded[None], training=False))[0, :height, :width]
    if probabilities.shape[-1] == 1:
        return (probabilities[..., 0] > 0.5).astype("uint8")
    return probabilities.argmax(axis=-1).astype("uint8")


def main(argv: list[str] | None = None) -> None:
    """The command line: for each picture `NAME_mask.png` and `NAME_overlay.png`.

    A mask of one class is black and white, one of more classes holds their numbers.
    """
    parser = argparse.ArgumentParser(
        "python -m zoo.unet.predict",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("pictures", nargs="+", help="PNG, JPEG, WebP or TIFF files")
    names = ", ".join(table("unet"))
    parser.add_argument("--weights", required=True, help=f"{names}, or model.weights.h5 of a run")
    parser.add_argument("--output", default=".", help="folder for the results (default: here)")
    arguments = parser.parse_args(argv)
    output = Path(arguments.output)
    failed = False
    stems = [Path(picture).stem for picture in arguments.pictures]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        sys.exit(f"error: {twice[0]}: several pictures of this name; predict them one by one")
    try:
        model = trained(arguments.weights, "unet", UNet)
        output.mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    for picture in map(Path, arguments.pictures):
        try:
            image = read_image(picture, channels=model.input_shape[-1])
            labels = label(model, image)
            mask = labels * 255 if model.output_shape[-1] == 1 else labels
            for kind, array in (("mask", mask), ("overlay", overlay(image, labels))):
                path = output / f"{picture.stem}_{kind}.png"
                write_picture(array, path)
                print(path)
        except (DataError, OSError) as error:  # The other pictures are still worth labelling.
            print(f"error: {error}", file=sys.stderr)
            failed = True
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
