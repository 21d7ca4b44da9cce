"""A Keras model with branches as a graph of layers: runs of calls, and what joins several values.

A run is a chain as ``flow`` has it: calls each of which takes what the one before gives and nobody
else does. Runs begin at inputs of the model, behind values that are read more than once, and at a
layer that makes one value of several.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from ...errors import UnsupportedError
from ...spec import (
    AttentionPool,
    Expand,
    Input,
    Layer,
    ModelSpec,
    SoftmaxOverTime,
    Static,
    Strided,
)
from ...spec.layer import LAST
from ...warn import warn
from .attention import ATTENTIONS, check_attended, summed_axis
from .checks import check_arguments, check_mask, check_states
from .config import Layer as KerasLayer
from .flow import TURNED, Flow
from .graph import CONSTANT, OPERATORS, Call, Graph, Tensor
from .halves import joined
from .joins import JOINS, Join
from .layouts import laid_out
from .runs import Key, Run, Value, dtype_of, key_of, name_of
from .shape import Shape, total
from .store import Store
from .times import Starts

_WITH_STATES: Final = ("SimpleRNN", "GRU", "LSTM", "CuDNNGRU", "CuDNNLSTM")
_ALONE: Final = (
    "only the one input of a model can have its steps masked, where nothing else reads it"
)


def read_graph(graph: Graph, store: Store, starts: Starts, over_time: bool = False) -> ModelSpec:
    """``starts``: the axes of its inputs; ``over_time``: a RepeatVector makes as many steps as they
    have. Raises ``UnsupportedError`` for what nothing of ours is, by the layer's name."""
    return _Network(graph, store, starts, over_time).spec()


class _Network:
    def __init__(self, graph: Graph, store: Store, starts: Starts, over_time: bool) -> None:
        self._graph, self._store, self._starts = graph, store, starts
        self._ends = [t for t in map(graph.resolve, graph.outputs) if t.index == 0]
        if not self._ends:
            raise UnsupportedError("expected a model with an output that is no state")
        self._calls = dict(_needed(graph, self._ends))
        data = [t for call in self._calls.values() for t in map(graph.resolve, call.data)]
        self._uses = Counter(key_of(tensor) for tensor in [*data, *self._ends])
        check_states(graph, self._calls.values())
        inputs = [t for t in graph.inputs if t in data]
        self._start = inputs[0] if len(inputs) == 1 and self._uses[key_of(inputs[0])] == 1 else None
        self._inputs = inputs
        self._of_indices = {
            tensor for call in self._calls.values() if call.layer.kind == "Embedding"
            for tensor in map(graph.resolve, call.data)
        }  # fmt: skip
        steps = {t: self._steps(t) for t in inputs}
        self._static = {t for t, n in steps.items() if n == 0}
        if any(n is None or n > 1 for n in steps.values()):  # who speaks, as one step of indices
            self._static |= {t for t in inputs if t in self._of_indices and steps[t] == 1}
        self._static = set() if len(self._static) == len(inputs) else self._static
        every = {n for tensor, n in steps.items() if tensor not in self._static}
        self._over_time: int | None = every.pop() if over_time and len(every) == 1 else None
        self._runs: list[Run] = []
        self._run_of: dict[Key, Run] = {}

    def spec(self) -> ModelSpec:
        for key, call in self._calls.items():
            check_arguments(call)
            check_mask(self._graph, call, self._start)
            values = [*map(self._value, call.data)]
            join = None if CONSTANT in call.arguments else JOINS.get(call.layer.kind)
            if call.layer.kind in ATTENTIONS or call.layer.kind == "Dot":
                attends = self._pooled if call.layer.kind == "Dot" else self._attended
                self._run_of[key] = attends(call.layer, [*map(self._plain, values)])
                continue
            if join is None and len(values) != 1:
                names = ", ".join(value.tensor.layer for value in values)
                raise call.layer.unsupported(f"expected one input, it has {names}")
            if join is None:
                run = self._continued(values[0])
                run.add(call, self._store)
            else:
                run = self._joined(call.layer, values, join)
            self._run_of[key] = run
        for run in self._runs:
            run.settle()
        masked = [r.flow.mask_value for r in self._runs if r.flow.mask_value is not None]
        ends = [self._plain(self._value(tensor)) for tensor in self._ends]
        if any(end.run is not None and end.run.flow.flipped for end in ends):
            warn(TURNED)
        nodes, called = self._nodes()
        called_out = _Names()
        outputs = {
            called_out.free(end.layer): called(value)
            for end, value in zip(self._ends, ends, strict=True)
        }
        of_indices = {name for layer, reads in nodes.values() if layer.takes_indices
                      for name in reads}  # fmt: skip
        sizes = {name_of(t): self._size(t, name_of(t) in of_indices) for t in self._inputs}
        return ModelSpec(
            (),
            masked[0] if masked else None,
            nodes=nodes,
            inputs=sizes,  # type: ignore[arg-type]
            outputs=outputs,
        )

    def _steps(self, tensor: Tensor) -> int | None:
        """Of an input; 0: it has none, None: the file does not tell."""
        shape = self._starts.get(tensor)
        if shape is None:
            return None
        if tensor in self._of_indices:
            return shape.sizes[0] if shape.rank == 1 else None
        return 0 if shape.time is None else shape.steps

    def _value(self, tensor: Tensor) -> Value:
        tensor = self._graph.resolve(tensor)
        call = self._calls.get(key_of(tensor))
        if call is None:
            return Value(None, tensor)
        if tensor.index and (tensor.index > 1 or call.layer.kind not in _WITH_STATES):
            raise call.layer.unsupported(
                f"its output {tensor.index}, a state or one direction alone, is used"
            )
        return Value(self._run_of[key_of(tensor)], tensor, bool(tensor.index))

    def _continued(self, value: Value) -> Run:
        """The run that gives the value, if nobody else reads it; else a new one behind it."""
        run = value.run
        if run is not None and not value.last and self._uses[key_of(value.tensor)] == 1:
            return run
        new = self._begin([value])
        if run is None:
            new.flow.no_mask = "" if value.tensor == self._start else _ALONE
        elif not value.last:
            new.flow.flipped, new.flow.swapped = run.flow.flipped, run.flow.swapped
        return new

    def _begin(self, values: Sequence[Value]) -> Run:
        self._settle(values)
        flow = Flow(no_mask=_ALONE, shape=self._shape(values[0]))
        flow.static = values[0].run is None and values[0].tensor in self._static
        flow.over_time = self._over_time
        for before in [value.run for value in values if value.run is not None]:
            flow.mask_value = before.flow.mask_value
            flow.mask_lost = before.flow.mask_lost or flow.mask_lost
        first = values[0].run
        self._runs.append(Run(flow, list(values), model=first.model if first else ()))
        return self._runs[-1]

    @staticmethod
    def _settle(values: Sequence[Value]) -> None:
        for value in values:
            if value.run is not None:
                value.run.settle()

    def _shape(self, value: Value) -> Shape | None:
        """The axes of a value."""
        if value.run is None:
            return self._starts.get(value.tensor)
        shape = value.run.flow.shape
        if value.last and shape is not None:
            return Shape((shape.channels,), None)
        return shape

    def _viewed(self, value: Value, view: Strided | None) -> Value:
        """Some of the value's features, in another order or several times."""
        if view is None:
            return value
        run = self._begin([value])
        run.flow.flipped = value.run is not None and value.run.flow.flipped
        run.flow.layers.append(view)
        run.names.append(f"{value.tensor.layer} in order")
        return Value(run, value.tensor)

    def _plain(self, value: Value) -> Value:
        """The value with its features in Keras's order."""
        if value.run is None or value.last or not value.run.flow.swapped:
            return value
        run = self._begin([value])
        run.flow.swapped = value.run.flow.swapped
        run.flow.flipped = value.run.flow.flipped
        run.flow.unswap(dtype_of(value.run))
        run.names.append(f"{value.tensor.layer} in order")
        return Value(run, value.tensor)

    def _joined(self, layer: KerasLayer, values: Sequence[Value], join: Join) -> Run:
        values = self._over_steps(layer, [*map(self._plain, values)])
        turned = {value.run is not None and value.run.flow.flipped for value in values}
        if len(turned) > 1:
            raise layer.unsupported("joins outputs of go_backwards=True and others")
        self._settle(values)
        whole = join(layer, len(values))
        layout = laid_out(layer, [*map(self._shape, values)])
        values = [*map(self._viewed, values, layout.views)]
        run = self._begin(values)
        run.flow.flipped = turned.pop()
        if len(values) > 1:
            run.flow.layers += [*whole, *layout.behind]
        run.flow.shape = layout.shape
        if layer.kind in OPERATORS and run.flow.mask_value is not None:
            run.flow.mask_lost = str(layer)
        run.name(layer)
        return run

    def _behind(self, layer: KerasLayer, values: Sequence[Value]) -> Run:
        """A run that reads several sequences."""
        turned = {value.run is not None and value.run.flow.flipped for value in values}
        if len(turned) > 1:
            raise layer.unsupported("joins outputs of go_backwards=True and others")
        run = self._begin(values)
        run.flow.flipped = turned.pop()
        return run

    def _attended(self, layer: KerasLayer, values: Sequence[Value]) -> Run:
        shapes = [*map(self._shape, values)]
        masked = any(v.run is not None and v.run.flow.mask_value is not None for v in values)
        made = check_attended(layer, shapes, masked)
        query, value, *key = values
        run = self._behind(layer, [query, *(key or [value]), value])
        run.flow.layers.append(ATTENTIONS[layer.kind](layer, self._store, made))
        run.flow.shape = made
        run.name(layer)
        return run

    def _pooled(self, layer: KerasLayer, values: Sequence[Value]) -> Run:
        """The sum over time of the steps of one value times a number of the other: an attention
        pool, where the number is a softmax that nothing else reads."""
        which, shape = summed_axis(layer, [*map(self._shape, values)])
        weights, steps = values[which], values[1 - which]
        before = weights.run
        if before is None or before.flow.layers[-1:] != [SoftmaxOverTime()]:
            raise layer.unsupported("its factors are no softmax over the time")
        if self._uses[key_of(weights.tensor)] > 1 or steps.run is before:
            raise layer.unsupported("its factors are read by another layer as well")
        before.flow.layers.pop()
        before.names.pop()
        run = self._behind(layer, [steps, weights])
        run.flow.layers.append(AttentionPool())
        run.flow.shape, run.flow.flipped = shape, False
        run.name(layer)
        return run

    def _over_steps(self, layer: KerasLayer, values: list[Value]) -> list[Value]:
        """Where some have steps, those without at each of them, as Keras broadcasts them: layers
        take axes that are not there to be in front, operators want all of them there."""
        shapes = [*map(self._shape, values)]
        like = next((i for i, s in enumerate(shapes) if s is not None and s.time is not None), None)
        if like is None or layer.kind == "Concatenate":
            return values
        timed, at = values[like], shapes[like]
        assert at is not None
        assert at.time is not None
        made = []
        for value, shape in zip(values, shapes, strict=True):
            if shape is None or shape.time is not None:
                made.append(value)
                continue
            missing = 0 if layer.kind in OPERATORS else max(0, at.rank - shape.rank)
            sizes = [*(1,) * missing, *shape.sizes]
            if len(sizes) != at.rank or sizes[at.time] != 1:
                raise layer.unsupported(
                    f"of {at}, which has steps, and {shape}, which has none: expected 1 in the "
                    "place of the steps"
                )
            sizes[at.time] = at.steps
            run = self._begin([value, timed])
            run.flow.flipped = timed.run is not None and timed.run.flow.flipped
            run.flow.layers.append(Expand())
            run.flow.shape = Shape(tuple(sizes), at.time)
            run.names.append(f"{value.tensor.layer} at each step")
            made.append(Value(run, value.tensor))
        return made

    def _nodes(self) -> tuple[dict[str, tuple[Layer, list[str]]], Callable[[Value], str]]:
        """The layers of all runs, and what gives the name of a value."""
        names = _Names(map(name_of, self._inputs))
        nodes: dict[str, tuple[Layer, list[str]]] = {}
        ends: dict[Run, str] = {}

        def called(value: Value) -> str:
            if value.run is None:
                return name_of(value.tensor)
            end = ends[value.run]
            both = value.last and getattr(nodes[end][0], "return_sequences", False)
            return end + LAST * both

        for run in self._runs:
            reads = [*map(called, run.reads)]
            for own, layer in zip(run.names, run.flow.layers, strict=True):
                name = names.free(own)
                nodes[name] = (layer, reads)
                reads = [name]
            ends[run] = reads[0]
        return nodes, called

    def _size(self, tensor: Tensor, indices: bool) -> Input | None:
        """What the model says of an input's features."""
        shape = self._starts.get(tensor)
        if tensor in self._static:
            return Static(None if indices or shape is None else total(shape.inside), indices)
        if shape is None or (shape.rank == 1 if indices else shape.time is not None):
            size = None if shape is None or indices else total(shape.inside)
            return Input(size, False) if size is not None else None
        raise UnsupportedError(
            f"input {tensor.layer!r} of shape {shape}: expected [batch, time, features], or "
            "[batch, time] where an Embedding reads it: one input of a model at least has steps"
        )


class _Names:
    """Names, each of which is given once: with a number behind where it was before."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._numbers: dict[str, int] = {}

    def free(self, name: str) -> str:
        found = name
        while found in self._taken:
            self._numbers[name] = self._numbers.get(name, 1) + 1
            found = f"{name} {self._numbers[name]}"
        self._taken.add(found)
        return found


def _needed(graph: Graph, ends: Sequence[Tensor]) -> Iterator[tuple[Key, Call]]:
    """The calls that some tensors need, each behind those that it takes from."""
    done: set[Key] = set()
    open_: dict[Key, None] = {}
    pending = [*ends][::-1]
    while pending:
        tensor = graph.resolve(pending[-1])
        key, call = key_of(tensor), graph.maker(tensor)
        if call is None or key in done:
            pending.pop()
            continue
        call = joined(graph, call) or call
        wanted = [t for t in map(graph.resolve, call.data)
                  if graph.maker(t) is not None and key_of(t) not in done]  # fmt: skip
        if not wanted:
            pending.pop()
            done.add(key)
            yield key, call
            continue
        if key in open_:
            raise UnsupportedError(f"{call.layer}: it needs its own output")
        open_[key] = None
        pending += wanted[::-1]
