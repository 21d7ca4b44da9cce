"""A network with its input added to its output, as models of amplifiers have it."""

from __future__ import annotations

from ...errors import FormatError
from ...spec import Add, Layer, ModelSpec, Slice

Layers = tuple[Layer, ...]


def skipped(before: Layers, layers: Layers, after: Layers, channels: int = 1) -> ModelSpec:
    """after(layers(x') + the first ``channels`` features of x') where x' = before(x).

    Raises ``FormatError`` where the layers give another number of features.
    """
    net = ModelSpec(layers)
    if net.output_size != channels or net.input_size < channels:
        raise FormatError(
            f"a skip adds the first {channels} of {net.input_size} features of the input to "
            f"{net.output_size} of the output"
        )
    nodes: dict[str, tuple[Layers, str | tuple[str, ...]]] = {}
    wet = dry = "x"
    if before:
        nodes["gained"] = (before, "x")
        wet = dry = "gained"
    if net.input_size > channels:
        nodes["dry"] = ((Slice(net.input_size, 0, channels),), dry)
        dry = "dry"
    nodes["net"] = (layers, wet)
    nodes["sum"] = ((Add(),), ("net", dry))
    if after:
        nodes["y"] = (after, "sum")
    last = "y" if after else "sum"
    return ModelSpec(nodes=nodes, inputs={"x": net.input_size}, outputs={"y": last})
