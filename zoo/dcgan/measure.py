"""Measures how far a generator's pictures are from real ones, in the features of a classifier.

python -m zoo.dcgan.measure --weights FILE --data-dir PATH
python -m zoo.dcgan.measure --weights FILE --classifier inception_v3 --data folder --data-dir PATH

Fréchet and kernel distance of generated pictures to those of the training. Of Fashion-MNIST the
10,000 real pictures of the test part are measured too: what a perfect generator would have.
"""

import argparse
import sys
from pathlib import Path

import keras
import numpy as np

import kerasadv
from kerasadv.training.run_files import load_model, write_json
from zoo.dcgan import data as datasets
from zoo.dcgan import sample
from zoo.dcgan.model import DCGANGenerator
from zoo.noisy_labels.data import fashion_mnist
from zoo.noisy_labels.model import ResidualClassifier

# A classifier of Fashion-MNIST, trained on right labels; its card is zoo/noisy_labels/README.md.
CLASSIFIER = (
    Path(__file__).parents[1] / "weights" / "noisy_labels-fashion_mnist" / "model.weights.h5"
)
# Real pictures looked at together, and the size of the sets of the kernel distance.
_BATCH = 1000


def load_extractor(classifier: str | Path) -> keras.Model:
    """The features of a classifier before its last layer.

    Args:
        classifier: The weights that a run of `zoo.noisy_labels.train` left, or `"inception_v3"`,
            whose weights Keras downloads.

    Raises:
        ValueError: If the weights are not there or do not fit.
    """
    if classifier == "inception_v3":
        return kerasadv.features.inception_v3()
    model = load_model(classifier, ResidualClassifier)
    return keras.Model(model.input, model.get_layer("pool").output)


def distances(extractor: keras.Model, real: np.ndarray, generated: np.ndarray) -> dict[str, float]:
    """Fréchet and kernel distance of two sets of pictures.

    Args:
        extractor: What looks at them, values from 0 to 255.
        real, generated: uint8, `(number, height, width, channels)`.

    Returns:
        `"frechet"`, and `"kernel"`, the mean over parts of 1,000 real pictures.
    """
    metrics = {
        "frechet": kerasadv.metrics.FrechetDistance(extractor),
        "kernel": kerasadv.metrics.KernelDistance(extractor),
    }
    parts = -(-len(real) // _BATCH)
    bar = keras.utils.Progbar(parts, unit_name="part")
    for pair in zip(np.array_split(real, parts), np.array_split(generated, parts)):
        for metric in metrics.values():
            metric.update_state(*pair)
        bar.add(1)
    return {name: float(metric.result()) for name, metric in metrics.items()}


def main(argv: list[str] | None = None) -> None:
    """The command line: a row for each generator, and one for real pictures not trained on."""
    parser = argparse.ArgumentParser(
        "python -m zoo.dcgan.measure",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--weights", required=True, nargs="+", help="model.weights.h5 of one or more runs")
    add(
        "--classifier",
        default=CLASSIFIER,
        help="model.weights.h5 of a run of zoo.noisy_labels.train, or inception_v3 (default: one "
        "of Fashion-MNIST, trained on right labels)",
    )
    add("--data", choices=datasets.SETS, default="fashion_mnist", help="(default: fashion_mnist)")
    add("--data-dir", help="directory with the files of the set")
    add("--number", type=int, default=10000, help="of pictures to make (default: 10000)")
    add("--seed", type=int, default=1, help="of these pictures (default: 1)")
    add("--output", type=Path, help="file for the numbers, JSON (default: none)")
    options = parser.parse_args(argv)
    try:
        rows = _measured(options)
        if options.output is not None:
            write_json(options.output, rows)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {(str(error) or repr(error)).splitlines()[0]}")
    print("\n| pictures | Fréchet distance | kernel distance x 1000 |\n|---|---|---|")
    for name, found in rows.items():
        print(f"| {name} | {found['frechet']:.3f} | {1000 * found['kernel']:.3f} |")


def _measured(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    if options.number < 100:
        raise ValueError(f"--number: expected at least 100. Received: {options.number}")
    generators = {path: load_model(path, DCGANGenerator) for path in options.weights}
    extractor = load_extractor(options.classifier)
    real = datasets.load(options.data, options.data_dir)
    for path, generator in generators.items():
        if generator.output_shape[1:] != real.shape[1:]:
            raise ValueError(
                f"{path}: makes pictures of {generator.output_shape[1:]}; those of {options.data} "
                f"are {real.shape[1:]}"
            )
    rows = {}
    for path, generator in generators.items():
        drawn = sample.latents(options.number, generator.input_shape[1], options.seed)
        rows[path] = distances(extractor, real, sample.make(generator, drawn))
    if options.data == "fashion_mnist":
        ((test, _),), _ = fashion_mnist(options.data_dir, ["test"])
        rows["real, not trained on"] = distances(extractor, real, test)
    return rows


if __name__ == "__main__":
    main()
