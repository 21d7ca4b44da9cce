"""A Bidirectional with ``merge_mode=None`` whose two outputs the layer behind it makes one."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from .graph import Call, Graph

_MODES: Final = {
    "Concatenate": "concat", "Add": "sum", "Multiply": "mul", "Average": "ave",
    "operator Add": "sum", "operator Multiply": "mul",
}  # fmt: skip


def joined(graph: Graph, call: Call) -> Call | None:
    """The Bidirectional whose outputs ``call`` makes one, with the ``merge_mode`` that does the
    same; None for any other call."""
    mode = _MODES.get(call.layer.kind)
    if mode is None or len(call.data) != 2:
        return None
    first, second = (graph.resolve(tensor) for tensor in call.data)
    maker = graph.maker(first)
    if (
        maker is None
        or maker is not graph.maker(second)
        or {first.index, second.index} != {0, 1}
        or maker.layer.kind != "Bidirectional"
        or maker.layer.options.get("merge_mode", mode) is not None
    ):
        return None
    if mode == "concat":
        inner = maker.layer.inner("layer")
        features = 2 if inner.option("return_sequences", bool, False) else 1
        axis = call.layer.option("axis", int, -1)
        if first.index or axis not in (-1, features):
            raise call.layer.unsupported(
                f"axis={axis}, outputs {first.index} and {second.index} of {maker.layer.name!r}; "
                "expected its two outputs in their order, along the features"
            )
    # Not all of its options: a file may have many, and call the layer often.
    options = {
        key: maker.layer.options[key]
        for key in ("layer", "backward_layer")
        if key in maker.layer.options
    }
    return replace(maker, layer=replace(maker.layer, options=options | {"merge_mode": mode}))
