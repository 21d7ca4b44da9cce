"""Prints what the C library takes: bytes of code on each target, and of RAM for two GRUs.

    python tools/size_table.py [--targets NAME ...] [--build FOLDER] [--jobs N]

The library is configured and built by CMake for every target whose compiler is installed, once for
each set of options in BUILDS. Code is the `text` of `size`: instructions, constants and, where a
build has them, tables for unwinding. RAM is what rnnat_model_size and rnnat_stream_size state,
asked on the target itself or under its emulator (tools/footprint.c). Targets without a compiler, or
without an emulator, are skipped by name. docs/embedded.md has the tables.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

ALONE = ("-DRNNAT_THREADS=OFF", "-DRNNAT_TESTS=OFF")
FLOAT32 = ("-DRNNAT_FLOAT64=OFF",)
SMALL = (*FLOAT32, "-DRNNAT_SMALL=ON")
STANDARD = ("-DRNNAT_WITH_GATE=OFF", "-DRNNAT_WITH_GENERAL=OFF")
CELLS = ("RNN", "GRU", "LSTM")


def only(cell: str) -> tuple[str, ...]:
    """One cell in its standard form, in a small build."""
    return (*SMALL, *STANDARD, *(f"-DRNNAT_WITH_{c}=OFF" for c in CELLS if c != cell))


# Without what a model as C does not need.
AS_C = ("-DRNNAT_READER=OFF", "-DRNNAT_HEAP=OFF", "-DRNNAT_ENV=OFF")

BUILDS = {
    "everything": (),
    "float32": FLOAT32,
    "float32, small": SMALL,
    "and only RNN": only("RNN"),
    "and only GRU": only("GRU"),
    "and only LSTM": only("LSTM"),
    "small, of a model as C": (*SMALL, *AS_C),
    "and only GRU, of a model as C": (*only("GRU"), *AS_C),
}


@dataclass(frozen=True)
class Target:
    """One instruction set of one kind of machine."""

    name: str
    prefix: str
    """Of the compiler's tools; empty: this machine's."""
    flags: str = ""
    options: tuple[str, ...] = ()
    emulator: str = ""
    stands_in: Target | None = None
    """Where this one cannot run: what states the RAM as it would."""

    def tool(self, name: str) -> str:
        if self.prefix == "em":
            return {"gcc": "emcc", "ar": "emar", "ranlib": "emranlib", "size": "llvm-size"}[name]
        return self.prefix + name

    def cmake(self) -> list[str]:
        """What configures a build for it."""
        options = [*self.options, f"-DCMAKE_C_FLAGS={self.flags}"]
        if self.prefix:
            system = "Linux" if "linux" in self.prefix else "Generic"
            options += [
                f"-DCMAKE_SYSTEM_NAME={system}",
                f"-DCMAKE_SYSTEM_PROCESSOR={self.prefix.split('-')[0]}",
                f"-DCMAKE_C_COMPILER={self.tool('gcc')}",
                f"-DCMAKE_AR={shutil.which(self.tool('ar'))}",
                f"-DCMAKE_RANLIB={shutil.which(self.tool('ranlib'))}",
                "-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY",
            ]
        return options


ARM, CORTEX = "arm-linux-gnueabihf-", "-mthumb -mfloat-abi=hard"
# The layout of a microcontroller's memory, by a program that QEMU runs as Linux's.
AS_CORTEX = Target(
    "as Cortex-M",
    ARM,
    "-fshort-enums -Wl,--no-enum-size-warning",
    ("-DRNNAT_SCALAR=ON",),
    "qemu-arm",
)

TARGETS = (
    Target("x86-64, SSE2", "", "", ("-DRNNAT_AVX2=OFF", "-DRNNAT_AVX512=OFF")),
    Target("x86-64, AVX2", "", "", ("-DRNNAT_BASELINE=OFF", "-DRNNAT_AVX512=OFF")),
    Target("AArch64, NEON", "aarch64-linux-gnu-", "", ("-DRNNAT_BASELINE=OFF",), "qemu-aarch64"),
    Target("Armv7-A, NEON", ARM, "-mfpu=neon-vfpv4", ("-DRNNAT_BASELINE=OFF",), "qemu-arm"),
    Target("RISC-V 64", "riscv64-linux-gnu-", "", (), "qemu-riscv64"),
    Target("WebAssembly, SIMD128", "em", "-msimd128", (), "node"),
    Target(
        "Cortex-M4F",
        "arm-none-eabi-",
        f"-mcpu=cortex-m4 -mfpu=fpv4-sp-d16 {CORTEX}",
        stands_in=AS_CORTEX,
    ),
    Target(
        "Cortex-M7",
        "arm-none-eabi-",
        f"-mcpu=cortex-m7 -mfpu=fpv5-d16 {CORTEX}",
        stands_in=AS_CORTEX,
    ),
)


def run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{shlex.join(command)}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


def build(target: Target, name: str, builds: Path, jobs: int) -> Path:
    """The library for a target, with the options of one of BUILDS."""
    folder = builds / "-".join(f"{target.name} {name}".replace(",", "").split())
    configure = ["cmake", "-S", str(ROOT), "-B", str(folder), *ALONE, *target.cmake()]
    run([*configure, *BUILDS[name]])
    run(["cmake", "--build", str(folder), "--target", "rnn_native_core", "-j", str(jobs)])
    return folder / "librnn_native.a"


def sections(target: Target, library: Path) -> tuple[int, int]:
    """Bytes in all of `text` as `size` has it, and in sections of instructions alone."""
    listing = run([target.tool("size"), str(library)]).splitlines()[1:]
    text = sum(int(line.split()[0]) for line in listing)
    code = 0
    for line in run([target.tool("size"), "-A", str(library)]).splitlines():
        words = line.split()
        if len(words) > 1 and (words[0].startswith(".text") or words[0] == "CODE"):
            code += int(words[1])
    return text, code


def footprint(target: Target, library: Path) -> list[int] | None:
    """Bytes of model and stream for each GRU of tools/footprint.c; None: it cannot be run here."""
    compiler, emulator = target.tool("gcc"), target.emulator
    if not shutil.which(compiler) or (emulator and not shutil.which(emulator)):
        return None
    is_web = target.prefix == "em"
    program = library.parent / ("footprint.js" if is_web else "footprint")
    flags = "-sALLOW_MEMORY_GROWTH=1 -sSINGLE_FILE=1" if is_web else "-static"
    command = [compiler, "-std=c11", "-O1", *shlex.split(f"{target.flags} {flags}")]
    command += ["-I", str(ROOT / "src/include"), "-o", str(program)]
    run([*command, str(ROOT / "tools/footprint.c"), str(library), "-lm"])
    return [int(word) for word in run([*shlex.split(emulator), str(program)]).split()]


def table(head: list[str], rows: list[list[str]]) -> None:
    print("| " + " | ".join(head) + " |")
    print("|---" * len(head) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [target.name for target in TARGETS]
    parser.add_argument("--targets", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--build", type=Path, default=ROOT / "build/size")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    code, ram = [], []
    for target in TARGETS:
        if target.name not in options.targets:
            continue
        if not shutil.which(target.tool("gcc")):
            print(f"skipped: {target.name}, for want of {target.tool('gcc')}", file=sys.stderr)
            continue
        row = [target.name]
        for name in BUILDS:
            library = build(target, name, options.build, options.jobs)
            row.append(f"{sections(target, library)[0]:,}")
            print(f"{target.name}, {name}: {row[-1]}", file=sys.stderr)
        code.append(row)
        runs = target.stands_in or target
        needs = footprint(runs, build(runs, "float32, small", options.build, options.jobs))
        if needs is None:
            print(f"skipped: RAM on {target.name}, for want of an emulator", file=sys.stderr)
        else:
            ram.append([target.name, *(f"{need:,}" for need in needs)])
    print("Bytes of code:\n")
    table(["target", *BUILDS], code)
    print("\nBytes of RAM:\n")
    grus = [
        f"{what} of {gru}" for gru in ("g2p_en's GRU", "16 units") for what in ("model", "stream")
    ]
    table(["target", *grus], ram)


if __name__ == "__main__":
    main()
