"""Wrong labels, made on purpose: some of the right ones replaced."""

import numpy as np

KINDS = ("symmetric", "pair", "small_margin", "large_margin")


def corrupt(
    images: np.ndarray, labels: np.ndarray, num_classes: int, noise: str, seed
) -> np.ndarray:
    """Replace a share of the labels by wrong ones.

    The share is exact but for rounding, and each label that is chosen becomes another.

    Args:
        images: The labels' images, `(number, ...)`; only the margins look at them.
        labels: Whole numbers in `[0, num_classes)`.
        num_classes: Number of classes, at least 2.
        noise: A share in [0, 1), `"0.4"`, or a kind and a share, `"pair:0.4"`; the kinds are
            `symmetric` (also meant where none is named), `pair`, `small_margin`, `large_margin`.
        seed: What `numpy.random.default_rng` takes. The same seed gives the same noise.

    Returns:
        New labels, as `labels`.

    Raises:
        ValueError: If the noise is none that this function knows.

    Example:
    >>> import numpy as np
    >>> from zoo.noisy_labels.noise import corrupt
    >>> corrupt(np.zeros((4, 1)), np.array([0, 1, 2, 2]), 3, "pair:0.5", seed=0).tolist()
    [0, 1, 0, 0]
    """
    kind, rate = parse(noise)
    if kind == "symmetric":
        return symmetric(labels, num_classes, rate, seed)
    if kind == "pair":
        return pair(labels, num_classes, rate, seed)
    if kind == "small_margin":
        return small_margin(images, labels, num_classes, rate)
    return large_margin(images, labels, num_classes, rate, seed)


def parse(noise: str) -> tuple[str, float]:
    """The kind and the share that a noise is written with."""
    kind, _, share = noise.rpartition(":")
    kind = kind or "symmetric"
    try:
        rate = float(share)
    except ValueError:
        rate = -1.0
    if kind not in KINDS or not 0 <= rate < 1:
        raise ValueError(
            "`noise`: expected a share in [0, 1), or one of "
            f"{', '.join(KINDS)} and a share, as in 'pair:0.4'. Received: noise={noise!r}"
        )
    return kind, rate


def symmetric(labels: np.ndarray, num_classes: int, rate: float, seed) -> np.ndarray:
    """Any image may be mistaken for any other class: which, and for which, is drawn by lot."""
    rng = np.random.default_rng(seed)
    return _others(labels, _drawn(labels, rate, rng), num_classes, rng)


def pair(labels: np.ndarray, num_classes: int, rate: float, seed) -> np.ndarray:
    """Each class is mistaken for the next alone, the last for the first."""
    chosen = _drawn(labels, rate, np.random.default_rng(seed))
    wrong = labels.copy()
    wrong[chosen] = (labels[chosen].astype("int64") + 1) % num_classes
    return wrong


def small_margin(images, labels: np.ndarray, num_classes: int, rate: float) -> np.ndarray:
    """The images nearest to another class are mistaken for it.

    A setting of the bi-tempered loss' authors (Amid et al. 2019), who draw points on a plane with a
    known boundary. Here the margin of an image is its distance (L2, in pixel values) to the nearest
    mean image of another class, less that to the mean image of its own.
    """
    margins, nearest = _margins(images, labels, num_classes)
    chosen = np.argsort(margins, kind="stable")[: round(rate * len(labels))]
    wrong = labels.copy()
    wrong[chosen] = nearest[chosen]
    return wrong


def large_margin(images, labels: np.ndarray, num_classes: int, rate: float, seed) -> np.ndarray:
    """The images farthest from every other class are mistaken for one that is drawn by lot.

    The other setting of the same authors: outliers, which a convex loss chases. For the margin, see
    `small_margin`.
    """
    margins, _ = _margins(images, labels, num_classes)
    chosen = np.argsort(-margins, kind="stable")[: round(rate * len(labels))]
    return _others(labels, chosen, num_classes, np.random.default_rng(seed))


def _drawn(labels, rate, rng):
    return rng.choice(len(labels), round(rate * len(labels)), replace=False)


def _others(labels, chosen, num_classes, rng):
    """Labels, the chosen ones replaced by one of the other classes, all equally likely."""
    steps = rng.integers(1, num_classes, len(chosen))
    wrong = labels.copy()
    wrong[chosen] = (labels[chosen].astype("int64") + steps) % num_classes
    return wrong


def _margins(images, labels, num_classes):
    """The margin of each image, and the other class that is nearest to it."""
    pixels = np.asarray(images, "float32").reshape(len(images), -1)
    distances = np.full((len(pixels), num_classes), np.inf, "float32")
    for c in np.unique(labels):  # A class without images is near to none.
        distances[:, c] = np.linalg.norm(pixels - pixels[labels == c].mean(axis=0), axis=1)
    rows = np.arange(len(labels))
    own = distances[rows, labels].copy()
    distances[rows, labels] = np.inf
    nearest = distances.argmin(axis=1).astype(labels.dtype)
    return distances[rows, nearest] - own, nearest
