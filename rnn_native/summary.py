"""What a model is, as a table: a layer a row, told once and shown as text and in notebooks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

HEADS: Final = ("name", "layer", "reads", "features", "parameters")
_NUMBERS: Final = (3, 4)  # of the columns above
_LONGEST: Final = 200  # layers that a notebook is shown


@dataclass(frozen=True)
class Summary:
    """A table of layers, and a line of what they make together.

    ``print`` shows it as text, a notebook as a table. ``rows`` are name, kind of layer, what it
    reads, features of its output at a step, and parameters.
    """

    title: str
    rows: Sequence[tuple[str, str, str, str, str]]

    def __str__(self) -> str:
        table = [HEADS, *self.rows]
        widths = [max(len(row[column]) for row in table) for column in range(len(HEADS))]
        lines = [_line(row, widths) for row in table]
        return "\n".join([self.title, "", lines[0], "-" * len(lines[0]), *lines[1:]])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "".join(self._html())

    def _html(self) -> Iterator[str]:
        yield f"<p><b>{escape(self.title)}</b></p>"
        yield "<table><thead><tr>"
        yield "".join(f"<th>{head}</th>" for head in HEADS)
        yield "</tr></thead><tbody>"
        for row in self.rows[:_LONGEST]:
            yield "<tr>"
            for column, text in enumerate(row):
                side = "right" if column in _NUMBERS else "left"
                yield f'<td style="text-align:{side}">{escape(text)}</td>'
            yield "</tr>"
        yield "</tbody></table>"
        if len(self.rows) > _LONGEST:
            yield f"<p>... and {len(self.rows) - _LONGEST} layers more</p>"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        text.rjust(width) if column in _NUMBERS else text.ljust(width)
        for column, (text, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def summary_of(spec: Any, title: str) -> Summary:
    """The table of a ModelSpec, which knows this module; ``title`` is what stands above it."""
    rows = []
    for name, node in spec.nodes.items():
        layer = node.layer
        count = sum(int(array.size) for array in layer.arrays.values())
        reads = ", ".join(node.inputs)
        features = f"{spec.value(name).features:,}"
        rows.append((name, layer.title, reads, features, f"{count:,}" if count else ""))
    return Summary(title, rows)
