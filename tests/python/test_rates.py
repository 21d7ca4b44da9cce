"""Values with fewer or more steps than the inputs: the reference, cuts of time, streams, refusals.

Graphs are drawn by ``random_graphs.make_graph(pools=True)``, so that recurrent layers, last states
and combinations stand before and behind layers with strides.
"""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agreement import assert_same_bits
from random_graphs import inputs_of, make_graph, part_of, rows_of, turned
from strategies import make_embedding, make_linear, make_recurrent

import rnn_native as rn
from rnn_native import formats
from rnn_native.spec import ModelSpec
from rnn_native.spec.window import Window, rate_of, steps_of

SEEDS = range(60)


def draw(seed: int, *, streams: bool) -> tuple[np.random.Generator, ModelSpec]:
    """A graph in which some value has steps of its own; in most of them an output has. In every
    other one an input has no time."""
    rng = np.random.default_rng([91, seed])
    while True:
        spec = make_graph(rng, dtype=np.float64, streams=streams, pools=True, static=seed % 2 == 1)
        if spec.is_paced or spec.has_named_state:
            return rng, spec


def given(spec: ModelSpec, x: dict[str, Any]) -> Any:
    """What a call takes: one input without its name."""
    return x if len(spec.inputs) > 1 else next(iter(x.values()))


def by_output(spec: ModelSpec, y: Any) -> dict[str, Any]:
    return y if len(spec.outputs) > 1 else {next(iter(spec.outputs)): y}


def arrays(state: Any) -> list[np.ndarray[Any, Any]]:
    if isinstance(state, dict):
        return [array for name in sorted(state) for array in arrays(state[name])]
    if isinstance(state, tuple):
        return [array for part in state for array in arrays(part)]
    return [state]


def assert_close(got: Any, want: Any) -> None:
    """In float64, 1e-12 of the largest magnitude: CONTRIBUTING.md."""
    assert got.shape == want.shape
    finite = np.where(np.isfinite(want), want, 0)
    np.testing.assert_allclose(
        got, want, rtol=0, atol=1e-12 * max(1.0, np.abs(finite).max(initial=0))
    )


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_reference(seed: int, streams: bool) -> None:
    rng, spec = draw(seed, streams=streams)
    model = rn.Model(spec, dtype="float64")
    for time, batch in ((0, 2), (1, 1), (9, 3), (131, 2), (40, 0)):
        x = inputs_of(spec, time, batch, rng)
        for lengths in (None, rng.integers(0, time + 1, batch)):
            y, state = model(given(spec, x), lengths=lengths)
            want, final = rn.reference.run(spec, given(spec, x), lengths=lengths)
            assert type(y) is type(want)
            assert type(state) is type(final)
            steps = model.output_steps(time)
            for name, got in by_output(spec, y).items():
                assert_close(got, by_output(spec, want)[name])
                if got.ndim == 3:
                    assert len(got) == by_output(spec, steps)[name]
            for got, wanted in zip(arrays(state), arrays(final), strict=True):
                assert_close(got, wanted)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_reference_goes_on_from_a_state_as_the_core_does(seed: int) -> None:
    rng, spec = draw(seed, streams=True)
    model = rn.Model(spec, dtype="float64")
    x = inputs_of(spec, 37, 2, rng)
    wants, state = rn.reference.run(spec, given(spec, x))
    start: Any = None
    pieces: dict[str, list[Any]] = {name: [] for name in spec.outputs}
    for first, end in ((0, 1), (1, 14), (14, 14), (14, 15), (15, 37)):
        part = given(spec, part_of(spec, x, first, end))
        want, _ = rn.reference.run(spec, part, start)
        y, start = model(part, start)
        for name, got in by_output(spec, y).items():
            assert_close(got, by_output(spec, want)[name])
            pieces[name].append(got)
    for name, value in spec.outputs.items():
        if not spec.value(value).last:
            assert_close(np.concatenate(pieces[name]), by_output(spec, wants)[name])
    for got, wanted in zip(arrays(start), arrays(state), strict=True):
        assert_close(got, wanted)


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
def test_rows_threads_and_layouts_have_the_same_bits(seed: int, streams: bool) -> None:
    rng, spec = draw(seed, streams=streams)
    model = rn.Model(spec)
    x = inputs_of(spec, 150, 5, rng)
    lengths = rng.integers(0, 151, 5) if seed % 2 else None
    y, state = model(given(spec, x), lengths=lengths, num_threads=1)
    for threads in (2, 3):
        more, again = model(given(spec, x), lengths=lengths, num_threads=threads)
        for a, b in zip(arrays(more) + arrays(again), arrays(y) + arrays(state), strict=True):
            assert_same_bits(a, b)
    one = rows_of(spec, x, slice(3, 4))
    alone, _ = model(given(spec, one), lengths=None if lengths is None else lengths[3:4])
    for a, b in zip(arrays(alone), arrays(y), strict=True):
        assert_same_bits(a, np.ascontiguousarray(b[:, 3:4] if b.ndim == 3 else b[3:4]))
    other, _ = rn.Model(spec, batch_first=True)(given(spec, turned(spec, x)), lengths=lengths)
    for a, b in zip(arrays(other), arrays(y), strict=True):
        assert_same_bits(np.ascontiguousarray(np.swapaxes(a, 0, 1)) if a.ndim == 3 else a, b)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_stream_gives_the_bits_of_a_call_however_it_is_cut(seed: int, dtype: str) -> None:
    """A last state comes at every step of its pace, and the last of them is that of the call."""
    rng, spec = draw(seed, streams=True)
    model = rn.Model(spec, dtype=dtype)
    x = inputs_of(spec, 83, 2, rng)
    y, final = model(given(spec, x))
    for most in (1, 7, 83):
        stream = model.stream(batch=2, num_threads=1 + seed % 2)
        pieces: dict[str, list[Any]] = {name: [] for name in spec.outputs}
        first = 0
        while first < 83:
            end = min(83, first + int(rng.integers(0, most + 1)))
            part = given(spec, part_of(spec, x, first, end))
            for name, ready in by_output(spec, stream.push(part)).items():
                pieces[name].append(ready)
            first = end
        for name, value in spec.outputs.items():
            whole = np.concatenate(pieces[name])
            if not spec.value(value).last:
                assert_same_bits(whole, by_output(spec, y)[name])
            elif len(whole):
                assert_same_bits(whole[-1], by_output(spec, y)[name])
        for a, b in zip(arrays(stream.state), arrays(final), strict=True):
            assert_same_bits(a, b)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_stream_goes_on_from_its_state_and_begins_anew(seed: int) -> None:
    rng, spec = draw(seed, streams=True)
    model = rn.Model(spec)
    x = inputs_of(spec, 41, 3, rng)
    parts = [given(spec, part_of(spec, x, first, end)) for first, end in ((0, 23), (23, 41))]
    stream = model.stream(batch=3)
    before = stream.push(parts[0])
    state = stream.state
    after = stream.push(parts[1])
    other = model.stream(batch=3)
    other.state = state
    for a, b in zip(arrays(other.push(parts[1])), arrays(after), strict=True):
        assert_same_bits(a, b)
    stream.reset()
    for a, b in zip(arrays(stream.push(parts[0])), arrays(before), strict=True):
        assert_same_bits(a, b)


@pytest.mark.parametrize("seed", range(20))
def test_a_file_keeps_it(seed: int, tmp_path: Path) -> None:
    rng, spec = draw(seed, streams=bool(seed % 2))
    path = tmp_path / "m.safetensors"
    model = rn.Model(spec, dtype="float64")
    model.save(path)
    x = given(spec, inputs_of(spec, 33, 2, rng))
    again = rn.load(path, dtype="float64")
    assert again.spec.nodes.keys() == spec.nodes.keys()
    for a, b in zip(arrays(again(x)[0]), arrays(model(x)[0]), strict=True):
        assert_same_bits(a, b)


@pytest.mark.parametrize("seed", range(20))
def test_a_trace_has_the_steps_that_each_layer_reads(seed: int) -> None:
    rng, spec = draw(seed, streams=bool(seed % 2))
    model = rn.Model(spec, dtype="float64")
    x = given(spec, inputs_of(spec, 29, 2, rng))
    if any(spec.value(reads[0]).last and layer.traced("") for layer, reads in spec.nodes.values()):
        with pytest.raises(rn.UnsupportedError, match="run on what has no time"):
            model.trace(x)
        return
    traced = model.trace(x)
    wanted = rn.reference.trace(spec, x)
    assert traced.keys() == wanted.keys()
    for name, array in traced.items():
        assert_close(array, wanted[name])


def windows(rng: np.random.Generator) -> tuple[Window, ...]:
    made = []
    for _ in range(int(rng.integers(1, 4))):
        extent = int(rng.integers(1, 6))
        made.append(Window(extent, int(rng.integers(1, 5)), 1, int(rng.integers(extent))))
    return tuple(made)


@pytest.mark.parametrize("seed", range(200))
def test_rate_and_latency_are_those_of_the_steps_that_come(seed: int) -> None:
    """Step j stands for what has come up to step floor(j / rate) of the inputs; it is there once
    ``latency`` more of them are. Of one window, a smaller number would be wrong."""
    paces = windows(np.random.default_rng([92, seed]))
    rate, latency = rate_of(paces)
    ready = [steps_of(paces, steps) for steps in range(400)]
    assert abs(ready[-1] - 399 * rate) <= sum(w.extent for w in paces) + len(paces)
    late = []
    for j in range(ready[-1]):
        there = next(steps for steps in range(400) if ready[steps] > j)
        late.append(there - 1 - math.floor(Fraction(j) / rate))
    assert max(late, default=0) <= latency
    if len(paces) == 1 and late:
        assert max(0, *late) == latency


def test_a_team_of_threads_gives_what_one_does_and_ends() -> None:
    """Of layers so wide that threads share their units; the last chunks bring no step to the layer
    behind the pool, which each thread has to see alike."""
    rng = np.random.default_rng(101)
    wide = make_recurrent(rng, "gru", 8, 512)
    model = rn.Model([wide, rn.AvgPool(512, 2), make_recurrent(rng, "gru", 512, 8)])
    x = rng.standard_normal((500, 1, 8), np.float32)
    y, state = model(x, num_threads=1)
    for _ in range(20):
        more, again = model(x, num_threads=2)
        for a, b in zip(arrays(more) + arrays(again), arrays(y) + arrays(state), strict=True):
            assert_same_bits(a, b)
    stream = model.stream(num_threads=2)
    pieces = [stream.push(x[first : first + 90]) for first in range(0, 500, 90)]
    assert_same_bits(np.concatenate(pieces), y)
    for a, b in zip(arrays(stream.state), arrays(state), strict=True):
        assert_same_bits(a, b)


@pytest.mark.parametrize("shapes", [
    [(2, 2, 1)], [(4, 3, 2)], [(1, 2048), (1, 1024), (1, 2)], [(3, 2, 1), (2, 2, 1)],
], ids=str)  # fmt: skip
def test_branches_of_equal_windows_have_equal_steps(shapes: list[Any]) -> None:
    """Whatever their padding and how large their strides."""
    rng = np.random.default_rng(102)
    nodes: dict[str, Any] = {"first": (make_linear(rng, 3, 2), "x")}
    for branch, pool in (("a", rn.MaxPool), ("b", rn.AvgPool)):
        before = "first"
        for index, shape in enumerate(shapes):
            nodes[f"{branch}{index}"] = (pool(*shape), before)
            before = f"{branch}{index}"
    last = len(shapes) - 1
    nodes["sum"] = (rn.Add(), (f"a{last}", f"b{last}"))
    spec = ModelSpec(nodes=nodes, inputs="x", outputs="sum")
    model = rn.Model(spec, dtype="float64")
    for time in range(12):
        x = rng.standard_normal((time, 2, 3))
        assert_close(model(x)[0], rn.reference.run(spec, x)[0])


def test_rates_of_large_strides_are_exact() -> None:
    rng = np.random.default_rng(103)
    strides = (2048, 2048, 2)
    stream = rn.Model([make_linear(rng, 1, 1), *(rn.MaxPool(n) for n in strides)]).stream()
    assert stream.rate == Fraction(1, math.prod(strides))
    assert stream.latency == math.prod(strides) - 1


def test_a_state_that_is_refused_changes_nothing() -> None:
    rng = np.random.default_rng(104)
    layers = [
        make_linear(rng, 2, 2),
        rn.AvgPool(2),
        rn.AvgPool(2),
        make_recurrent(rng, "gru", 2, 3),
    ]
    stream = rn.Model(layers).stream()
    stream.push(rng.standard_normal((3, 1, 2), np.float32))
    held = arrays(stream.state)
    other = rn.Model(layers).stream()
    other.push(rng.standard_normal((7, 1, 2), np.float32))
    state = other.state
    state["1"] = (state["1"][0], np.float32([[[0.5]]]))
    with pytest.raises(rn.ShapeError, match="the same phase in every row"):
        stream.state = state
    for a, b in zip(arrays(stream.state), held, strict=True):
        assert_same_bits(a, b)


def test_steps_are_counted_of_integers_from_0_on() -> None:
    model = rn.Model([make_linear(np.random.default_rng(105), 1, 1), rn.MaxPool(2)])
    assert [*model.output_steps([5, 0])] == [2, 0]
    with pytest.raises(rn.DTypeError, match="expected integers, got float64"):
        model.output_steps(5.5)
    with pytest.raises(rn.ShapeError, match="expected 0 or more, got -1"):
        model.output_steps([3, -1])


def test_a_golden_input_is_as_long_as_its_output_needs(tmp_path: Path) -> None:
    rng = np.random.default_rng(106)
    model = rn.Model([make_linear(rng, 2, 3), rn.AvgPool(40), make_recurrent(rng, "gru", 3, 2)])
    model.save(tmp_path / "m.safetensors", golden=True)
    rn.load(tmp_path / "m.safetensors", verify=True)


def test_a_stream_tells_rate_and_latency() -> None:
    rng = np.random.default_rng(93)
    spec = ModelSpec((make_linear(rng, 3, 4), rn.AvgPool(4, 2), make_recurrent(rng, "gru", 4, 5)))
    stream = rn.Model(spec).stream()
    assert (stream.rate, stream.latency) == (Fraction(1, 2), 3)
    spec = ModelSpec(
        nodes={"a": (make_linear(rng, 3, 4), "x"), "b": (rn.MaxPool(3), "a")},
        inputs="x",
        outputs={"every": "a", "third": "b"},
    )
    model = rn.Model(spec)
    stream = model.stream()
    assert stream.rate == {"every": Fraction(1), "third": Fraction(1, 3)}
    assert stream.latency == {"every": 0, "third": 2}
    assert model.output_steps(8) == {"every": 8, "third": 2}


def test_a_step_that_may_bring_none_is_refused_by_name() -> None:
    rng = np.random.default_rng(94)
    stream = rn.Model([make_linear(rng, 3, 4), rn.AvgPool(2)]).stream()
    with pytest.raises(rn.UnsupportedError, match=r"makes 1 of 2, 1 steps behind: stream\.push"):
        stream.step(np.zeros((1, 3), np.float32))
    keeps = rn.Model([make_linear(rng, 3, 4), rn.AvgPool(3, 1, (2, 0))]).stream()
    assert keeps.step(np.zeros((1, 3), np.float32)).shape == (1, 4)


def test_what_does_not_go_together_is_refused_by_name() -> None:
    rng = np.random.default_rng(95)
    linear = make_linear(rng, 3, 4)
    with pytest.raises(rn.ShapeError, match="expected inputs of equal steps, 'a' has 100 steps"):
        ModelSpec(
            nodes={
                "a": (linear, "x"),
                "b": (rn.MaxPool(2), "a"),
                "sum": (rn.Add(), ("a", "b")),
            },
            inputs="x",
            outputs="sum",
        )
    with pytest.raises(rn.UnsupportedError, match="layer 1 has 1 step of padding behind the last"):
        rn.Model([linear, rn.AvgPool(3, 1, 1)]).stream()
    model = rn.Model([linear, rn.AvgPool(2)])
    _, state = model(np.zeros((3, 2, 3), np.float32))
    assert [array.shape for array in state["1"]] == [(1, 2, 4), (1, 2, 1)]
    x, phase = state["1"]
    for wrong in (np.float32([[[0], [1]]]), np.float32([[[0.5], [0.5]]]), np.float32([[[2], [2]]])):
        with pytest.raises(rn.ShapeError, match="the same phase in every row"):
            model(np.zeros((3, 2, 3), np.float32), {"1": (x, wrong)})
        with pytest.raises(rn.ShapeError, match="expected one number from 0 to 1 in all rows"):
            rn.reference.run(model.spec, np.zeros((3, 2, 3)), {"1": (x, wrong)})
        stream = model.stream(batch=2)
        stream.push(np.ones((1, 2, 3), np.float32))
        held = arrays(stream.state)
        with pytest.raises(rn.ShapeError, match="the same phase in every row"):
            stream.state = {"1": (x, wrong)}
        for a, b in zip(arrays(stream.state), held, strict=True):
            assert_same_bits(a, b)
    assert_same_bits(phase, np.float32([[[1], [1]]]))


def test_states_at_different_steps_do_not_go_on_together() -> None:
    """Two pools of one stride agree at first; a state may say otherwise."""
    rng = np.random.default_rng(96)
    spec = ModelSpec(
        nodes={
            "a": (make_linear(rng, 3, 4), "x"),
            "mean": (rn.AvgPool(2), "a"),
            "most": (rn.MaxPool(2), "a"),
            "both": (rn.Concat(), ("mean", "most")),
        },
        inputs="x",
        outputs="both",
    )
    model = rn.Model(spec)
    x = np.zeros((3, 1, 3), np.float32)
    _, state = model(x)
    one = np.zeros((1, 1, 1), np.float32)
    state["mean"] = (state["mean"][0], one)
    with pytest.raises(rn.ShapeError, match="read together at the same one"):
        model(x, state)
    stream = model.stream()
    with pytest.raises(rn.ShapeError, match="read together at the same one"):
        stream.state = state
    state["most"] = (state["most"][0], one)
    model(x, state)


def test_many_layers_behind_each_other_are_refused_by_number() -> None:
    rng = np.random.default_rng(97)
    pools = [rn.MaxPool(1, 2)] * 64
    model = rn.Model([make_linear(rng, 1, 1), *pools])
    assert model(np.ones((5, 1, 1), np.float32))[0].shape == (1, 1, 1)
    assert rn.Model([make_linear(rng, 1, 1), *pools, rn.MaxPool(3, 1, (2, 0))]).streamable
    with pytest.raises(rn.UnsupportedError, match="at most 64 layers behind each other"):
        ModelSpec((make_linear(rng, 1, 1), *pools, rn.MaxPool(1, 2)))


def test_indices_go_into_a_stream_and_out_of_range_nothing_happens() -> None:
    rng = np.random.default_rng(98)
    model = rn.Model([make_embedding(rng, 7, 4), rn.MaxPool(3)])
    x = rng.integers(0, 7, (10, 2))
    stream = model.stream(batch=2)
    parts = [stream.push(x[:4]), stream.push(x[4:])]
    assert_same_bits(np.concatenate(parts), model(x)[0])
    held = arrays(stream.state)
    with pytest.raises(rn.ShapeError, match="7"):
        stream.push(np.full((2, 2), 7))
    for a, b in zip(arrays(stream.state), held, strict=True):
        assert_same_bits(a, b)
    with pytest.raises(rn.ShapeError, match=r"expected shape \(steps, 2\), got \(2, 3\)"):
        stream.push(np.zeros((2, 3), np.int64))


def test_a_file_of_the_package_reads_what_a_spec_says(tmp_path: Path) -> None:
    rng = np.random.default_rng(99)
    spec = ModelSpec((make_linear(rng, 3, 4), rn.AvgPool(5, 2, (3, 1), count_include_pad=False)))
    path = tmp_path / "m.safetensors"
    formats.write(spec, path)
    assert formats.read(path).layers[1] == spec.layers[1]
