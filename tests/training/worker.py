"""What a worker of a cluster does in the tests: `worker.py DEVICES FOLDER TASK ...`."""

import json
import os
import signal
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import keras
import numpy as np
import tensorflow as tf

devices, folder, *tasks = sys.argv[1:]
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(2)
if int(devices) > 1:
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * int(devices)
    )
    # TensorFlow takes all GPUs of a worker, but of its CPUs, which are all there is here, one.
    from tensorflow.python.distribute import collective_all_reduce_strategy as theirs

    theirs.CollectiveAllReduceExtended._initialize_local_devices = lambda self, resolver, worker: (
        tuple(f"{worker}/device:CPU:{index}" for index in range(int(devices))),
        "CPU",
    )

import kerasadv  # noqa: E402
import zoo  # noqa: E402
from kerasadv.training import cluster  # noqa: E402

strategy = kerasadv.training.strategy("multi_worker")
task = cluster.task()
me = task.worker if task else 0
random = np.random.default_rng(0)
# Noise on grounds of ten brightnesses, which are the labels.
LABELS = random.integers(0, 10, 800)
IMAGES = (random.normal(size=(800, 16, 16, 1)) + LABELS[:, None, None, None]).astype("float32")
MASKS = (LABELS[:, None, None, None] < IMAGES).astype("uint8")


def fitted(model, *data, **options):
    first = [weight.copy() for weight in model.get_weights()]
    model.fit(*data, batch_size=16, shuffle=False, verbose=0, **options)  # 50 steps
    ends = zip(first, model.get_weights(), strict=True)
    return {f"{name}-{k}": w for k, pair in enumerate(ends) for name, w in zip(("0", "50"), pair)}


def unet():
    model = zoo.UNet((None, None, 1), 1, filters=2, depth=1)
    terms = {"dice": kerasadv.losses.GeneralizedDice(), "boundary": kerasadv.losses.Boundary()}
    loss = kerasadv.losses.Compound(terms, weights={"boundary": 0.01})
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=[kerasadv.metrics.Dice()])
    pictures = kerasadv.data.Overlays(IMAGES[:2], MASKS[:2, ..., 0])
    board = kerasadv.training.TensorBoard(f"{folder}/logs-{me}", pictures)
    return fitted(model, IMAGES, MASKS, callbacks=[board], validation_data=(IMAGES, MASKS))


def classifier():
    # Smooth: where a slope jumps, rounding may put a number on this or on that side of it.
    model = zoo.ResidualClassifier(input_shape=(16, 16, 1), filters=2, activation="elu")
    # So slow that rounding does not grow into anything in 50 steps of batch normalization.
    loss = kerasadv.losses.SparseBiTempered(0.8, 1.2)
    model.compile(keras.optimizers.SGD(3e-4), loss, metrics=["accuracy"])
    return fitted(model, IMAGES, LABELS)


def gan():
    model = kerasadv.training.GAN(
        zoo.DCGANGenerator(16, 1, filters=2, latent_size=4, activation="elu"),
        zoo.DCGANDiscriminator(16, 1, filters=2, activation="elu", batch_normalization=True),
        latent_shape=(4,),
        ema_momentum=0.9,
        seed=0,
    )
    optimizers = [keras.optimizers.SGD(1e-3) for player in range(2)]
    # Each real image is mixed with a generated one: it matters which.
    model.compile(*optimizers, penalties=[kerasadv.training.GradientPenalty(0.1)])
    return fitted(model, IMAGES / 10 - 0.5)


def weights():
    """50 steps of each model of the zoo."""
    for build in (unet, classifier, gan):
        keras.utils.set_random_seed(0)
        with strategy.scope():
            made = build()
        np.savez(f"{folder}/{build.__name__}-{me}.npz", **made)
        keras.backend.clear_session()


class Identity(keras.Model):
    """A subclassed model that gives back what it gets, and adds what it has learned."""

    def __init__(self):
        super().__init__()
        self.seen = self.add_weight(shape=(), initializer="zeros")

    def call(self, x):
        return x + self.seen


class Total(keras.metrics.Metric):
    """Sums `5 ** y`, which shows which numbers have been seen, each up to four times."""

    def __init__(self, **options):
        super().__init__(**options)
        self.total = self.add_variable((), "zeros", dtype="float64", name="total")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total.assign_add(keras.ops.sum(5.0 ** keras.ops.cast(y_true, "float64")))

    def result(self):
        return self.total

    def get_config(self):
        return super().get_config()


def stored(numbers):
    """The numbers as a set that tensorflow-datasets has prepared, in a folder of this worker."""
    import tensorflow_datasets as tfds

    return tfds.dataset_builders.store_as_tfds_dataset(
        "numbers",
        version="1.0.0",
        features=tfds.features.FeaturesDict(
            {"x": tfds.features.Tensor(shape=(1,), dtype=tf.float32)}
        ),
        split_datasets={"train": tf.data.Dataset.from_tensor_slices({"x": numbers})},
        data_dir=f"{folder}/tfds-{me}",
    ).as_dataset(split="train")


def sources():
    """Each sample of each kind of data is seen once, whatever the ends."""
    numbers = np.arange(22, dtype="float32")[:, None]
    path = Path(folder) / f"numbers-{me}.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as file:
        for number in numbers:
            file.write(number.tobytes())

    def decoded(record):
        number = tf.io.decode_raw(record, "float32")
        return number, number

    data = {
        "arrays": (numbers, numbers),
        "tensors": (tf.data.Dataset.from_tensor_slices((numbers, numbers)).batch(4), None),
        "one file": (tf.data.TFRecordDataset(str(path)).map(decoded).batch(4), None),
        "four files": (tf.data.TFRecordDataset([str(path)] * 4).map(decoded).batch(4), None),
        "tensorflow-datasets": (stored(numbers).map(lambda row: 2 * (row["x"],)).batch(4), None),
    }
    found = {}
    for name, (x, y) in data.items():
        with strategy.scope():
            model = Identity()
            model.compile(keras.optimizers.SGD(0.1), "mse", weighted_metrics=[Total(name="seen")])
        options = {"batch_size": 4, "shuffle": False} if y is not None else {"shuffle": False}
        history = model.fit(x, y, epochs=2, verbose=0, **options).history
        found[name] = {
            "fitted": history["seen"],
            "evaluated": model.evaluate(x, y, batch_size=4, verbose=0, return_dict=True)["seen"],
            "learned": float(model.get_weights()[0]),
            "predicted": np.ravel(model.predict(numbers, batch_size=4, verbose=0)).tolist(),
        }
    tell(sources=found)


def dealt():
    """Which examples each worker gets in which of five steps, and how many it makes."""
    made, got = [], []

    def make(key, turn):
        number = tf.numpy_function(lambda x: (made.append(int(x)), x)[1], [turn], tf.int64)
        return 2 * (tf.reshape(tf.cast(number, "float32"), (1,)),)

    class Asks(Identity):
        def call(self, x):
            tf.numpy_function(lambda x: got.append(np.ravel(x).tolist()), [x], [])
            return super().call(x)

    order = kerasadv.data.EpochOrder(range(22), batch_size=4)
    with strategy.scope():
        model = Asks()
        model.compile(keras.optimizers.SGD(0.1), "mse", weighted_metrics=[Total(name="seen")])
    batches = order.made(make, cluster.size(strategy))
    seen = model.fit(batches, callbacks=[order], shuffle=False, verbose=0).history["seen"]
    tell(dealt=got, made=len(made), seen=seen, steps=int(model.optimizer.iterations.numpy()))


def weighted():
    """Sample weights, class weights and metrics, of a functional and a sequential model."""
    x, y = IMAGES.reshape(800, -1)[:160, :8], LABELS[:160] % 2
    share = np.linspace(0, 1, 160).astype("float32")
    found = []
    for kind in ("functional", "sequential"):
        keras.utils.set_random_seed(1)
        with strategy.scope():
            layers = [keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(1)]
            inputs = outputs = keras.Input((8,))
            for layer in layers if kind == "functional" else ():
                outputs = layer(outputs)
            model = keras.Model(inputs, outputs)
            if kind == "sequential":
                model = keras.Sequential([inputs, *layers])
            loss = keras.losses.BinaryCrossentropy(from_logits=True)
            model.compile("adam", loss, metrics=["mse"], weighted_metrics=[keras.metrics.AUC()])
        more = {"class_weight": {0: 1.0, 1: 3.0}} if kind == "functional" else {}
        more |= {"sample_weight": share} if kind == "sequential" else {}
        history = model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0, **more).history
        found.append([float(np.ravel(w)[0]) for w in model.get_weights()])
        found.append([float(values[-1]) for values in history.values()])
    tell(weighted=found)


def answers():
    """What our strategy answers itself, TensorFlow's own question among it."""
    with strategy.scope():
        ones = strategy.run(lambda: tf.constant([1.0, 2.0]))
    context = tf.distribute.InputContext(len(task.workers) if task else 1, me)
    tell(
        vector=strategy.reduce("SUM", ones, axis=None).numpy().tolist(),
        rows=float(strategy.reduce("MEAN", ones, axis=0)),
        number=float(strategy.reduce("SUM", strategy.run(lambda: tf.constant(1.0)), axis=None)),
        where=cluster.workers_where(strategy, me == context.input_pipeline_id == 1),
        chief=cluster.of_chief(strategy, 7.0 + me),
        alike=[cluster.alike(strategy, [3, 4]), cluster.alike(strategy, [3, me])],
    )


def nan():
    """The last samples of a batch, which are the last worker's, are no numbers."""
    broken = IMAGES.copy()
    broken[16 * 3 + 15] = np.nan
    keras.utils.set_random_seed(0)
    with strategy.scope():
        # Nothing in it takes a maximum, which on CPUs may make a number of what is none.
        pixels = keras.layers.Conv2D(1, 1, activation="sigmoid")
        model = keras.Sequential([keras.Input((16, 16, 1)), pixels])
        loss = kerasadv.losses.Compound({"dice": kerasadv.losses.GeneralizedDice()})
        model.compile("sgd", loss)
    try:
        fitted(model, broken, MASKS, callbacks=[kerasadv.training.LossTerms()])
    except kerasadv.training.NotANumber as error:
        tell(nan=str(error))


def full():
    """The chief's disk is full after the first epoch, when the other gets SIGTERM."""
    with strategy.scope():
        model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")

    def no_room(file):
        raise OSError(28, "No space left on device")

    class Full(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1 and me == 0:
                os.fsync = no_room
            elif epoch == 1:
                os.kill(os.getpid(), signal.SIGTERM)

    order = kerasadv.data.EpochOrder(range(32), 16)
    checkpoint = kerasadv.training.Checkpoint(f"{folder}/shared", order)
    checkpoint.restore(model)
    x, y = np.ones((32, 8), "float32"), np.ones((32, 1), "float32")
    try:
        checkpoint.fit(model, lambda: order.batches(x, y), 3, [Full()], verbose=0)
    except OSError as error:
        tell(full=str(error))


def tell(**facts):
    with open(f"{folder}/told-{me}.json", "a") as file:
        file.write(json.dumps(facts) + "\n")


for name in tasks:
    globals()[name]()
