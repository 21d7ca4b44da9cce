"""Each layer alone reduced, and which layers stay float32."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import OptionError
from ..spec import ModelSpec
from ..spec.stored import stored_layer
from .differences import Sums
from .measuring import Reduced
from .report import LayerReport

Keep = Sequence[str] | int


def checked_keep(keep: Keep, every: Sequence[str], is_measured: bool) -> Keep:
    """Names or a number; ``OptionError`` for one that is out of range, or that nothing is measured
    for."""
    if isinstance(keep, (str, tuple, list)):
        return keep  # ModelSpec checks names
    if isinstance(keep, bool) or not isinstance(keep, (int, np.integer)):
        raise OptionError(f"keep: expected names of layers or a number of them, got {keep!r}")
    if not 0 <= keep <= len(every):
        raise OptionError(
            f"keep: expected 0 to {len(every)}, of which there are matrices; got {keep}"
        )
    if not is_measured:
        raise OptionError(f"keep={keep}: only with calibration data, which say which are worst")
    return int(keep)


def layer_report(
    reduced: Reduced, name: str, every: Sequence[str], is_possible: bool
) -> LayerReport:
    """Of one layer, where the others stay float32; ``every``: the layers that have matrices. One
    that the type has no room for is not compared."""
    layer = reduced.spec.nodes[name].layer
    parameters = sum(layer.arrays[matrix].size for matrix in layer.packed())
    if not is_possible:
        return LayerReport(name, layer.title, parameters, True)
    chosen = reduced.rounded.nodes[name].layer
    rounded = stored_layer(name, chosen, reduced.stored_as).arrays
    weights = Sums()
    for matrix in layer.packed():
        weights.add(layer.arrays[matrix], rounded[matrix])
    own, alone = None, None
    if reduced.batches:
        outputs = reduced.spec.outputs
        others = [other for other in every if other != name]
        found = reduced.differences(others, list(dict.fromkeys([name, *outputs.values()])))
        own, alone = found[name], {output: found[value] for output, value in outputs.items()}
    return LayerReport(name, layer.title, parameters, False, weights.difference(), own, alone)


def kept_layers(
    reduced: Reduced, layers: Sequence[LayerReport], keep: Keep, at_least: float | None
) -> tuple[str, ...]:
    """The layers of ``keep``, by name or the worst of so many, and as many of the worst others as
    ``at_least`` takes."""
    worst = [layer.name for layer in sorted(layers, key=lambda layer: -layer.effect)]
    kept = list(worst[:keep] if isinstance(keep, int) else keep)
    outputs = list(dict.fromkeys(reduced.spec.outputs.values()))
    while at_least is not None:
        found = reduced.differences(kept, outputs)
        left = [name for name in worst if name not in kept]
        if not left or min(one.sqnr for one in found.values()) >= at_least:
            break
        kept.append(left[0])
    return reduced.spec.having(keep=kept).keep


def kinds(spec: ModelSpec) -> str:
    """What the layers are, for a message."""
    return ", ".join(dict.fromkeys(node.layer.kind for node in spec.nodes.values()))
