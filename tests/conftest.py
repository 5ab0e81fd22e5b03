"""Two logical CPU devices, seeds, and no surprise in the standard error."""

import os
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("JAX_ENABLE_X64", "1")  # Some tests compute in float64.
# tensorflow-datasets keeps what the tests prepare here, not in the home of who runs them.
_prepared = tempfile.TemporaryDirectory(prefix="kerasadv-tests-")
os.environ["TFDS_DATA_DIR"] = _prepared.name

from pathlib import Path  # noqa: E402

import keras  # noqa: E402
import pytest  # noqa: E402

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    # Before anything touches a device: replicas need two of them.
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def mirrored():
    """A strategy with two replicas."""
    import kerasadv

    return kerasadv.training.strategy("mirrored")


@pytest.fixture
def stopped_after_one_epoch(monkeypatch):
    """A function that runs a training's `main` in a folder until its first checkpoint is there."""
    import kerasadv

    def run(main, arguments, folder):
        save = kerasadv.training.Checkpoint.on_epoch_end

        def stop(self, epoch, logs=None):
            save(self, epoch, logs)
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(kerasadv.training.Checkpoint, "on_epoch_end", stop)
            with pytest.raises(SystemExit) as stopped:
                main([*arguments, "--output", str(folder)])
        assert stopped.value.code == 130
        assert not (folder / "model.weights.h5").exists()

    return run


@pytest.fixture
def refused():
    """A function that runs a command's `main` with options, and gives the one line it ends with."""

    def run(main, *argv):
        with pytest.raises(SystemExit) as caught:
            main(list(map(str, argv)))
        message = str(caught.value.code)
        assert message.startswith("error: ") and "\n" not in message
        return message

    return run


@pytest.fixture
def nothing_prepared(monkeypatch, tmp_path):
    """Nothing that another test let tensorflow-datasets prepare is found."""
    monkeypatch.setattr("tensorflow_datasets.core.constants.DATA_DIR", str(tmp_path / "prepared"))


@pytest.fixture(scope="session")
def real_data():
    """The folder with the public sets, which not every machine has."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("KERASADV_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real data: neither KERASADV_DATA nor {beside.name} beside the project")
    return folder
