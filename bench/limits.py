"""What this machine could do at most, and how long a case would then take.

The peaks of multiplying and adding and the bandwidth of reading are measured by ``limits.c``,
compiled here. A case's limit is a model: every product at the peak, or as long as its weights take
to be read once from the level of cache that holds them, whichever is longer.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from grid import Case

from rnn_native.benchmark.child import pinned
from rnn_native.benchmark.precision import PRECISIONS
from rnn_native.spec import GATES

KIB, MIB = 1024, 1024 * 1024
SIZES = (
    *(size * KIB for size in (8, 16, 32, 64, 128, 256, 512, 900)),
    *(size * MIB for size in (1, 2, 4, 8, 16, 32, 64, 256)),
)
FLAGS = ("-O3", "-march=native", "-ffp-contract=fast", "-pthread")


@dataclass
class Limits:
    """Of some number of threads: GFLOP/s by the type of the factors, float32 and those that the
    machine has instructions for, and GB/s by bytes read again and again."""

    peaks: dict[str, float] = field(default_factory=dict)
    bandwidth: dict[int, float] = field(default_factory=dict)

    def read_seconds(self, size: float, working_set: float) -> float:
        """To read ``size`` bytes that stay in cache together with the rest of ``working_set``."""
        sizes = np.log(list(self.bandwidth))
        speed = np.interp(np.log(working_set), sizes, list(self.bandwidth.values()))
        return size / (float(speed) * 1e9)

    def seconds(self, cell: str, case: Case, precision: str = "float32") -> float | None:
        """The least time of a case: what the activations cost is not counted, nor what scales of
        int8 weights do. None without a peak of this precision's products."""
        wanted = PRECISIONS[precision]
        if wanted.arithmetic not in self.peaks:
            return None
        speed, wide = self.peaks[wanted.arithmetic] * 1e9, wanted.weight_bytes
        total = 0.0
        rows = GATES[cell] * case.hidden
        for size in case.input_sizes():
            inside, outside = wide * rows * size, wide * rows * case.hidden  # bytes of W_ih, W_hh
            together = inside + outside
            project = 2 * case.time * case.batch * rows * size / speed
            step = 2 * case.batch * rows * case.hidden / speed
            # One call after the other reads all weights; within a sequence, W_hh at every step.
            again = together if case.is_step else outside
            total += case.directions * (
                max(project, self.read_seconds(inside, together))
                + case.time * max(step, self.read_seconds(outside, again))
            )
        return total


def compile_program(folder: Path) -> Path | str:
    """The program of ``limits.c``, or in one line why there is none."""
    words = shlex.split(os.environ.get("CC", "cc"))
    if not words or not shutil.which(words[0]):
        return f"no C compiler ({' '.join(words)})"
    program = folder / "limits"
    source = Path(__file__).with_name("limits.c")
    done = subprocess.run(
        [*words, *FLAGS, str(source), "-o", str(program)], capture_output=True, text=True
    )
    if done.returncode:
        return f"{words[0]} failed: {(done.stderr.strip().splitlines() or ['?'])[0]}"
    return program


def measure(program: Path, threads: int, cpus: Sequence[int]) -> Limits:
    with pinned(cpus):
        done = subprocess.run(
            [str(program), str(threads), *map(str, SIZES)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    limits = Limits()
    for line in done.stdout.splitlines():
        what, of, speed = line.split()
        if what == "peak":
            limits.peaks[of] = float(speed)
        else:
            limits.bandwidth[int(of)] = float(speed)
    return limits
