"""Prints what an exported GRU takes on a Cortex-M4F: flash, RAM, and instructions of a step.

    python tools/cortex_m_steps.py

Two GRUs, g2p_en's encoder of 256 units on 256 features and one of 16 on 16, with each type of
weights. Instructions are QEMU's: each takes the same time of its clock (-icount), so that the count
is exact, and the same on every machine; a real core takes more cycles than that. Needs the package,
g2p_en's, make, arm-none-eabi-gcc with newlib, and qemu-system-arm. docs/cortex-m.md has the table.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from importlib.metadata import distribution
from pathlib import Path

import numpy as np

import rnn_native as rn
from rnn_native.spec import Recurrent

sys.path.insert(0, str(Path(__file__).resolve().parent))
from cortex_m_program import LARGE, PLAIN, ROOT, Ran, missing, run

KINDS = {
    "float32": (None, "-O2"),
    "float16": ("float16", "-O2"),
    "bfloat16": ("bfloat16", "-O2"),
    "int8": ("int8", "-O2"),
    "int8 in plain C": ("int8", PLAIN),
}
"""By name: the type of weights, and flags of the compiler."""
HEAD = ("", "flash", "of that weights", "RAM without the stack", "stack", "instructions of a step")


def g2p_en() -> rn.ModelSpec:
    path = distribution("g2p_en").locate_file("g2p_en/checkpoint20.npz")
    with np.load(str(path)) as file:
        arrays = dict(file)
    names = {"w_ih": "weight_ih", "w_hh": "weight_hh", "b_ih": "bias_ih", "b_hh": "bias_hh"}
    weights = {f"{ours}_l0": arrays[f"enc_{theirs}"] for theirs, ours in names.items()}
    return rn.ModelSpec((Recurrent("gru", 256, 256, weights),))


def small() -> rn.ModelSpec:
    rng = np.random.default_rng(3)
    shapes = {"weight_ih": (48, 16), "weight_hh": (48, 16), "bias_ih": (48,), "bias_hh": (48,)}
    weights = {
        f"{name}_l0": rng.uniform(-0.25, 0.25, shape).astype(np.float32)
        for name, shape in shapes.items()
    }
    return rn.ModelSpec((Recurrent("gru", 16, 16, weights),))


MODELS = {"g2p_en's GRU": g2p_en, "16 units": small}


def row(spec: rn.ModelSpec, weights: str | None, cflags: str, out: Path) -> list[int]:
    """Exports, builds and runs a model: the numbers below HEAD."""
    rn.export_c(spec, out / "model", "model", weight_dtype=weights)
    ran = run(
        out,
        "cortex-m4",
        LARGE,
        MAIN=ROOT / "tools/cortex_m_steps.c",
        CFLAGS=cflags,
        QEMU_OPTIONS="-icount shift=10",
    )
    check_loops(ran)
    steps = [int(count) for count in re.findall(r"^step (\d+)$", ran.printed, re.MULTILINE)]
    most = max(steps[1:])  # the first one makes the stream, too
    return [ran.flash, ran.number("weights"), ran.ram, ran.number("stack"), most]


def check_loops(ran: Ran) -> None:
    """Loops of known instructions are counted as such, but for the same few around each."""
    found = re.findall(r"^loop (\d+) (\d+)$", ran.printed, re.MULTILINE)
    loops = [(int(known), int(counted)) for known, counted in found]
    around = {counted - known for known, counted in loops}
    assert len(loops) > 3, ran.printed
    assert len(around) == 1, f"expected loops that are counted alike, got {loops}"


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    if lacks := missing():
        sys.exit(f"not installed: {', '.join(lacks)}")
    print(f"| {' | '.join(HEAD)} |\n{'|---' * len(HEAD)}|")
    with tempfile.TemporaryDirectory() as folder:
        for model, make in MODELS.items():
            spec = make()
            for kind, (weights, cflags) in KINDS.items():
                out = Path(folder, re.sub(r"\W+", "_", f"{model} {kind}"))
                out.mkdir()
                numbers = row(spec, weights, cflags, out)
                print(
                    f"| {model}, {kind} | {' | '.join(map('{:,}'.format, numbers))} |", flush=True
                )


if __name__ == "__main__":
    main()
