"""Pools of streams: each stream gives what it gives alone, and nothing of another's.

The oracle is ``model.stream(batch=1)``, one for each stream of the pool, which other tests hold to
the reference.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strategies
from agreement import assert_same_bits
from pool_streams import Streams, arrays, assert_same
from random_graphs import inputs_of, make_graph
from strategies import VARIANT_IDS, VARIANTS

import rnn_native as rn
from rnn_native.spec import Input, ModelSpec

SEEDS = range(40)
PRECISIONS = ("float16", "bfloat16", "int8")


@pytest.mark.parametrize("num_threads", [1, 2])
@pytest.mark.parametrize("seed", SEEDS)
def test_any_company_gives_the_bits_of_a_stream_alone(seed: int, num_threads: int) -> None:
    """Graphs over all layers, with strides, several inputs and outputs, and inputs without time:
    streams come, leave, begin anew and are pushed ragged chunks, in any order."""
    rng = np.random.default_rng([17, seed])
    spec = make_graph(rng, streams=True, pools=seed % 2 == 0, static=seed % 3 == 0)
    streams = Streams(rn.Model(spec, dtype=("float32", "float64")[seed % 4 == 3]), 12, num_threads)
    for _ in range(25):
        streams.live(rng)
        streams.assert_states()


@pytest.mark.parametrize("num_threads", [1, 2])
@pytest.mark.parametrize(("cell", "options"), VARIANTS, ids=VARIANT_IDS)
def test_every_cell_steps_in_any_order(
    cell: str, options: dict[str, Any], num_threads: int
) -> None:
    rng = np.random.default_rng(71)
    spec = strategies.make_spec(rng, cell, 7, 33, num_layers=2, out_features=5, **options)
    streams = Streams(rn.Model(spec), 200, num_threads)
    for _ in range(200):
        streams.open()
    for count in (1, 2, 7, 97, 200):
        ids = rng.permutation(200)[:count].tolist()
        streams.step(ids, rng.standard_normal((count, 7), dtype="float32"))
    streams.assert_states()


@pytest.mark.parametrize("weight_dtype", PRECISIONS)
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_every_weight_type(cell: str, weight_dtype: str) -> None:
    rng = np.random.default_rng(72)
    spec = strategies.make_spec(rng, cell, 20, 40, num_embeddings=11, out_features=9)
    streams = Streams(rn.Model(spec, weight_dtype=weight_dtype), 70, 2)
    ids = [streams.open() for _ in range(70)]
    for count in (70, 13, 1):
        streams.step(ids[:count], rng.integers(0, 11, count))
        chunks = [{"x": rng.integers(0, 11, (k % 5, 1))} for k in range(count)]
        streams.push(ids[:count], chunks)
    streams.assert_states()


def test_large_layers_are_shared_by_a_team() -> None:
    """One stream of a layer that is worth two threads, and chunks of it."""
    rng = np.random.default_rng(73)
    streams = Streams(rn.Model(strategies.make_spec(rng, "lstm", 64, 320)), 3, 2)
    ids = [streams.open() for _ in range(3)]
    for count in (1, 2, 3):
        streams.step(ids[:count], rng.standard_normal((count, 64), dtype="float32"))
        x = rng.standard_normal((40, 1, 64), dtype="float32")
        streams.push(ids[:count], [{"x": x[: 40 - 7 * k]} for k in range(count)])
    streams.assert_states()


def small(**options: Any) -> rn.Model:
    rng = np.random.default_rng(74)
    return rn.Model(strategies.make_spec(rng, "gru", 3, 5, num_layers=2, **options))


def test_ids_are_reused_and_a_full_pool_raises() -> None:
    pool = rn.StreamPool(small(), capacity=3)
    assert len({pool.open(), pool.open(), pool.open()}) == 3
    with pytest.raises(rn.PoolFullError, match="all 3 streams are open"):
        pool.open()
    pool.close(1)
    assert 1 not in pool
    assert len(pool) == 2
    assert pool.open() == 1
    assert pool.ids.tolist() == [0, 1, 2]
    assert pool.ids.dtype == np.int32


def test_who_gets_an_id_gets_nothing_of_who_had_it() -> None:
    pool = rn.StreamPool(small(), capacity=2)
    first = pool.open()
    pool.push([first], [np.ones((4, 3), "float32")])
    secret = arrays(pool.get_state(first))[0].tobytes()
    pool.close(first)
    assert secret[:20] not in pool.snapshot()
    second = pool.open()
    assert second == first
    for array in arrays(pool.get_state(second)):
        assert not array.any()
    assert secret[:20] not in pool.snapshot()


def test_a_state_is_that_of_a_stream() -> None:
    rng = np.random.default_rng(75)
    model = rn.Model(strategies.make_spec(rng, "lstm", 3, 5, num_layers=2))
    pool, stream = rn.StreamPool(model, 4), model.stream()
    a, b = pool.open(), pool.open()
    x = rng.standard_normal((6, 1, 3), dtype="float32")
    stream.push(x[:3])
    pool.set_state(b, stream.state)
    assert_same(pool.get_state(b), stream.state)
    assert_same_bits(pool.push([b], [x[3:, 0]])[0], stream.push(x[3:])[:, 0])
    assert not arrays(pool.get_state(a))[0].any()
    with pytest.raises(rn.ShapeError, match="state array 0: expected shape"):
        pool.set_state(a, (np.zeros((2, 2, 5), "float32"), np.zeros((2, 1, 5), "float32")))


def test_a_snapshot_goes_on_in_another_pool() -> None:
    rng = np.random.default_rng(76)
    model = small(out_features=2)
    pool = rn.StreamPool(model, 9)
    ids = [pool.open() for _ in range(9)]
    for i in (0, 4, 7):
        pool.close(i)
    kept = [i for i in ids if i in pool]
    x = rng.standard_normal((2, len(kept), 3), dtype="float32")
    pool.step(kept, x[0])
    everything, one = pool.snapshot(), pool.snapshot(kept[2])
    want = pool.step(kept, x[1])

    other = rn.StreamPool(rn.Model(model.spec), 20)
    other.open()
    other.restore(everything)
    assert other.ids.tolist() == kept
    assert_same_bits(other.step(kept, x[1]), want)
    assert len({other.open() for _ in range(14)} | set(kept)) == 20

    own = other.ids[-1]
    other.restore(one, own)
    assert_same_bits(other.step([own], x[1, 2:3]), want[2:3])


def paced(seed: int) -> tuple[np.random.Generator, ModelSpec]:
    """A graph of one input, whose one output has fewer or more steps."""
    rng = np.random.default_rng(seed)
    while True:
        spec = make_graph(rng, streams=True, pools=True)
        if len(spec.inputs) == len(spec.outputs) == 1 and rn.Model(spec).stream().rate != 1:
            return rng, spec


def test_a_snapshot_of_streams_at_other_steps_of_their_strides() -> None:
    """Whose phases differ, so that they cannot run together."""
    rng, spec = paced(77)
    model = rn.Model(spec)
    name = next(iter(spec.inputs))
    pool = rn.StreamPool(model, 8)
    ids = [pool.open() for _ in range(8)]
    pool.push(ids, [inputs_of(spec, k, 1, rng)[name][:, 0] for k in range(8)])
    more = [inputs_of(spec, 12, 1, rng)[name][:, 0] for _ in ids]
    other = rn.StreamPool(model, 8)
    other.restore(pool.snapshot())
    for a, b in zip(pool.push(ids, more), other.push(ids, more), strict=True):
        assert_same_bits(a, b)


def test_every_change_of_a_snapshot_is_noticed() -> None:
    pool = rn.StreamPool(small(), 3)
    for i in [pool.open() for _ in range(3)]:
        pool.push([i], [np.full((i + 1, 3), i, "float32")])
    good = pool.snapshot()
    before = [arrays(pool.get_state(i)) for i in range(3)]
    one = pool.snapshot(2)
    for snapshot, into in ((good, None), (one, 1), (one, None)):
        for at in range(8 * len(snapshot)):
            bad = bytearray(snapshot)
            bad[at // 8] ^= 1 << at % 8
            with pytest.raises(rn.RnnError, match="snapshot: expected"):
                pool.restore(bad, into)
    for size in [*range(0, 80), len(good) - 1]:
        with pytest.raises(rn.FormatError, match="snapshot: expected"):
            pool.restore(good[:size])
    with pytest.raises(rn.FormatError):
        pool.restore(good + b"\0")
    for i in range(3):
        assert_same(pool.get_state(i), before[i])
    pool.restore(good)


def test_a_snapshot_is_of_its_model_and_of_its_kind() -> None:
    model = small(out_features=3)
    pool = rn.StreamPool(model, 5)
    ids = [pool.open() for _ in range(5)]
    one, everything = pool.snapshot(ids[4]), pool.snapshot()
    for spec, options in (
        (small(out_features=1).spec, {}),
        (model.spec, {"dtype": "float64"}),
        (model.spec, {"weight_dtype": "int8"}),
        (another_number(model.spec), {}),
    ):
        other = rn.StreamPool(rn.Model(spec, **options), 5)
        with pytest.raises(rn.FormatError, match="got one of another"):
            other.restore(everything)
    with pytest.raises(rn.ShapeError, match="expected one of all streams, got one of one stream"):
        pool.restore(one)
    with pytest.raises(rn.ShapeError, match="expected one of one stream, got one of all"):
        pool.restore(everything, ids[0])
    with pytest.raises(rn.ShapeError, match="expected an open stream, got 3"):
        rn.StreamPool(model, 4).restore(one, 3)
    with pytest.raises(rn.PoolFullError, match="below the capacity, 4"):
        rn.StreamPool(model, 4).restore(everything)
    with pytest.raises(rn.DTypeError, match="expected bytes"):
        pool.restore("text")  # type: ignore[arg-type]


def another_number(spec: ModelSpec) -> ModelSpec:
    """The same model, but for one weight of its last layer."""
    *layers, last = spec.layers
    weight = np.array(last.arrays["weight"])
    weight[1, 2] = np.nextafter(weight[1, 2], np.float32(2))
    return ModelSpec((*layers, rn.Linear(weight=weight, bias=last.arrays["bias"])))


@pytest.mark.parametrize(
    ("ids", "error", "match"),
    [
        ([0, 3], rn.ShapeError, r"ids\[1\]: expected an open stream, got 3"),
        ([0, -1], rn.ShapeError, r"ids\[1\]: expected an open stream, got -1"),
        ([0, 2**40], rn.ShapeError, r"ids\[1\]: expected an open stream, got 1099511627776"),
        (
            [1, 0, 1],
            rn.ShapeError,
            r"ids\[2\]: expected each stream once, got 1, which is ids\[0\]",
        ),
        ([0.0, 1.0], rn.DTypeError, "ids: expected integers"),
        ([[0, 1]], rn.ShapeError, r"ids: expected shape \(n,\)"),
        (list(range(9)), rn.ShapeError, r"ids\[3\]: expected an open stream, got 3"),
        ([0, 1] * 4, rn.ShapeError, r"ids\[2\]: expected each stream once"),
    ],
)
def test_wrong_ids_step_nothing(ids: Any, error: type[Exception], match: str) -> None:
    pool = rn.StreamPool(small(), 6)
    for _ in range(3):
        pool.open()
    n = np.shape(ids)[0]
    with pytest.raises(error, match=match):
        pool.step(ids, np.ones((n, 3), "float32"))
    with pytest.raises(error, match=match):
        pool.push(ids, [np.ones((2, 3), "float32")] * n)
    for i in pool.ids:
        assert not arrays(pool.get_state(int(i)))[0].any()


def test_wrong_steps_step_nothing() -> None:
    pool = rn.StreamPool(small(), 6)
    ids = [pool.open() for _ in range(3)]
    with pytest.raises(rn.ShapeError, match=r"x: expected shape \(3, 3\), got \(2, 3\)"):
        pool.step(ids, np.ones((2, 3), "float32"))
    with pytest.raises(rn.ShapeError, match="x: expected 3 arrays, one for each of ids, got 2"):
        pool.push(ids, [np.ones((2, 3), "float32")] * 2)
    good, bad = np.ones((2, 3), "float32"), np.ones((2, 4), "float32")
    with pytest.raises(rn.ShapeError, match=r"x\[1\]: expected shape \(steps, 3\), got \(2, 4\)"):
        pool.push(ids, [good, bad, good])
    with pytest.raises(rn.DTypeError, match="x: expected a list of arrays"):
        pool.push(ids, 3)
    for i in ids:
        assert not arrays(pool.get_state(i))[0].any()


def test_indices_that_do_not_exist_step_nothing() -> None:
    rng = np.random.default_rng(78)
    model = rn.Model(strategies.make_spec(rng, "gru", 4, 5, num_embeddings=7))
    pool = rn.StreamPool(model, 6)
    ids = [pool.open() for _ in range(3)]
    with pytest.raises(rn.ShapeError, match=r"x\[1\]: expected an index from 0 to 6, got 7"):
        pool.step(ids, [0, 7, 1])
    with pytest.raises(rn.ShapeError, match=r"x\[2\]\[1\]: expected an index from 0 to 6, got -1"):
        pool.push(ids, [[0], [1, 2], [3, -1]])
    for i in ids:
        assert not arrays(pool.get_state(i))[0].any()


def test_no_ids_are_no_steps() -> None:
    pool = rn.StreamPool(small(), 2)
    assert pool.step([], np.ones((0, 3), "float32")).shape == (0, 5)
    assert pool.push([], []) == []
    i = pool.open()
    assert pool.push([i], [np.ones((0, 3), "float32")])[0].shape == (0, 5)


def test_results_are_the_callers() -> None:
    pool = rn.StreamPool(small(), 2)
    ids = [pool.open(), pool.open()]
    x = np.ones((2, 3), "float32")
    first = pool.step(ids, x)
    kept = first.copy()
    pool.step(ids, x)
    assert_same_bits(first, kept)


def test_what_cannot_be_a_pool_says_so() -> None:
    both = rn.LSTM(2, 3, bidirectional=True)
    with pytest.raises(rn.UnsupportedError, match="expected a model that runs step by step; "):
        rn.StreamPool(both)
    for capacity in (0, -1, 2**31, True, 1.5, None):
        with pytest.raises(rn.OptionError, match="capacity: expected"):
            rn.StreamPool(small(), capacity)  # type: ignore[arg-type]
    with pytest.raises(rn.DTypeError, match="expected a Model, or a module with one, got str"):
        rn.StreamPool("model.onnx")
    with pytest.raises(rn.OptionError, match="num_threads"):
        rn.StreamPool(small(), 2, 0)
    pool = rn.StreamPool(small(), 2)
    with pytest.raises(rn.OptionError, match="num_threads: expected 1 to"):
        pool.num_threads = 4000
    with pytest.raises(rn.ShapeError, match="expected an open stream, got 0"):
        pool.close(0)
    with pytest.raises(rn.DTypeError, match="expected an integer"):
        pool.reset("0")  # type: ignore[arg-type]


def test_a_blas_is_refused() -> None:
    spec = small().spec
    try:
        model = rn.Model(spec, matmul="blas")
    except rn.UnsupportedError:
        pytest.skip("this process has no BLAS")
    with pytest.raises(rn.UnsupportedError, match="matmul='packed', got 'blas'"):
        rn.StreamPool(model)


def test_strides_are_for_push() -> None:
    _, spec = paced(79)
    model = rn.Model(spec)
    pool = rn.StreamPool(model, 2)
    assert pool.rate == model.stream().rate
    assert pool.latency == model.stream().latency
    with pytest.raises(rn.UnsupportedError, match=r"pool\.push takes any number of steps"):
        pool.step([pool.open()], np.ones((1, 3), "float32"))


def test_threads_are_those_of_the_model_unless_it_is_told() -> None:
    one = rn.Model(small().spec, num_threads=1)
    assert rn.StreamPool(one).num_threads == 1
    assert rn.StreamPool(one, num_threads=2).num_threads == 2
    assert rn.StreamPool(small()).num_threads == rn.get_num_threads()


def test_memory_is_known_beforehand() -> None:
    model = small()
    small_pool, large = rn.StreamPool(model, 1000, 1), rn.StreamPool(model, 11000, 1)
    assert large.nbytes - small_pool.nbytes == 10000 * large.nbytes_per_stream


def test_two_threads_at_once_are_refused() -> None:
    """While one is in a long call the other is told so, and both streams go on."""
    rng = np.random.default_rng(80)
    model = rn.Model(strategies.make_spec(rng, "lstm", 64, 256))
    pool = rn.StreamPool(model, 4)
    ids = [pool.open() for _ in range(4)]
    x = [rng.standard_normal((4000, 64), dtype="float32")] * 4
    done = threading.Event()

    def run() -> None:
        pool.push(ids, x)
        done.set()

    thread = threading.Thread(target=run)
    thread.start()
    refused = 0
    while not done.is_set():
        try:
            pool.step(ids, x[0][:4])
        except rn.BusyError:
            refused += 1
    thread.join()
    assert refused
    pool.step(ids, x[0][:4])


def test_masked_steps_are_refused() -> None:
    rng = np.random.default_rng(81)
    spec = ModelSpec(strategies.make_spec(rng, "gru", 3, 5).layers, -1.0)
    pool = rn.StreamPool(rn.Model(spec), 2)
    ids = [pool.open(), pool.open()]
    x = np.ones((2, 3), "float32")
    x[1] = -1
    with pytest.raises(rn.ShapeError):
        pool.step(ids, x)
    with pytest.raises(rn.ShapeError, match=r"x\[1\] is masked"):
        pool.push(ids, [x[:1], x])
    with pytest.raises(rn.ShapeError, match=r"x\[0\] is masked"):
        pool.push(ids, [x[1:].tolist(), x[:1].tolist()])


@pytest.mark.parametrize("other", [rn.Pad(1, before=3), rn.Upsample(2)], ids=["pad", "upsample"])
def test_an_output_without_time_is_read_at_every_step(other: Any) -> None:
    """Though it is written for as many steps as the inputs have, and a value beside it has more."""
    one = np.ones((1, 1), np.float32)
    nodes = {
        "once": (rn.Linear(one), ("who",)),
        "more": (other, ("x",)),
        "each": (rn.Expand(), ("once", "more")),
    }
    inputs = {"x": Input(1), "who": rn.Static(1)}
    spec = ModelSpec(nodes=nodes, inputs=inputs, outputs={"each": "each", "once": "once"})
    model = rn.Model(spec)
    x, who = np.ones((6, 1, 1), np.float32), np.full((1, 1), 10, np.float32)
    want = model({"x": x, "who": who})[0]["each"]
    assert (want == 10).all()
    assert_same_bits(model.stream().push({"x": x, "who": who})["each"], want)
    pool = rn.StreamPool(model, 3)
    a, b = pool.open(), pool.open()
    chunks = {"x": [x[:, 0]] * 2, "who": [who[0], 7 * who[0]]}
    first, second = pool.push([a, b], chunks)["each"]
    assert_same_bits(first, want[:, 0])
    assert_same_bits(second, 7 * want[:, 0])


def test_ids_that_another_thread_changes_touch_no_other_memory() -> None:
    """Each is read once: steps may be those of others, and nothing worse."""
    pool = rn.StreamPool(small(), 500)
    ids = np.array([pool.open() for _ in range(500)], np.int32)
    good, done = ids.copy(), threading.Event()

    def change() -> None:
        while not done.is_set():
            ids[:] = 2**30
            ids[:] = good

    thread = threading.Thread(target=change)
    thread.start()
    x = np.ones((500, 3), np.float32)
    for _ in range(300):
        with contextlib.suppress(rn.ShapeError):
            pool.step(ids, x)
    done.set()
    thread.join()
    assert len(pool) == 500


@pytest.mark.parametrize("weight_dtype", [None, "int8"])
def test_a_snapshot_goes_to_another_cpu(weight_dtype: str | None, tmp_path: Path) -> None:
    model = rn.Model(small().spec, weight_dtype=weight_dtype)
    model.save(tmp_path / "model.npz")
    pool = rn.StreamPool(rn.load(tmp_path / "model.npz"), 2)
    pool.open()
    (tmp_path / "snapshot").write_bytes(pool.snapshot())
    program = (
        "import sys, rnn_native as rn; pool = rn.StreamPool(rn.load(sys.argv[1]), 2)\n"
        "pool.restore(open(sys.argv[2], 'rb').read()); assert len(pool) == 1"
    )
    subprocess.run(
        [sys.executable, "-P", "-c", program, tmp_path / "model.npz", tmp_path / "snapshot"],
        check=True, env=os.environ | {"RNN_NATIVE_ISA": "baseline"},
    )  # fmt: skip
