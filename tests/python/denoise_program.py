"""The program of examples/denoise_c, built with a C compiler alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "denoise_c"
_WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wstrict-prototypes"]
_SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


class Builder:
    """Compiles the core once, with the portable kernels alone, which no special flags are for."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which(os.environ.get("CC", "cc"))
        if compiler is None:
            pytest.skip("needs a C compiler")
        self._folder = folder
        src = ROOT / "src"
        core = [path for part in (".", "cells", "gemm") for path in (src / part).glob("*.c")]
        core.append(src / "kernels" / "kernels_baseline.c")
        self._cc = [compiler, "-std=c11", "-O1", f"-I{src / 'include'}"]
        self._run(f"-I{src}", "-ffp-contract=off", "-c", *core)

    def _run(self, *arguments: str | Path) -> None:
        subprocess.run([*self._cc, *arguments], cwd=self._folder, check=True, timeout=600)

    def program(self, name: str, *more: str | Path) -> Path:
        """The example, where warnings are errors, with ``more`` flags and sources."""
        path = self._folder / name
        objects = sorted(self._folder.glob("*.o"))
        sources = sorted(EXAMPLE.glob("*.c"))
        self._run(*_WARNINGS, "-Werror", *sources, *more, *objects, "-lm", "-o", path)
        return path

    def sanitized(self, name: str) -> Path:
        """It under the address and undefined-behaviour sanitizers, if the compiler has them."""
        empty = self._folder / "empty.c"
        empty.write_text("int main(void) { return 0; }\n")
        try:
            self._run(*_SANITIZERS, empty, "-o", self._folder / "empty")
        except subprocess.CalledProcessError:
            pytest.skip("the C compiler has no sanitizers")
        return self.program(name, *_SANITIZERS)
