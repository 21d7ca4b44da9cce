"""The C library stays as small as docs/embedded.md says, where AArch64's compiler is installed."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAME = "AArch64, NEON"


def load_tool():
    spec = importlib.util.spec_from_file_location("size_table", ROOT / "tools/size_table.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


tool = load_tool()
TARGET = next(t for t in tool.TARGETS if t.name == NAME)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    for program in (TARGET.tool("gcc"), TARGET.tool("size"), "cmake"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    return tool.build(TARGET, "float32, small", tmp_path_factory.mktemp("size"), 2)


def test_all_cells_in_float32_fit_into_64_kib_on_aarch64(library):
    text, code = tool.sections(TARGET, library)
    assert 0 < code <= text <= 64 * 1024


def test_models_and_streams_need_the_ram_that_the_docs_state(library):
    needs = tool.footprint(TARGET, library)
    if needs is None:
        pytest.skip(f"{TARGET.emulator} is not installed")
    row = f"| {NAME} | " + " | ".join(f"{need:,}" for need in needs) + " |"
    assert row in (ROOT / "docs/embedded.md").read_text()
