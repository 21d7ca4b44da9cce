"""The program of examples/denoise_c, built with a C compiler alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "denoise_c"
_WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wstrict-prototypes"]
_SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


class Builder:
    """Compiles the library once, with the portable kernels alone."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which(os.environ.get("CC", "cc"))
        if compiler is None:
            pytest.skip("needs a C compiler")
        self._folder = folder
        self._cc = [compiler, "-std=c11", "-O1", f"-I{folder}"]
        amalgamate = ROOT / "tools" / "amalgamate.py"
        subprocess.run([sys.executable, amalgamate, folder], check=True, timeout=600)
        self._run("-c", "rnn_native.c")

    def _run(self, *arguments: str | Path) -> None:
        subprocess.run([*self._cc, *arguments], cwd=self._folder, check=True, timeout=600)

    def program(self, name: str, *more: str | Path) -> Path:
        """The example, where warnings are errors, with ``more`` flags and sources."""
        path = self._folder / name
        sources = sorted(EXAMPLE.glob("*.c"))
        self._run(*_WARNINGS, "-Werror", *sources, *more, "rnn_native.o", "-lm", "-o", path)
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
