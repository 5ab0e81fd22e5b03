"""Published models for programs without Keras: SavedModel, ONNX and LiteRT, run and compared.

What a model wants of its inputs, such as the scale of pixels, is part of what is written.
"""

import functools
import importlib.util
import os
import re
import tempfile
import warnings
from pathlib import Path

import keras
import numpy as np

from kerasadv.training.run_files import write_json
from zoo.formats import FORMATS, PRECISIONS
from zoo.weights import waves

# How far outputs may be off, of the largest of them, or of 1.
LIMIT = 1e-5


def export(
    model: keras.Model,
    format: str,
    target: Path,
    size: tuple[int, int] | None = None,
    precision: str = "float32",
    labels: list[str] | None = None,
) -> dict:
    """Write a model, run what was written, and describe it in a JSON file beside it.

    Args:
        model: A model of the zoo.
        format: `"saved_model"`, `"onnx"` or `"litert"`.
        target: The file to write, or the folder for a SavedModel; must not exist.
        size: Height and width of images; by default they stay free where the model's are. A fixed
            size is faster, and some phones take nothing else.
        precision: With `"litert"`, of the weights: `"float16"`, or `"int8"`, whose activations stay
            float32. Outputs are then no longer equal; how far they are off is measured.
        labels: Styles or classes, for the description.

    Returns:
        The description: `inputs`, `output`, `labels`, and the difference from Keras' outputs.

    Raises:
        ValueError: If an argument does not fit, `target` exists, a package is missing, or what was
            written differs from the model.
        OSError: If it cannot be written.

    Reference:
        The formats: https://www.tensorflow.org/guide/saved_model, https://onnx.ai and
        https://ai.google.dev/edge/litert.
    """
    _check(format, target, precision)
    if size is not None:
        model = _fixed(model, size)
    # Multiples of what networks halve their images by.
    sizes = [size] if size is not None else [(64, 64), (128, 192)]
    samples = [_sample(model, *pair, batch) for batch, pair in enumerate(sizes, start=1)]
    # Before it is written: a model that has never been called is not.
    expected = [np.asarray(model(_structure(sample), training=False)) for sample in samples]
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside its place, to which it is moved when it is whole and right; only a SIGKILL leaves it.
    with tempfile.TemporaryDirectory(".partial", f"{target.name}.", target.parent) as folder:
        made = Path(folder) / f"exported{FORMATS[format][0]}"
        _write(model, format, made, precision)
        names = [tensor.name for tensor in model.inputs]
        received = [_run(format, made, dict(zip(names, sample))) for sample in samples]
        off = np.concatenate([abs(a - b).ravel() for a, b in zip(expected, received, strict=True)])
        largest = max(float(abs(x).max()) for x in expected)
        limit = LIMIT * max(1.0, largest)
        if precision == "float32" and not off.max() <= limit:
            raise ValueError(
                f"{format}: expected outputs within {limit:g} of Keras'. Received: {off.max():g}"
            )
        description = {
            "format": format,
            "precision": precision,
            "bytes": _bytes(made),
            "inputs": {tensor.name: list(tensor.shape) for tensor in model.inputs},
            "output": list(model.output_shape),
            "labels": labels or [],
            "largest_output": largest,
            "largest_difference": float(off.max()),
            "mean_difference": float(off.mean()),
        }
        write_json(Path(folder) / "exported.json", description)
        os.replace(made, target)
        os.replace(Path(folder) / "exported.json", beside(target))
    return description


def beside(target: Path) -> Path:
    """The description of an exported model."""
    return target.with_name(f"{target.name}.json")


def _check(format: str, target: Path, precision: str) -> None:
    if format not in FORMATS:
        raise ValueError(f"format: expected one of {', '.join(FORMATS)}. Received: {format!r}")
    if precision not in PRECISIONS:
        raise ValueError(
            f"precision: expected one of {', '.join(PRECISIONS)}. Received: {precision!r}"
        )
    if precision != "float32" and format != "litert":
        raise ValueError(
            f"precision: expected float32 with {format}, others with litert. Received: "
            f"{precision!r}"
        )
    missing = [name for name in FORMATS[format][1] if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(
            f"{format}: needs {', '.join(missing)}; pip install 'kerasadv[export]' brings them"
        )
    for path in (target, beside(target)):
        if path.exists():
            raise ValueError(f"{path}: exists; remove it, or name another folder")


def _fixed(model: keras.Model, size: tuple[int, int]) -> keras.Model:
    """The model on images of one size."""
    shapes = [tensor.shape[1:] for tensor in model.inputs]
    if not any(None in shape for shape in shapes):
        raise ValueError(f"size: {model.name} has one size, so leave it out. Received: {size}")
    inputs = [
        keras.Input((*size, shape[-1]) if None in shape else shape, name=tensor.name)
        for shape, tensor in zip(shapes, model.inputs)
    ]
    try:
        return keras.Model(inputs, model(_structure(inputs)), name=model.name)
    except ValueError as error:  # Keras' account of it has the reason in its middle.
        reason = re.search(r"\x1b\[1m(.*?)\x1b\[0m", str(error), re.DOTALL)
        raise ValueError(f"size: {reason[1] if reason else error}") from None


def _sample(model: keras.Model, height: int, width: int, batch: int) -> list[np.ndarray]:
    """Inputs as models want them: numbers beside an image are shares, which add up to 1."""
    inputs = waves(model, height, width, batch)
    if len(inputs) == 1:
        return inputs
    return [x if x.ndim > 2 else abs(x) / abs(x).sum(axis=1, keepdims=True) for x in inputs]


def _structure(inputs: list):
    """What a model is called with."""
    return inputs if len(inputs) > 1 else inputs[0]


def _write(model: keras.Model, format: str, path: Path, precision: str) -> None:
    with warnings.catch_warnings():
        # Of the packages that write; nobody here can mend what they are about.
        warnings.simplefilter("ignore")
        if format == "litert":
            from tensorflow import float16, lite

            options: dict = {"target_spec": {"supported_ops": [lite.OpsSet.TFLITE_BUILTINS]}}
            if precision != "float32":
                options["optimizations"] = [lite.Optimize.DEFAULT]
            if precision == "float16":
                options["target_spec"]["supported_types"] = [float16]
            model.export(path, format="litert", verbose=False, **options)
        elif format == "onnx":
            _teach_expm1()
            model.export(path, format="onnx", verbose=False)
        else:
            model.export(path, format="tf_saved_model", verbose=False)


@functools.cache
def _teach_expm1() -> None:
    """Teach the converter the one operation of ours that ONNX does not have."""
    from tf2onnx.handler import tf_op

    @tf_op("Expm1")
    class _Expm1:
        @classmethod
        def version_7(cls, ctx, node, **kwargs):
            # exp(x) - 1 = tanh(x / 2) (exp(x) + 1), which loses nothing where x is small.
            x, dtype = node.input[0], ctx.get_dtype(node.output[0])
            shape = ctx.get_shape(node.output[0])
            numbers = keras.backend.standardize_dtype("float64" if dtype == 11 else "float32")
            half, one = (
                ctx.make_const(f"{node.name}_{name}", np.array(value, numbers)).output[0]
                for name, value in (("half", 0.5), ("one", 1.0))
            )

            def made(op, *inputs):
                return ctx.make_node(op, inputs, dtypes=[dtype], shapes=[shape]).output[0]

            tanh, exp = made("Tanh", made("Mul", x, half)), made("Exp", x)
            ctx.remove_node(node.name)
            ctx.make_node(
                "Mul",
                [tanh, made("Add", exp, one)],
                name=node.name,
                outputs=node.output,
                dtypes=[dtype],
                shapes=[shape],
            )


def _run(format: str, path: Path, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """The output of what was written, computed without Keras."""
    if format == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return session.run(None, inputs)[0]
    if format == "litert":
        from ai_edge_litert.interpreter import Interpreter

        return next(iter(Interpreter(str(path)).get_signature_runner()(**inputs).values()))
    from tensorflow import saved_model

    outputs = saved_model.load(str(path)).signatures["serving_default"](**inputs)
    return np.asarray(next(iter(outputs.values())))


def _bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
