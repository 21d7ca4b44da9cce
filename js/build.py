"""Builds the npm package: two WebAssembly programs beside its JavaScript, and a tarball of all.

    python3 js/build.py OUT              simd.wasm, baseline.wasm and the package rnn-native
    python3 js/build.py OUT --part lstm  one cell, float32 alone: what a page that ships one needs

It calls Emscripten (Debian: emscripten, npm). A program is the library without threads, files,
environment and double, in few shapes of blocks (RNNAT_SMALL), whose bits are those of every build;
its kernels are compiled for speed and the rest for size.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

WITHOUT = [
    *("THREADS", "ENV", "FLOAT64", "FILE_IO", "TRAIN", "WITH_SHARING"),
    *("WITH_FLOAT16", "WITH_BFLOAT16", "WITH_POOL"),
]
CELLS = ("rnn", "gru", "lstm")
LINK = [
    *("--no-entry", "-sSTANDALONE_WASM=1", "-sFILESYSTEM=0", "-sALLOW_MEMORY_GROWTH=1"),
    *("-sMALLOC=emmalloc", "-sINITIAL_MEMORY=1MB", "-sTOTAL_STACK=128KB", "-Wl,--gc-sections"),
]
KERNELS = "src/kernels/kernels_baseline.c"


def sources() -> list[str]:
    """The core's C files, as CMake lists them, but for kernels and what only Python calls."""
    listed = re.search(r"set\(RNNAT_SOURCES(.*?)\)", (ROOT / "CMakeLists.txt").read_text(), re.S)
    assert listed
    return [name for name in listed[1].split() if "/inspect/" not in name]


def version() -> str:
    header = (ROOT / "src/include/rnn_native.h").read_text()
    found = re.search(r'#define RNNAT_VERSION "([^"]+)"', header)
    assert found
    return found[1]


def options(part: str) -> list[str]:
    """Macros that say which parts of the library there are."""
    chosen = dict.fromkeys(WITHOUT, 0) | {"SMALL": 1, "WITH_WINDOWS": 1, "WITH_ELEMENTWISE": 1}
    chosen |= {"WITH_INT8": 1, "WITH_MESSAGES": 1}
    if part != "all":
        chosen |= {f"WITH_{cell.upper()}": int(cell == part) for cell in CELLS}
        chosen |= dict.fromkeys(
            (
                "WITH_GATE",
                "WITH_GENERAL",
                "WITH_WINDOWS",
                "WITH_ELEMENTWISE",
                "WITH_INT8",
                "WITH_MESSAGES",
            ),
            0,
        )
    return [f"-DRNNAT_{name}={value}" for name, value in chosen.items()]


def emcc(*arguments: str | Path) -> None:
    subprocess.run(["emcc", *map(str, arguments)], check=True)


def compile_program(out: Path, name: str, flags: list[str], part: str = "all") -> Path:
    """One .wasm; all but the kernels is compiled as one unit."""
    work = out / "objects" / name
    work.mkdir(parents=True, exist_ok=True)
    unit = work / "core.c"
    unit.write_text("".join(f'#include "{ROOT / source}"\n' for source in sources()))
    common = ["-std=c11", "-Wall", "-Werror", "-ffunction-sections", *flags, *options(part)]
    common += [f"-I{ROOT / 'src'}", f"-I{ROOT / 'src/include'}"]
    objects = []
    small, fast = ["-Oz", "-flto"], ["-O3"]
    parts = ((unit, small), (HERE / "wasm/calls.c", small), (ROOT / KERNELS, fast))
    for source, level in parts:
        objects.append(work / f"{source.stem}.o")
        emcc(*common, *level, "-c", source, "-o", objects[-1])
    exports = (HERE / "wasm/exports.txt").read_text().split()
    exported = "-sEXPORTED_FUNCTIONS=" + ",".join(f"_{name}" for name in exports)
    program = out / f"{name}.wasm"
    emcc("-Oz", *flags, *objects, "-o", program, *LINK, exported)
    return program


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--part", choices=CELLS)
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    for tool in ("emcc", "npm"):
        if shutil.which(tool) is None:
            print(f"js/build.py: there is no {tool}; Debian: apt-get install emscripten npm")
            return 1
    if arguments.part:
        print(compile_program(out, f"{arguments.part}.simd", ["-msimd128"], arguments.part))
        return 0
    package = out / "package"
    shutil.rmtree(package, ignore_errors=True)
    shutil.copytree(HERE / "src", package)
    for name, flags in (("simd", ["-msimd128"]), ("baseline", [])):
        shutil.copy(compile_program(out, name, flags), package)
    for name in ("README.md", "package.json"):
        shutil.copy(HERE / name, package)
    shutil.copy(ROOT / "LICENSE", package)
    description = json.loads((package / "package.json").read_text()) | {"version": version()}
    (package / "package.json").write_text(json.dumps(description, indent=2) + "\n")
    for old in out.glob("*.tgz"):
        old.unlink()
    subprocess.run(["npm", "pack", "--silent", "--pack-destination", out], cwd=package, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
