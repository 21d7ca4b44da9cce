"""What ``rn.quantize`` gives: the reduced model, and what the reduction does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..model import Model
from .differences import Difference, Drift


@dataclass(frozen=True)
class LayerReport:
    """One layer whose weights a reduction is of: matrices, or the table of an Embedding.

    Parameters
    ----------
    name, kind
        Of the node, of a chain ``"0"``, ``"1"``, ..., and what it is.
    parameters
        How many numbers its matrices have.
    kept
        Whether they stay float32 in the result.
    weights
        Of its matrices, where they are rounded; None of a layer that is kept because the type has
        not its weights, which is compared in the result alone.
    own
        Of its output, where this layer alone is reduced; None without calibration data.
    alone
        Of each of the model's outputs, where this layer alone is reduced; likewise.
    result
        Of its output in the result; likewise.
    """

    name: str
    kind: str
    parameters: int
    kept: bool
    weights: Difference | None = None
    own: Difference | None = None
    alone: Mapping[str, Difference] | None = None
    result: Difference | None = None

    @property
    def effect(self) -> float:
        """What it does alone to the output that it hurts most, ``relative``; without calibration
        data to its own weights."""
        if self.alone is None:
            return 0.0 if self.weights is None else self.weights.relative
        return max(each.relative for each in self.alone.values())

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        plain: dict[str, Any] = {
            "name": self.name,
            "kind": self.kind,
            "parameters": self.parameters,
            "kept": self.kept,
        }
        for name, one in (("weights", self.weights), ("own", self.own), ("result", self.result)):
            plain[name] = None if one is None else one.as_dict()
        alone = self.alone
        plain["alone"] = None if alone is None else {n: d.as_dict() for n, d in alone.items()}
        return plain


@dataclass(frozen=True)
class Quantized:
    """A reduced model, and what its reduction does. ``str`` of it is a table.

    Parameters
    ----------
    model
        The Model.
    rounding
        How its weights were rounded: ``"nearest"`` or, int8 ones, ``"gptq"``.
    layers
        Each layer that could be reduced, in the model's order.
    outputs
        Of each of the model's outputs, by name; empty without calibration data.
    drift
        Of each state that its recurrent layers carry from step to step, by its name in
        ``model.trace``; likewise. In the reverse direction the last step is the first one.
    memory
        Bytes of the packed float32 model, and of the reduced one.
    """

    model: Model
    rounding: str
    layers: tuple[LayerReport, ...]
    outputs: Mapping[str, Difference]
    drift: Mapping[str, Drift]
    memory: tuple[int, int]

    @property
    def kept(self) -> tuple[str, ...]:
        """The layers that stay float32."""
        return self.model.keep

    @property
    def sqnr(self) -> float | None:
        """Of the output that has the least, in dB; None without calibration data."""
        return min((each.sqnr for each in self.outputs.values()), default=None)

    def as_dict(self) -> dict[str, Any]:
        """All of it but the model, as plain values, which JSON has; None for what is infinite."""
        return {
            "weight_dtype": self.model.weight_dtype,
            "compute": self.model.compute,
            "rounding": self.rounding,
            "kept": list(self.kept),
            "memory": {"before": self.memory[0], "after": self.memory[1]},
            "layers": [layer.as_dict() for layer in self.layers],
            "outputs": {name: one.as_dict() for name, one in self.outputs.items()},
            "drift": {name: one.as_dict() for name, one in self.drift.items()},
        }

    def __str__(self) -> str:
        return "\n".join(lines_of(self))


def lines_of(made: Quantized) -> Iterator[str]:
    """The report as tables: ratios of signal to difference in dB, of which more is better."""
    before, after = made.memory
    yield f"packed: {before:,} bytes in float32, {after:,} reduced ({after / before:.0%})"
    yield ""
    measured = bool(made.outputs)
    head = ["layer", "", "weights", *(["own", "alone", "result"] if measured else []), ""]
    rows = [
        [
            layer.name,
            layer.kind,
            _shown(layer.weights),
            *([_shown(layer.own), _least(layer.alone), _shown(layer.result)] if measured else []),
            "float32" if layer.kept else "",
        ]
        for layer in made.layers
    ]
    yield from aligned([head, *rows])
    if not measured:
        return
    yield ""
    rows = [
        [name, shown(one.sqnr), f"{one.relative:.2g}", f"{one.rms:.3g}", f"{one.largest:.3g}"]
        for name, one in made.outputs.items()
    ]
    yield from aligned([["output", "dB", "relative", "rms", "largest"], *rows])
    if made.drift:
        yield ""
        rows = [
            [name, f"{one.relative[0]:.2g}", f"{one.relative[-1]:.2g}", f"{max(one.relative):.2g}"]
            for name, one in made.drift.items()
        ]
        yield from aligned([["state", "first", "last", "largest"], *rows])


def _least(each: Mapping[str, Difference] | None) -> str:
    return "-" if each is None else shown(min(one.sqnr for one in each.values()))


def _shown(one: Difference | None) -> str:
    return "-" if one is None else shown(one.sqnr)


def shown(sqnr: float) -> str:
    """dB, as a table has them; ``=`` where nothing differs."""
    return "=" if sqnr == float("inf") else f"{sqnr:.1f}"


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of a table: names to the left, all else to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            f"{cell:<{width}}" if index < 1 or not _is_number(rows, index) else f"{cell:>{width}}"
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _is_number(rows: Sequence[Sequence[str]], index: int) -> bool:
    return bool(rows[0][index])
