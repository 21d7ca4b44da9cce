"""Keras's layers that make one step of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from ...spec import Reduce
from .config import Layer
from .flow import Flow
from .shape import Shape
from .store import Store

Handler = Callable[[Layer, Store, Flow], None]


def _global_pool(layer: Layer, store: Store, flow: Flow) -> None:
    """GlobalAveragePooling1D, which leaves masked steps out, and GlobalMaxPooling1D, which does
    not."""
    if layer.options.get("data_format") not in (None, "channels_last"):
        raise layer.unsupported(f"data_format={layer.options['data_format']!r} is not supported")
    if layer.option("keepdims", bool, False):
        raise layer.unsupported("keepdims=True is not supported: one step is no sequence here")
    shape = flow.expect_steps(layer)
    is_max = layer.kind == "GlobalMaxPooling1D"
    if is_max and flow.mask_value is not None:
        raise layer.unsupported("in a model that masks steps: Keras takes those as well")
    if flow.mask_lost and not is_max:
        raise layer.unsupported(
            f"behind {flow.mask_lost}, which does not pass a mask on in Keras 3"
        )
    flow.layers.append(Reduce("max" if is_max else "mean"))
    flow.flipped = False
    flow.shape = Shape((shape.channels,), None)


HANDLERS: Final[Mapping[str, Handler]] = MappingProxyType(
    dict.fromkeys(("GlobalAveragePooling1D", "GlobalMaxPooling1D"), _global_pool)
)
