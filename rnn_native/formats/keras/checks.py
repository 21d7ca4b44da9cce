"""What the calls of a Keras model may have besides their data: states, masks, arguments."""

from __future__ import annotations

from collections.abc import Collection

from ...errors import UnsupportedError
from ...warn import warn
from .graph import CONSTANT, OPERATORS, RECURRENT, Call, Graph, Tensor
from .layers import NOTHING

_MASKS = ("operator NotEqual", "operator Any")  # the operators that Keras 3 makes a mask with


def check_arguments(call: Call) -> None:
    """What a layer is called with besides its input has to be nothing that would change it."""
    if call.layer.kind in OPERATORS and len(call.data) != 2 and CONSTANT not in call.arguments:
        raise call.layer.unsupported(
            "of a value and what is no number; two values, or a value and a number, can be joined"
        )
    for name, value in call.arguments.items():
        if name == CONSTANT:
            continue
        if name == "training" and value is True and call.layer.kind in NOTHING:
            warn(f"{call.layer}: called with training=True, it acts at random in every call of "
                 "Keras's; here it does nothing, as in a call of others")  # fmt: skip
        elif value not in (None, False):
            raise call.layer.unsupported(f"called with {name}={str(value)[:80]}")


def check_mask(graph: Graph, call: Call, start: Tensor | None) -> None:
    """A mask that Keras 3 wrote down has to be the one that a Masking or Embedding makes."""
    for mask in call.mask:
        tensor = graph.resolve(mask)
        for _ in _MASKS:
            maker = graph.maker(tensor)
            if maker is not None and maker.layer.kind in _MASKS and maker.data:
                tensor = graph.resolve(maker.data[0])
        if tensor != start:
            raise call.layer.unsupported(
                f"its mask is made of {tensor.layer!r}; only that of a Masking or an Embedding at "
                "the beginning is supported"
            )


def check_states(graph: Graph, calls: Collection[Call]) -> None:
    """Initial states are inputs, and final ones, as far as they are outputs, of these calls; no
    input is anything else than a state or what the calls take."""
    ids = {id(call) for call in calls}
    for tensor in map(graph.resolve, graph.outputs):
        maker = graph.maker(tensor)
        own = maker is not None and maker.layer.kind in RECURRENT and id(maker) in ids
        if tensor.index and not own:
            raise UnsupportedError(f"output {tensor.index} of {tensor.layer!r} is not supported")
    states = {graph.resolve(tensor) for call in calls for tensor in call.states}
    for tensor in states:
        if tensor not in graph.inputs:
            raise UnsupportedError(f"an initial state is made by the layer {tensor.layer!r}")
    data = {graph.resolve(tensor) for call in calls for tensor in call.data}
    for tensor in graph.inputs:
        if tensor not in states and tensor not in data:
            raise UnsupportedError(f"no output needs the input {tensor.layer!r}")
        if tensor in states and tensor in data:
            raise UnsupportedError(f"the input {tensor.layer!r} is data and an initial state")
