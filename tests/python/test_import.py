"""Importing the package: NumPy is all it needs, and it offers what it promises."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import json
import subprocess
import sys
from pathlib import Path

import rnn_native as rn

NEW_MODULES = """
import json, sys
import numpy
before = set(sys.modules)
import rnn_native
print(json.dumps(sorted(set(sys.modules) - before)))
"""

CONTRACT = {
    "BusyError", "DTypeError", "Embedding", "FormatError", "GRU", "LSTM", "Linear", "Model",
    "ModelSpec", "OptionError", "RNN", "Recurrent", "RnnError", "ShapeError", "UnsupportedError",
    "from_torch", "get_num_threads", "load", "read_arrays", "reference", "set_num_threads",
    "show_config",
}  # fmt: skip


def test_importing_brings_numpy_and_the_standard_library_only() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", NEW_MODULES], capture_output=True, text=True, check=True
    )
    modules = json.loads(done.stdout)
    for name in ("scipy", "onnx", "h5py", "torch", "matplotlib", "ctypes"):
        assert name not in modules
    own = ("rnn_native", "numpy", "cython_runtime", "_cython_")
    foreign = [
        name
        for name in modules
        if not name.startswith(own) and name.split(".")[0] not in sys.stdlib_module_names
    ]
    assert foreign == []


WITHOUT_TORCH = """
import sys
import rnn_native as rn
rn.GRU(3, 4).model.save("gru.pt")
assert rn.load("gru.pt").state_dict().keys() == {
    f"0.{kind}_l0" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
}
try:
    rn.from_torch(rn.GRU(3, 4))
except rn.OptionError as error:
    assert "module: expected torch.nn.RNN" in str(error)
else:
    raise AssertionError
assert "torch" not in sys.modules
"""


def test_pytorch_is_not_imported_for_its_files_and_names(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", WITHOUT_TORCH], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_public_names() -> None:
    assert set(rn.__all__) >= CONTRACT
    assert len(set(rn.__all__)) == len(rn.__all__)
    assert [name for name in rn.__all__ if not hasattr(rn, name)] == []


def test_public_names_are_documented() -> None:
    undocumented = [
        name
        for name in rn.__all__
        if not name.startswith("_") and not (getattr(rn, name).__doc__ or "").strip()
    ]
    assert undocumented == []


def test_types_are_declared() -> None:
    assert importlib.resources.files(rn).joinpath("py.typed").is_file()


def test_one_version_everywhere() -> None:
    version = rn.show_config(mode="dicts")["version"]
    assert rn.__version__ == version
    assert importlib.metadata.version("rnn_native") == version
