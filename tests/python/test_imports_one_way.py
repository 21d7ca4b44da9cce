"""Imports and includes run one way: no circles, and nothing against ARCHITECTURE's "Who includes
whom".

Read from the sources, so that imports inside functions count as well, where no run would notice.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
Graph = dict[str, set[str]]


def circles(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """One circle of each knot of nodes that reach each other, as ``[a, b, a]``."""
    left = {node: set(targets) & set(graph) for node, targets in graph.items()}
    found = []
    while left:
        ends = [node for node, targets in left.items() if not targets & set(left)]
        for node in ends:
            del left[node]
        if ends or not left:
            continue
        way = [next(iter(left))]  # each node that is left leads to another one: on until one again
        while way[-1] not in way[:-1]:
            way.append(min(left[way[-1]] & set(left)))
        circle = way[way.index(way[-1]) :]
        found.append(circle)
        for node in circle[1:]:
            del left[node]
    return found


# Python


def modules(folder: Path, package: str = "") -> dict[str, Path]:
    """The sources in a folder by the names that they are imported by."""
    named = {}
    for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.pyx")]):
        parts = [package] * bool(package) + list(path.relative_to(folder).with_suffix("").parts)
        named[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return named


def imports(name: str, path: Path, known: Iterable[str]) -> set[str]:
    """The modules among ``known`` that one imports, anywhere in it."""
    found = set()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for level, base, names in _statements(path):
        up = package.split(".")[: len(package.split(".")) - level + 1] if level else []
        base = ".".join([*up, *([base] if base else [])])
        for full in (f"{base}.{one}" for one in names or [""]):
            found |= {full if full in known else base} & set(known)
    return found - {name}


def _statements(path: Path) -> Iterator[tuple[int, str, list[str]]]:
    """Level, module and names of each import."""
    if path.suffix == ".pyx":  # and its parts; no Python for ast
        for part in [path, *path.parent.glob("_*.pxi")]:
            for dots, base in re.findall(r"^ *from (\.+)(\w[\w.]*) import", part.read_text(), re.M):
                yield len(dots), base, []
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or "", [alias.name for alias in node.names]


def graph_of(folder: str, package: str = "") -> Graph:
    known = modules(ROOT / folder, package)
    return {name: imports(name, path, known) for name, path in known.items()}


@pytest.mark.parametrize("folder", ["rnn_native", "bench"])
def test_no_module_imports_itself_by_others(folder: str) -> None:
    assert circles(graph_of(folder, folder if folder == "rnn_native" else "")) == []


def test_nothing_is_imported_upwards() -> None:
    """Folders and modules of the package, with what ARCHITECTURE says of them, are no circle."""
    graph: Graph = {}
    for name, targets in graph_of("rnn_native", "rnn_native").items():
        graph.setdefault(_group(name), set()).update(map(_group, targets))
    for above, below in _said_of_python():
        assert above in graph, f"ARCHITECTURE: Who includes whom: there is no {above}"
        assert below in graph, f"ARCHITECTURE: Who includes whom: there is no {below}"
        graph[above].add(below)
    for node, targets in graph.items():
        targets.discard(node)
    assert circles(graph) == []


def _group(name: str) -> str:
    """The first folder or module inside the package; of ``spec`` its parts."""
    parts = name.split(".")[1:]
    return ".".join(parts[:2] if parts[:1] == ["spec"] else parts[:1]) or "rnn_native"


def _said_of_python() -> Iterator[tuple[str, str]]:
    """Who is above whom: ``a, b -> c`` says it of a and c, and of b and c."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"## Who includes whom\n.*?```\n(.*?)```", text, re.DOTALL)
    python = re.sub(r"\n +->", " ->", block[block.index("\nPython") + 7 :])
    for statement in re.split(r";|\n", python):
        steps = [step.strip().split(", ") for step in statement.split("->")]
        for above, below in pairwise(steps):
            yield from ((a, b) for a in above for b in below)


# C


def includes() -> Graph:
    """The sources of C, by what each includes of them."""
    source = ROOT / "src"
    files = {os.path.relpath(path, source) for path in source.rglob("*.[ch]")}
    graph: Graph = {}
    for file in files:
        named = re.findall(r'#\s*include\s+"([^"]+)"', (source / file).read_text(encoding="utf-8"))
        places = [os.path.dirname(file), "", "include"]
        graph[file] = {
            found
            for name in named
            for found in [os.path.normpath(os.path.join(place, name)) for place in places]
            if found in files
        }
    return graph


def unit_of(file: str, files: Iterable[str]) -> str:
    """A header with its source; ``x_part``, which is both, is a part of ``x``, which is, too."""
    stem = re.sub(r"(\.inc)?\.[ch]$", "", file)
    units = {name[:-2] for name in files if name.endswith(".c")}
    units &= {name[:-2] for name in files if name.endswith(".h")}
    wholes = [unit for unit in units if stem in units and stem.startswith(f"{unit}_")]
    return min(wholes, key=len, default=stem)


def test_no_source_of_c_includes_itself_by_others() -> None:
    graph = includes()
    assert graph
    assert circles(graph) == []


def test_no_two_parts_of_c_include_each_other() -> None:
    files = includes()
    graph: Graph = {}
    for file, targets in files.items():
        own = unit_of(file, files)
        graph.setdefault(own, set()).update(unit_of(other, files) for other in targets)
        graph[own].discard(own)
    assert circles(graph) == []


def test_a_circle_is_found_and_a_way_is_none() -> None:
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c", "b"]]
