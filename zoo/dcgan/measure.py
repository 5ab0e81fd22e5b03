"""Measures how far a generator's pictures are from real ones, in the features of a classifier.

python -m zoo.dcgan.measure --weights FILE --data-dir PATH
python -m zoo.dcgan.measure --weights FILE --classifier inception_v3 --data folder --data-dir PATH

Fréchet and kernel distance of generated pictures to those of the training. Of Fashion-MNIST the
10,000 real pictures of the test part are measured too: what a perfect generator would have.
The numbers of a file of weights go beside it, into measured.json; `python -m zoo add` shows them.
"""

import argparse
import sys
from pathlib import Path

import keras
import numpy as np

import kerasadv
from kerasadv.training.run_files import MEASURED, write_json, write_text
from zoo.dcgan import data as datasets
from zoo.dcgan import sample
from zoo.dcgan.model import DCGANGenerator
from zoo.noisy_labels.data import fashion_mnist
from zoo.noisy_labels.model import ResidualClassifier
from zoo.weights import trained

# A published classifier of Fashion-MNIST, trained on right labels; see zoo/noisy_labels/README.md.
CLASSIFIER = "fashion_mnist"
# The size of the sets of the kernel distance.
_SET = 1000
# Pictures that the extractor looks at together: Inception takes 100 MB for each.
_BATCH = 50


def load_extractor(classifier: str) -> keras.Model:
    """The features of a classifier before its last layer.

    Args:
        classifier: Published weights of a `ResidualClassifier`, those that a run of
            `zoo.noisy_labels.train` left, or `"inception_v3"`, whose weights Keras downloads.

    Raises:
        ValueError: If the weights are not there or do not fit.
    """
    if classifier == "inception_v3":
        return kerasadv.features.inception_v3()
    model = trained(classifier, "noisy_labels", ResidualClassifier)
    return keras.Model(model.input, model.get_layer("pool").output)


def distances(extractor: keras.Model, real: np.ndarray, generated: np.ndarray) -> dict[str, float]:
    """Fréchet and kernel distance of two sets of pictures.

    Args:
        extractor: What looks at them, values from 0 to 255.
        real, generated: uint8, `(number, height, width, channels)`.

    Returns:
        `"frechet"`, and `"kernel"`, the mean over parts of 1,000 real pictures.
    """
    bar = keras.utils.Progbar(len(real) + len(generated), unit_name="picture")

    def seen(pictures):
        found = []
        for part in np.array_split(pictures, -(-len(pictures) // _BATCH)):
            found.append(np.asarray(kerasadv.ops.embeddings(extractor, part)))
            bar.add(len(part))
        return np.concatenate(found)

    vectors = [seen(pictures) for pictures in (real, generated)]
    inputs = keras.Input(vectors[0].shape[1:])
    as_they_are = keras.Model(inputs, inputs)
    metrics = {
        "frechet": kerasadv.metrics.FrechetDistance(as_they_are),
        "kernel": kerasadv.metrics.KernelDistance(as_they_are),
    }
    for pair in zip(*(np.array_split(x, -(-len(real) // _SET)) for x in vectors)):
        for metric in metrics.values():
            metric.update_state(*pair)
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
        help="published weights of a classifier, model.weights.h5 of a run of "
        "zoo.noisy_labels.train, or inception_v3 (default: fashion_mnist)",
    )
    add("--data", choices=datasets.SETS, default="fashion_mnist", help="(default: fashion_mnist)")
    add("--data-dir", help="directory with the files of the set")
    add("--number", type=int, default=10000, help="of pictures to make (default: 10000)")
    add("--seed", type=int, default=1, help="of these pictures (default: 1)")
    add("--output", type=Path, help="file for the table, Markdown (default: none)")
    options = parser.parse_args(argv)
    try:
        rows = _measured(options)
        table = "| pictures | Fréchet distance | kernel distance x 1000 |\n|---|---|---|\n"
        for name, found in rows.items():
            table += f"| {name} | {found['frechet']:.3f} | {1000 * found['kernel']:.3f} |\n"
        print(f"\n{table}", end="", flush=True)  # Before anything that may fail.
        if options.output is not None:
            write_text(options.output, table)
        for path, found in rows.items():
            if Path(path).is_file():  # Beside weights, where `python -m zoo add` looks for it.
                numbers = {f"{name}_distance": number for name, number in found.items()}
                write_json(Path(path).with_name(MEASURED), numbers)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {(str(error) or repr(error)).splitlines()[0]}")


def _measured(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    if options.number < 100:
        raise ValueError(f"--number: expected at least 100. Received: {options.number}")
    generators = {path: trained(path, "dcgan", DCGANGenerator) for path in options.weights}
    extractor = load_extractor(options.classifier)
    first = next(iter(generators.values())).output_shape[1:]
    wanted = extractor.input_shape[1:]
    for path, generator in generators.items():
        made = generator.output_shape[1:]
        if made != first or None not in wanted and made != wanted:
            expected = wanted if None not in wanted else first
            raise ValueError(f"{path}: makes pictures of {made}; expected {expected}")
    real = datasets.load(options.data, options.data_dir, first[0])
    if real.shape[-1] != first[-1]:
        raise ValueError(f"{options.data}: pictures of {real.shape[1:]}; expected {first}")
    rows = {}
    for path, generator in generators.items():
        drawn = sample.latents(options.number, generator.input_shape[1], options.seed)
        rows[path] = distances(extractor, real, sample.make(generator, drawn))
    if options.data == "fashion_mnist":
        ((test, _),), _ = fashion_mnist(options.data_dir, ["test"])
        if test.shape[1:] == first:
            rows["real, not trained on"] = distances(extractor, real, test)
    return rows


if __name__ == "__main__":
    main()
