"""The rooms of the design and the arrows between them, held against the source."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Room -> the rooms and packages that it may import. A longer path is a room of its own.
MAY_IMPORT = {
    "kerasadv": {
        "kerasadv.features",
        "kerasadv.layers",
        "kerasadv.losses",
        "kerasadv.metrics",
        "kerasadv.ops",
    },
    "kerasadv.saving": {"keras"},
    "kerasadv.ops": {"keras"},
    "kerasadv.losses": {"keras", "kerasadv.ops", "kerasadv.saving"},
    "kerasadv.layers": {"keras", "kerasadv.ops", "kerasadv.saving"},
    "kerasadv.metrics": {"keras", "kerasadv.features", "kerasadv.ops", "kerasadv.saving"},
    "kerasadv.features": {"keras", "kerasadv.ops", "kerasadv.saving"},
    "kerasadv.training": {
        "filelock",
        "keras",
        "numpy",
        "tensorflow",
        "kerasadv.layers",
        "kerasadv.losses",
        "kerasadv.metrics",
        "kerasadv.ops",
        "kerasadv.saving",
    },
    "kerasadv.training.launch": set(),
    "kerasadv.training.penalties": {"jax", "keras", "tensorflow", "kerasadv.saving"},
    "kerasadv.data": {"keras", "numpy", "PIL", "tensorflow", "kerasadv.ops"},
    "kerasadv.data.archives": {"PIL", "filelock", "tensorflow_datasets", "kerasadv.data"},
    "zoo": {"kerasadv"},
    "zoo.__main__": {"zoo"},
    "zoo.catalogue": {"zoo.download"},
    "zoo.formats": set(),
    "zoo.pictures": {
        "PIL",
        "kerasadv.data",
        "kerasadv.training.run_files",
        "numpy",
    },
    "zoo.weights": {"keras", "numpy", "kerasadv.training.run_files", "zoo"},
    "zoo.weights_layout": {
        "h5py",
        "keras",
        "kerasadv.training.run_files",
        "zoo.download",
    },
    "zoo.download": {"filelock", "requests", "tqdm", "urllib3"},
    "zoo.export": {
        "ai_edge_litert",
        "keras",
        "numpy",
        "onnxruntime",
        "tf2onnx",
        "tensorflow",
        "kerasadv.training.run_files",
        "zoo",
    },
    "zoo.publishing": {"h5py", "numpy", "kerasadv", "zoo"},
    "zoo.dcgan": {"keras", "numpy", "PIL", "kerasadv", "zoo"},
    "zoo.dcgan.model": {"keras", "kerasadv.layers", "zoo.weights"},
    "zoo.dcgan.data": {"keras", "numpy", "PIL", "tensorflow", "kerasadv", "zoo"},
    "zoo.noisy_labels": {"keras", "numpy", "PIL", "kerasadv", "zoo"},
    "zoo.noisy_labels.model": {"keras", "kerasadv.layers", "zoo.weights"},
    "zoo.noisy_labels.noise": {"numpy"},
    "zoo.noisy_labels.data": {"numpy", "PIL", "tensorflow_datasets", "kerasadv", "zoo"},
    "zoo.noisy_labels.train": {"keras", "tensorflow", "kerasadv", "zoo"},
    "zoo.style_transfer": {"keras", "numpy", "PIL", "kerasadv", "zoo"},
    "zoo.style_transfer.data": {"keras", "numpy", "PIL", "tensorflow", "kerasadv", "zoo"},
    "zoo.style_transfer.tiles": {
        "keras",
        "numpy",
        "tensorflow",
        "kerasadv.layers",
        "kerasadv.saving",
        "zoo",
    },
    "zoo.style_transfer.optimize": {
        "keras",
        "numpy",
        "scipy",
        "tensorflow",
        "kerasadv",
        "zoo",
    },
    "zoo.style_transfer.objective": {"numpy", "tensorflow", "kerasadv", "zoo"},
    "zoo.style_transfer.model": {"keras", "kerasadv.layers", "kerasadv.saving", "zoo.weights"},
    "zoo.unet": {"keras", "numpy", "PIL", "kerasadv", "zoo"},
    "zoo.unet.model": {
        "keras",
        "kerasadv.layers",
        "kerasadv.ops",
        "kerasadv.saving",
        "zoo.weights",
    },
    "zoo.unet.data": {"numpy", "PIL", "tensorflow", "kerasadv", "zoo"},
}


def sources():
    return sorted([*(ROOT / "kerasadv").rglob("*.py"), *(ROOT / "zoo").rglob("*.py")])


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module):
    return max((r for r in MAY_IMPORT if inside(module, r)), key=len)


def inside(module, package):
    return module == package or module.startswith(f"{package}.")


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            # `from kerasadv import ops` arrives in kerasadv.ops.
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield (
                    name
                    if (ROOT / name.replace(".", "/")).with_suffix("").exists()
                    or (ROOT / f"{name.replace('.', '/')}.py").exists()
                    else node.module
                )


@pytest.mark.parametrize("path", sources(), ids=module_of)
def test_imports_follow_the_arrows(path):
    room = room_of(module_of(path))
    for name in imported(path):
        if name.split(".")[0] in sys.stdlib_module_names or inside(name, room):
            continue
        assert any(inside(name, allowed) for allowed in MAY_IMPORT[room]), (
            f"{module_of(path)} imports {name}, which the room {room} may not"
        )


@pytest.mark.parametrize("path", sources(), ids=module_of)
def test_files_hold_one_idea(path):
    assert len(path.read_text().splitlines()) <= 300
    assert path.stem not in ("utils", "helpers", "common", "base", "misc")


def test_the_readme_carries_the_tree():
    readme = (ROOT / "README.md").read_text()
    for path in sources():
        if path.name != "__init__.py":
            assert path.name in readme, f"{path.name} is missing in the tree of the README"


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-W", "error::ImportWarning", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


def test_import_is_silent_and_light():
    code = """
import sys, keras
before = set(sys.modules)
import kerasadv, zoo
new = {name.split('.')[0] for name in set(sys.modules) - before}
print(sorted(n for n in new if n not in sys.stdlib_module_names))
"""
    result = run(code, TF_CPP_MIN_LOG_LEVEL="3")
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "['kerasadv', 'zoo']"


def test_no_tensorflow_on_another_backend():
    pytest.importorskip("jax")
    code = """
import sys, keras, kerasadv, zoo
zoo.UNet((32, 32, 1), filters=2, depth=2)
zoo.ResidualClassifier(filters=2)
zoo.DCGANGenerator(filters=2), zoo.DCGANDiscriminator(filters=2)
kerasadv.training.LossTerms, kerasadv.training.Ramp, kerasadv.training.Checkpoint
print('tensorflow' in sys.modules)
"""
    result = run(code, KERAS_BACKEND="jax")
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "False"
