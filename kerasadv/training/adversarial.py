"""Two players, a generator and a discriminator, trained against each other by compile and fit."""

import functools

import keras
import numpy as np
from keras import ops

from kerasadv.losses import Minimax
from kerasadv.saving import register
from kerasadv.training import player_checks as checks
from kerasadv.training.averaging import average_of, follow
from kerasadv.training.game import Game, spread, within
from kerasadv.training.sampling import drawn, random_states, sample, sheet_of


@register
class GAN(keras.Model):
    """A generator and a discriminator that play against each other, a Keras model like any other.

    `fit` takes images, alone: arrays, or a `tf.data.Dataset` of batches. On several replicas a step
    is that of one with all images, if each gets one of every batch. In the logs are loss and
    accuracy of each player, the `spread` of generated images as a share of that of real ones and,
    on TensorFlow, the norms of both gradients; `evaluate` gives the value of the game. `save`,
    `save_weights` and callbacks that save keep both players, both optimizers and what random
    numbers, also of `Dropout`, go on from: a training that goes on ends as one never stopped.
    Evaluation takes the same latents each time, and the averaged generator if there is one.

    Under `mixed_float16` one loss scale serves both players, and a step that is not finite on one
    replica is left out on all; `mixed_bfloat16` needs neither. On the JAX backend, too, the step
    is one program; there the players always move at once.

    Args:
        generator: A functional model from latents, `(batch, *latent_shape)`, to images.
        discriminator: A functional model from images to scores, `(batch, 1)`, or `(batch, height,
            width, 1)` for patches. Scores have no activation: they are logits, or any number,
            depending on the loss.
        latent_shape: Shape of a latent; its numbers are normally distributed.
        ema_momentum: If above 0, `generate` takes the average of the generator's weights before
            each step, of which this share stays at each step; 0.999 is usual.
        seed: Of the latents.
        value_range: Values of black and white in the images, real and generated ones.

    Raises:
        ValueError: If an argument is out of range, or the players do not fit each other.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> import kerasadv
    >>> generator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    >>> discriminator = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    >>> gan = kerasadv.training.GAN(generator, discriminator, latent_shape=(2,))
    >>> optimizers = [keras.optimizers.Adam(2e-4, beta_1=0.5) for player in range(2)]
    >>> gan.compile(*optimizers, loss=kerasadv.losses.Minimax())
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
        latent_shape = tuple(np.atleast_1d(latent_shape).tolist())
        limits = {"ema_momentum": ema_momentum, "value_range": value_range}
        checks.check_players(generator, discriminator, latent_shape, self.dtype_policy, **limits)
        self.generator, self.discriminator = generator, discriminator
        self.latent_shape, self.ema_momentum = latent_shape, ema_momentum
        self.averaged = average_of(generator) if ema_momentum else None
        self.seed, self.value_range = seed, tuple(value_range)
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.evaluation_seeds = keras.random.SeedGenerator(0)
        self._evaluating = self._in_step = 0
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
                another loss of scores of real and of generated images with a method `generator`.
            penalties: Penalties on the discriminator, such as `kerasadv.training.R1()`.
            discriminator_steps: `None`: both players take each step at once, from the same images
                (simultaneous gradient descent). A number: each batch is cut in so many parts, the
                discriminator takes a step on each, and then the generator takes one against the
                discriminator that came of it (alternating). These are different algorithms, and
                alternating replicas are a third: each cuts its own share of a batch. Where an epoch
                ends with fewer images than parts, some serve more than once.
            metrics: Metrics of real and of generated images for `evaluate`, such as
                `kerasadv.metrics.FrechetDistance(extractor)`.
            **kwargs: `run_eagerly`, `jit_compile` (XLA draws other latents, and the step is the
                same), `steps_per_execution`, `auto_scale_loss`, as for every Keras model.

        Raises:
            ValueError: If an argument is none of these, or not possible on the Keras backend.
        """
        loss = Minimax() if loss is None else loss
        optimizers = {
            "generator_optimizer": generator_optimizer,
            "discriminator_optimizer": discriminator_optimizer,
        }
        rules = {"loss": loss, "penalties": penalties, "metrics": metrics}
        rules["discriminator_steps"] = discriminator_steps
        checks.check_settings(self, optimizers, rules, kwargs)
        of_generator = {id(v) for v in self.generator.trainable_variables}
        self.generator_optimizer, self.discriminator_optimizer = optimizers.values()
        both = keras.optimizers.MultiOptimizer(
            lambda v: generator_optimizer if id(v) in of_generator else discriminator_optimizer
        )
        super().compile(optimizer=both, **kwargs)
        self.loss, self.discriminator_steps = loss, discriminator_steps
        for metric in [*self._metrics]:  # Of an earlier `compile`.
            self._tracker.untrack(metric)
        self.game = Game(loss, penalties)
        self._means, self._image_metrics = self.game.means, list(metrics)  # Here Keras finds them.
        self._settings = {**optimizers, **rules, **kwargs}
        self.optimizer.build(self.trainable_variables)

    def get_compile_config(self):
        pack = keras.saving.serialize_keras_object
        return {key: pack(value) for key, value in self._settings.items()}

    def compile_from_config(self, config):
        self.compile(**{k: keras.saving.deserialize_keras_object(v) for k, v in config.items()})

    def call(self, images, training=False):
        """Scores of images, `"real"`, and of as many that the generator makes, `"fake"`.

        Also `"caught"`, the latter again, with a gradient by the generator's weights alone, where
        that of `"fake"` is by the discriminator's, and `"generated"`, the images. From these Keras'
        own step follows; on TensorFlow there is a faster one.
        """
        if training:
            self.update_average()
            fake = self.generator(self.latents(images), training=True)
        else:
            fake = self.sampled()(self.latents(images, self.evaluation_seeds), training=False)
        seen = ops.stop_gradient(fake)
        real_scores = self.discriminator(images, training=training)
        fake_scores = self.discriminator(seen, training=training)
        caught, _ = self.discriminator.stateless_call(
            [ops.stop_gradient(v.value) for v in self.discriminator.trainable_variables],
            [v.value for v in self.discriminator.non_trainable_variables],
            fake,
            training=training,
        )
        return {"real": real_scores, "fake": fake_scores, "caught": caught, "generated": seen}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The sum of what both players minimize; each part has a gradient by one player alone."""
        checks.check_no_weights(sample_weight)
        loss = self.game.discriminator_loss(y_pred["real"], y_pred["fake"])
        loss += self.game.generator_loss(y_pred["caught"])
        self.game.show(spread=spread(x, y_pred["generated"]))
        if training:
            loss += sum(map(self.game.regularization, (self.generator, self.discriminator)))
            return loss + self.penalty(x, y_pred["generated"])
        for metric in self._image_metrics:
            metric.update_state(x, y_pred["generated"])
        return loss

    def penalty(self, real, fake):
        """The penalties on the discriminator, a number."""
        draw = functools.partial(drawn, keras.random.uniform, real, (), self.seed_generator)
        return self.game.penalty(self.discriminator, real, fake, draw)

    def train_step(self, *args, **kwargs):
        if keras.backend.backend() != "tensorflow":
            return super().train_step(*args, **kwargs)
        from kerasadv.training.adversarial_step import step

        images, _, sample_weight = keras.utils.unpack_x_y_sample_weight(*args)
        checks.check_no_weights(sample_weight)
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

    def fit(self, x=None, *args, **kwargs):
        checks.check_no_weights(**kwargs)  # Keras loses them if there is no y.
        checks.check_images(x, self.value_range)
        return super().fit(x, *args, **kwargs)

    def test_step(self, *args, **kwargs):
        with within(self, "_in_step"):
            return super().test_step(*args, **kwargs)

    def evaluate(self, *args, **kwargs):
        checks.check_no_weights(**kwargs)
        self.evaluation_seeds.state.assign([0, 0])
        with within(self, "_evaluating"):
            return super().evaluate(*args, **kwargs)

    def get_metrics_result(self):
        evaluating = self._evaluating or self._in_step
        logs = self.game.logs(training=not evaluating)
        for metric in self._image_metrics if evaluating else ():
            # Not after each batch: it may take long.
            logs[metric.name] = float("nan") if self._in_step else metric.result()
        return logs

    @property
    def metrics_names(self):
        """Of what `evaluate` gives, in its order."""
        return [name for name in super().metrics_names if name not in self.game.of_training]

    def update_average(self):
        if self.averaged is not None:
            follow(self.averaged, self.generator, self.ema_momentum)

    def sampled(self):
        """The generator that images are sampled from: its average, if there is one."""
        return self.generator if self.averaged is None else self.averaged

    def latents(self, images, seeds=None):
        """A latent for each image."""
        return drawn(keras.random.normal, images, self.latent_shape, seeds or self.seed_generator)

    def generate(self, number, seed=None, batch_size=64):
        """Images of the generator, or of the average of its weights if there is one.

        Args:
            number: How many.
            seed: A whole number, for the same images each time. By default always new ones.
            batch_size: How many to make at once.

        Returns:
            A NumPy array, float32, `(number, height, width, channels)`.
        """
        return sample(self.sampled(), self.latent_shape, number, seed, batch_size)

    def pictures(self):
        """Images of always the same latents on one sheet, `(1, height, width, channels)`, uint8.

        Nothing for what is not grey or coloured. `kerasadv.training.TensorBoard` shows it.
        """
        shape = self.generator.output_shape[1:]
        if len(shape) != 3 or shape[-1] not in (1, 3):
            return {}
        return {"generated": sheet_of(self.generate(36, seed=0), self.value_range)[None]}

    def save_own_variables(self, store):
        super().save_own_variables(store)
        for name, state in random_states(self).items():
            store[name] = state

    def load_own_variables(self, store):
        for name, state in random_states(self).items():
            state.assign(store[name])

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
        unpack = keras.saving.deserialize_keras_object
        players = {player: unpack(config[player]) for player in ("generator", "discriminator")}
        return cls(**(config | players))
