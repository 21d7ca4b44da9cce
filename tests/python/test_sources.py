"""Sources are as CONTRIBUTING says: below 400 lines, those of C open with a sentence that says what
they are, and no two of the core have one name.

Read from the sources, of which no run tells anything.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST_LINES = 400
OF_C = [
    path.relative_to(ROOT).as_posix()
    for folder in ("src", "tests", "examples", "tools", "bench")
    for path in sorted((ROOT / folder).rglob("*.[ch]"))
]
OF_PYTHON = [
    path.relative_to(ROOT).as_posix()
    for path in sorted((ROOT / "rnn_native").rglob("*"))
    if path.suffix in (".py", ".pyi", ".pyx", ".pxi", ".pxd")
]


def opening(text: str) -> str:
    """The first paragraph of the comment that a source of C begins with; "" without one."""
    comment = re.match(r"/\*(.*?)(\n \*\n|\*/)", text, re.DOTALL)
    return " ".join(re.sub(r"\n \*", "\n", comment[1]).split()) if comment else ""


@pytest.mark.parametrize("name", OF_C)
def test_a_source_of_c_opens_with_a_sentence(name: str) -> None:
    said = opening((ROOT / name).read_text(encoding="utf-8"))
    assert len(said.split()) >= 3, f"{name}: expected to open with what it is, got {said!r}"
    assert re.search(r"[.:]( |$)", said), f"{name}: expected a sentence, got {said!r}"


@pytest.mark.parametrize("name", [n for n in OF_C if n.startswith("src/")] + OF_PYTHON)
def test_a_source_has_fewer_lines_than_400(name: str) -> None:
    if name == "src/include/rnn_native.h":
        pytest.skip("the one installed header has every function of the interface")
    lines = (ROOT / name).read_text(encoding="utf-8").count("\n")
    assert lines < MOST_LINES, f"{name}: {lines} lines: one idea a file"


def test_no_two_sources_of_the_core_have_one_name() -> None:
    names = Counter(name.rpartition("/")[2] for name in OF_C if name.startswith("src/"))
    assert not [name for name, count in names.items() if count > 1]


def test_what_opens_a_source_is_found() -> None:
    assert opening("/* Packs weights. */\n#include") == "Packs weights."
    assert opening("/* One\n * file: this. */\n") == "One file: this."
    assert opening("/* The list:\n *\n *   1. one\n */\n") == "The list:"
    assert opening('#include "x.h"\n/* Late. */') == ""
