"""What AIDA-X's files say beside the layers of RTNeural's.

``in_skip`` 1 adds the first feature of the input to the output. ``in_gain`` and ``out_gain`` are in
decibels, of the first feature of what comes in and of what goes out; from -90 down they are
silence. ``input_batch`` and ``output_batch`` are samples that the network was given and what it
made of them in training: with gains of 0 dB, further features 0, from a state of zeros. They are
replayed when the file is read, in float64, and are the golden pair of the model.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from ... import reference
from ...errors import FormatError
from ...spec import Array, Layer, ModelSpec, Scale
from ...states import flatten, joined, state_counts, state_names
from .. import golden
from .document import Document
from .skip import skipped

GOLDEN: Final = ("input_batch", "output_batch")
TOLERANCE: Final = 1e-5
"""How far the replayed output may be off, times the larger of 1 and its largest number: AIDA-X's
own threshold, which its signals stay around 1 for."""
_SILENT: Final = -90.0  # dB
_LOUD: Final = 200.0
_MOST: Final = 2048  # samples of the pair that are replayed, of large networks fewer
_LARGE: Final = 1e6  # of a sample
_WORK: Final = 2**28  # weights times samples of that
_WINDOW: Final = 2**22  # steps times features that a window of the network may reach over


def around(
    spec: ModelSpec, document: Document, about: dict[str, str]
) -> tuple[ModelSpec, dict[str, str]]:
    """The whole model, and ``about`` with its golden pair where the model is a chain."""
    skip = document.natural("in_skip", 0) if _is_there(document, "in_skip") else 0
    if skip > 1:
        raise document.unsupported(f"in_skip {skip}: expected 0 or 1")
    first, last = (_gain(document, name) for name in ("in_gain", "out_gain"))
    features = spec.input_size
    before = _scale(features, 1, first)
    after = _scale(spec.output_size, spec.output_size, last)
    plain = skipped((), spec.layers, ()) if skip else spec
    whole = spec
    if skip:
        whole = skipped(before, spec.layers, after)
    elif before or after:
        whole = ModelSpec(before + spec.layers + after)
    pair = _pair(document, plain)
    if pair is None:
        return whole, about
    made = _replayed(plain, *pair)
    if skip or not first or not last or made.error > golden.largest_error(made.y.dtype):
        return whole, about
    made = replace(made, x=_narrow(made.x, first), y=_narrow(made.y, 1 / last))
    return whole, about | golden.to_strings(made)


def _is_there(document: Document, name: str) -> bool:
    return document.get(name) is not None


def _gain(document: Document, name: str) -> float:
    """As a factor; 1 where it is not said."""
    decibels = document.number(name) if _is_there(document, name) else 0.0
    if decibels > _LOUD:
        raise document.wrong(name, f"at most {_LOUD:g} dB")
    return 10.0 ** (decibels / 20) if decibels > _SILENT else 0.0


def _scale(features: int, scaled: int, gain: float) -> tuple[Layer, ...]:
    """Of the first ``scaled`` features, or nothing; the others are knobs."""
    scale = np.ones(features, np.float32)
    scale[:scaled] = gain
    return (Scale(scale, np.zeros(features, np.float32)),) if gain != 1 else ()


def _pair(document: Document, spec: ModelSpec) -> tuple[Array, Array] | None:
    """Input and output [time, 1, features]; None where the file has none."""
    names = [name for name in GOLDEN if document.get(name)]
    if not names:
        return None
    if len(names) == 1:
        raise FormatError(f"{names[0]}: expected both input_batch and output_batch, or none")
    for layer in (node.layer for node in spec.nodes.values()):
        if layer.window is not None and layer.window.extent * (layer.input_size or 1) > _WINDOW:
            raise document.unsupported("input_batch: of a network with so long a window")
    steps = min(_MOST, max(1, _WORK // max(1, spec.num_parameters)))
    given, made = (document.array(name, None)[:steps] for name in names)
    if given.shape != made.shape or spec.output_size != 1:
        raise FormatError(
            f"input_batch {given.shape}, output_batch {made.shape}: expected as many samples, of a "
            f"network with one output; it has {spec.output_size}"
        )
    if max(np.abs(given).max(), np.abs(made).max()) > _LARGE:
        raise FormatError(f"input_batch, output_batch: expected samples of at most {_LARGE:g}")
    x = np.zeros((len(given), 1, spec.input_size), np.float32)
    x[:, 0, 0] = given
    return x, made.astype(np.float32).reshape(-1, 1, 1)


def _replayed(spec: ModelSpec, x: Array, y: Array) -> golden.Golden:
    """The pair with how far it is off; ``FormatError`` where that is too far."""
    made, state = reference.run(spec, x)
    off, peak = float(np.abs(made - y).max()), float(np.abs(y).max())
    if not off <= TOLERANCE * max(1.0, peak):
        raise FormatError(
            f"output_batch: the network gives up to {off:.3g} else for input_batch, of at most "
            f"{peak:.3g}; {TOLERANCE * max(1.0, peak):.1g} is allowed"
        )
    parts = flatten(state_counts(spec), state, state_names(spec))
    final = joined(state_counts(spec), parts, np.dtype(np.float32))
    error = max(off / max(peak, 1e-30), 2.0**-24)
    return golden.Golden(x, y, final, float(f"{error:.3g}"))


def _narrow(array: Array, gain: float) -> Array:
    """Of the first feature the ``gain``-th part."""
    wide = array.astype(np.float64)
    wide[..., 0] /= gain
    return wide.astype(np.float32)
