"""The sections of the page, in their order. To add one: a module with ``section(results)``, which
gives a ``Section``, several, or None where the results have nothing for it; and its place in
``MODULES``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ..blocks import Section
from . import answer, costs, device, families, growth, how, size

MODULES: Final = (answer, costs, size, families, device, growth, how)


def sections(results: Mapping[str, Any]) -> Iterator[Section]:
    """All that the results have something for; the answer is the first."""
    for module in MODULES:
        found = module.section(results)
        if isinstance(found, Section):
            yield found
        elif found is not None:
            yield from found


def first_screen(results: Mapping[str, Any]) -> answer.Screen:
    """What a reader sees at once."""
    return answer.screen(results)


def subtitle(results: Mapping[str, Any]) -> str:
    """What was compared, and on which machine."""
    choice, machine = results["choice"], results["machine"]
    seeds = ", ".join(map(str, choice["seeds"]))
    few = {
        "quick": " A quick look: fewer and smaller tasks, each of which is still learnt.",
        "tiny": " Tiny: it shows that all runs, and nothing else.",
    }.get(choice["scale"], "")
    return (
        f"Seeds {seeds}; {machine['cpu']}, {machine['isa']}, {choice['threads']} thread"
        f"{'' if choice['threads'] == 1 else 's'} a run; rnn_native {machine['rnn_native']}, "
        f"Python {machine['python']}, NumPy {machine['numpy']}.{few}"
    )
