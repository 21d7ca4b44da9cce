"""What RNNAT_SMALL costs: prints how many times as long a step of one row takes as in a full build.

    python bench/small.py [--rounds N]

Both libraries are built by CMake, without AVX-512, and run in turns on every other instruction set
of this machine; of each time the least counts. docs/embedded.md has the ratios.
"""

from __future__ import annotations

import argparse
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/bench-small"
OPTIONS = {"full": "-DRNNAT_SMALL=OFF", "small": "-DRNNAT_SMALL=ON"}
ALONE = ("-DRNNAT_FLOAT64=OFF", "-DRNNAT_THREADS=OFF", "-DRNNAT_TESTS=OFF", "-DRNNAT_AVX512=OFF")

Times = dict[tuple[str, str], tuple[float, float]]


def build(name: str, option: str) -> Path:
    folder = BUILD / name
    subprocess.run(["cmake", "-S", ROOT, "-B", folder, *ALONE, option], check=True)
    subprocess.run(["cmake", "--build", folder], check=True)
    program = folder / "steps"
    command = ["cc", "-std=c11", "-O2", "-I", ROOT / "src/include", ROOT / "bench/steps.c"]
    subprocess.run([*command, folder / "librnn_native.a", "-lm", "-o", program], check=True)
    return program


def measure(program: Path, isa: str) -> Times | None:
    environment = {**os.environ, "RNN_NATIVE_ISA": isa}
    done = subprocess.run([program], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    lines = [line.split() for line in done.stdout.splitlines()]
    return {(cell, units): (float(one), float(many)) for cell, units, one, many in lines}


def least(runs: list[Times]) -> Times:
    return {
        case: (min(run[case][0] for run in runs), min(run[case][1] for run in runs))
        for case in runs[0]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    programs = {name: build(name, option) for name, option in OPTIONS.items()}
    for isa in ("baseline", "avx2", "neon"):
        runs: dict[str, list[Times]] = {name: [] for name in programs}
        for _ in range(options.rounds):
            for name, program in programs.items():
                if times := measure(program, isa):
                    runs[name].append(times)
        if not runs["full"]:
            continue
        full, small = least(runs["full"]), least(runs["small"])
        print(f"\n{isa}: cell, units, ns of a single step and of one among 100, full -> small")
        for case, times in full.items():
            cells = [
                f"{a:9.0f} -> {b:9.0f} ({b / a:.2f})"
                for a, b in zip(times, small[case], strict=True)
            ]
            print(f"{case[0]:5} {case[1]:>4} {'  '.join(cells)}")


if __name__ == "__main__":
    main()
