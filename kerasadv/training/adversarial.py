"""Two players, a generator and a discriminator, trained against each other by compile and fit."""

import keras
import numpy as np
from keras import ops

from kerasadv.losses import Minimax
from kerasadv.saving import register
from kerasadv.training.game import Game, spread
from kerasadv.training.player_checks import check_players, check_settings
from kerasadv.training.sampling import drawn, generated, sheet


@register
class GAN(keras.Model):
    """A generator and a discriminator that play against each other, a Keras model like any other.

    `fit` takes images, alone: arrays, or a `tf.data.Dataset` of batches. On several replicas a step
    is that of one with all images, if they share each batch evenly. In the logs are loss and
    accuracy of each player, the `spread` of generated images as a share of that of real ones and,
    on TensorFlow, the norms of both gradients; `evaluate` gives the value of the game. `save`,
    `save_weights` and callbacks that save keep both players, both optimizers and the state of the
    random numbers, so that a training that goes on ends as one that was never stopped.

    Under `mixed_float16` one loss scale serves both players, and a step that is not finite on one
    replica is left out on all; `mixed_bfloat16` needs neither. On the JAX backend, too, the step
    is one program; there the players always move at once.

    Args:
        generator: A functional model from latents, `(batch, *latent_shape)`, to images.
        discriminator: A functional model from images to scores, `(batch, 1)`, or `(batch, height,
            width, 1)` for patches. Scores have no activation: they are logits, or any number,
            depending on the loss.
        latent_shape: Shape of a latent; its numbers are normally distributed.
        ema_momentum: If above 0, `generate` takes the average of the generator's weights over the
            steps, of which this share stays at each step; 0.999 is usual.
        seed: Of the latents.
        value_range: Values of black and white in the images, for pictures of them.

    Raises:
        ValueError: If an argument is out of range, or the players do not fit each other.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> import kerasadv
    >>> generator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    >>> discriminator = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    >>> gan = kerasadv.training.GAN(generator, discriminator, latent_shape=(2,))
    >>> gan.compile(
    ...     generator_optimizer=keras.optimizers.Adam(2e-4, beta_1=0.5),
    ...     discriminator_optimizer=keras.optimizers.Adam(2e-4, beta_1=0.5),
    ...     loss=kerasadv.losses.Minimax(),
    ... )
    >>> history = gan.fit(np.ones((8, 3), "float32"), batch_size=4, verbose=0)
    >>> sorted(history.history)[:3]
    ['discriminator_gradient_norm', 'discriminator_loss', 'fake_accuracy']
    >>> gan.generate(5, seed=1).shape
    (5, 3)

    Reference:
        Goodfellow et al., "Generative adversarial nets", NeurIPS 2014. Radford et al.,
        "Unsupervised representation learning with deep convolutional generative adversarial
        networks", ICLR 2016.
    """

    def __init__(
        self,
        generator,
        discriminator,
        latent_shape=(128,),
        ema_momentum=0.0,
        seed=None,
        value_range=(-1, 1),
        name="gan",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        latent_shape = tuple(int(length) for length in latent_shape)
        check_players(generator, discriminator, latent_shape, ema_momentum, value_range)
        self.generator = generator
        self.discriminator = discriminator
        self.latent_shape = latent_shape
        self.ema_momentum = ema_momentum
        self.averaged = None
        if ema_momentum:
            self.averaged = keras.models.clone_model(generator)
            self.averaged.set_weights(generator.get_weights())
            self.averaged.trainable = False
        self.seed = seed
        self.value_range = tuple(value_range)
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._evaluating = self._in_step = False
        self.built = True

    def compile(
        self,
        generator_optimizer,
        discriminator_optimizer,
        loss=None,
        penalties=(),
        discriminator_steps=None,
        metrics=(),
        **kwargs,
    ):
        """Configure training.

        Args:
            generator_optimizer, discriminator_optimizer: A Keras optimizer for each player.
            loss: `kerasadv.losses.Minimax()` (default), `HingeGAN()`, `LSGAN()`, `WGAN()`, or
                another loss of the scores of real and of generated images with a method
                `generator` of the scores of generated ones.
            penalties: Penalties on the discriminator, such as `kerasadv.training.R1()`.
            discriminator_steps: `None`: both players take each step at once, from the same images
                (simultaneous gradient descent). A number: each batch is cut in so many parts, the
                discriminator takes a step on each, and then the generator takes one against the
                discriminator that came of it (alternating). These are different algorithms.
            metrics: Metrics of real and of generated images for `evaluate`, such as
                `kerasadv.metrics.FrechetDistance(extractor)`.
            **kwargs: `run_eagerly`, `jit_compile`, `steps_per_execution`, `auto_scale_loss`, as for
                every Keras model.

        Raises:
            ValueError: If an argument is none of these, or not possible on the Keras backend.
        """
        loss = Minimax() if loss is None else loss
        optimizers = {
            "generator_optimizer": generator_optimizer,
            "discriminator_optimizer": discriminator_optimizer,
        }
        check_settings(optimizers, loss, discriminator_steps, metrics, self.dtype_policy)
        of_generator = {id(v) for v in self.generator.trainable_variables}
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        both = keras.optimizers.MultiOptimizer(
            lambda v: generator_optimizer if id(v) in of_generator else discriminator_optimizer
        )
        super().compile(optimizer=both, **kwargs)
        self.loss, self.discriminator_steps = loss, discriminator_steps
        self.game = Game(loss, penalties)
        self._means, self._image_metrics = self.game.means, list(metrics)  # Here Keras finds them.
        rules = {"loss": loss, "penalties": list(penalties), "metrics": list(metrics)}
        rules["discriminator_steps"] = discriminator_steps
        self._settings = {**optimizers, **rules, **kwargs}
        self.optimizer.build(self.trainable_variables)

    def get_compile_config(self):
        return {
            key: keras.saving.serialize_keras_object(value) for key, value in self._settings.items()
        }

    def compile_from_config(self, config):
        self.compile(**{k: keras.saving.deserialize_keras_object(v) for k, v in config.items()})

    def call(self, images, training=False):
        """The scores of images, and of as many that the generator makes.

        From these Keras' own step follows; on TensorFlow there is a faster one.

        Returns:
            A dictionary: `"real"` and `"fake"`, scores; `"caught"`, those of `"fake"` again, whose
            slope is by the generator's weights alone, where that of `"fake"` is by the
            discriminator's; `"generated"`, the images.
        """
        if training:
            self.update_average()
        fake = self.generator(self.latents(images), training=training)
        apart = ops.stop_gradient(fake)
        real_scores = self.discriminator(images, training=training)
        fake_scores = self.discriminator(apart, training=training)
        caught, _ = self.discriminator.stateless_call(
            [ops.stop_gradient(v.value) for v in self.discriminator.trainable_variables],
            [v.value for v in self.discriminator.non_trainable_variables],
            fake,
            training=training,
        )
        return {"real": real_scores, "fake": fake_scores, "caught": caught, "generated": apart}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The sum of what both players minimize; each part has a slope by one player alone."""
        loss = self.game.discriminator_loss(y_pred["real"], y_pred["fake"])
        loss += self.game.generator_loss(y_pred["caught"])
        self.game.show(spread=spread(x, y_pred["generated"]))
        if training:
            return loss + self.penalty(x, y_pred["generated"])
        for metric in self._image_metrics:
            metric.update_state(x, y_pred["generated"])
        return loss

    def penalty(self, real, fake):
        """The penalties on the discriminator, a number."""
        return self.game.penalty(
            self.discriminator, real, fake, lambda: self._drawn(keras.random.uniform, real)
        )

    def train_step(self, *args, **kwargs):
        if keras.backend.backend() != "tensorflow":
            return super().train_step(*args, **kwargs)
        from kerasadv.training.adversarial_step import step

        images, _, _ = keras.utils.unpack_x_y_sample_weight(*args)
        self.update_average()
        step(self, images)
        return self.get_metrics_result()

    @property
    def learning_rates(self):
        """The current learning rate of each player, for logs."""
        return {
            f"learning_rate/{player}": getattr(self, f"{player}_optimizer").learning_rate
            for player in ("generator", "discriminator")
        }

    def test_step(self, *args, **kwargs):
        self._in_step = True
        try:
            return super().test_step(*args, **kwargs)
        finally:
            self._in_step = False

    def evaluate(self, *args, **kwargs):
        self._evaluating = True
        try:
            return super().evaluate(*args, **kwargs)
        finally:
            self._evaluating = False

    def get_metrics_result(self):
        logs = self.game.logs()
        for metric in self._image_metrics if self._evaluating or self._in_step else ():
            # Not after each batch: it may take long.
            logs[metric.name] = float("nan") if self._in_step else metric.result()
        return logs

    def update_average(self):
        if self.averaged is not None:
            for ours, theirs in zip(self.averaged.weights, self.generator.weights):
                ours.assign(ours + (1 - self.ema_momentum) * (theirs - ours))

    def latents(self, images):
        """A latent for each image."""
        return self._drawn(keras.random.normal, images, self.latent_shape)

    def _drawn(self, distribution, images, shape=()):
        return drawn(distribution, ops.shape(images)[0], shape, self.seed_generator)

    def generate(self, number, seed=None, batch_size=64):
        """Images of the generator, or of the average of its weights if there is one.

        Args:
            number: How many.
            seed: A whole number, for the same images each time. By default always new ones.
            batch_size: How many to make at once.

        Returns:
            A NumPy array, `(number, height, width, channels)`.
        """
        if seed is None:
            seed = int(np.random.default_rng().integers(2**31))
        latents = keras.random.normal((number, *self.latent_shape), seed=seed)
        model = self.generator if self.averaged is None else self.averaged
        return generated(model, latents, batch_size)

    def pictures(self):
        """Images of always the same latents on one sheet, `(1, height, width, channels)`, uint8.

        Nothing for what is not grey or coloured. `kerasadv.training.TensorBoard` shows it.
        """
        shape = self.generator.output_shape[1:]
        if len(shape) != 3 or shape[-1] not in (1, 3):
            return {}
        low, high = self.value_range
        shares = (self.generate(36, seed=0) - low) / (high - low)
        return {"generated": sheet(np.rint(255 * shares.clip(0, 1)).astype("uint8"))[None]}

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["seed_generator"] = self.seed_generator.state

    def load_own_variables(self, store):
        self.seed_generator.state.assign(store["seed_generator"])

    def get_config(self):
        return {
            **super().get_config(),
            "name": self.name,
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            "latent_shape": list(self.latent_shape),
            "ema_momentum": self.ema_momentum,
            "seed": self.seed,
            "value_range": list(self.value_range),
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for player in ("generator", "discriminator"):
            config[player] = keras.saving.deserialize_keras_object(config[player])
        return cls(**config)
