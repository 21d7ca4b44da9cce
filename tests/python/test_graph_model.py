"""Graphs that the core runs: against the reference, in any batch, on any threads, from files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import _core, cli
from rnn_native.cells import recurrent_shapes
from rnn_native.errors import RnnError, ShapeError, UnsupportedError
from rnn_native.formats.metadata import to_arrays, to_metadata
from rnn_native.formats.safetensors import pack
from rnn_native.spec import Embedding, Linear, ModelSpec, Recurrent
from rnn_native.states import state_counts, state_names

RNG = np.random.default_rng(7)


def recurrent(cell: str, inputs: int, hidden: int, **options: Any) -> Recurrent:
    shapes = recurrent_shapes(cell, inputs, hidden, **options)
    weights = {name: RNG.uniform(-0.4, 0.4, shape) for name, shape in shapes}
    return Recurrent(cell, inputs, hidden, weights, **options)


def linear(inputs: int, outputs: int, activation: str = "identity") -> Linear:
    weight = RNG.uniform(-0.4, 0.4, (outputs, inputs))
    return Linear(weight, RNG.uniform(-0.4, 0.4, outputs), activation)


def residual() -> ModelSpec:
    """x is read twice, and a buffer outlives the node behind its own."""
    return ModelSpec(
        nodes={
            "in": (linear(5, 8, "tanh"), "x"),
            "a": (recurrent("gru", 8, 8), "in"),
            "sum": (rn.Add(), ("a", "in")),
            "b": (recurrent("lstm", 8, 8, num_layers=2), "sum"),
            "sum2": (rn.Add(), ("b", "sum", "in")),
            "out": (linear(8, 3, "softmax"), "sum2"),
        },
        inputs="x",
        outputs="out",
    )


def two_inputs() -> ModelSpec:
    """Features beside indices, and two outputs of which one is read on."""
    return ModelSpec(
        nodes={
            "words": (Embedding(RNG.uniform(-1, 1, (11, 6))), "word"),
            "both": (rn.Concat(), ("mel", "words")),
            "rnn": (recurrent("rnn", 10, 7, output_layer=4), "both"),
            "gate": (linear(10, 4, "sigmoid"), "both"),
            "gated": (rn.Mul(), ("rnn", "gate")),
        },
        inputs={"mel": 4, "word": rn.spec.graph.Input(11, True)},
        outputs={"plain": "rnn", "gated": "gated"},
    )


def last_and_steps() -> ModelSpec:
    """Last states and outputs of one node, a directionless head behind the first."""
    return ModelSpec(
        nodes={
            "a": (recurrent("lstm", 3, 9, direction="bidirectional"), "x"),
            "steps": (linear(18, 2), "a"),
            "head": (linear(18, 5, "relu"), "a.last"),
            "b": (recurrent("gru", 18, 4, return_sequences=False), "a"),
            "cat": (rn.Concat(), ("b", "head")),
            "label": (linear(9, 3, "log_softmax"), "cat"),
        },
        inputs="x",
        outputs=("steps", "label"),
    )


def whole_values() -> ModelSpec:
    """Values that are kept for all of time, across layers that need all of it."""
    return ModelSpec(
        nodes={
            "e": (linear(4, 6), "x"),
            "back": (recurrent("gru", 6, 6, direction="reverse"), "e"),
            "mix": (rn.Sub(), ("back", "e")),
            "forth": (recurrent("gru", 6, 6), "mix"),
            "both": (recurrent("rnn", 6, 3, direction="bidirectional"), "forth"),
            "sum": (rn.Add(), ("both", "e", "mix")),
        },
        inputs="x",
        outputs="sum",
    )


def both_of_nodes() -> ModelSpec:
    """Outputs and last states of the same nodes are both read; a value is two outputs, or three."""
    return ModelSpec(
        nodes={
            "a": (recurrent("gru", 3, 4), "x"),
            "c": (recurrent("lstm", 4, 5, num_layers=2), "a"),
            "d": (rn.Concat(), ("a.last", "c.last")),
            "e": (recurrent("rnn", 5, 3, output_layer=2), "c"),
        },
        inputs="x",
        outputs={"a": "a", "h": "a.last", "d": "d", "e": "e", "d2": "d", "e2": "e", "e3": "e"},
    )


def many_reads() -> ModelSpec:
    """Layers that read more values than a node of the core does, and one behind them."""
    parts = {f"l{i}": (linear(3, 2, "tanh"), "x") for i in range(23)}
    return ModelSpec(
        nodes={
            **parts,
            "sum": (rn.Add(), tuple(parts)),
            "all": (rn.Concat(), (*parts, "sum")),
            "end": (linear(48, 4), "all"),
        },
        inputs="x",
        outputs="end",
    )


def last_steps() -> ModelSpec:
    """Last steps of an input and of a layer, which is read on, and a head behind both."""
    return ModelSpec(
        nodes={
            "a": (recurrent("gru", 3, 4), "x"),
            "of_a": (rn.Last(), "a"),
            "of_x": (rn.Last(), "x"),
            "b": (recurrent("lstm", 4, 2), "a"),
            "head": (linear(7, 3, "tanh"), "both"),
            "both": (rn.Concat(), ("of_x", "of_a")),
        },
        inputs="x",
        outputs=("head", "b", "of_a"),
    )


STREAMS = [residual, two_inputs, both_of_nodes, many_reads, last_steps]
GRAPHS = [*STREAMS, last_and_steps, whole_values]


def inputs_of(spec: ModelSpec, time: int, batch: int) -> Any:
    made = {
        name: RNG.integers(0, one.features, (time, batch))
        if one.indices
        else RNG.standard_normal((time, batch, one.features))
        for name, one in spec.inputs.items()
    }
    return made if len(made) > 1 else next(iter(made.values()))


def flat(y: Any) -> list[np.ndarray[Any, Any]]:
    if isinstance(y, dict):
        return [part for each in y.values() for part in flat(each)]
    return [part for each in y for part in flat(each)] if isinstance(y, (tuple, list)) else [y]


def check_close(got: Any, want: Any) -> None:
    """In float64, 1e-12 of the largest magnitude: CONTRIBUTING.md."""
    assert got.shape == want.shape
    if got.size:
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-12 * abs(want).max())


@pytest.mark.parametrize("make", GRAPHS)
@pytest.mark.parametrize(("time", "batch"), [(1, 1), (7, 3), (203, 2), (130, 5), (0, 2)])
@pytest.mark.parametrize("padded", [False, True])
def test_the_reference(make: Any, time: int, batch: int, padded: bool) -> None:
    spec = make()
    x = inputs_of(spec, time, batch)
    lengths = RNG.integers(0, time + 1, batch) if padded else None
    model = rn.Model(spec, dtype="float64")
    y, state = model(x, lengths=lengths)
    wanted, final = rn.reference.run(spec, x, lengths=lengths)
    assert type(y) is type(wanted)
    assert type(state) is type(final)
    for got, want in zip(flat(y) + flat(state), flat(wanted) + flat(final), strict=True):
        check_close(got, want)
    again, _ = model(x, final, lengths)  # from a state
    wanted, _ = rn.reference.run(spec, x, final, lengths)
    for got, want in zip(flat(again), flat(wanted), strict=True):
        check_close(got, want)


@pytest.mark.parametrize("make", GRAPHS)
def test_rows_and_threads_and_cuts_have_the_same_bits(make: Any) -> None:
    spec = make()
    x = inputs_of(spec, 150, 6)
    each = x if isinstance(x, dict) else {"x": x}
    model = rn.Model(spec)
    y, state = model(x, num_threads=1)
    for threads in (2, 3):
        for got, want in zip(flat(model(x, num_threads=threads)), flat((y, state)), strict=True):
            assert got.tobytes() == want.tobytes()
    for row in (0, 5):
        one = {name: array[:, row : row + 1] for name, array in each.items()}
        got, _ = model(one if isinstance(x, dict) else one["x"])
        for a, b in zip(flat(got), flat(y), strict=True):
            rows = b[:, row : row + 1] if b.ndim == 3 else b[row : row + 1]
            assert a.tobytes() == np.ascontiguousarray(rows).tobytes()
    turned = {name: np.swapaxes(array, 0, 1) for name, array in each.items()}
    got, _ = rn.Model(spec, batch_first=True)(turned if isinstance(x, dict) else turned["x"])
    for a, b in zip(flat(got), flat(y), strict=True):
        assert (
            a.tobytes()
            == np.ascontiguousarray(np.swapaxes(b, 0, 1) if b.ndim == 3 else b).tobytes()
        )


def test_a_graph_in_pieces_is_one_call() -> None:
    spec = residual()
    x = inputs_of(spec, 90, 2).astype(np.float32)
    model = rn.Model(spec)
    whole, final = model(x)
    first, state = model(x[:40])
    rest, end = model(x[40:], state)
    assert np.concatenate([first, rest]).tobytes() == whole.tobytes()
    assert [a.tobytes() for a in flat(end)] == [a.tobytes() for a in flat(final)]
    stream = model.stream(batch=2)
    steps = np.stack([stream.step(x[t]).copy() for t in range(90)])
    assert steps.tobytes() == whole.tobytes()


@pytest.mark.parametrize("make", STREAMS)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_stream_gives_after_each_step_what_a_call_does(make: Any, threads: int) -> None:
    spec = make()
    x = inputs_of(spec, 9, 3)
    model = rn.Model(spec, dtype="float64")
    stream = model.stream(batch=3, num_threads=threads)
    for t in range(9):
        upto = {n: a[: t + 1] for n, a in x.items()} if isinstance(x, dict) else x[: t + 1]
        y, state = model(upto)
        got = stream.step({n: a[t] for n, a in x.items()} if isinstance(x, dict) else x[t])
        named = isinstance(y, dict)
        assert isinstance(got, dict) == named
        for name, whole in (y if named else {"y": y}).items():
            last = whole[-1] if whole.ndim == 3 else whole
            assert (got[name] if named else got).tobytes() == last.tobytes()
        for a, b in zip(flat(stream.state), flat(state), strict=True):
            assert a.tobytes() == b.tobytes()


def test_a_step_may_have_outputs_of_the_one_before_as_inputs() -> None:
    """They are written while inputs are read."""
    spec = ModelSpec(
        nodes={"a": (recurrent("gru", 6, 3), "both"), "both": (rn.Concat(), ("u", "v"))},
        inputs={"u": 3, "v": 3},
        outputs=("a", "both"),
    )
    model = rn.Model(spec)
    own, copied = model.stream(), model.stream()
    u = np.ones((1, 3), np.float32)
    y = {"a": u, "both": np.zeros((1, 6), np.float32)}
    for _ in range(4):
        wanted = copied.step({"u": y["a"].copy(), "v": y["both"][:, :3].copy()})
        wanted = {name: array.copy() for name, array in wanted.items()}
        y = own.step({"u": y["a"], "v": y["both"][:, :3]})
        assert all(y[name].tobytes() == array.tobytes() for name, array in wanted.items())


def test_a_wrong_step_of_several_inputs_is_named_and_nothing_moves() -> None:
    stream = rn.Model(two_inputs()).stream(batch=2)
    mel, word = np.ones((2, 4)), np.zeros(2, int)
    with pytest.raises(ShapeError, match="expected a dict of 'mel', 'word', got ndarray"):
        stream.step(mel)
    with pytest.raises(ShapeError, match=r"x\['mel'\]: expected shape \(2, 4\), got \(2, 5\)"):
        stream.step({"mel": np.ones((2, 5)), "word": word})
    with pytest.raises(rn.DTypeError, match=r"x\['word'\]: expected integer indices"):
        stream.step({"mel": mel, "word": mel[:, 0]})
    with pytest.raises(ShapeError, match=r"x\['word'\]\[1\]: expected an index from 0 to 10"):
        stream.step({"mel": mel, "word": np.array([0, 11])})
    assert not np.any(stream.state)
    assert np.any(stream.step({"mel": mel, "word": word})["plain"])


@pytest.mark.parametrize("make", GRAPHS)
@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_a_file_is_the_same_graph(make: Any, suffix: str, tmp_path: Path) -> None:
    model = rn.Model(make())
    x = inputs_of(model.spec, 20, 3)
    model.save(tmp_path / f"m{suffix}")
    again = rn.load(tmp_path / f"m{suffix}")
    assert (again.inputs, again.outputs) == (model.inputs, model.outputs)
    assert list(again.spec.nodes) == list(model.spec.nodes)
    for a, b in zip(flat(again(x)), flat(model(x)), strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("make", GRAPHS)
def test_what_cells_show_is_the_reference(make: Any) -> None:
    spec = make()
    x = inputs_of(spec, 12, 2)
    shown, wanted = rn.Model(spec, dtype="float64").trace(x), rn.reference.trace(spec, x)
    assert shown.keys() == wanted.keys()
    for name, array in shown.items():
        check_close(array, wanted[name])


def test_wrong_calls_say_what_was_expected() -> None:
    model = rn.Model(two_inputs())
    mel, word = np.zeros((4, 2, 4)), np.zeros((4, 2), int)
    with pytest.raises(ShapeError, match="expected a dict of 'mel', 'word', got ndarray"):
        model(mel)
    with pytest.raises(ShapeError, match="expected a dict of 'mel', 'word', got 'mel'"):
        model({"mel": mel})
    with pytest.raises(ShapeError, match=r"x\['word'\]: expected 4 steps of 2 rows"):
        model({"mel": mel, "word": word[:3]})
    with pytest.raises(ShapeError, match=r"x\['word'\]\[3, 1\]: expected an index from 0 to 10"):
        model({"mel": mel, "word": np.where(np.arange(8).reshape(4, 2) == 7, 11, 0)})
    with pytest.raises(UnsupportedError, match="input_size: this model has several"):
        _ = model.input_size
    with pytest.raises(UnsupportedError, match="reverse or bidirectional layer"):
        rn.Model(whole_values()).stream()
    with pytest.raises(UnsupportedError, match="golden: expected a chain"):
        model.save("unwritten.safetensors", golden=True)
    two = rn.Model(residual())
    with pytest.raises(ShapeError, match="state: expected a dict of 'a', 'b'"):
        two(np.zeros((1, 1, 5)), (np.zeros((1, 1, 8)),))


def test_what_the_core_has_no_room_for_is_named() -> None:
    for reads in (128, 129):
        nodes = {"a": (linear(3, 3), "x"), "s": (rn.Add(), ("a",) * reads)}
        spec = ModelSpec(nodes=nodes, inputs="x", outputs="s")
        if reads == 128:
            x = RNG.standard_normal((4, 2, 3))
            check_close(rn.Model(spec, dtype="float64")(x)[0], rn.reference.run(spec, x)[0])
            continue
        with pytest.raises(UnsupportedError, match=r"node 's': .*at most 128 values, this one 129"):
            rn.Model(spec)


@pytest.mark.parametrize("make", GRAPHS)
def test_info_tells_what_each_node_reads(make: Any, tmp_path: Path, capsys: Any) -> None:
    model = rn.Model(make())
    path = tmp_path / "graph.safetensors"
    model.save(path)
    cli.main(["info", str(path), "--json"])
    facts = json.loads(capsys.readouterr().out)
    told = {layer["name"]: tuple(layer["reads"]) for layer in facts["layers"]}
    assert told == {name: node.inputs for name, node in model.spec.nodes.items()}
    assert [one["name"] for one in facts["inputs"]] == list(model.inputs)
    assert [one["name"] for one in facts["outputs"]] == list(model.outputs)
    cli.main(["info", str(path)])
    lines = capsys.readouterr().out
    assert all(f"{name} <- {', '.join(reads)}: " in lines for name, reads in told.items())


@pytest.mark.parametrize("make", GRAPHS)
def test_a_wrong_file_is_an_error_of_ours(make: Any) -> None:
    """The core is given files that the package's own reader would refuse before."""
    spec = make()
    arrays, strings = to_arrays(spec), to_metadata(spec)
    counts, names = state_counts(spec), state_names(spec)
    _core.CoreModel(pack(arrays, strings), 0, 1, counts, names)
    pieces = [
        "in0",
        "in1",
        "in7",
        "0",
        "1",
        "2",
        "9",
        "0:1",
        "2:1",
        ",",
        ":",
        "",
        "-1",
        "4294967296",
    ]
    keys = [
        k for k in strings if ".layer." in k or k.split(".")[1] in ("inputs", "outputs", "input")
    ]
    refused = 0
    for _ in range(400):
        key, changed = str(RNG.choice(keys)), dict(strings)
        text = changed[key].partition(" inputs=")[0]
        reads = ",".join(RNG.choice(pieces, int(RNG.integers(1, 12))))
        changed[key] = f"{text} inputs={reads}" if ".layer." in key else reads
        try:
            _core.CoreModel(pack(arrays, changed), 0, 1, counts, names)
        except RnnError:
            refused += 1
    assert refused > 200


@pytest.mark.parametrize("state", [{"a": np.zeros((1, 1, 8))}, None])
def test_the_one_state_of_a_graph_is_its_array(state: Any) -> None:
    nodes = {"a": (recurrent("gru", 5, 8), "x"), "twice": (rn.Add(), ("a", "a"))}
    model = rn.Model(ModelSpec(nodes=nodes, inputs={"x": 5}, outputs=("twice",)))
    stream = model.stream(batch=1)
    came = "NoneType" if state is None else "dict"
    with pytest.raises(ShapeError, match=f"state: expected one array, got {came}"):
        stream.state = state
    if state is not None:
        with pytest.raises(ShapeError, match="state: expected one array, got dict"):
            model(np.zeros((2, 1, 5), np.float32), state)
        with pytest.raises(ShapeError, match="state: expected one array, got dict"):
            rn.reference.run(model.spec, np.zeros((2, 1, 5)), state)
