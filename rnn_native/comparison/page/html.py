"""``comparison.html``: one file with everything in it, to be opened without a network."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from ...formats.files import replacing
from .blocks import Figure, Figures, Table, Text
from .sections import first_screen, sections, subtitle

LACKING: Final = [name for name in ("jinja2", "matplotlib") if find_spec(name) is None]
"""What is not installed of what the page needs."""


def write_html(results: Mapping[str, Any], out: Path) -> None:
    """Needs jinja2 and matplotlib: ``LACKING`` tells."""
    from jinja2 import Environment

    source = resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.tests |= {
        kind.__name__.lower(): lambda block, kind=kind: isinstance(block, kind)
        for kind in (Text, Table, Figures)
    }
    numbers = itertools.count()

    def draw(figure: Figure) -> str:
        """Names inside a drawing do not meet those of another one."""
        number = next(numbers)
        return re.sub(r'( id="|href="#|url\(#)', rf"\g<1>f{number}-", figure.draw())

    environment.globals["draw"] = draw
    first, *rest = sections(results)
    page = environment.from_string(source).render(
        subtitle=subtitle(results), screen=first_screen(results), first=first, rest=rest
    )
    with replacing(out / "comparison.html") as file:
        file.write(page.encode())
