"""Graphs by chance: several inputs and outputs, branches, last states, over all layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import strategies
from numpy.typing import DTypeLike
from strategies import VARIANTS

import rnn_native as rn
from rnn_native.spec import (
    DIRECTIONS,
    Elementwise,
    Input,
    Layer,
    LayerNorm,
    Merge,
    ModelSpec,
    Static,
)
from rnn_native.spec.layers.reduce import REDUCE_MODES
from rnn_native.spec.window import Paces, form_of

MODES = (rn.Add, rn.Mul, rn.Concat, rn.Sub, rn.Max, rn.Min)  # a quotient may be any number
FUNCTIONS = (("tanh",), ("sigmoid",), ("leaky_relu", 0.25), ("elu", 0.5), ("softsign",))
WIDEST = 24
"""Features that a convolution reads at most, which may make several times as many."""
MOST_UPSAMPLED = 3
"""Windows in front of an Upsample, so that steps do not become thousands."""
SINGLE = 3
"""Of so many graphs one has a single input, a single output, or both."""


class _Graph:
    """A graph that grows by one node after the other."""

    def __init__(
        self,
        rng: np.random.Generator,
        dtype: DTypeLike,
        streams: bool,
        softmax: bool,
        pools: bool,
        static: bool,
    ):
        self.rng, self.dtype, self.streams, self.pools = rng, dtype, streams, pools
        self.directions = DIRECTIONS[:1] if streams else DIRECTIONS
        self.activations = ("identity", "sigmoid", "tanh", "relu", "log_softmax", "softmax")
        self.activations = self.activations if softmax else self.activations[:4]
        self.nodes: dict[str, tuple[Layer, tuple[str, ...]]] = {}
        self.inputs: dict[str, Input] = {}
        self.sizes: dict[str, int] = {}  # features of each value
        self.over_time: dict[str, bool] = {}
        self.static: set[str] = set()  # values of inputs without time alone
        self.takes_static = static
        self.paces: dict[str, Paces] = {}
        self.read: set[str] = set()
        self.pooled: list[tuple[str, Any]] = []  # what was pooled, and how

    def pick(self, options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def size(self) -> int:
        return int(self.rng.integers(1, 7))

    def add(self, layer: Layer, reads: tuple[str, ...], features: int, over_time: bool) -> str:
        name = f"{layer.kind} {len(self.nodes)}"
        self.nodes[name] = (layer, reads)
        self.read.update(reads)
        self.sizes[name], self.over_time[name] = features, over_time
        paced = [read for read in reads if read not in self.static]
        self.paces[name] = () if layer.kind == "expand" else self.paces[(paced or reads)[0]]
        if self.static.issuperset(reads) and not over_time:
            self.static.add(name)
        return name

    def add_input(self) -> None:
        name, indices = f"in/{len(self.inputs)}", self.rng.integers(3) == 0
        time = not (self.takes_static and len(self.inputs) == 1)
        self.inputs[name] = (Input if time else Static)(self.size(), bool(indices))
        self.paces[name] = ()
        if not time:
            self.static.add(name)
        if not indices:
            self.sizes[name], self.over_time[name] = self.inputs[name].features, time
            return
        table = strategies.make_embedding(
            self.rng, self.inputs[name].features, width := self.size(), dtype=self.dtype
        )
        self.add(table, (name,), width, time)

    def add_node(self) -> None:
        name = self.pick([*self.sizes])
        width, over_time = self.sizes[name], self.over_time[name]
        kind = self.rng.integers(8)
        if self.takes_static and not over_time and self.rng.integers(2):
            self._expand(name)
        elif self.pools and over_time and self.rng.integers(3) == 0:
            self._pool(name)
        elif self.pools and width <= WIDEST and self.rng.integers(3) == 0:
            self._conv(name)
        elif kind < 2 and over_time:
            self._recurrent(name)
        elif kind == 2 and self.pools and width <= WIDEST:
            self._within(name)
        elif kind < 4:
            self._combine([n for n in self.sizes if self.go_together(n, name)])
        elif kind == 4:
            function = self.pick(FUNCTIONS)
            self.add(Elementwise(*function), (name,), width, over_time)
        elif kind == 7 and over_time and self.rng.integers(2):
            self.add(rn.Reduce(self.pick(REDUCE_MODES)), (name,), width, False)
        elif kind == 6 and over_time and self.rng.integers(2):
            self._attention(name)
        elif kind == 7 and over_time and not self.streams and self.rng.integers(2):
            self.add(rn.InstanceNorm(width, epsilon=0.3), (name,), width, True)
        elif kind == 7:
            self._norm(name)
        elif kind == 5 and width % 2 == 0 and name in self.nodes:
            mode = self.pick(("sum", "mul", "ave"))
            self.add(Merge(mode, width // 2), (name,), width // 2, over_time)
        else:
            activation, features = self.pick(self.activations), self.size()
            layer = strategies.make_linear(
                self.rng, width, features, activation=activation, dtype=self.dtype
            )
            self.add(layer, (name,), features, over_time)

    def go_together(self, a: str, b: str) -> bool:
        """Whether one layer can read both."""
        if self.over_time[a] != self.over_time[b]:
            return False
        if not self.over_time[a] and not self.streams:
            return True  # last states, whenever they are there
        if self.static & {a, b}:
            return True
        return form_of(self.paces[a]) == form_of(self.paces[b])

    def _expand(self, name: str) -> None:
        """At the steps of the inputs, or of a value with time; in a stream of what is static."""
        if self.streams and name not in self.static:
            return
        like = self.pick([n for n in self.sizes if self.over_time[n]] + [""])
        made = self.add(rn.Expand(), (name, like) if like else (name,), self.sizes[name], True)
        self.paces[made] = self.paces[like] if like else ()

    def wait(self) -> None:
        """A decoder of what is there behind the last step alone."""
        late = [n for n in self.sizes if not self.over_time[n] and n not in self.static]
        if late and not self.streams:
            name = self.pick(late)
            self._recurrent(self.add(rn.Expand(), (name,), self.sizes[name], True))

    def _recurrent(self, name: str) -> None:
        cell, options = self.pick(VARIANTS)
        options = dict(options)
        last_alone = not options.get("output_layer") and self.rng.integers(4) == 0
        layer = strategies.make_recurrent(
            self.rng, cell, self.sizes[name], 4 + self.size() % 3, dtype=self.dtype,
            num_layers=1 + int(self.rng.integers(2)), direction=self.pick(self.directions),
            initial_state=bool(self.rng.integers(2)), return_sequences=not last_alone, **options,
        )  # fmt: skip
        made = self.add(layer, (name,), layer.output_size, not last_alone)
        if not last_alone and not options.get("output_layer") and self.rng.integers(3):
            self.sizes[made + ".last"] = layer.output_size
            self.over_time[made + ".last"] = False
            self.paces[made + ".last"] = self.paces[name]

    def _within(self, name: str) -> None:
        along = ("positions", "time") if self.over_time[name] else ("positions",)
        layer = strategies.make_within(
            self.rng, self.sizes[name], directions=self.directions, along=along, dtype=self.dtype
        )
        made = self.add(layer, (name,), layer.output_size, self.over_time[name])
        if layer.along == "time" and self.rng.integers(2):
            self.sizes[made + ".last"] = layer.output_size
            self.over_time[made + ".last"] = False
            self.paces[made + ".last"] = self.paces[name]

    def _norm(self, name: str) -> None:
        width = self.sizes[name]
        weight, bias = self.rng.uniform(-1, 1, (2, width)).astype(self.dtype)
        layer = LayerNorm(
            width, self.pick((weight, None)), self.pick((bias, None)), epsilon=0.3,
            groups=self.pick([n for n in range(1, width + 1) if width % n == 0]),
        )  # fmt: skip
        self.add(layer, (name,), width, self.over_time[name])

    def _attention(self, name: str) -> None:
        """Scores of some heads, and what they weigh; where no stream has to run, their weights."""
        width = self.sizes[name]
        heads = self.pick([n for n in range(1, width + 1) if width % n == 0])
        linear = strategies.make_linear(self.rng, width, heads, dtype=self.dtype)
        scores = self.add(linear, (name,), heads, True)
        self.add(rn.AttentionPool(heads), (name, scores), width, False)
        if not self.streams and self.rng.integers(2):
            self.add(rn.SoftmaxOverTime(), (scores,), heads, True)
        if "softmax" in self.activations:
            self.add(rn.Softmax(heads), (name,), width, True)
            if not self.streams:
                causal = bool(self.rng.integers(2))
                layer = self.pick(
                    (
                        rn.Attention(heads, causal=causal),
                        rn.AdditiveAttention(np.ones(width, self.dtype), heads),
                    )
                )
                self.add(layer, (name, name, name), width, True)

    def _pool(self, name: str) -> None:
        size, stride = int(self.rng.integers(1, 6)), int(self.rng.integers(1, 5))
        before = int(self.rng.integers(size))
        after = 0 if self.streams else int(self.rng.integers(size))
        shape = (size, stride, (before, after))
        if self.pooled and self.rng.integers(2):  # so that branches have equal steps
            name, shape = self.pick(self.pooled)
        self.pooled.append((name, shape))
        layer: Any = self.pick((rn.AvgPool, rn.MaxPool))(*shape)
        features = self.sizes[name]
        if len(self.paces[name]) < MOST_UPSAMPLED and self.rng.integers(4) == 0:
            layer = strategies.make_upsample(self.rng, features)
            features //= layer.factor if layer.mode == "parts" else 1
        elif self.rng.integers(3) == 0:
            layer = strategies.make_pad(self.rng, features, streams=self.streams)
        made = self.add(layer, (name,), features, True)
        if not layer.window.keeps_pace:
            self.paces[made] = (*self.paces[name], layer.window)

    def _conv(self, name: str) -> None:
        width, over_time = self.sizes[name], self.over_time[name]
        kind = self.rng.integers(5)
        if kind < 3:
            make = strategies.make_strided if kind < 2 else strategies.make_pool_within
            of_step = make(self.rng, width)
            self.add(of_step, (name,), of_step.output_size, over_time)
            return
        layer = strategies.make_conv(
            self.rng, width, time=over_time, streams=self.streams,
            activations=self.activations, dtype=self.dtype,
        )  # fmt: skip
        made = self.add(layer, (name,), layer.output_size, over_time)
        if not layer.window.keeps_pace:
            self.paces[made] = (*self.paces[name], layer.window)

    def _combine(self, names: list[str]) -> None:
        mode, count = self.pick(MODES), int(self.rng.integers(2, 5))
        first = self.pick(names)
        if mode is rn.Concat:
            reads = [first, *(self.pick(names) for _ in range(count - 1))]
            features = sum(self.sizes[name] for name in reads)
        else:
            features = self.sizes[first]
            alike = [name for name in names if self.sizes[name] == features]
            count = 2 if mode is rn.Sub else count
            reads = [first, *(self.pick(alike) for _ in range(count - 1))]
        if features <= 40:
            self.add(mode(), tuple(reads), features, self.over_time[first])

    def join(self) -> str:
        """One value of all that nobody reads."""
        ends = []
        for name in [n for n in self.sizes if n not in self.read]:
            if self.over_time[name]:
                layer = strategies.make_recurrent(
                    self.rng, "gru", self.sizes[name], 2, dtype=self.dtype, return_sequences=False
                )
                name = self.add(layer, (name,), 2, False)
            ends.append(name)
        if len(ends) == 1:
            return ends[0]
        return self.add(rn.Concat(), tuple(ends), sum(self.sizes[e] for e in ends), False)


def make_graph(
    rng: np.random.Generator,
    *,
    dtype: DTypeLike = np.float32,
    streams: bool = True,
    softmax: bool = True,
    pools: bool = False,
    static: bool = False,
) -> ModelSpec:
    """A graph of 1 to 3 inputs and about as many outputs. ``streams``: no layer runs backwards or
    has padding behind the last step; ``softmax``: some activation may be one, which sums features;
    ``pools``: some values have fewer or more steps than the inputs, by pools and convolutions, and
    some are views of others, or pools of their positions; ``static``: the second input has no time.
    """
    graph = _Graph(rng, dtype, streams, softmax, pools, static)
    count = 1 if rng.integers(SINGLE) == 0 else 1 + int(rng.integers(3))
    for _ in range(max(count, 1 + static)):
        graph.add_input()
    for _ in range(2 + int(rng.integers(7))):
        graph.add_node()
    if static:
        graph.wait()
        graph.add_node()
    for name in graph.inputs:  # each is read
        if name not in graph.read:
            function = graph.pick(FUNCTIONS)
            graph.add(Elementwise(*function), (name,), graph.sizes[name], graph.over_time[name])
    alone = [n for n in graph.sizes if n not in graph.read]
    forms = {form_of(graph.paces[name]) for name in alone if name not in graph.static}
    ends_together = not streams or len(forms) == 1
    if rng.integers(SINGLE) == 0 and ends_together:
        outputs = {"only": graph.join()}
    else:
        ends = [n for n in graph.sizes if n not in graph.read and n not in graph.inputs]
        more = [n for n in graph.sizes if n not in graph.inputs and rng.integers(5) == 0]
        outputs = {f"out {i}": name for i, name in enumerate(ends + more)}
    return ModelSpec(nodes=graph.nodes, inputs=graph.inputs, outputs=outputs)


def inputs_of(spec: ModelSpec, time: int, batch: int, rng: np.random.Generator) -> dict[str, Any]:
    """By name, of so many steps and rows."""
    made = {}
    for name, one in spec.inputs.items():
        axes = (time, batch) if one.time else (batch,)
        if one.indices:
            made[name] = rng.integers(0, one.features, axes)
        else:
            made[name] = rng.standard_normal((*axes, one.features))
    return made


def part_of(spec: ModelSpec, x: dict[str, Any], first: int, end: int) -> dict[str, Any]:
    """Those of the steps from ``first`` to ``end``."""
    return {n: array[first:end] if spec.inputs[n].time else array for n, array in x.items()}


def rows_of(spec: ModelSpec, x: dict[str, Any], rows: slice) -> dict[str, Any]:
    """Those of some rows."""
    return {n: array[:, rows] if spec.inputs[n].time else array[rows] for n, array in x.items()}


def turned(spec: ModelSpec, x: dict[str, Any]) -> dict[str, Any]:
    """The same, batch first."""
    return {n: np.swapaxes(a, 0, 1) if spec.inputs[n].time else a for n, a in x.items()}
