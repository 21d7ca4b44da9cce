"""Graphs: what a ModelSpec of nodes is, refuses, calculates, and is in a file.

The numbers come from NumPy written by hand here, layer by layer; cells from ``reference.run`` of a
chain of one layer, which other tests hold against transcriptions of their own.
"""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import formats
from rnn_native.formats import metadata
from rnn_native.spec import Input, Layer, ModelSpec, Recurrent, recurrent_shapes

TIME, BATCH = 6, 3
RNG = np.random.default_rng(7)


def recurrent(width: int, hidden: int, cell: str = "gru", **options: Any) -> Recurrent:
    options |= {"cell": cell, "input_size": width, "hidden_size": hidden}
    weights = {n: RNG.standard_normal(shape) for n, shape in recurrent_shapes(**options)}
    return Recurrent(weights=weights, **options)


def linear(width: int, features: int, activation: str = "identity") -> rn.Linear:
    return rn.Linear(
        RNG.standard_normal((features, width)), RNG.standard_normal(features), activation
    )


def residual() -> tuple[ModelSpec, dict[str, Layer]]:
    """Two inputs, a skip connection, a last state, two outputs, two layers with a state."""
    layers = {
        "emb": rn.Embedding(RNG.standard_normal((9, 4))),
        "enc": recurrent(5, 2, "lstm", direction="bidirectional"),
        "gate": linear(4, 4, "sigmoid"),
        "dec": recurrent(8, 3),
        "label": linear(4, 2, "tanh"),
    }
    spec = ModelSpec(
        nodes={
            "label": (layers["label"], ("enc.last",)),  # before what it reads
            "emb": (layers["emb"], ("word",)),
            "enc": (layers["enc"], ("x",)),
            "skip": (rn.Add(), ("emb", "enc")),
            "gate": (layers["gate"], "skip"),
            "both": (rn.Mul(), ("gate", "enc")),
            "all": (rn.Concat(), ("both", "emb")),
            "dec": (layers["dec"], ("all",)),
        },
        inputs=("x", "word"),
        outputs={"y": "dec", "label": "label"},
    )
    return spec, layers


def data() -> dict[str, Any]:
    return {
        "x": RNG.standard_normal((TIME, BATCH, 5)),
        "word": RNG.integers(9, size=(TIME, BATCH)),
    }


def affine(layer: Any, x: Any) -> Any:
    return x @ layer.weight.T + layer.bias


@pytest.mark.parametrize("lengths", [None, [6, 2, 0]])
def test_the_reference_is_numpy_by_hand(lengths: Any) -> None:
    spec, layers = residual()
    x = data()
    y, state = rn.reference.run(spec, x, lengths=lengths)

    until = np.array([TIME] * BATCH if lengths is None else lengths)
    valid = (np.arange(TIME)[:, None] < until)[..., None]
    embedded = layers["emb"].arrays["weight"][x["word"]]
    enc, (h, c) = rn.reference.run(ModelSpec((layers["enc"],)), x["x"], lengths=lengths)
    gate = 1 / (1 + np.exp(-affine(layers["gate"], embedded + enc)))
    everything = np.concatenate([gate * enc, embedded], axis=-1)
    dec, h_dec = rn.reference.run(ModelSpec((layers["dec"],)), everything, lengths=lengths)
    last = np.concatenate([h[0], h[1]], axis=-1)

    # 1e-12: float64 of a few dozen additions, of numbers that are about 1.
    np.testing.assert_allclose(y["y"], np.where(valid, dec, 0), atol=1e-12)
    np.testing.assert_allclose(y["label"], np.tanh(affine(layers["label"], last)), atol=1e-12)
    assert list(y) == ["y", "label"]
    assert set(state) == {"enc", "dec"}
    np.testing.assert_array_equal(state["enc"][0], h)
    np.testing.assert_array_equal(state["enc"][1], c)
    np.testing.assert_allclose(state["dec"], h_dec, atol=1e-12)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_the_last_state_of_a_node_is_what_return_sequences_false_gives(direction: str) -> None:
    layer = recurrent(4, 3, "lstm", direction=direction, num_layers=2)
    x, lengths = RNG.standard_normal((TIME, BATCH, 4)), [4, 0, 6]
    graph = ModelSpec(nodes={"r": (layer, "x")}, inputs="x", outputs="r.last")
    alone = ModelSpec((replace(layer, return_sequences=False),))
    for got, expected in zip(
        rn.reference.run(graph, x, lengths=lengths),
        rn.reference.run(alone, x, lengths=lengths),
        strict=True,
    ):
        np.testing.assert_array_equal(got, expected)
    assert graph.output_size == alone.output_size
    assert not graph.return_sequences


def test_a_graph_that_is_a_chain_gives_what_the_chain_gives() -> None:
    layers = rn.Embedding(RNG.standard_normal((9, 4))), recurrent(4, 3), linear(3, 2, "softmax")
    chain = ModelSpec(layers, mask_value=0)
    nodes = {"e": (layers[0], "x"), "r": (layers[1], "e"), "l": (layers[2], "r")}
    graph = ModelSpec(nodes=nodes, inputs="x", outputs="l", mask_value=0)
    x = RNG.integers(1, 9, (TIME, BATCH))
    x[4:, 1] = 0
    for got, expected in zip(rn.reference.run(graph, x), rn.reference.run(chain, x), strict=True):
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(
        rn.reference.run(graph, {"x": x})[0], rn.reference.run(chain, x)[0]
    )
    assert set(rn.reference.trace(graph, x)) == {f"r.{gate}_l0" for gate in "rznh"}


def test_pieces_of_time_are_the_whole() -> None:
    layer, x = recurrent(4, 4), RNG.standard_normal((TIME, BATCH, 4))
    nodes = {"a": (layer, "x"), "s": (rn.Sub(), ("x", "a")), "b": (recurrent(4, 2), "s")}
    spec = ModelSpec(nodes=nodes, inputs="x", outputs=["b", "a"])
    whole, end = rn.reference.run(spec, x)
    first, state = rn.reference.run(spec, x[:2])
    second, state = rn.reference.run(spec, x[2:], state)
    for name in ("a", "b"):
        np.testing.assert_array_equal(np.concatenate([first[name], second[name]]), whole[name])
        np.testing.assert_array_equal(state[name], end[name])


def test_what_a_graph_says_of_itself() -> None:
    spec, layers = residual()
    assert list(spec.nodes) == ["emb", "enc", "label", "skip", "gate", "both", "all", "dec"]
    assert spec.nodes["all"] == (rn.Concat(), ("both", "emb"))
    assert spec.inputs == {"x": Input(5), "word": Input(9, True)}
    assert spec.outputs == {"y": "dec", "label": "label"}
    assert [spec.value(name).features for name in ("emb", "all", "enc.last")] == [4, 8, 4]
    assert spec.recurrents == (layers["enc"], layers["dec"])
    assert spec.num_parameters == sum(
        array.size for layer in layers.values() for array in layer.arrays.values()
    )
    for wrong in ("input_size", "takes_indices"):
        with pytest.raises(rn.UnsupportedError, match="several inputs: 'x', 'word'"):
            getattr(spec, wrong)
    with pytest.raises(rn.UnsupportedError, match="several outputs: 'dec', 'label'"):
        _ = spec.output_size
    with pytest.raises(rn.UnsupportedError, match=r"graph of 8 nodes.*spec\.nodes"):
        _ = spec.layers
    assert repr(spec).startswith("<ModelSpec: nodes={")


def test_a_chain_has_nodes_too() -> None:
    layers = recurrent(4, 3), linear(3, 2)
    spec = ModelSpec(layers)
    assert spec.is_chain
    assert spec.nodes == {"0": (layers[0], ("x",)), "1": (layers[1], ("0",))}
    assert spec.inputs == {"x": Input(4)}
    assert spec.outputs == {"y": "1"}
    assert replace(spec, layers=layers[:1]).nodes == {"0": (layers[0], ("x",))}


def pickled(spec: ModelSpec) -> Any:
    return pickle.loads(pickle.dumps(spec))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
def test_a_copy_is_the_same_graph(duplicate: Any) -> None:
    spec, _ = residual()
    again, x = duplicate(spec), data()
    assert metadata.to_metadata(again) == metadata.to_metadata(spec)
    for name, array in rn.reference.run(again, x)[0].items():
        np.testing.assert_array_equal(array, rn.reference.run(spec, x)[0][name])


R, L = recurrent(4, 3), linear(3, 2)
ALONE = replace(R, return_sequences=False)


@pytest.mark.parametrize(
    ("nodes", "inputs", "outputs", "error", "message"),
    [
        ({"r": (R, "x"), "l": (linear(4, 2), "r")}, "x", "l", rn.ShapeError,
         r"node 'l' \(Linear\): expected an input of 4 features, 'r' gives 3"),
        ({"r": (R, "x")}, {"x": 5}, "r", rn.ShapeError,
         r"node 'r' \(Recurrent\): expected an input of 4 features, input 'x' gives 5"),
        ({"r": (R, "x"), "s": (recurrent(3, 2), "r.last")}, "x", "s", rn.ShapeError,
         r"node 's' \(Recurrent\): expected an input of steps, the last state of 'r' is alone"),
        ({"r": (ALONE, "x"), "s": (recurrent(3, 2), "r")}, "x", "s", rn.ShapeError,
         r"node 's' .*'r' gives its last state alone \(return_sequences=False\)"),
        ({"r": (ALONE, "x"), "l": (L, "r.last")}, "x", "l", rn.OptionError,
         r"node 'l': input 'r\.last': 'r' gives no last state beside"),
        ({"l": (L, "x.last")}, "x", "l", rn.OptionError, "'x' gives no last state"),
        ({"r": (R, "x"), "l": (L, "q")}, "x", "l", rn.OptionError,
         r"node 'l': input 'q': there is no such value; there are 'x', 'r'"),
        ({"r": (R, "x")}, "x", "q", rn.OptionError, "output 'q': there is no such value"),
        ({"r": (R, "x")}, "x", "x", rn.UnsupportedError, "output 'x': an input cannot be one"),
        ({"a": (rn.Add(), ("x", "b")), "b": (linear(3, 3), "a")}, "x", "b", rn.UnsupportedError,
         "the nodes 'a', 'b' wait for each other"),
        ({"a": (rn.Add(), ("x", "r")), "r": (R, "x")}, "x", "a", rn.ShapeError,
         r"node 'a' \(Combine add\): .*equal features, input 'x' gives 4, 'r' gives 3"),
        ({"r": (R, "x"), "a": (rn.Concat(), ("r", "r.last"))}, "x", "a", rn.ShapeError,
         r"node 'a' .*all have steps, or none: 'r' has them, the last state of 'r' is alone"),
        ({"r": (R, "x"), "a": (rn.Sub(), ("r", "r", "r"))}, "x", "a", rn.ShapeError,
         "node 'a' .*expected two inputs, got 3"),
        ({"r": (R, "x"), "a": (rn.Mul(), ("r",))}, "x", "a", rn.ShapeError,
         "expected two inputs or more, got 1"),
        ({"a": (rn.Concat(), ("x", "x"))}, {"x": 2**23 + 1}, "a", rn.ShapeError,
         "node 'a' .*at most 16777216 features"),
        ({"r": (R, ("x", "x"))}, "x", "r", rn.ShapeError, r"node 'r' .*expected one input, got 2"),
        ({"a": (rn.Add(), ("x", "y"))}, ("x", "y"), "a", rn.ShapeError,
         "input 'x': what reads it takes any number of features; state it"),
        ({"m": (rn.Merge("sum", 2), "x")}, "x", "m", rn.UnsupportedError,
         "node 'm': a Merge cannot read an input"),
        ({"r": (R, "x"), "e": (rn.Embedding(np.ones((3, 2))), "r")}, "x", "e",
         rn.UnsupportedError, "node 'e': an Embedding can only be first"),
        ({"e": (rn.Embedding(np.ones((3, 4))), "x"), "r": (R, "x")}, "x", ("r", "e"),
         rn.ShapeError, "node 'r': expected an input of features, input 'x' is of indices"),
        ({"e": (rn.Embedding(np.ones((3, 4))), "x"), "f": (rn.Embedding(np.ones((5, 4))), "x")},
         "x", ("f", "e"), rn.ShapeError, "node 'f' .*expected an input of 5 features"),
        ({"r": (R, "x"), "l": (L, "r")}, "x", "r", rn.OptionError, "nothing reads 'l'"),
        ({"r": (R, "x")}, {"x": 4, "z": 2}, "r", rn.OptionError, "nothing reads 'z'"),
        ({"x": (R, "x")}, "x", "x", rn.OptionError, "'x' is the name of an input and of a node"),
        ({"r": (R, "x"), "r.last": (L, "r")}, "x", "r.last", rn.OptionError,
         "node 'r.last': .*is the last state of the node 'r'"),
        ({"": (R, "x")}, "x", "", rn.OptionError, "printable characters, got ''"),
        ({"r": (R, "x")}, {"x": 0}, "r", rn.OptionError, "input 'x': expected 1 to"),
        ({"r": (R, "x")}, (), "r", rn.OptionError, "inputs: expected names"),
        ({"r": (R, "x")}, "x", None, rn.OptionError, "outputs: expected names, got None"),
        ({"r": (R, "x")}, "x", ("r", "r"), rn.OptionError, "outputs: a name is there twice"),
        ({"r": R}, "x", "r", rn.OptionError, r"node 'r': expected \(layer, \(input, ...\)\)"),
        ({"r": ("gru", "x")}, "x", "r", rn.DTypeError, "node 'r': expected a layer, got str"),
        ({}, "x", "r", rn.OptionError, "nodes: expected a dict of nodes"),
    ],
)  # fmt: skip
def test_a_graph_that_cannot_be_is_refused_by_name(
    nodes: Any, inputs: Any, outputs: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        ModelSpec(nodes=nodes, inputs=inputs, outputs=outputs)


def test_layers_and_nodes_are_not_mixed() -> None:
    with pytest.raises(rn.OptionError, match="layers, or nodes; got both"):
        ModelSpec((R,), nodes={"r": (R, "x")}, inputs="x", outputs="r")
    with pytest.raises(rn.OptionError, match="only of a graph"):
        ModelSpec((R,), inputs="x")
    with pytest.raises(rn.UnsupportedError, match="layer 1: a Combine reads several values"):
        ModelSpec((R, rn.Add()))
    nodes = {"a": (rn.Add(), ("x", "y"))}
    with pytest.raises(rn.UnsupportedError, match="several inputs"):
        ModelSpec(nodes=nodes, inputs={"x": 2, "y": 2}, outputs="a", mask_value=0.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x["x"], r"x: expected a dict of 'x', 'word'"),
        (lambda x: {"x": x["x"]}, r"x: expected a dict of 'x', 'word', got 'x'"),
        (lambda x: x | {"word": x["word"][1:]}, r"x\['word'\]: expected 6 steps of 3 rows"),
        (lambda x: x | {"x": x["x"][..., 1:]}, r"x\['x'\]: expected shape \(time, batch, 5\)"),
        (lambda x: x | {"word": x["word"] + 9}, r"x\['word'\]\[0, 0\]: expected 0\.\.8"),
    ],
)
def test_wrong_inputs_of_a_call_are_named(change: Any, message: str) -> None:
    spec, _ = residual()
    with pytest.raises(rn.ShapeError, match=message):
        rn.reference.run(spec, change(data()))


def test_a_state_of_another_form_is_refused() -> None:
    spec, _ = residual()
    for wrong in ((), {"enc": ()}, {"dec": np.zeros((1, BATCH, 3)), "enc": np.zeros(3)}):
        with pytest.raises(rn.ShapeError, match="state"):
            rn.reference.run(spec, data(), wrong)


@pytest.mark.parametrize("suffix", ["safetensors", "npz"])
def test_a_saved_graph_is_the_same_graph(suffix: str, tmp_path: Path) -> None:
    spec, _ = residual()
    path, x = tmp_path / f"model.{suffix}", data()
    formats.write(spec, path)
    again = formats.read(path)
    assert again.inputs == spec.inputs
    assert again.outputs == spec.outputs
    assert {n: node.inputs for n, node in again.nodes.items()} == {
        n: node.inputs for n, node in spec.nodes.items()
    }
    assert metadata.to_metadata(again) == metadata.to_metadata(spec)
    expected, _ = rn.reference.run(spec, x)
    for name, array in rn.reference.run(again, x)[0].items():
        np.testing.assert_array_equal(array, expected[name])
    formats.write(again, tmp_path / f"again.{suffix}")
    assert (tmp_path / f"again.{suffix}").read_bytes() == path.read_bytes()


def test_the_strings_of_a_graph() -> None:
    gru, embedding = recurrent(2, 3), rn.Embedding(np.ones((9, 3)))
    spec = ModelSpec(
        nodes={
            "gru": (gru, "mel"),
            "who": (embedding, "speaker"),
            "sum": (rn.Add(), ("gru", "who")),
            "out": (linear(3, 1), "sum"),
        },
        inputs=("mel", "speaker"),
        outputs={"y": "out", "state": "gru.last"},
    )
    strings = metadata.to_metadata(spec)
    assert {key.removeprefix("rnn_native."): text for key, text in strings.items()} == {
        "version": "2",
        "layers": "4",
        "layer.0": metadata.describe(gru),
        "layer.1": "embedding num_embeddings=9 embedding_dim=3 inputs=in1",
        "layer.2": "combine mode=add inputs=0,1",
        "layer.3": "linear in_features=3 out_features=1 bias=true activation=identity",
        "node.0": "gru",
        "node.1": "who",
        "node.2": "sum",
        "node.3": "out",
        "inputs": "2",
        "input.0": "features=2",
        "input.0.name": "mel",
        "input.1": "indices=9",
        "input.1.name": "speaker",
        "outputs": "3,0:1",
        "output.0": "y",
        "output.1": "state",
    }


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("node.1", None, "node.1 is missing"),
        ("node.1", "emb", "'emb' is there twice"),
        ("inputs", "3", "input.2 is missing"),
        ("inputs", "x", "expected a number"),
        ("inputs", "1", "unknown entries"),
        ("input.0", "features", "expected features= or indices="),
        ("input.1.name", "x", "'x' is there twice"),
        ("outputs", "7,9", "expected numbers of values"),
        ("outputs", "7,in0", "expected numbers of values"),
        ("output.1", "y", "'y' is there twice"),
        ("layer.1", "linear", "layer 1"),
        ("layer.5", "combine mode=mul inputs=5,1", "layer 5: inputs"),
        ("layer.5", "combine mode=mul inputs=in0:1,1", "layer 5: inputs"),
        ("layer.5", "combine mode=mul inputs=", "layer 5: inputs"),
        ("layer.5", "combine mode=mul inputs=0:1,1", "gives no last state"),
        ("layer.5", "combine mode=mod inputs=4,1", "Combine mode: expected one of"),
        ("strange", "1", "unknown entries"),
        ("version", "3", "version is '3'; this release reads '1' and '2'"),
        ("version", "1", "expected the entries"),
    ],
)
def test_a_malformed_description_is_refused(key: str, text: str | None, message: str) -> None:
    spec, _ = residual()
    strings, arrays = metadata.to_metadata(spec), metadata.to_arrays(spec)
    strings[f"rnn_native.{key}"] = text  # type: ignore[assignment]
    if text is None:
        del strings[f"rnn_native.{key}"]
    with pytest.raises((rn.FormatError, rn.UnsupportedError), match=message):
        metadata.from_metadata(strings, arrays)


def test_a_chain_is_version_1_and_says_nothing_of_a_graph() -> None:
    strings = metadata.to_metadata(ModelSpec((R, L)))
    assert list(strings) == [f"rnn_native.{k}" for k in ("version", "layers", "layer.0", "layer.1")]
    assert strings["rnn_native.version"] == "1"
    assert not any("inputs=" in text for text in strings.values())


def test_what_runs_no_graph_says_so(tmp_path: Path) -> None:
    spec, _ = residual()
    for suffix in ("pt", "pth"):
        with pytest.raises(rn.UnsupportedError, match=r"no place for a graph.*npz, onnx"):
            formats.write(spec, tmp_path / f"model.{suffix}")
        assert not (tmp_path / f"model.{suffix}").exists()
    for refuses in (rn.keras_weights, rn.train.Network):
        with pytest.raises(rn.UnsupportedError, match="graph of 8 nodes"):
            refuses(spec)
