"""ModelSpec: a trained model as plain data, in PyTorch's names, shapes and gate order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

from ..errors import OptionError, UnsupportedError
from ..masking import as_mask_value
from .layer import LAST, Layer, Value
from .layers import Recurrent
from .weights import brief
from .window import Window, form_of, steps_behind
from .wiring import Input, Node, chain, flat, graph, some


@dataclass(frozen=True, eq=False, init=False)
class ModelSpec:
    """What a trained model is, before any CPU is chosen for it: a chain of layers, or a graph.

    Parameters
    ----------
    layers
        Of a chain, in their order; a tuple of several, as ``ConvTranspose1d`` gives, stands for
        these. A Recurrent without ``return_sequences`` is the last of its kind.
    mask_value
        None, or what marks padding in x, where a call states no ``lengths``: a step whose features
        all equal it, or whose index does (Keras: ``Masking``, ``Embedding(mask_zero=True)``). Of a
        model with one input.
    nodes
        Of a graph, in the place of ``layers``: ``{"name": (layer, ("input", ...)), ...}``, in any
        order. Of a tuple of layers those before the last are ``"name.0"``, ``"name.1"``, ... What
        a layer reads are inputs of the model and other nodes, by name. A Recurrent has
        two values: its outputs by its own name and, as ``"name.last"``, h after each row's last
        valid step, [batch, features], of both directions side by side.
    inputs
        Of a graph: names, or ``{"x": 40, ...}`` with the features of each (of indices, how many
        there are), which may be left out where a layer that reads it says them. All inputs of a
        call have the same rows, and steps: but an ``rn.Static(64)``, [batch, 64], of indices
        [batch], has none and is the same at all of them. One at least has time.
    outputs
        Of a graph: the names of values, or ``{"name": "value", ...}``.
    keep
        The names of nodes, of a chain ``"0"``, ``"1"``, ..., whose matrices stay in what is
        computed in, and are multiplied in that, whatever ``weight_dtype`` and ``compute`` a Model
        has: layers on which rounding shows (``rn.quantize`` measures them).

    Raises
    ------
    ShapeError
        One layer's output does not fit the next one's input.
    UnsupportedError
        An Embedding that does not read an input, or a Merge that does; nodes that wait for each
        other.
    OptionError
        A name that is not there, or that nothing reads; ``mask_value`` is no finite number, or of
        indices none of them; a node of ``keep`` that has no matrices.
    """

    layers: tuple[Layer, ...]
    mask_value: float | None = None
    nodes: Mapping[str, Node] = field(init=False)
    inputs: Mapping[str, Input] = field(init=False)
    outputs: Mapping[str, str] = field(init=False)
    """The values that are outputs, by the outputs' names. A chain has ``"x"``, ``"0"``, ``"1"``,
    ..., and its output is ``"y"``."""
    keep: tuple[str, ...] = ()

    def __init__(
        self,
        layers: Sequence[Layer | tuple[Layer, ...]] = (),
        mask_value: float | None = None,
        *,
        nodes: (Mapping[str, tuple[Layer | tuple[Layer, ...], str | Sequence[str]]] | None) = None,
        inputs: Mapping[str, int | Input] | str | Sequence[str] | None = None,
        outputs: Mapping[str, str] | str | Sequence[str] | None = None,
        keep: Sequence[str] = (),
    ) -> None:
        if nodes is None and (inputs is not None or outputs is not None):
            raise OptionError("ModelSpec inputs, outputs: only of a graph, beside nodes")
        if nodes is not None and layers:
            raise OptionError("ModelSpec: expected layers, or nodes; got both")
        own = flat(layers)
        wired = chain(own) if nodes is None else graph(nodes, inputs, outputs)
        put = partial(object.__setattr__, self)
        if nodes is None:
            put("layers", own)
        put("nodes", MappingProxyType(wired.nodes))
        put("inputs", MappingProxyType(wired.inputs))
        put("outputs", MappingProxyType(wired.outputs))
        put("_values", wired.values)
        put("mask_value", None)
        if mask_value is not None:
            known = self.input_size if self.takes_indices else None
            put("mask_value", as_mask_value(mask_value, known))
        put("keep", self._as_keep(keep))

    def __getattr__(self, name: str) -> Any:
        if name == "layers" and "nodes" in self.__dict__:
            self.check_is_chain("spec.layers")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        layers = self.layers if self.is_chain else ()
        return partial(type(self), **self._named), (layers, self.mask_value)

    def _repr_html_(self) -> str:
        from ..summary import summary_of

        title = f"ModelSpec: {self.num_parameters:,} parameters"
        return summary_of(self, title)._repr_html_()

    def __repr__(self) -> str:
        stated = {} if self.mask_value is None else {"mask_value": self.mask_value}
        layers = self.layers if self.is_chain else ()
        return brief(self, *layers, **self._named, **stated)

    @property
    def _named(self) -> dict[str, Any]:
        """What makes it beside a chain's layers, and the ``mask_value``."""
        kept = {"keep": self.keep} if self.keep else {}
        if self.is_chain:
            return kept
        own = {"nodes": self.nodes, "inputs": self.inputs, "outputs": self.outputs}
        return {name: dict(value) for name, value in own.items()} | kept

    def _as_keep(self, keep: Sequence[str]) -> tuple[str, ...]:
        """Those names, once each, in the order of the nodes."""
        if not isinstance(keep, (tuple, list)) or not all(isinstance(name, str) for name in keep):
            raise OptionError(f"ModelSpec keep: expected names of nodes, got {keep!r}")
        there = [name for name, node in self.nodes.items() if node.layer.is_reducible]
        for name in keep:
            if name not in there:
                what = "has no matrices to keep" if name in self.nodes else "is no node"
                raise OptionError(
                    f"ModelSpec keep: {name!r} {what}; those that have are {some(there) or 'none'}"
                )
        return tuple(name for name in there if name in keep)

    @property
    def is_chain(self) -> bool:
        """Whether it was made of ``layers``."""
        return "layers" in self.__dict__

    @property
    def reducible(self) -> tuple[str, ...]:
        """The nodes whose matrices a Model's ``weight_dtype`` is of: without those of ``keep``."""
        return tuple(
            name
            for name, node in self.nodes.items()
            if node.layer.is_reducible and name not in self.keep
        )

    def having(
        self, layers: Mapping[str, Layer] | None = None, keep: Sequence[str] | None = None
    ) -> ModelSpec:
        """The same model with these layers in the place of those of their names, and this ``keep``
        in the place of its own; None: as they are."""
        keep = self.keep if keep is None else keep
        own = {name: node.layer for name, node in self.nodes.items()} | dict(layers or {})
        if self.is_chain:
            return ModelSpec(tuple(own.values()), self.mask_value, keep=keep)
        nodes = {name: (layer, self.nodes[name].inputs) for name, layer in own.items()}
        return ModelSpec(
            (), self.mask_value, nodes=nodes, inputs=self.inputs, outputs=self.outputs, keep=keep
        )

    def check_is_chain(self, what: str) -> None:
        """``UnsupportedError`` where this is a graph, for which there is no ``what``."""
        if not self.is_chain:
            raise UnsupportedError(
                f"{what}: expected a chain of layers, got a graph of {len(self.nodes)} nodes "
                "(spec.nodes); rn.Model and rn.reference run it, .safetensors, .npz, .onnx keep it"
            )

    def value(self, name: str) -> Value:
        """What the value of this name has: of an input, a node, or ``"node.last"``."""
        values: dict[str, Value] = self.__dict__["_values"]
        return values[name]

    def _only(self, what: str) -> Value:
        """The only input, or output."""
        names = list(self.inputs if what == "inputs" else self.outputs.values())
        if len(names) > 1:
            raise UnsupportedError(
                f"this model has several {what}: {', '.join(map(repr, names))}; spec.{what} and "
                "spec.value(name) say what each is"
            )
        return self.value(names[0])

    @property
    def takes_indices(self) -> bool:
        """True where the first layer is an Embedding: the input is integers [time, batch]."""
        return self._only("inputs").indices

    @property
    def input_size(self) -> int:
        """Features of the input; for an Embedding, the number of indices it knows."""
        return self._only("inputs").features

    @property
    def output_size(self) -> int:
        return self._only("outputs").features

    @property
    def return_sequences(self) -> bool:
        """True where y has an axis of time; False where a Recurrent gives its last state alone,
        or a Reduce makes one of all steps."""
        return not self._only("outputs").last

    def axes(self, batch_first: bool = False) -> tuple[list[str | int], list[str | int]]:
        """Those of x and y by name, and how many features, the last ones, there are: ``["time",
        "batch", 3]``, of indices ``["time", "batch"]``."""
        both: list[str | int] = ["batch", "time"] if batch_first else ["time", "batch"]
        x = both if self.takes_indices else [*both, self.input_size]
        return x, [*(both if self.return_sequences else ["batch"]), self.output_size]

    @property
    def sizes(self) -> tuple[dict[str, int], dict[str, int]]:
        """Features of each input (of indices, how many there are) and of each output, by name."""
        inputs = {name: one.features for name, one in self.inputs.items()}
        return inputs, {name: self.value(v).features for name, v in self.outputs.items()}

    def all_axes(self, batch_first: bool = False) -> tuple[list[str], list[str]]:
        """Those of each input and output as text, ``"[time, batch, 3]"``, with their names where
        there are several."""
        both = "batch, time" if batch_first else "time, batch"
        x = {}
        for name, i in self.inputs.items():
            axes = both if i.time else "batch"
            x[name] = axes if i.indices else f"{axes}, {i.features}"
        y = {}
        for name, source in self.outputs.items():
            value = self.value(source)
            y[name] = f"{'batch' if value.last else both}, {value.features}"
        several = (len(x) > 1, len(y) > 1)
        texts = [
            [f"{name} [{axes}]" if named else f"[{axes}]" for name, axes in each.items()]
            for each, named in zip((x, y), several, strict=True)
        ]
        return texts[0], texts[1]

    def steps(self, value: str, steps: Any, state: Any = None) -> Any:
        """How many steps a value has where the inputs have so many: an integer, or an array.

        As many, unless layers with strides before it make fewer or more. ``state``: what a call
        that goes on from it is given, a dict by the names of nodes, for these count from there.
        """
        return steps_behind(self.changing(value), steps, state)

    def changing(self, value: str) -> tuple[tuple[str, Window], ...]:
        """The nodes before a value that change the number of steps, the first one first, with the
        windows by which they do."""
        found: list[tuple[str, Window]] = []
        while self.value(value).paces:
            name = value if value in self.nodes else value.removesuffix(LAST)
            layer, reads = self.nodes[name]
            if layer.window is not None and not layer.window.keeps_pace:
                found.insert(0, (name, layer.window))
            value = reads[layer.paced_by([self.value(read) for read in reads])]
        return tuple(found)

    @property
    def looks_ahead(self) -> str:
        """Which nodes look at steps behind their own, so that no stream runs them; empty: none."""
        each = []
        for name, (layer, reads) in self.nodes.items():
            values = [self.value(read) for read in reads]
            called = f"layer {name}" if self.is_chain else f"node {name!r}"
            if layer.needs_all:
                each.append(f"{called}, {layer.needs_all}, needs whole sequences")
            elif layer.window is not None and not layer.window.is_causal:
                after = layer.window.after
                each.append(f"{called} has {after} {'step' if after == 1 else 'steps'} of padding "
                            "behind the last one")  # fmt: skip
            elif not self.value(name).last and any(v.last and not v.static for v in values):
                each.append(f"{called} repeats what is there behind the last step")
            elif len({form_of(value.paces) for value in values if not value.static}) > 1:
                each.append(f"{called} reads last states that do not come at the same steps")
        return ", ".join(each)

    @property
    def untraceable(self) -> str:
        """Which cells run on what has no time, so that there is no trace of them; empty: none."""
        for name, (layer, reads) in self.nodes.items():
            if self.value(reads[0]).last and layer.traced(""):
                return f"the cells of {name!r} run on what has no time, {self.value(reads[0]).last}"
        return ""

    def check_trace(self) -> None:
        """``UnsupportedError`` where a cell runs on what has no time: a trace is of steps."""
        refuse_untraceable(self.untraceable)

    @property
    def is_paced(self) -> bool:
        """Whether some value has other steps than the inputs."""
        return any(value.paces for value in self.__dict__["_values"].values())

    @property
    def state_shapes(self) -> dict[str, tuple[tuple[int, int], ...]]:
        """Rows and features of each state array, of each node that has some."""
        return {
            name: layer.state_shapes(self.value(reads[0]).features)
            for name, (layer, reads) in self.nodes.items()
            if layer.state_names
        }

    @property
    def has_named_state(self) -> bool:
        """Whether a state is a dict by the names of nodes: that of a graph where several have one,
        and wherever another than a Recurrent has one."""
        layers = self.stateful
        if any(not isinstance(layer, Recurrent) for layer in layers):
            return True
        return not self.is_chain and len(layers) > 1

    @property
    def stateful(self) -> tuple[Layer, ...]:
        """The layers that carry something from step to step."""
        return tuple(node.layer for node in self.nodes.values() if node.layer.state_names)

    @property
    def recurrents(self) -> tuple[Recurrent, ...]:
        every = (node.layer for node in self.nodes.values())
        return tuple(layer for layer in every if isinstance(layer, Recurrent))

    @property
    def num_parameters(self) -> int:
        return sum(a.size for node in self.nodes.values() for a in node.layer.arrays.values())


def refuse_untraceable(cells: str) -> None:
    """``UnsupportedError`` where there are such cells: ``ModelSpec.untraceable``."""
    if cells:
        raise UnsupportedError(f"trace: {cells}; a trace is of steps")
