"""What was measured of each model, as a Markdown table: a row for each measure, a column a way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .model import Measure, RealModel
from .ways import FLOAT32, Way


@dataclass
class Results:
    """Of a model the numbers of each way, in the order of its measures; or why there are none."""

    model: RealModel
    amount: int
    values: dict[str, list[float]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "model": self.model.name,
            "amount": f"{self.amount} {self.model.unit}",
            "measures": [measure.name for measure in self.model.measures],
            "values": self.values,
            "missing": self.missing,
        }


def table(results: Sequence[Results], ways: Sequence[Way]) -> str:
    """Numbers that do not reach what is asked are bold, – is not measured."""
    head = ["model", "measure", "asked of 16, 8 bits", FLOAT32, *(way.name for way in ways)]
    lines = [head, ["---"] * len(head)]
    for result in results:
        for place, measure in enumerate(result.model.measures):
            model = result.model
            about = f"{model.name}: {model.about}, {result.amount} {model.unit}"
            cells = [_cell(result.values, way, place, measure) for way in ways]
            plain = _cell(result.values, Way(FLOAT32, 32, ways[0].make), place, measure)
            lines.append(["" if place else about, measure.name, _asked(measure), plain, *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(values: Mapping[str, Sequence[float]], way: Way, place: int, measure: Measure) -> str:
    if way.name not in values:
        return "–"
    value = values[way.name][place]
    text = measure.form.format(value) if value else "0"
    return text if measure.reached(value, way.bits) else f"**{text}**"


def _asked(measure: Measure) -> str:
    limits = [measure.at_16_bits, measure.at_8_bits]
    if limits == [None, None]:
        return ""
    sign = "≥" if measure.at_least else "≤"
    return f"{sign} " + ", ".join("–" if limit is None else f"{limit:g}" for limit in limits)


def reasons(results: Sequence[Results]) -> Iterator[str]:
    """Why something has no number, each reason once."""
    said: dict[tuple[str, str], list[str]] = {}
    for result in results:
        for way, why in result.missing.items():
            said.setdefault((way, why), []).append(result.model.name)
    for (way, why), models in said.items():
        yield f"{way}: {', '.join(models)}: {why}"
