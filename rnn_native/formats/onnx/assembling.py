"""The model that the values of a graph are: a chain where each reads the one before, or nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from ...errors import RnnError, UnsupportedError
from ...spec import Elementwise, Expand, Input, Layer, ModelSpec, Recurrent, Static
from ...spec.layer import LAST
from ...spec.layers.combine import Combine
from ...spec.layers.conv import Conv
from .activations import ELEMENTWISE
from .drafts import ExpandDraft, LinearDraft, SumDraft, is_product, with_output_layer
from .graph import INTEGERS
from .values import MAX_LAYERS, Axis, Data, Step, live, show, size_of
from .views import Part, composed

_LONGEST: Final = 200  # characters of a name
_ACTIVATED: Final = (Conv, LinearDraft, SumDraft)  # whose activation may be a node of its own


class Parts:
    """The layers of the steps that some values need.

    ``sources`` are the inputs among them by name; ``reached`` are the steps, ``layers`` what they
    come to, both in the order in which they were made.
    """

    def __init__(self, outputs: Iterable[Data]) -> None:
        values = list(outputs)
        self.reached = _reached(values)
        self._reads = {step: self._inputs(step) for step in self.reached}
        every = [*values, *(value for inputs in self._reads.values() for value in inputs)]
        self.sources = _sources(every)
        self._uses = Counter((value.step, value.last) for value in every)
        self.layers: dict[Step, Part] = {}
        stacks: dict[Step, Part] = {}
        inner: set[Step] = set()
        for step in self.reached:
            if found := self._output_layer(step):
                stacks[step], consumed = found
                inner |= consumed
        for step in self.reached:
            if step in stacks:
                self.layers[step] = stacks[step]
            elif step not in inner:
                self._add(step)
        self.layers = dict(sorted(self.layers.items(), key=lambda item: self._place(item[0])))

    def compose(self, outputs: Iterable[Data]) -> None:
        """Makes views of views one view."""
        self.layers = composed(self.layers, outputs)

    def _place(self, step: Step) -> int:
        """Where it stands: a Linear at its product, wherever the activation comes."""
        base = step.base
        if base is None or base in self.reached or not isinstance(step.draft, LinearDraft):
            return step.number
        return self._place(base)

    def gives_both(self, step: Step) -> bool:
        """Whether a Recurrent's outputs are needed beside its last state."""
        return self._uses[step, False] > 0 and self._uses[step, True] > 0

    def _inputs(self, step: Step) -> tuple[Data, ...]:
        """What it reads: where something else needs the same without its activation, that."""
        base, first = step.base, step.inputs[0]
        if base not in self.reached or not isinstance(step.draft, _ACTIVATED):
            return step.inputs
        assert base is not None
        assert isinstance(step.draft, _ACTIVATED)
        alone = step.draft.activation in ELEMENTWISE.values()
        return (replace(first, step=base, last=False),) if alone else step.inputs

    def _add(self, step: Step) -> None:
        draft, inputs = step.draft, self._reads[step]
        if inputs is not step.inputs:
            assert isinstance(draft, _ACTIVATED)
            self.layers[step] = Part(Elementwise(draft.activation), inputs)
            return
        if isinstance(draft, ExpandDraft):
            self._expand(step, draft)
        elif isinstance(draft, SumDraft):
            self._sum(step, draft)
        elif isinstance(draft, LinearDraft):
            self.layers[step] = Part(draft.finish(), inputs)
        elif isinstance(draft, Recurrent) and not self._uses[step, False]:
            self.layers[step] = Part(replace(draft, return_sequences=False), inputs)
        else:
            self.layers[step] = Part(draft, inputs)

    def _expand(self, step: Step, draft: ExpandDraft) -> None:
        if draft.axis.role != "time":
            assert step.node is not None
            raise step.node.unsupported(
                f"repeats {show(step.inputs[0].dims)} along {draft.axis}; a value that has no time "
                "can be repeated along that"
            )
        self.layers[step] = Part(Expand(), step.inputs)

    def _sum(self, step: Step, draft: SumDraft) -> None:
        """An Add; before it the bias is added to one of the products, and behind it stands the
        activation."""
        inputs = list(step.inputs)
        if draft.bias is not None:
            index = next(i for i, value in enumerate(inputs) if is_product(value.draft))
            product = inputs[index]
            assert product.step is not None
            assert isinstance(product.step.draft, LinearDraft)
            biased = replace(product.step.draft, bias=draft.bias)
            alone = self._uses[product.step, False] == 1
            key = product.step if alone else self._before(step)
            self.layers[key] = Part(biased.finish(), product.step.inputs)
            inputs[index] = replace(product, step=key)
        if draft.activation == "identity":
            self.layers[step] = Part(Combine("add"), tuple(inputs))
            return
        if draft.activation not in ELEMENTWISE.values():
            assert step.node is not None
            raise step.node.unsupported(
                f"{draft.activation} of a sum is not supported; it is right after a Linear"
            )
        key = self._before(step)
        self.layers[key] = Part(Combine("add"), tuple(inputs))
        total = replace(inputs[0], step=key, last=False)
        self.layers[step] = Part(Elementwise(draft.activation), (total,))

    @staticmethod
    def _before(step: Step) -> Step:
        """One more layer right before that of a step."""
        extra = Step(step.draft, step.inputs, node=step.node)
        extra.number = step.number
        return extra

    def _output_layer(self, step: Step) -> tuple[Part, set[Step]] | None:
        """RNNs and their output layer: W_ho h + W_xo x, where h is what they make of x, and nothing
        else needs anything in between."""
        draft = step.draft
        products = all(is_product(value.draft) for value in step.inputs)
        if not isinstance(draft, SumDraft) or self._reads[step] is not step.inputs or not products:
            return None
        bottom, top = sorted(step.inputs, key=lambda value: value.depth)
        assert top.step is not None
        assert bottom.step is not None
        (x,), (h,) = bottom.step.inputs, top.step.inputs
        stack: list[Recurrent] = []
        consumed = {top.step, bottom.step}
        used = [(top.step, False), (bottom.step, False)]
        while h.step is not None and (h.step, h.last) != (x.step, x.last):
            if not isinstance(h.step.draft, Recurrent) or h.last or h.step.draft.cell != "rnn":
                return None
            stack.insert(0, h.step.draft)
            consumed.add(h.step)
            used += [(h.step, False), (h.step, True)]
            (h,) = h.step.inputs
        same = (h.step, h.last, h.source) == (x.step, x.last, x.source)
        options = [{**layer.options, "input_size": 0, "bias": True} for layer in stack]
        if not same or not stack or any(option != options[0] for option in options):
            return None
        if any(self._uses[key] != (not key[1]) for key in used):
            return None
        assert isinstance(top.draft, LinearDraft)
        assert isinstance(bottom.draft, LinearDraft)
        try:
            layer = with_output_layer(stack, top.draft.weight, bottom.draft.weight, draft)
        except RnnError:  # of options that RNNs with an output layer do not have
            return None
        return Part(layer, (x,)), consumed


def sources_of(values: Iterable[Data]) -> dict[str, Data]:
    """The inputs that some values need, by name."""
    every = [*values]
    every += [value for step in steps_of(every) for value in step.inputs]
    return {value.source: value for value in every if value.step is None}


def _sources(values: Iterable[Data]) -> dict[str, Data]:
    """The inputs among some values, each of which all layers read as the same features."""
    found: dict[str, Data] = {}
    for value in values:
        if value.step is not None:
            continue
        other = found.setdefault(value.source, value)
        if not _same_features(other, value):
            raise UnsupportedError(
                f"input {value.source!r}: its layers read other axes of {show(value.dims)} as its "
                "features"
            )
    return found


def _same_features(one: Data, other: Data) -> bool:
    """Whether the features of an input are the same, also where a Reshape has cut an axis."""
    first, second = live(one.features), live(other.features)
    if first == second:
        return True
    for features, value in ((first, other), (second, one)):
        there = [axis for dim in value.dims for axis in live(dim)]
        if any(axis in there and axis not in value.features for axis in features):
            return False
    return size_of(first) == size_of(second) and not any(axis in second for axis in first)


def statics_of(sources: Mapping[str, Data]) -> set[str]:
    """The inputs that have no time, but a batch and features, where others have it."""
    timed = {name for name, one in sources.items() if any(a.role == "time" for a in _axes(one))}
    if not timed:
        return set()
    alone = {n for n, one in sources.items() if len(one.dims) - bool(one.features) == 1}
    return {
        name
        for name in sources.keys() - timed
        if len(others := live(_axes(sources[name]))) == 1 or (not others and name in alone)
    }


def _axes(source: Data) -> list[Axis]:
    """Those that are no features."""
    every = (axis for dim in source.dims for axis in dim)
    return [axis for axis in every if axis.role != "features" and axis not in source.features]


def steps_of(values: Iterable[Data], found: dict[Step, None] | None = None) -> dict[Step, None]:
    """The steps that some values need; they are added to those of ``found``."""
    found = {} if found is None else found
    pending = [value.step for value in values]
    while pending:
        step = pending.pop()
        if step is not None and step not in found:
            found[step] = None
            pending += [value.step for value in step.inputs]
    return found


def _reached(outputs: list[Data]) -> dict[Step, None]:
    """The steps that the values need, in the order in which they were made."""
    found = steps_of(outputs)
    if len(found) > MAX_LAYERS:
        raise UnsupportedError(f"a graph of more than {MAX_LAYERS} layers")
    return dict.fromkeys(sorted(found, key=lambda step: step.number))


def chain_of(parts: Parts, outputs: Mapping[str, Data]) -> list[Layer] | None:
    """The layers, where each reads the one before, the first can be that, and the last is the
    output; else None."""
    output, *more = outputs.values()
    if len(parts.sources) != 1 or more:
        return None
    before: Step | None = None
    for step, part in parts.layers.items():
        if (
            part.layer.arity != (1, 1)
            or part.inputs[0].step is not before
            or parts.gives_both(step)
        ):
            return None
        before = step
    layers = [part.layer for part in parts.layers.values()]
    if output.step is not before or layers[0].features_taken is None or not layers[0].can_be_first:
        return None
    return layers


def names_of(parts: Parts) -> dict[Step, str]:
    """A name for each layer: that of the node that it begins with."""
    taken = set(parts.sources)
    names: dict[Step, str] = {}
    for step in parts.layers:
        node = step.node
        own = "" if node is None else node.name or next(iter(filter(None, node.outputs)), "")
        own = "".join(c if c.isprintable() else "?" for c in own)[: _LONGEST - 20] or "node"
        name, number = own, 1
        while name in taken or _clashes(name, taken):
            number += 1
            name = f"{own} {number}"
        names[step] = name
        taken.add(name)
    return names


def _clashes(name: str, taken: set[str]) -> bool:
    return name + LAST in taken or (name.endswith(LAST) and name.removesuffix(LAST) in taken)


def graph_of(parts: Parts, outputs: Mapping[str, Data], inputs: Iterable[str]) -> ModelSpec:
    """The layers as nodes with names; ``inputs`` are those there may be, in their order."""
    names = names_of(parts)

    def called(value: Data) -> str:
        if value.step is None:
            return value.source
        last = value.last and parts.gives_both(value.step)
        return names[value.step] + (LAST if last else "")

    sizes: dict[str, Any] = {}
    static = statics_of(parts.sources)
    for name in inputs:
        if name in parts.sources:
            source = parts.sources[name]
            indices = source.element in INTEGERS
            size = None if indices else size_of(source.features)
            if name in static:
                sizes[name] = Static(size, indices)
            else:
                sizes[name] = None if size is None else Input(size, indices)
    nodes = {
        names[step]: (part.layer, tuple(map(called, part.inputs)))
        for step, part in parts.layers.items()
    }
    return ModelSpec(
        nodes=nodes,
        inputs=sizes,
        outputs={name: called(value) for name, value in outputs.items()},
    )
