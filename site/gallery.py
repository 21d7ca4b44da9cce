#!/usr/bin/env python3
"""Draw the pictures of the gallery with the installed package, and keep the sounds beside them.

    python site/gallery.py build/site-source

It runs examples/denoise and examples/vad as they are, traces the gates of the denoiser's GRU over
the same speech, and draws how far the error reaches back in networks that have learnt nothing yet.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import rnn_native as rn
from rnn_native.comparison.contenders import CONTENDERS
from rnn_native.comparison.gradients import norms_by_lag
from rnn_native.models.outputs import make_output

EXAMPLES = Path(__file__).parents[1] / "examples"
LAG = 100
UNITS = 64
ROWS = 32


def run(example: str, out: Path, *options: str | Path) -> None:
    command = [sys.executable, EXAMPLES / example, "--out", out, *options]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{example}: {done.stdout}{done.stderr}")


def gates(noisy: Path, path: Path) -> None:
    """The gates of the first GRU of NSNet2 over three seconds of the noisy speech: of the 40 units
    whose update gates move most."""
    sys.path.insert(0, str(EXAMPLES / "denoise"))
    from audio import read_wav
    from features import features_of, spectrum_of
    from networks import model_path

    model = rn.load(model_path())
    x = features_of(spectrum_of(read_wav(noisy)))
    traced = model.trace(np.asarray(x, np.float32).reshape(len(x), 1, -1))
    r, z, h = (next(name for name in traced if name.endswith(f".{of}_l0")) for of in "rzh")
    units = np.argsort(traced[z][:, 0].std(axis=0))[-40:]
    shown = {name: traced[name][100:400][:, :, units] for name in (r, z, h)}
    rn.plot.trace(shown).savefig(path, dpi=110)


def gradients(path: Path) -> None:
    """The norm of the gradient over the lag, of each cell before it learns."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((LAG, ROWS, 2)), rng.integers(4, size=ROWS)
    for contender in CONTENDERS:
        model = contender.model(2, UNITS, 4, "softmax").set_params(dtype="float64")
        forget_bias = 1.0 if contender.kind == "lstm" else None  # as the comparison begins
        net = model.initial_network(0, forget_bias=forget_bias)
        norms = norms_by_lag(net, make_output("softmax", 4), x, y)
        style = "--" if "article" in contender.title else "-"
        axes.semilogy(norms["lag"], norms["state"], style, label=contender.title)
    axes.set_ylim(1e-12, 10)
    axes.set_xlabel("k (steps back from the last one)")
    axes.set_ylabel("norm of the gradient")
    axes.set_title("How much of the last step's error reaches k steps back", loc="left")
    axes.legend(ncols=2, frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    source = Path(sys.argv[1])
    out = source / "site" / "gallery"
    out.mkdir(parents=True, exist_ok=True)
    sounds = source / "plain" / "site" / "gallery"
    sounds.mkdir(parents=True, exist_ok=True)
    run("denoise/denoise.py", out)
    run("vad/vad.py", out, "--input", out / "noisy.wav")
    gates(out / "noisy.wav", out / "gates.png")
    for name in ("noisy.wav", "cleaned.wav"):
        shutil.move(out / name, sounds / name)
    gradients(out / "gradients.png")


if __name__ == "__main__":
    main()
