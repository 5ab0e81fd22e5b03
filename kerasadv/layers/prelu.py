"""The parametric rectified linear unit: a ReLU that learns its slope for negative inputs."""

import keras
from keras import ops

from kerasadv.saving import register


@register
class PReLU(keras.layers.Layer):
    """Parametric rectified linear unit.

    `f(x) = x` for `x > 0`, else `alpha * x`, with a learned slope `alpha`: one per channel,
    starting at 0.25, as in the paper. Differs from `keras.layers.PReLU` in these two defaults (one
    slope per activation, starting at 0, there), in working on images of unknown size, and in
    understanding negative `shared_axes`; weights saved from Keras' layer load into this one when
    the slopes are shared alike.

    Args:
        alpha_initializer: Initializer of the slopes. Defaults to 0.25.
        alpha_regularizer: Regularizer of the slopes. The paper advises against weight decay.
        alpha_constraint: Constraint on the slopes.
        shared_axes: Axes along which activations share a slope, counted as in the input, where
            axis 0 is the batch: `[1, 2]` gives one slope per channel for images, `[]` one per
            activation. Defaults to all axes between the batch and the last.
        **kwargs: `name`, `dtype` and `trainable`, as for every Keras layer.

    Input shape:
        `(batch, ..., channels)`; axes that are not shared need a known size.

    Output shape:
        That of the input.

    Raises:
        ValueError: If `shared_axes` names the batch axis or one that the input does not have, or if
            an axis that is not shared has no known size.

    Example:
    >>> import numpy as np
    >>> import kerasadv
    >>> layer = kerasadv.layers.PReLU()
    >>> np.array(layer(np.array([[-4.0, 4.0]], "float32")))
    array([[-1.,  4.]], dtype=float32)

    Reference:
        He et al., "Delving deep into rectifiers: surpassing human-level performance on ImageNet
        classification", ICCV 2015.
    """

    def __init__(
        self,
        alpha_initializer=0.25,
        alpha_regularizer=None,
        alpha_constraint=None,
        shared_axes=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if isinstance(alpha_initializer, (int, float)):
            alpha_initializer = keras.initializers.Constant(alpha_initializer)
        if shared_axes is not None:
            shared_axes = [shared_axes] if isinstance(shared_axes, int) else list(shared_axes)
            if not all(isinstance(axis, int) and axis != 0 for axis in shared_axes):
                raise ValueError(
                    "`shared_axes`: expected whole numbers other than 0, the batch. "
                    f"Received: shared_axes={shared_axes}"
                )
        self.alpha_initializer = keras.initializers.get(alpha_initializer)
        self.alpha_regularizer = keras.regularizers.get(alpha_regularizer)
        self.alpha_constraint = keras.constraints.get(alpha_constraint)
        self.shared_axes = shared_axes
        self.supports_masking = True

    def build(self, input_shape):
        rank = len(input_shape)
        axes = list(range(1, rank - 1)) if self.shared_axes is None else self.shared_axes
        if not all(-rank < axis < rank for axis in axes):
            raise ValueError(
                f"`shared_axes`: expected axes 1 to {rank - 1} or {1 - rank} to -1 for inputs of "
                f"rank {rank}. Received: shared_axes={axes}"
            )
        shared = {axis % rank for axis in axes}
        shape = [1 if axis in shared else input_shape[axis] for axis in range(1, rank)]
        if None in shape:
            raise ValueError(
                "`shared_axes`: expected every axis of unknown size to be shared. Received: "
                f"shared_axes={axes}, input shape {tuple(input_shape)}"
            )
        self.alpha = self.add_weight(
            name="alpha",
            shape=shape,
            initializer=self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )
        self.built = True

    def call(self, inputs):
        # A choice, not a sum of two halves: the slope at 0 is then `alpha`, never `1 + alpha`.
        return ops.where(inputs > 0, inputs, self.alpha * inputs)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "alpha_initializer": keras.initializers.serialize(self.alpha_initializer),
            "alpha_regularizer": keras.regularizers.serialize(self.alpha_regularizer),
            "alpha_constraint": keras.constraints.serialize(self.alpha_constraint),
            "shared_axes": self.shared_axes,
        }
