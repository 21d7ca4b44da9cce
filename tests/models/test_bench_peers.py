"""`rnn-native bench` measures its peers on every form of model they can run, and names the others.

Only what gives the reference's output is timed (tests/python/test_benchmark.py), so a peer that was
measured was right.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

import strategies
from onnx import TensorProto
from onnx_graphs import Builder, make_recurrent
from strategies import make_embedding, make_linear

import rnn_native as rn
from rnn_native import formats
from rnn_native.benchmark import rounds
from rnn_native.benchmark.child import Team, choose_cpus, start_team
from rnn_native.spec import Layer, Merge, ModelSpec

pytestmark = pytest.mark.oracle

RUNTIMES = "rnn_native.benchmark.runtimes"
RNG = np.random.default_rng(3)


def recurrent(cell: str, inputs: int, hidden: int, **options: Any) -> Layer:
    return strategies.make_recurrent(RNG, cell, inputs, hidden, **options)


BOTH: dict[str, Any] = {"direction": "bidirectional"}
FORMS: dict[str, ModelSpec] = {
    "one layer": ModelSpec((recurrent("lstm", 3, 4),)),
    "last state": ModelSpec((recurrent("gru", 3, 4, return_sequences=False),)),
    "last states of a stack": ModelSpec(
        (recurrent("lstm", 3, 4, num_layers=2, **BOTH, return_sequences=False),)
    ),
    "linear after it": ModelSpec(
        (recurrent("rnn", 3, 4, return_sequences=False), make_linear(RNG, 4, 2))
    ),
    "layers": ModelSpec((recurrent("lstm", 3, 4), recurrent("gru", 4, 5))),
    **{
        f"merge {mode}": ModelSpec((recurrent("gru", 3, 4, **BOTH), Merge(mode, 4)))
        for mode in ("sum", "mul", "ave")
    },
    "merged last state": ModelSpec(
        (recurrent("lstm", 3, 4, **BOTH, return_sequences=False), Merge("ave", 4))
    ),
    "words": ModelSpec((make_embedding(RNG, 7, 3), recurrent("gru", 3, 4))),
    **{
        f"linear {activation}": ModelSpec(
            (recurrent("lstm", 3, 4), make_linear(RNG, 4, 5, bias=bias, activation=activation))
        )
        for activation, bias in (
            ("tanh", True), ("sigmoid", False), ("relu", True), ("softmax", True),
            ("log_softmax", True),
        )
    },
}  # fmt: skip
ELSEWHERE = {  # which ONNX has not
    "mask": ModelSpec(FORMS["last state"].layers, mask_value=0.0),
    "projections": ModelSpec((recurrent("lstm", 3, 4, num_layers=2, proj_size=2, **BOTH),)),
}


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    modules = {
        "ours": f"{RUNTIMES}.native",
        "torch": f"{RUNTIMES}.pytorch",
        "onnxruntime": f"{RUNTIMES}.onnx_file",
    }
    with ExitStack() as stack:
        yield start_team(stack, modules, 1, choose_cpus(1))


def failures(team: Team, path: Path, spec: ModelSpec, time: int, batch: int) -> dict[str, str]:
    """Of every runtime, why it was not measured, or nothing."""
    data = path.with_name("data.npz")
    rounds.write_data(data, spec, strategies.random_input(spec, time, batch, RNG))
    measured = rounds.take_turns(team.children, path, data, rounds=1, samples=1)
    assert all(result.failure or result.seconds > 0 for result in measured.values())
    return {name: result.failure for name, result in measured.items()}


@pytest.mark.parametrize("name", FORMS)
def test_peers_are_measured(name: str, team: Team, tmp_path: Path) -> None:
    formats.write(FORMS[name], tmp_path / "model.onnx")
    spec = formats.read(tmp_path / "model.onnx")
    for time, batch in ((1, 1), (1, 3), (4, 3)):
        found = failures(team, tmp_path / "model.onnx", spec, time, batch)
        assert found == {"ours": "", "torch": "", "onnxruntime": ""}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_torch_is_measured(name: str, team: Team, tmp_path: Path) -> None:
    rn.Model(ELSEWHERE[name]).save(tmp_path / "model.safetensors")
    found = failures(team, tmp_path / "model.safetensors", ELSEWHERE[name], 4, 3)
    assert found["ours"] == found["torch"] == ""


LSTM = make_recurrent("lstm", 3, 4)
WAYS: dict[str, Callable[[Builder], None]] = {}


def way(make: Callable[[Builder], None]) -> Callable[[Builder], None]:
    WAYS[make.__name__] = make
    return make


@way
def the_state_itself(b: Builder) -> None:
    b.output(b.recurrent(b.input("x", ["t", "b", 3]), LSTM)[1])


@way
def states_before_y(b: Builder) -> None:
    y, h, c = b.recurrent(b.input("x", ["t", "b", 3]), LSTM)
    for name in (h, c, b.squeeze(y, 1)):
        b.output(name)


@way
def lengths_and_states(b: Builder) -> None:
    x = b.input("x", ["t", "b", 3])
    lengths = b.input("lengths", ["b"], TensorProto.INT32)
    states = [b.input(name, [1, "b", 4]) for name in "hc"]
    b.output(b.squeeze(b.recurrent(x, LSTM, lengths, *states)[0], 1))


@way
def batch_first(b: Builder) -> None:
    x = b.op("Transpose", b.input("x", ["b", "t", 3]), perm=[1, 0, 2])
    b.output(b.op("Transpose", b.squeeze(b.recurrent(x, LSTM)[0], 1), perm=[1, 0, 2]))


@way
def batch_first_last_state(b: Builder) -> None:
    x = b.op("Transpose", b.input("x", ["b", "t", 3]), perm=[1, 0, 2])
    b.output(b.squeeze(b.recurrent(x, LSTM)[1], 0))


@pytest.mark.parametrize("name", WAYS)
def test_onnxruntime_is_measured_on_graphs_of_others(name: str, team: Team, tmp_path: Path) -> None:
    b = Builder()
    WAYS[name](b)
    path = b.save(tmp_path)
    for time, batch in ((1, 1), (4, 3)):
        found = failures(team, path, formats.read(path), time, batch)
        assert found["ours"] == found["onnxruntime"] == ""


@pytest.mark.parametrize(
    ("cell", "options", "reason"),
    [
        ("lstm", {"peephole": True}, "torch.nn has no LSTM with peepholes"),
        ("gru", {"reset_after": False}, "torch.nn has no GRU with a reset before the product"),
        ("gru", {"gate_recurrent": True}, "torch.nn has no GRU with gates that recur on gates"),
        ("rnn", {"output_layer": 2}, "torch.nn has no RNN with an output layer"),
        ("lstm", {"clip": 1.0}, "torch.nn has no LSTM with other activations"),
        ("rnn", {"direction": "reverse"}, "torch.nn has no RNN with reverse alone"),
    ],
)
def test_what_torch_lacks_is_named(
    cell: str, options: dict[str, Any], reason: str, team: Team, tmp_path: Path
) -> None:
    spec = ModelSpec((recurrent(cell, 3, 4, **options),))
    rn.Model(spec).save(tmp_path / "model.safetensors")
    assert failures(team, tmp_path / "model.safetensors", spec, 2, 1)["torch"] == reason
