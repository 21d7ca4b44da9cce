"""To load a model takes twice the memory of its file: the weights as they were read, and packed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import _core
from rnn_native.formats import safetensors
from rnn_native.states import state_counts

# The peak of memory over that of before, divided by the size of the file; a small file before has
# brought what reading and running import. VmHWM is the program's own peak, which a 5 begins anew.
MEASURE: Final = """
import gc, os, sys
import rnn_native as rn
def field(name):
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith(name))
small, big = sys.argv[1:]
rn.load(small)
gc.collect()
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
before = field("VmRSS")
model = rn.load(big)
print((field("VmHWM") - before) / os.path.getsize(big))
"""

BIG: Final = (512, 1024)  # of two layers: 56 MiB in matrices of 8 to 16
MATRIX: Final = 16 / 56
"""Of the file: one of its matrices, which are read or turned one by one and need a place for it."""
NOISE: Final = 0.25
"""14 MiB: what allocators keep and round up. A copy more of all weights would be 1."""


def peak_of(small: Path, big: Path) -> float:
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("the system does not tell a process's peak of memory anew")
    process = subprocess.run(
        [sys.executable, "-P", "-c", MEASURE, small, big],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(process.stdout)


@pytest.mark.parametrize(
    ("suffix", "times"),
    [
        ("safetensors", 2),
        ("npz", 2 + MATRIX),
        ("pt", 2),
        ("onnx", 3),  # the weights in protobuf's message, in this layer's tensors, and in layers
    ],
)
def test_loading_takes_twice_the_file(tmp_path: Path, suffix: str, times: float) -> None:
    if suffix == "onnx":
        pytest.importorskip("onnx")
    small, big = tmp_path / f"small.{suffix}", tmp_path / f"big.{suffix}"
    rn.LSTM(3, 4).model.save(small)
    rn.LSTM(*BIG, num_layers=2).model.save(big)
    assert peak_of(small, big) <= times + NOISE


def test_loading_keras_takes_twice_the_file_and_a_matrix(tmp_path: Path) -> None:
    """Keras keeps matrices the other way, so that one at a time is turned."""
    kf = pytest.importorskip("keras_files")

    def save(path: Path, size: int, units: int) -> None:
        names = ("one", "two")
        layers = [kf.recurrent("LSTM", name, units, return_sequences=True) for name in names]
        weights = {"one": kf.lstm(size, units), "two": kf.lstm(units, units)}
        kf.write_h5(path, kf.sequential(*layers), weights)

    save(tmp_path / "small.h5", 3, 4)
    save(tmp_path / "big.h5", *BIG)
    assert peak_of(tmp_path / "small.h5", tmp_path / "big.h5") <= 2 + MATRIX + NOISE


# ---- arrays are handed over where they lie ----

SPEC: Final = rn.LSTM(3, 4, num_layers=2).model.spec


def core(data: bytes | list[bytes | memoryview]) -> _core.CoreModel:
    return _core.CoreModel(data, 0, 1, state_counts(SPEC))


def bits(model: _core.CoreModel) -> bytes:
    x = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32)
    return bytes(model.run(x, None, None, False, 1)[0].tobytes())


def test_a_model_of_arrays_that_lie_apart_is_that_of_a_file() -> None:
    parts = safetensors.parts(SPEC)
    assert len(parts) > 2
    assert bits(core(parts)) == bits(core(b"".join(parts)))


def test_arrays_that_are_not_those_of_the_header_are_refused() -> None:
    head, *arrays = safetensors.parts(SPEC)
    longer = bytes(arrays[0]) + bytes(4)
    for wrong in (
        [head],
        [head, *arrays[:-1]],
        [head, *arrays, b""],
        [head, *arrays, bytes(4)],
        [head, longer, *arrays[1:]],
        [head, *arrays[1:], arrays[0]],
        [head, b"", *arrays[1:]],
        [bytes(head) + bytes(1), *arrays],
        [bytes(head)[:-1], *arrays],
        [bytes(head)[:7], *arrays],
        [b"", *arrays],
        [b"".join([head, *arrays]), *arrays],
    ):
        with pytest.raises(rn.FormatError, match="RNNAT_ERROR_FORMAT"):
            core(wrong)
    with pytest.raises(rn.RnnError):
        core([])


def test_what_the_core_finds_wrong_is_told_with_the_tensor_and_the_line() -> None:
    """By the core's own text, which a C program reads, too."""
    data = b"".join(safetensors.parts(SPEC))
    for old, new, error, words in (
        (b"hidden_size=4", b"hidden_size=5", rn.ShapeError, r"weight_ih_l0\": expected .*20, 3\]"),
        (b"0.weight_hh_l1", b"0.weight_xx_l1", rn.FormatError, r"0.weight_hh_l1.*layer\.0: \"rec"),
        (b"bias=true", b"bias=1234", rn.FormatError, r"bias=1234 is no value.*layer\.0"),
    ):
        assert old in data
        with pytest.raises(error, match=words):
            core(data.replace(old, new))


def test_layers_share_arrays_that_nobody_can_write_to(tmp_path: Path) -> None:
    """Those of a layer, and those that were read; a caller's own are copied."""
    layer = SPEC.layers[0]
    assert isinstance(layer, rn.Recurrent)
    again = rn.Recurrent(weights=layer.arrays, **layer.options)
    for name, array in layer.arrays.items():
        assert np.shares_memory(array, again.arrays[name])
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.flags.writeable = True
    own = {name: array.copy() for name, array in layer.arrays.items()}
    for array in own.values():
        array.flags.writeable = False  # which its owner can take back
    copied = rn.Recurrent(weights=own, **layer.options)
    for name, array in own.items():
        assert not np.shares_memory(array, copied.arrays[name])
    part = np.frombuffer(bytes(4096), np.float32)[:12].reshape(3, 4)
    assert not np.shares_memory(part, rn.Linear(part).weight)  # keeps no large file alive
