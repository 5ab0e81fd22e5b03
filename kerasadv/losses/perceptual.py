"""The perceptual loss: images compared by what a trained network sees in them, not by pixels."""

import math
import numbers

import keras
from keras import ops

from kerasadv.losses.per_sample import PerSample
from kerasadv.losses.terms import Terms
from kerasadv.ops.gram import gram_matrix
from kerasadv.saving import pack, pack_extractor, register, unpack, unpack_extractor


def perceptual(y_true, y_pred, extractor, content=None, style=None, paintings=None):
    """Weighted sum of squared differences of features, and of their Gram matrices.

    Arguments and result are those of `Perceptual`; one value per sample, `(batch,)`.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from kerasadv.losses.perceptual import perceptual
    >>> image = keras.Input((None, None, 3))
    >>> pixels = keras.Model(image, {"pixels": image})  # sees no more than the pixels
    >>> black, white = np.zeros((1, 8, 8, 3), "float32"), np.ones((1, 8, 8, 3), "float32")
    >>> float(perceptual(white, black, pixels, content={"pixels": 2.0})[0])
    2.0
    """
    terms = perceptual_terms(y_true, y_pred, extractor, content, style, paintings)
    return sum(terms.values())


def perceptual_terms(y_true, y_pred, extractor, content=None, style=None, paintings=None):
    """The terms that `perceptual` adds up: a dictionary with `"content"`, `"style"` or both.

    Each is the weighted sum over its layers, float32, one value per sample, `(batch,)`.
    """
    content, style = content or {}, style or {}
    paintings = None if paintings is None else _gram_matrices(paintings, style)
    y_true, y_pred = (ops.cast(ops.convert_to_tensor(y), "float32") for y in (y_true, y_pred))
    shares = _shares(paintings)
    _check_shapes(y_true.shape, y_pred.shape, shares, with_content=bool(content))
    # Each image passes once. Not both in one batch: half of the way back would lead to the target.
    seen, wanted = look(extractor, y_pred), {}
    if content or paintings is None:
        wanted = look(extractor, ops.stop_gradient(y_true[..., :-shares] if shares else y_true))
        wanted = {layer: ops.stop_gradient(x) for layer, x in wanted.items()}
    matrices = {}
    for layer in style:
        if paintings is None:
            matrices[layer] = gram_matrix(_at(wanted, layer))
        elif shares:  # The same at every pixel.
            matrices[layer] = ops.tensordot(y_true[:, 0, 0, -shares:], paintings[layer], axes=1)
        else:
            matrices[layer] = paintings[layer]
    return compared(seen, wanted, matrices, content, style)


def look(extractor, images):
    """What an extractor sees in images: features by layer, float32."""
    features = _dictionary(extractor(images, training=False))
    return {layer: ops.cast(x, "float32") for layer, x in features.items()}


def compared(seen, features, matrices, content, style):
    """The terms of `perceptual_terms`, from what was `seen` in images and what should have been.

    `features` are those of the layers in `content`, `matrices` the Gram matrices of those in
    `style`, `(batch or 1, channels, channels)`.
    """
    terms = {}
    if content:
        terms["content"] = sum(
            weight * _distance(_at(seen, layer), _at(features, layer))
            for layer, weight in content.items()
        )
    if style:
        terms["style"] = sum(
            weight * _distance(gram_matrix(_at(seen, layer)), matrices[layer])
            for layer, weight in style.items()
        )
    return terms


@register
class Perceptual(PerSample):
    """Perceptual loss: feature reconstruction and style, as seen by a trained network.

    The content term is the mean of the squared difference between features, over positions and
    channels; it keeps what is in the picture and where. The style term is the mean of the squared
    difference between Gram matrices, over their `channels^2` entries; it keeps colours and
    textures, wherever they are. Gram matrices are `F^T F / (height * width * channels)`
    (`kerasadv.ops.gram_matrix`). Both are summed over layers with the weights given. The
    extractor sees each image once, whatever the number of terms, and computes no gradient for the
    target. `kerasadv.training.LossTerms` and `TensorBoard` show the terms as `content` and `style`,
    with the weights of their layers.
    (On the JAX backend they do not show, and the extractor's weights become constants of the
    compiled step, as everything does that it does not get from the model; with `model.extractor =
    extractor` before `compile` they come from the model, and are saved with it.)

    Weights of other code can be translated: where it has a weight of 1, take the factor below
    (`C` channels, `N` positions of the layer, `S` pixels of the image) as the weight here.

    | code | its Gram matrix | style weight | content weight |
    |---|---|---|---|
    | Johnson et al., code | `F^T F / (C N)` | `1` | `1` |
    | Johnson et al., paper | `F^T F / (C N)` | `C^2` | `1` |
    | Gatys et al., paper | `F^T F` | `C^2 / 4` for each `w_l` | `C N / 2` |
    | Gatys, PyTorch code | `F^T F / N` | `C^2` | `1` |
    | PyTorch's example | `F^T F / (C N)` | `1` | `1` |
    | keras.io's example | `F^T F` | `(C N)^2 C^2 / (36 S^2)` | `C N` |
    | piq | `F^T F` | `(C N)^2` | `C` |

    The last but one and the first four look at pixels of 0 to 255, as the weights of
    `keras.applications` do; PyTorch's networks and piq see values about 58 times smaller, so their
    features, and with them good weights, are others.

    Args:
        extractor: A Keras model that returns a dictionary of named features, as
            `kerasadv.features.vgg` does. It is not trained, and is to compute in float32. With the
            loss only its name and the source of its weights are saved; a model of your own comes
            back if it is a registered class whose `from_config` brings its weights.
        content: Dictionary of layer to weight. Defaults to no content term.
        style: Dictionary of layer to weight. Defaults to no style term.
        paintings: Style to be compared with instead of the target's: dictionary of each layer in
            `style` to the Gram matrix of a painting there, `(channels, channels)`, or to those of
            several, `(paintings, channels, channels)`.
        **kwargs: `reduction`, `name` and `dtype`, as for every Keras loss.

    Input shape:
        `y_true`, `y_pred`: images as the extractor takes them, `(batch, height, width, channels)`.
        With several paintings `y_true` has one channel more for each, filled with its share in the
        style of the image: 1 for one painting, or shares of a blend. `sample_weight`: one weight
        per sample, `(batch,)`.

    Raises:
        ValueError: If there is no term, a layer is not among the extractor's, or shapes do not fit.

    Example:
    >>> import numpy as np
    >>> import kerasadv
    >>> extractor = kerasadv.features.vgg("vgg16", ["block1_conv2", "block2_conv2"], weights=None)
    >>> loss = kerasadv.losses.Perceptual(extractor, {"block2_conv2": 1.0}, {"block1_conv2": 5.0})
    >>> image = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3))
    >>> float(loss(image, image))
    0.0
    >>> matrix = kerasadv.ops.gram_matrix(extractor(image)["block1_conv2"])
    >>> loss = kerasadv.losses.Perceptual(
    ...     extractor, style={"block1_conv2": 5.0}, paintings={"block1_conv2": matrix}
    ... )
    >>> bool(loss(image, image[:, ::-1]) < loss(image, 255 - image))  # a texture, wherever it is
    True

    Reference:
        Johnson et al., "Perceptual losses for real-time style transfer and super-resolution",
        ECCV 2016. Gatys et al., "Image style transfer using convolutional neural networks",
        CVPR 2016.
    """

    def __init__(
        self, extractor, content=None, style=None, paintings=None, name="perceptual", **kwargs
    ):
        super().__init__(name=name, **kwargs)
        if not isinstance(extractor, keras.Model):
            raise ValueError(f"`extractor`: expected a keras.Model. Received: {extractor!r}")
        self.content = _weights("content", content, extractor)
        self.style = _weights("style", style, extractor)
        if not self.content and not self.style:
            raise ValueError(
                "`content`, `style`: expected a weight for at least one layer. "
                f"Received: content={content}, style={style}"
            )
        self.paintings = None if paintings is None else _gram_matrices(paintings, self.style)
        if hasattr(extractor, "outputs"):
            for layer, matrices in (self.paintings or {}).items():
                channels = extractor.output[layer].shape[-1]
                if channels not in (None, matrices.shape[-1]):
                    raise ValueError(
                        f"`paintings`: expected Gram matrices of {channels} channels for "
                        f"{layer!r}. Received: shape {tuple(matrices.shape)}"
                    )
        # Not as an attribute: Keras saves the weights of what it finds there.
        self._extractor = lambda: extractor
        self._terms = Terms([t for t in ("content", "style") if getattr(self, t)])

    def call(self, y_true, y_pred):
        terms = perceptual_terms(
            y_true, y_pred, self._extractor(), self.content, self.style, self.paintings
        )
        for term, values in terms.items():
            self._terms.record(term, values)
        return ops.cast(sum(terms.values()), self.dtype)

    def terms(self):
        """The mean of each term since `reset_terms`, as a dictionary of name to number."""
        return self._terms.result()

    def reset_terms(self):
        """Forget the values that `terms` averages."""
        self._terms.reset()

    def get_config(self):
        paintings = self.paintings or {}
        return {
            **super().get_config(),
            "extractor": pack_extractor(self._extractor()),
            "content": self.content,
            "style": self.style,
            "paintings": {layer: pack(x) for layer, x in paintings.items()} or None,
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        config["extractor"] = unpack_extractor(config["extractor"])
        if config["paintings"] is not None:
            config["paintings"] = {k: unpack(x) for k, x in config["paintings"].items()}
        return cls(**config)


def _check_shapes(true, pred, shares, with_content):
    expected = [*(pred[:-1] if with_content else true[:-1]), pred[-1] and pred[-1] + shares]
    expected[0] = pred[0]
    if len(true) != len(pred) or any(None not in (a, b) and a != b for a, b in zip(true, expected)):
        behind = f" and, behind them, the shares of {shares} paintings" if shares else ""
        raise ValueError(
            f"`y_true`: expected images of the shape of `y_pred`{behind}. "
            f"Received: y_true.shape={tuple(true)}, y_pred.shape={tuple(pred)}"
        )


def _dictionary(features):
    if not isinstance(features, dict):
        raise ValueError(
            "`extractor`: expected a model that returns a dictionary of named features. "
            f"Received: one that returns {type(features).__name__}"
        )
    return features


def _at(features, layer, argument="extractor"):
    if layer not in features:
        raise ValueError(
            f"`{argument}`: expected layers among those of the extractor, {sorted(features)}. "
            f"Received: {layer!r}"
        )
    return features[layer]


def _distance(x, y):
    return ops.mean(ops.square(x - y), axis=tuple(range(1, len(x.shape))))


def _shares(paintings):
    """How many channels of `y_true` tell the shares of paintings: none for a single one."""
    number = 0 if not paintings else next(iter(paintings.values())).shape[0]
    return number if number > 1 else 0


def _weights(argument, weights, extractor):
    """A checked dictionary of layer to weight."""
    weights = {} if weights is None else weights
    if not isinstance(weights, dict):
        raise ValueError(
            f"`{argument}`: expected a dictionary of layer to weight. Received: {weights!r}"
        )
    for layer, weight in weights.items():
        if not isinstance(weight, numbers.Real) or not 0 <= weight < math.inf:
            raise ValueError(
                f"`{argument}`: expected a finite weight of at least 0 for {layer!r}. "
                f"Received: {weight!r}"
            )
        # A subclassed model tells its layers only when it is called.
        if hasattr(extractor, "outputs"):
            _at(_dictionary(extractor.output), layer, argument)
    return {layer: float(weight) for layer, weight in weights.items()}


def _gram_matrices(paintings, style):
    """Gram matrices by layer as tensors, `(paintings, channels, channels)`."""
    if not isinstance(paintings, dict) or set(paintings) != set(style):
        raise ValueError(
            f"`paintings`: expected Gram matrices for the layers of `style`, {sorted(style)}. "
            f"Received: {sorted(paintings) if isinstance(paintings, dict) else paintings!r}"
        )
    tensors = {}
    for layer, matrices in paintings.items():
        x = ops.convert_to_tensor(matrices, "float32")
        tensors[layer] = ops.expand_dims(x, 0) if len(x.shape) == 2 else x
    shapes = {layer: tuple(x.shape) for layer, x in tensors.items()}
    if len({shape[0] for shape in shapes.values()}) != 1 or not all(
        len(shape) == 3 and shape[0] and shape[1] == shape[2] for shape in shapes.values()
    ):
        raise ValueError(
            "`paintings`: expected (channels, channels) or (paintings, channels, channels), with "
            f"as many paintings in every layer. Received: shapes {shapes}"
        )
    return tensors
