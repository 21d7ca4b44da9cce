"""Exports many graphs into one folder, compiles it, and compares every bit with the package's.

    RNN_NATIVE_ISA=baseline python export_graph_sweep.py FOLDER ISA [FLAG ...]

Exits with 0 if all bits are equal; test_export_graph.py starts it. The FLAGs are the compiler's.
The graphs are those of test_graph_model.py and random ones, as streams and, where they have none,
as whole runs, each with weights of fewer bits, too; no scalar kernel sums up a softmax in the order
of vectors, and none is among those.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from agreement import DTYPES, assert_same_bits
from export_sweep import export_all, reduced
from exported import Shared
from random_graphs import inputs_of, make_graph, part_of
from test_graph_model import GRAPHS

import rnn_native as rn
from rnn_native.spec import ModelSpec

FLAGS = {"avx2": ["-mavx2", "-mfma"]}
TIME = 11
CONVOLUTIONS: list[dict[str, Any]] = [
    {"padding": "causal", "dilation": 2},
    {"padding": (1, 0), "stride": 2},
    {"positions": 7, "padding": (2, 1), "padding_mode": "reflect", "stride": 2},
]
RANDOM = 40
"""Graphs of each dtype."""

Values = list[np.ndarray[Any, Any]]


class Compare:
    """One exported graph against the same one in Python."""

    def __init__(self, shared: Shared, name: str, model: rn.Model, spec: ModelSpec, batch: int):
        self.shared, self.name, self.model, self.spec = shared, name, model, spec
        self.batch = batch
        self.several = max(len(spec.inputs), len(spec.outputs)) > 1

    def run(self, rng: np.random.Generator) -> None:
        x: Values = []
        for name, array in inputs_of(self.spec, TIME, self.batch, rng).items():
            indices = self.spec.inputs[name].indices
            x.append(array.astype(np.int32 if indices else self.model.dtype))
        if self.model.streamable:
            self._stream(x)
            return
        for time in (TIME, 1):
            inputs = [np.ascontiguousarray(array) for array in self._part(x, 0, time)]
            self._check(lambda i=inputs: self.model(self._given(i))[0], "run", inputs, (time,))

    def _stream(self, x: Values) -> None:
        stream = self.model.stream(batch=self.batch)
        for _ in range(2):  # the second time behind a reset
            for first, end in ((0, 1), (1, 4), (4, 4), (4, TIME)):
                inputs = self._part(x, first, end)
                if self.spec.is_paced:
                    self._push(stream, inputs, end - first)
                if self.spec.is_paced or first == end:
                    continue
                steps = () if (first, end) == (0, 1) else (end - first,)
                self._check(
                    lambda i=inputs: self._steps(stream, i), "steps" if steps else "step",
                    inputs, steps,
                )  # fmt: skip
            for index, array in enumerate(_flat(stream.state)):
                got = self.shared.state(self.name, index, np.empty_like(array))
                assert_same_bits(got, array)
            self.shared.reset(self.name)
            stream.reset()

    def _part(self, x: Values, first: int, end: int) -> Values:
        """Some of the steps."""
        named = dict(zip(self.spec.inputs, x, strict=True))
        return [*part_of(self.spec, named, first, end).values()]

    def _push(self, stream: rn.Stream, inputs: Values, steps: int) -> None:
        """With room for exactly what comes."""
        want = [*self._named(stream.push(self._given(inputs))).values()]
        got = [np.full_like(array, np.nan) for array in want]
        came = self.shared.push(self.name, inputs, got, self.several, steps)
        assert came == [*map(len, want)]
        for a, b in zip(got, want, strict=True):
            assert_same_bits(a, b)

    def _steps(self, stream: rn.Stream, inputs: Values) -> dict[str, Any]:
        """What each step gives, one behind the other."""
        found: dict[str, list[Any]] = {name: [] for name in self.spec.outputs}
        timed = [one.time for one in self.spec.inputs.values()]
        for step in range(len(inputs[timed.index(True)])):
            of_step = [a[step] if t else a for a, t in zip(inputs, timed, strict=True)]
            y = stream.step(self._given(of_step))
            for name, array in self._named(y).items():
                found[name].append(array.copy())
        return {name: np.stack(arrays) for name, arrays in found.items()}

    def _check(
        self, wanted: Callable[[], Any], function: str, inputs: Values, steps: tuple[int, ...]
    ) -> None:
        want = [*self._named(wanted()).values()]
        got = [np.full_like(array, np.nan) for array in want]
        if self.several:
            self.shared.values(f"{self.name}_{function}", inputs, got, *steps)
        else:
            getattr(self.shared, function)(self.name, inputs[0], got[0])
        for a, b in zip(got, want, strict=True):
            assert_same_bits(a, b)

    def _given(self, inputs: Values) -> Any:
        named = dict(zip(self.spec.inputs, inputs, strict=True))
        return named if len(named) > 1 else inputs[0]

    def _named(self, y: Any) -> Mapping[str, Any]:
        return y if isinstance(y, dict) else dict.fromkeys(self.spec.outputs, y)


def _flat(state: Any) -> Values:
    if isinstance(state, dict):
        return [part for each in state.values() for part in _flat(each)]
    return [part for each in state for part in _flat(each)] if isinstance(state, tuple) else [state]


def sums_rows(spec: ModelSpec) -> bool:
    """Whether softmax, or its logarithm, sums features."""
    layers = [node.layer for node in spec.nodes.values()]
    return any("softmax" in getattr(layer, "activation", "") for layer in layers)


def convolutions(rng: np.random.Generator, dtype: str) -> list[ModelSpec]:
    """Dense, grouped and depthwise, with and without a bias, over time and over positions."""
    specs = []
    for groups, out in ((1, 19), (2, 6), (6, 6), (6, 12)):
        for bias in (None, rng.standard_normal(out).astype(dtype)):
            weight = rng.standard_normal((out, 6 // groups, 3)).astype(dtype)
            for options in CONVOLUTIONS:
                specs.append(ModelSpec((rn.Conv1d(weight, bias, groups=groups, **options),)))
    return specs


def main(folder: Path, isa: str, flags: list[str]) -> None:
    rng = np.random.default_rng(23)
    models: list[tuple[rn.Model, ModelSpec]] = []
    softmax = isa != "scalar"
    own = [spec for spec in (make() for make in GRAPHS) if softmax or not sums_rows(spec)]
    for dtype in DTYPES:
        graphs = [
            make_graph(
                rng,
                dtype=dtype,
                streams=i % 3 != 0,
                softmax=softmax,
                pools=i % 2 == 1,
                static=i % 4 > 1,
            )
            for i in range(RANDOM)
        ]
        specs = own + graphs + convolutions(rng, dtype)
        models += [(rn.Model(spec, dtype=dtype, num_threads=1), spec) for spec in specs]
        if dtype == "float32":
            models += [(reduced(spec, index), spec) for index, spec in enumerate(specs)]
    cases = export_all(models, folder, isa, TIME)
    shared = Shared(folder, *FLAGS.get(isa, []), *flags)
    for name, model, spec, batch in cases:
        try:
            Compare(shared, name, model, spec, batch).run(rng)
        except AssertionError as error:
            raise AssertionError(f"{name}: {model!r}, {spec}") from error
    print(f"{isa}: {len(cases)} graphs give the same bits")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
