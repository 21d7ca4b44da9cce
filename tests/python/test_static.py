"""Inputs without time: the same as a sequence that repeats them, refusals, files; and what is there
behind the last step, at every step.

Random graphs with such inputs: test_rates.py, export_graph_sweep.py.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agreement import assert_same_bits
from random_graphs import part_of, rows_of
from strategies import make_embedding, make_linear, make_recurrent

import rnn_native as rn
from rnn_native.formats.metadata import to_metadata
from rnn_native.spec import ModelSpec

RNG = np.random.default_rng(71)
SPEAKERS = 9


def speaker(static: bool) -> ModelSpec:
    """A speaker's embedding beside each step, and beside the last state; ``static``: its index has
    no time. Both have the same weights."""
    rng = np.random.default_rng(5)
    table, of_who = make_embedding(rng, SPEAKERS, 3), make_linear(rng, 3, 4, activation="tanh")
    nodes: dict[str, Any] = {
        "table": (table, "who"),
        "of who": (of_who, "table"),
        "both": (rn.Concat(), ("mel", "at each" if static else "of who")),
        "gru": (make_recurrent(rng, "gru", 9, 6), "both"),
        "head": (make_linear(rng, 10, 2), "joined"),
    }
    if static:
        nodes["at each"] = (rn.Expand(), "of who")
        nodes["joined"] = (rn.Concat(), ("of who", "gru.last"))
    else:
        nodes["last"] = (rn.Last(), "of who")
        nodes["joined"] = (rn.Concat(), ("last", "gru.last"))
    who = rn.Static(SPEAKERS) if static else SPEAKERS
    return ModelSpec(nodes=nodes, inputs={"who": who, "mel": 5}, outputs=("gru", "head"))


def decoder() -> ModelSpec:
    """Steps made of what is there behind the last one: of a last state with a static value, and
    then again of the last state of those."""
    rng = np.random.default_rng(6)
    return ModelSpec(
        nodes={
            "encoder": (make_recurrent(rng, "lstm", 4, 5, direction="bidirectional"), "x"),
            "pool": (rn.MaxPool(2), "x"),
            "joined": (rn.Concat(), ("who", "encoder.last")),
            "code": (make_linear(rng, 13, 3, activation="sigmoid"), "joined"),
            "again": (rn.Expand(), "code"),
            "decoder": (make_recurrent(rng, "gru", 3, 4), "again"),
            "mean": (rn.Reduce("mean"), "decoder"),
            "sparse": (rn.Expand(), ("mean", "pool")),
            "sum": (rn.Add(), ("pool", "sparse")),
            "end": (make_recurrent(rng, "gru", 4, 2, return_sequences=False), "sum"),
        },
        inputs={"x": 4, "who": rn.Static(3)},
        outputs=("decoder", "end", "code", "sum"),
    )


def given(time: int, batch: int) -> dict[str, Any]:
    return {
        "who": RNG.integers(0, SPEAKERS, batch),
        "mel": RNG.standard_normal((time, batch, 5)).astype(np.float32),
    }


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("padded", [False, True])
def test_it_is_what_a_sequence_that_repeats_it_gives(padded: bool, threads: int) -> None:
    x = given(140, 5)
    lengths = [140, 1, 77, 140, 9] if padded else None
    repeated = x | {"who": np.repeat(x["who"][None], 140, axis=0)}
    ys, state = rn.Model(speaker(True))(x, lengths=lengths, num_threads=threads)
    wants, final = rn.Model(speaker(False))(repeated, lengths=lengths, num_threads=threads)
    for name, want in wants.items():
        assert_same_bits(ys[name], want)
    assert_same_bits(state, final["gru"])


def test_a_row_has_the_bits_of_the_batch() -> None:
    spec = speaker(True)
    model, x = rn.Model(spec), given(90, 6)
    ys, _ = model(x)
    for row in range(6):
        alone, _ = model(rows_of(spec, x, slice(row, row + 1)))
        assert_same_bits(alone["gru"], np.ascontiguousarray(ys["gru"][:, row : row + 1]))
        assert_same_bits(alone["head"], ys["head"][row : row + 1])


@pytest.mark.parametrize("threads", [1, 2])
def test_a_stream_takes_it_with_every_call(threads: int) -> None:
    spec = speaker(True)
    model, x = rn.Model(spec), given(40, 3)
    ys, _ = model(x)
    stream = model.stream(batch=3, num_threads=threads)
    for t in range(40):
        y = stream.step({"who": x["who"], "mel": x["mel"][t]})
        assert_same_bits(y["gru"], ys["gru"][t])
    assert_same_bits(y["head"], ys["head"])
    stream.reset()
    pieces = [stream.push(part_of(spec, x, a, b)) for a, b in ((0, 1), (1, 30), (30, 30), (30, 40))]
    assert_same_bits(np.concatenate([piece["gru"] for piece in pieces]), ys["gru"])
    assert pieces[2]["head"].shape == (0, 3, 2)
    assert_same_bits(pieces[-1]["head"][-1], ys["head"])
    other = (x["who"] + 1) % SPEAKERS
    changed = stream.step({"who": other, "mel": x["mel"][0]})["head"].copy()
    stream.state = model(x)[1]
    assert not np.array_equal(stream.step({"who": x["who"], "mel": x["mel"][0]})["head"], changed)


def test_without_steps_it_is_read_too() -> None:
    model, spec = rn.Model(speaker(True), dtype="float64"), speaker(True)
    ys, _ = model(given(0, 2))
    assert ys["gru"].shape == (0, 2, 6)
    x = {"who": np.array([1, 2]), "mel": np.zeros((0, 2, 5))}
    want, _ = rn.reference.run(spec, x)
    np.testing.assert_allclose(model(x)[0]["head"], want["head"], rtol=0, atol=1e-12)


def test_batch_first_leaves_it_as_it_is() -> None:
    x = given(12, 4)
    ys, _ = rn.Model(speaker(True))(x)
    turned = x | {"mel": np.swapaxes(x["mel"], 0, 1)}
    other, _ = rn.Model(speaker(True), batch_first=True)(turned)
    assert_same_bits(np.ascontiguousarray(np.swapaxes(other["gru"], 0, 1)), ys["gru"])
    assert_same_bits(other["head"], ys["head"])


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("threads", [1, 2])
def test_steps_may_be_made_of_what_is_behind_the_last(padded: bool, threads: int) -> None:
    spec = decoder()
    model = rn.Model(spec, dtype="float64")
    for time, batch in ((150, 3), (1, 1), (2, 2), (0, 2)):
        x = {"x": RNG.standard_normal((time, batch, 4)), "who": RNG.standard_normal((batch, 3))}
        lengths = RNG.integers(0, time + 1, batch) if padded else None
        ys, state = model(x, lengths=lengths, num_threads=threads)
        wants, final = rn.reference.run(spec, x, lengths=lengths)
        for name, want in wants.items():
            assert ys[name].shape == want.shape
            np.testing.assert_allclose(ys[name], want, rtol=0, atol=1e-12, equal_nan=True)
        for name, arrays in final.items():
            own = state[name] if isinstance(arrays, tuple) else (state[name],)
            for a, b in zip(own, arrays if isinstance(arrays, tuple) else (arrays,), strict=True):
                np.testing.assert_allclose(a, b, rtol=0, atol=1e-12, equal_nan=True)
    with pytest.raises(rn.UnsupportedError, match="node 'again' repeats what is there behind the"):
        rn.Model(ModelSpec(
            nodes={
                "gru": (make_recurrent(RNG, "gru", 2, 3, return_sequences=False), "x"),
                "again": (rn.Expand(), "gru"),
            },
            inputs="x", outputs="again",
        )).stream()  # fmt: skip


@pytest.mark.parametrize("make", [lambda: speaker(True), decoder])
@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_a_file_keeps_it(make: Any, suffix: str, tmp_path: Path) -> None:
    spec = make()
    rn.Model(spec).save(tmp_path / f"m{suffix}")
    again = rn.load(tmp_path / f"m{suffix}").spec
    assert to_metadata(again) == to_metadata(spec)
    assert to_metadata(spec)["rnn_native.version"] == "2"
    for name, one in spec.inputs.items():
        assert (type(again.inputs[name]), again.inputs[name]) == (type(one), one)


def test_how_it_is_stated() -> None:
    assert repr(rn.Static(4)) == "Static(features=4, indices=False)"
    assert type(pickle.loads(pickle.dumps(rn.Static(4)))) is rn.Static
    spec = pickle.loads(pickle.dumps(speaker(True)))
    assert spec.inputs["who"] == (SPEAKERS, True)
    assert not spec.inputs["who"].time
    assert spec.inputs["mel"].time
    assert spec.all_axes()[0] == ["who [batch]", "mel [time, batch, 5]"]
    nodes = {"e": (make_embedding(RNG, 7, 2), "w"), "x": (rn.Expand(), "e")}
    spec = ModelSpec(
        nodes=nodes | {"y": (rn.Add(), ("x", "t"))},
        inputs={"w": rn.Static(), "t": 2}, outputs="y",
    )  # fmt: skip
    assert spec.inputs["w"] == (7, True)  # as what reads it has it


def one(layer: Any, reads: Any, **inputs: Any) -> ModelSpec:
    return ModelSpec(nodes={"n": (layer, reads)}, inputs=inputs, outputs="n")


REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda: one(make_linear(RNG, 3, 2), "w", w=rn.Static(3)), rn.UnsupportedError,
     "expected one that has time, got 'w' without"),
    (lambda: one(rn.Add(), ("x", "w"), x=3, w=rn.Static(3)), rn.ShapeError,
     "all have steps, or none: input 'x' has them, input 'w' has no time; an rn.Expand before it"),
    (lambda: one(make_recurrent(RNG, "gru", 3, 2), "w", x=3, w=rn.Static(3)), rn.ShapeError,
     "input 'w' has no time"),
    (lambda: one(rn.Expand(), "x", x=3), rn.ShapeError,
     r"\(Expand\): expected a value without time first, input 'x' has steps"),
    (lambda: one(rn.Expand(), ("w", "w"), x=3, w=rn.Static(3)), rn.ShapeError,
     r"\(Expand\): expected a second input of steps, input 'w' has no time"),
    (lambda: one(rn.Expand(), ("w", "x", "x"), x=3, w=rn.Static(3)), rn.ShapeError,
     r"\(Expand\): expected a value without time and, .* got 3 inputs"),
    (lambda: one(rn.Expand(), "w", x=3, w=rn.Static(3, True)), rn.ShapeError,
     r"\(Expand\): expected inputs of features, input 'w' is of indices"),
    (lambda: ModelSpec((make_linear(RNG, 3, 2), rn.Last(), rn.Expand())), rn.UnsupportedError,
     "layer 2: an Expand reads several values"),
    (lambda: one(rn.Expand(), "w", x=3, w=rn.Static()), rn.ShapeError,
     "what reads it takes any number of features; state it"),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_what_is_refused_by_name(case: int) -> None:
    make, error, match = REFUSED[case]
    with pytest.raises(error, match=match):
        make()


@pytest.mark.parametrize("where", ["core", "reference"])
def test_wrong_calls_are_named(where: str) -> None:
    spec = speaker(True)
    run = rn.Model(spec) if where == "core" else lambda x: rn.reference.run(spec, x)
    x = {"who": np.array([1, 2]), "mel": np.zeros((4, 2, 5))}
    run(x)
    for who, match in (
        (np.array([1, SPEAKERS]), r"x\['who'\]\[1\]: expected"),
        (np.array([1, 2, 3]), "expected . rows, as"),
        (np.array([[1, 2]]), r"x\['who'\]: expected shape \(batch\), got \(1, 2\)"),
    ):
        with pytest.raises(rn.ShapeError, match=match):
            run(x | {"who": who})
    stream = rn.Model(spec).stream(batch=2)
    with pytest.raises(rn.ShapeError, match=r"x\['who'\]: expected shape \(2,\), got \(4, 2\)"):
        stream.push(x | {"who": np.zeros((4, 2), int)})
    assert not np.any(stream.state)
