"""A pool beside streams of their own: what ``test_stream_pool.py`` and the soak have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
from agreement import assert_same_bits
from random_graphs import inputs_of

import rnn_native as rn


def arrays(state: Any) -> list[np.ndarray[Any, Any]]:
    if isinstance(state, dict):
        return [array for name in sorted(state) for array in arrays(state[name])]
    if isinstance(state, (tuple, list)):
        return [array for part in state for array in arrays(part)]
    return [state]


def assert_same(a: Any, b: Any) -> None:
    for one, other in zip(arrays(a), arrays(b), strict=True):
        assert_same_bits(np.ascontiguousarray(one), np.ascontiguousarray(other))


class Streams:
    """A pool beside a stream of its own for each of its streams, which gets the same steps."""

    def __init__(self, model: rn.Model, capacity: int, num_threads: int = 1) -> None:
        self.model = model
        self.pool = rn.StreamPool(model, capacity, num_threads)
        self.alone: dict[int, rn.Stream] = {}

    def open(self) -> int:
        i = self.pool.open()
        assert i not in self.alone
        self.alone[i] = self.model.stream(batch=1)
        return i

    def close(self, i: int) -> None:
        self.pool.close(i)
        del self.alone[i]

    def reset(self, i: int) -> None:
        self.pool.reset(i)
        self.alone[i].reset()

    def push(self, ids: list[int], chunks: list[dict[str, Any]]) -> None:
        """``chunks``: of each stream its inputs by name, as ``inputs_of`` makes them of one row."""
        spec = self.model.spec
        several = len(spec.inputs) > 1
        rows = {name: [row(spec, name, chunk[name]) for chunk in chunks] for name in spec.inputs}
        ys = self.pool.push(ids, rows if several else next(iter(rows.values())))
        for k, (i, chunk) in enumerate(zip(ids, chunks, strict=True)):
            want = self.alone[i].push(chunk if several else next(iter(chunk.values())))
            for name, each in (ys if isinstance(ys, dict) else {"": ys}).items():
                assert_same_bits(each[k], (want[name] if name else want)[:, 0])

    def step(self, ids: list[int], x: np.ndarray[Any, Any]) -> None:
        ys = self.pool.step(ids, x)
        for k, i in enumerate(ids):
            assert_same_bits(ys[k : k + 1], self.alone[i].step(x[k : k + 1]))

    def live(self, rng: np.random.Generator) -> None:
        """Some streams come, leave and begin anew, and some get a chunk, in any order."""
        for _ in range(int(rng.integers(0, 4))):
            if len(self.pool) < self.pool.capacity:
                self.open()
        ids = rng.permutation(sorted(self.alone)).tolist()
        for i in ids[: int(rng.integers(0, 3))]:
            (self.close if rng.integers(2) else self.reset)(i)
        ids = [i for i in ids if i in self.alone][: int(rng.integers(0, len(ids) + 1))]
        lengths = rng.integers(0, 9, len(ids)) * rng.integers(0, 2, len(ids))
        self.push(ids, [inputs_of(self.model.spec, int(n), 1, rng) for n in lengths])

    def assert_states(self) -> None:
        assert self.pool.ids.tolist() == sorted(self.alone)
        for i, stream in self.alone.items():
            assert_same(self.pool.get_state(i), stream.state)


def row(spec: rn.ModelSpec, name: str, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """An input of a batch of one, without the batch."""
    return x[:, 0] if spec.inputs[name].time else x[0]
