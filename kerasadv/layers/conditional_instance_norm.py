"""Instance normalization with a scale and shift for each style: one network, many styles."""

import keras
from keras import ops

from kerasadv.ops import standardized
from kerasadv.saving import register


@register
class ConditionalInstanceNormalization(keras.layers.Layer):
    """Instance normalization whose scale and shift depend on the style.

    `(x - mean) / sqrt(variance + epsilon) * gamma_s + beta_s`, with mean and variance of each
    channel over the positions of one image, and a `gamma_s` and `beta_s` learned for each style.
    Styles are given as one weight per style, so that a blend of styles is the same blend of their
    scales and shifts. Computed in float32 at least, as half precision cannot add up so many pixels.

    Args:
        num_styles: Number of styles.
        epsilon: Added to the variance, above 0.
        gamma_initializer: Initializer of the scales. Defaults to 1.
        beta_initializer: Initializer of the shifts. Defaults to 0.
        **kwargs: `name`, `dtype` and `trainable`, as for every Keras layer.

    Input shape:
        `inputs`: features, `(batch, *spatial, channels)`. `styles`: weights of the styles,
        `(batch, num_styles)`, 1 for one of them or a blend that adds up to 1; can be left out if
        there is one style.

    Output shape:
        That of `inputs`.

    Raises:
        ValueError: If `num_styles` is below 1, `epsilon` is not above 0, `inputs` have no spatial
            axis, or `styles` are missing or of another number.

    Example:
    >>> import numpy as np
    >>> import kerasadv
    >>> layer = kerasadv.layers.ConditionalInstanceNormalization(num_styles=2)
    >>> image = np.array([[1.0], [3.0]], "float32").reshape(1, 1, 2, 1)
    >>> layer.build(image.shape)
    >>> _ = layer.gamma.assign([[1], [5]])
    >>> blend = np.array([[0.75, 0.25]], "float32")  # scales by 0.75 * 1 + 0.25 * 5
    >>> np.array(layer(image, blend)).ravel().round(3)
    array([-2.,  2.], dtype=float32)

    Reference:
        Dumoulin et al., "A learned representation for artistic style", ICLR 2017.
    """

    def __init__(
        self,
        num_styles,
        epsilon=1e-5,
        gamma_initializer="ones",
        beta_initializer="zeros",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not isinstance(num_styles, int) or num_styles < 1:
            raise ValueError(
                f"`num_styles`: expected a whole number above 0. Received: num_styles={num_styles}"
            )
        if not isinstance(epsilon, (int, float)) or not 0 < epsilon < float("inf"):
            raise ValueError(f"`epsilon`: expected a number above 0. Received: epsilon={epsilon!r}")
        self.num_styles = num_styles
        self.epsilon = epsilon
        self.gamma_initializer = keras.initializers.get(gamma_initializer)
        self.beta_initializer = keras.initializers.get(beta_initializer)

    def build(self, inputs_shape, styles_shape=None):
        if len(inputs_shape) < 3:
            raise ValueError(
                "`inputs`: expected features, (batch, *spatial, channels). "
                f"Received: shape {tuple(inputs_shape)}"
            )
        shape = (self.num_styles, inputs_shape[-1])
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer=self.gamma_initializer)
        self.beta = self.add_weight(name="beta", shape=shape, initializer=self.beta_initializer)
        self.built = True

    def call(self, inputs, styles=None):
        if (
            styles is None
            and self.num_styles > 1
            or styles is not None
            and (len(styles.shape) != 2 or styles.shape[-1] != self.num_styles)
        ):
            received = "none" if styles is None else f"shape {tuple(styles.shape)}"
            raise ValueError(
                f"`styles`: expected weights of styles, (batch, {self.num_styles}). "
                f"Received: {received}"
            )
        wide = "float64" if ops.dtype(inputs) == "float64" else "float32"
        x, gamma, beta = (ops.cast(t, wide) for t in (inputs, self.gamma, self.beta))
        if styles is not None:
            gamma, beta = (ops.matmul(ops.cast(styles, wide), t) for t in (gamma, beta))
        spatial = tuple(range(1, len(x.shape) - 1))
        gamma, beta = (ops.expand_dims(t, spatial) for t in (gamma, beta))  # (b, 1, 1, c)
        x = standardized(x, spatial, self.epsilon)
        return ops.cast(x * gamma + beta, inputs.dtype)

    def compute_output_shape(self, inputs_shape, styles_shape=None):
        return inputs_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_styles": self.num_styles,
            "epsilon": self.epsilon,
            "gamma_initializer": keras.initializers.serialize(self.gamma_initializer),
            "beta_initializer": keras.initializers.serialize(self.beta_initializer),
        }
