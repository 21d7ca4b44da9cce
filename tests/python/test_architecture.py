"""What ARCHITECTURE.md and CONTRIBUTING.md say is so: files that they name exist, the packed panel
and the memory of a stream are those of the core, schedules know no layer, and links of all pages
lead to files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import _core
from rnn_native.formats.safetensors import parts

ROOT = Path(__file__).resolve().parents[2]
BUILT = ("build", ".git")
PAGES = [
    path.relative_to(ROOT).as_posix()
    for path in sorted(ROOT.rglob("*.md"))
    if path.relative_to(ROOT).parts[0] not in BUILT and "node_modules" not in path.parts
]
FILES = [
    path.relative_to(ROOT).as_posix()
    for folder in (
        "src",
        "js",
        "rnn_native",
        "tests",
        "tools",
        "cmake",
        "bench",
        "docs",
        "examples",
        "site",
    )
    for path in sorted((ROOT / folder).rglob("*"))
]
FILES += [path.name for path in ROOT.iterdir()]


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def named_files(text: str) -> Iterator[str]:
    """Names of files in code and drawings; ``<cell>`` and its like as ``*``."""
    plain = re.sub(r"<\w+>", "*", text)
    yield from re.findall(r"(?<![\w.*])[\w*][\w*/-]*(?:\.inc)?\.(?:c|h|py|pyx|pxi|pxd)\b", plain)


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md", "docs/promises.md"])
def test_files_that_are_named_exist(page: str) -> None:
    made = {"vad.c", "rnn_native.c"}  # written by tools
    missing = [
        name
        for name in named_files(text_of(page))
        if name not in made and not any(fnmatch(f"/{file}", f"*/{name}") for file in FILES)
    ]
    assert not missing, f"{page}: there is no {', '.join(missing)}"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page: str) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text_of(page))
    wrong = [
        link
        for link in links
        if "://" not in link and not (ROOT / page).parent.joinpath(link).exists()
    ]
    assert not wrong, f"{page}: links to {', '.join(wrong)}, which does not exist"


def test_a_name_of_a_source_of_c_is_one_file() -> None:
    names = [path.name for path in sorted((ROOT / "src").rglob("*.[ch]"))]
    assert [name for name in names if names.count(name) > 1] == []


@pytest.mark.parametrize("folder", ["run", "train"])
def test_schedules_know_no_layer_and_no_cell(folder: str) -> None:
    """What differs from one to the next hangs on its own struct of functions."""
    stems = {
        path.stem for part in ("layers", "cells") for path in (ROOT / "src" / part).glob("*.c")
    }
    own = "|".join(sorted({stem.removesuffix("_gradient") for stem in stems} - {"cell"}))
    named = re.compile(rf"\brnnat_(?:layer|cell)_(?:{own})\b|\brnnat_(?:{own})_training\b")
    for path in sorted((ROOT / "src" / folder).rglob("*.[ch]")):
        assert not named.findall(path.read_text(encoding="utf-8")), path.name


def test_kernels_know_no_cell() -> None:
    """A cell's gates stand beside it, and the tables follow cell_list.h."""
    names = re.findall(r"X\((?:\w+, )?(\w+), RNNAT_WITH", text_of("src/cells/cell_list.h"))
    assert {"rnn", "lstm", "gate_gru_new", "general_gru_before"} <= set(names)
    known = re.compile(
        rf"\b(?:train_)?(?:{'|'.join(names)})(?:_(?!native)\w+)?\b|RNNAT_WITH_(?:RNN|GRU|LSTM|GATE)"
    )
    for path in sorted((ROOT / "src/kernels").glob("*.[ch]")):
        code = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not known.findall(code), path.name


def packed(lstm: rn.LSTM, lanes: int) -> _core.PackedModel:
    return _core.PackedModel(parts(lstm.model.spec), 0, lanes)


def test_an_element_of_a_panel_is_where_the_drawing_has_it() -> None:
    """The example, and the formula for every element of its matrix."""
    text = " ".join(text_of("ARCHITECTURE.md").split())
    said = re.search(r"`weight_hh\[(\d+), (\d+)\]`, is element (\d+), at byte (\d+)", text)
    assert said
    row, k, element, byte = map(int, said.groups())
    units, lanes, gates = 6, 4, 4
    lstm = rn.LSTM(3, units)
    told: Any = packed(lstm, lanes).describe().members
    (_, node), *_ = told["nodes"]
    (_, weights), *_ = node["data"]["weights"]
    data = np.asarray(dict(weights["w_hh"])["data"]).ravel()
    weight = lstm.state_dict()["weight_hh_l0"]
    assert data.size == units * gates * 2 * lanes
    assert byte == element * data.itemsize
    assert data[element] == weight[row, k]
    for gate, unit, feature in np.ndindex(gates, units, units):
        panel = (unit // lanes * units + feature) * gates + gate
        assert data[panel * lanes + unit % lanes] == weight[gate * units + unit, feature]


def test_arrays_of_a_stream_have_the_bytes_that_are_said() -> None:
    text = text_of("ARCHITECTURE.md")
    table = text[text.index("## The memory of a stream") : text.index("## Folders")]
    arrays = sum(int(number) for number in re.findall(r"\| (\d+) \|\n", table))
    need, structs = packed(rn.LSTM(8, 16), 8).stream_memory(1, 1)
    rounded = sum(-(-count * size // 64) * 64 for _, count, size in structs)
    assert arrays == need - 63 - rounded
    for name, _, _ in structs:
        assert name.removeprefix("rnnat_") in table.replace("pointer", "rnnat_pointer"), name
