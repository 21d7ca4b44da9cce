"""Exports many models into one folder, compiles it, and compares every number with the package's.

    RNN_NATIVE_ISA=baseline python export_sweep.py FOLDER ISA

Exits with 0 if all bits are equal; test_export_run.py starts it. Scalar kernels are compared with
the vectors of the baseline, and where a softmax adds up features, in another order, with the
reference, within the bound of bounds.py. The models are every variant, in one direction and two,
and random chains of all layers, in float32 and float64 and with weights of every type.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
import strategies
from agreement import DTYPES, arrays_of, assert_agrees, assert_same_bits
from exported import Shared, as_input
from hypothesis import HealthCheck, Phase, given, settings
from strategies import VARIANTS

import rnn_native as rn
from rnn_native.spec import DIRECTIONS, ModelSpec, Recurrent
from rnn_native.weight_types import WEIGHT_DTYPES

FLAGS = {"avx2": ["-mavx2", "-mfma"]}
TIME = 5
RANDOM = 25
"""Chains of each dtype, and of weights of fewer bits."""


def variants(rng: np.random.Generator) -> list[ModelSpec]:
    found = []
    for index, (cell, options) in enumerate(VARIANTS):
        for direction in DIRECTIONS[: 2 + index % 2]:
            hidden = 4 + (index + len(direction)) % 6
            found.append(
                strategies.make_spec(
                    rng, cell, 1 + index % 5, hidden, num_layers=1 + index % 2,
                    direction=direction, out_features=index % 4, **options,
                )
            )  # fmt: skip
    return found


def chains(dtype: Any) -> list[ModelSpec]:
    found: list[ModelSpec] = []

    @settings(
        max_examples=RANDOM, derandomize=True, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck), deadline=None,
    )  # fmt: skip
    @given(strategies.specs(dtype=dtype, max_size=9))
    def collect(spec: ModelSpec) -> None:
        found.append(spec)

    collect()
    return found


def with_extremes(spec: ModelSpec) -> ModelSpec:
    """A weight of the least and one of the largest size, a negative zero, infinity."""
    arrays = dict(spec.layers[0].arrays)
    weight = arrays["weight_ih_l0"].copy()
    info = np.finfo(weight.dtype)
    weight.flat[:4] = [info.smallest_subnormal, info.max, -0.0, np.inf]
    layer = spec.layers[0]
    assert isinstance(layer, Recurrent)
    return ModelSpec((Recurrent(weights=arrays | {"weight_ih_l0": weight}, **layer.options),))


def sums_rows(spec: ModelSpec) -> bool:
    """Whether softmax sums features: in the order of vectors, which scalar kernels have not."""
    names = [getattr(layer, "activation", "") for layer in spec.layers]
    names += [getattr(layer, "output_nonlinearity", "") for layer in spec.layers]
    return any("softmax" in (name or "") for name in names)


class Compare:
    """One exported model against the same one in Python."""

    def __init__(self, shared: Shared, name: str, model: rn.Model, spec: ModelSpec, exact: bool):
        self.shared, self.name, self.model, self.spec, self.exact = shared, name, model, spec, exact

    def run(self, x: np.ndarray[Any, Any]) -> None:
        data = as_input(self.spec, x, self.model.dtype.name)
        if self.model.streamable:
            self._stream(x, data)
            return
        for time in (TIME, 1):
            want, _ = self.model(x[:time])
            self._check(
                x[:time], self.shared.run(self.name, data[:time], np.empty_like(want)), want
            )

    def _stream(self, x: np.ndarray[Any, Any], data: np.ndarray[Any, Any]) -> None:
        stream = self.model.stream(batch=x.shape[1])
        want = np.stack([stream.step(x_t).copy() for x_t in x])
        for _ in range(2):  # the second time behind a reset
            y = np.full_like(want, np.nan)
            self.shared.step(self.name, data[0], y[0])
            self.shared.steps(self.name, data[1:4], y[1:4])
            self.shared.steps(self.name, data[4:], y[4:])
            if self.spec.return_sequences:
                self._check(x, y, want)
            else:
                self._check(x, y[-1], want[-1])
            states = arrays_of(stream.state) if self.exact and self.spec.recurrents else []
            for index, array in enumerate(states):
                got = self.shared.state(self.name, index, np.empty_like(array))
                assert_same_bits(got, array)
            self.shared.reset(self.name)

    def _check(self, x: Any, y: np.ndarray[Any, Any], want: np.ndarray[Any, Any]) -> None:
        if self.exact:
            assert_same_bits(y, want)
        else:
            _, final = self.model(x)
            assert_agrees(self.spec, x, None, None, y, final, self.model.dtype.name)


def reduced(spec: ModelSpec, index: int) -> rn.Model:
    """One with weights of fewer bits, in some of which a layer keeps its own."""
    keep = spec.reducible[:1] if index % 4 == 3 else ()
    weights = WEIGHT_DTYPES[(index + index // 3) % 3]  # of cases in threes, each time another
    return rn.Model(spec, num_threads=1, weight_dtype=weights, keep=keep)


def export_all(
    models: Sequence[tuple[rn.Model, ModelSpec]], folder: Path, isa: str, time: int
) -> list[tuple[str, rn.Model, ModelSpec, int]]:
    """Into one folder: the name and batch of each; ``time``: steps of those that do not stream."""
    cases = []
    for index, (model, spec) in enumerate(models):
        name, batch = f"m{index}", 1 + index % 3
        steps = 1 + index % 4 if model.streamable else time
        rn.export_c(model, folder, name, isa=isa, batch=batch, max_steps=steps)
        cases.append((name, model, spec, batch))
    return cases


def main(folder: Path, isa: str) -> None:
    rng = np.random.default_rng(17)
    models: list[tuple[rn.Model, ModelSpec]] = []
    for dtype in DTYPES:
        specs = variants(rng) + chains(dtype)
        specs.append(with_extremes(strategies.make_spec(rng, "gru", 3, 5, dtype=dtype)))
        models += [(rn.Model(spec, dtype=dtype, num_threads=1), spec) for spec in specs]
    specs = variants(rng) + chains(np.float32)
    bits = [spec for spec in specs if isa != "scalar" or not sums_rows(spec)]
    models += [(reduced(spec, index), spec) for index, spec in enumerate(bits)]
    cases = export_all(models, folder, isa, TIME)
    shared = Shared(folder, *FLAGS.get(isa, []))
    for name, model, spec, batch in cases:
        try:
            exact = isa != "scalar" or not sums_rows(spec)
            x = strategies.random_input(spec, TIME, batch, rng, dtype=model.dtype)
            Compare(shared, name, model, spec, exact).run(x)
        except AssertionError as error:
            raise AssertionError(f"{name}: {model!r}, {spec}") from error
    print(f"{isa}: {len(cases)} models give the same numbers")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
