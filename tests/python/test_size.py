"""The C library stays as small as docs/embedded.md says, where AArch64's compiler is installed."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load_tool():
    spec = importlib.util.spec_from_file_location("size_table", ROOT / "tools/size_table.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_all_cells_in_float32_fit_into_64_kib_on_aarch64(tmp_path):
    tool = load_tool()
    target = next(t for t in tool.TARGETS if t.name == "AArch64, NEON")
    for program in (target.tool("gcc"), target.tool("size"), "cmake"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    library = tool.build(target, tool.BUILDS["float32, small"], tmp_path, 2)
    text, code = tool.sections(target, library)
    assert 0 < code <= text <= 64 * 1024
