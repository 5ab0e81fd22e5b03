"""Models for programs without Keras: run by other engines, at sizes of their own."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf

import zoo
from zoo import __main__ as command
from zoo import catalogue, models, weights
from zoo import export as exporting
from zoo.export import FORMATS, export

# Of the packages that convert.
pytestmark = pytest.mark.filterwarnings("ignore")

RNG = np.random.default_rng(0)


def unet():
    keras.utils.set_random_seed(0)
    return zoo.UNet(filters=2, depth=1)


def style():
    keras.utils.set_random_seed(0)
    return zoo.StyleTransfer(num_styles=2, filters=4, residual_blocks=1)


def other_engine(format, path):
    """A function of the model's inputs by name, which knows nothing of Keras."""
    if format == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(path)
        return lambda **inputs: session.run(None, inputs)[0]
    if format == "litert":
        from ai_edge_litert.interpreter import Interpreter

        runner = Interpreter(str(path)).get_signature_runner()
        return lambda **inputs: runner(**inputs)["output_0"]
    loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures["serving_default"]  # `loaded` must live as long as this.
    return lambda **inputs: (loaded, serve(**inputs)["output_0"].numpy())[1]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("size", [None, (32, 48)])
@pytest.mark.parametrize("build", [unet, style])
def test_other_engines_compute_the_same(format, size, build, tmp_path):
    model = build()
    target = tmp_path / f"model{FORMATS[format][0]}"
    description = export(model, format, target, size, labels=["a", "b"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [target.name, target.name + ".json"]
    assert json.loads((tmp_path / f"{target.name}.json").read_text()) == description
    assert description["labels"] == ["a", "b"]
    assert description["largest_difference"] <= 1e-5 * max(1, description["largest_output"])
    engine = other_engine(format, target)
    # Pixels from 0 to 255, as every model of the zoo takes them; two samples, as the batch is free.
    for height, width in [size] if size else [(16, 64), (40, 32)]:
        image = RNG.uniform(0, 255, (2, height, width, 3)).astype("float32")
        inputs = dict(zip(description["inputs"], [image, np.eye(2, dtype="float32")]))
        expected = np.asarray(model(list(inputs.values()) if len(inputs) > 1 else image))
        limit = 1e-5 * max(1, abs(expected).max())
        np.testing.assert_allclose(engine(**inputs), expected, rtol=0, atol=limit)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("build", [zoo.DCGANGenerator, zoo.ResidualClassifier])
def test_models_of_one_size(format, build, tmp_path):
    target = tmp_path / f"model{FORMATS[format][0]}"
    assert export(build(), format, target)["largest_difference"] <= 1e-5
    with pytest.raises(ValueError, match="size: .* has one size, so leave it out"):
        export(build(), format, tmp_path / "other", (28, 28))


def test_less_precise_weights_are_smaller_and_their_loss_is_measured(tmp_path):
    keras.utils.set_random_seed(0)
    model = zoo.UNet(filters=8, depth=2)
    image = RNG.uniform(0, 255, (1, 64, 64, 3)).astype("float32")
    expected = np.asarray(model(image))
    wave = weights.waves(model, 64, 64)
    from_wave = np.asarray(model(wave[0]))
    sizes, off = [], []
    for precision in exporting.PRECISIONS:
        target = tmp_path / f"{precision}.tflite"
        description = export(model, "litert", target, (64, 64), precision)
        (name,) = description["inputs"]
        engine = other_engine("litert", target)
        off.append(abs(engine(**{name: image}) - expected).max())
        difference = abs(engine(**{name: wave[0]}) - from_wave)
        assert description["largest_difference"] == pytest.approx(difference.max(), rel=1e-3)
        assert description["mean_difference"] == pytest.approx(difference.mean(), rel=1e-3)
        assert description["largest_output"] == pytest.approx(from_wave.max(), rel=1e-6)
        sizes.append(target.stat().st_size)
        assert description["bytes"] == sizes[-1]
    assert sizes[0] > 1.5 * sizes[1] > 2 * sizes[2]
    assert off[0] < off[1] < off[2] < 0.2


def picture(shape):
    """A picture without sharp edges, from 0 to 255; or a style, or numbers."""
    if len(shape) != 4:
        return np.eye(shape[1], dtype="float32")[[3]]
    noise = scipy.ndimage.gaussian_filter(RNG.normal(size=shape), (0, 4, 4, 0), mode="wrap")
    noise = (noise - noise.min()) / (noise.max() - noise.min())
    return (255 * noise).astype("float32")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", sorted(catalogue.tables()))
def test_what_is_published_can_be_exported_and_paints_pictures_as_it_does_here(
    name, format, tmp_path
):
    row = catalogue.tables()[name]
    model = getattr(models, row.model)(weights=name)
    free = any(None in tensor.shape[1:] for tensor in model.inputs)
    for size in [None, (256, 256)] if free and format != "saved_model" else [None]:
        target = tmp_path / f"{size}{FORMATS[format][0]}"
        export(model, format, target, size)  # Which compares the two on waves.
        shapes = [(1, *(256 if n is None else n for n in t.shape[1:])) for t in model.inputs]
        inputs = {t.name: picture(shape) for t, shape in zip(model.inputs, shapes, strict=True)}
        ours = model(list(inputs.values()) if len(inputs) > 1 else next(iter(inputs.values())))
        theirs = other_engine(format, target)(**inputs)
        off = np.abs(theirs - ours) / max(1.0, float(np.abs(ours).max()))
        # Where a probability is steepest, two pixels of 65,536 differ by little more.
        assert np.quantile(off, 0.999) <= 1e-5 and off.max() <= 3e-5


def test_what_differs_is_not_kept(tmp_path, monkeypatch):
    right = exporting._run
    monkeypatch.setattr(exporting, "_run", lambda *args: right(*args) + 2e-5)
    with pytest.raises(
        ValueError, match="onnx: expected outputs within 1e-05 of Keras'. Received: 2"
    ):
        export(unet(), "onnx", tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_what_is_interrupted_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(model, format, path, precision):
        path.write_text("half")
        assert path.parent.name.endswith(".partial")
        raise KeyboardInterrupt

    monkeypatch.setattr(exporting, "_write", interrupted)
    words = ["noisy_labels/fashion_mnist", "--format", "onnx", "--output", str(tmp_path)]
    with pytest.raises(SystemExit) as stopped:
        command.main(["export", *words])
    assert stopped.value.code == 130 and list(tmp_path.iterdir()) == []


def test_what_is_terminated_leaves_nothing(tmp_path):
    program = """
import runpy, time
from zoo import export
def slow(model, format, path, precision):
    path.write_text("half")
    print("half", flush=True)
    time.sleep(10000)
export._write = slow
runpy.run_module("zoo", run_name="__main__", alter_sys=True)
"""
    words = ["export", "noisy_labels/fashion_mnist", "--format", "onnx", "--output", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *words], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "half\n" and len(list(tmp_path.iterdir())) == 1
    process.terminate()
    process.communicate()
    assert process.returncode == 143 and list(tmp_path.iterdir()) == []


def test_bad_arguments_are_named(tmp_path, monkeypatch):
    model, target = unet(), tmp_path / "model.onnx"
    with pytest.raises(ValueError, match="format: expected one of saved_model.*ived: 'pickle'"):
        export(model, "pickle", target)
    with pytest.raises(ValueError, match="precision: .*int8. Received: 'int4'"):
        export(model, "litert", target, precision="int4")
    with pytest.raises(ValueError, match="precision: expected float32 with onnx.*ived: 'int8'"):
        export(model, "onnx", target, precision="int8")
    with pytest.raises(ValueError, match="size: `image`: expected .* multiples of 2"):
        export(model, "onnx", target, (31, 32))
    target.write_text("mine")
    with pytest.raises(ValueError, match="model.onnx: exists; remove it"):
        export(model, "onnx", target)
    assert target.read_text() == "mine"
    monkeypatch.setattr(exporting.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="needs tf2onnx, onnx, onnxruntime; pip install 'kerasadv"):
        export(model, "onnx", tmp_path / "other.onnx")


def test_the_command_names_files_after_what_is_in_them(tmp_path, capsys):
    options = ["--format", "litert", "--precision", "float16", "--output", str(tmp_path / "new")]
    command.main(["export", "noisy_labels/fashion_mnist", *options])
    made = tmp_path / "new" / "noisy_labels-fashion_mnist-float16.tflite"
    assert made.is_file() and f"{made}: 0.4 MB; outputs of up to" in capsys.readouterr().out
    row = catalogue.tables()["noisy_labels/fashion_mnist"]
    assert made.stat().st_size < 0.6 * row.size
    for wrong, words in (
        (["export", "unet/gone", *options], "unet/gone: expected one of"),
        (["export", "unet/dsb2018", *options, "--size", "64"], "--size: expected HEIGHTxWIDTH"),
        (["export", "noisy_labels/fashion_mnist", *options], "exists; remove it"),
    ):
        with pytest.raises(SystemExit, match=words):
            command.main(wrong)
