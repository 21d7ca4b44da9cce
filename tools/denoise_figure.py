#!/usr/bin/env python3
"""Draw docs/figures/denoise.png: the speech of `make demo`, noisy and cleaned, side by side.

    make demo && python tools/denoise_figure.py build/demo

Needs matplotlib, which brings Pillow, and SciPy. The sound is synthetic and free of rights:
examples/denoise/README.md.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

ROOT = Path(__file__).parents[1]
INK = "#77808a"
PARTS = ("text.color", "axes.labelcolor", "xtick.color", "ytick.color")


def main() -> None:
    sys.path.insert(0, str(ROOT / "examples" / "denoise"))
    from audio import read_wav
    from features import RATE, spectrum_of

    folder = Path(sys.argv[1])
    with rc_context(dict.fromkeys(PARTS, INK)):
        figure = Figure(figsize=(8, 2.3), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        for axes, name in zip(panels, ("noisy", "cleaned"), strict=True):
            signal = read_wav(folder / f"{name}.wav")[: 5 * RATE]
            level = 20 * np.log10(np.maximum(np.abs(spectrum_of(signal)).T, 1e-9))
            axes.imshow(
                level, origin="lower", aspect="auto", cmap="magma", vmin=-45, vmax=25,
                extent=(0, signal.size / RATE, 0, RATE / 2000),
            )  # fmt: skip
            axes.set_title(name, loc="left", fontsize=10)
            axes.set_xlabel("time (s)", fontsize=8)
            axes.tick_params(labelsize=8)
            axes.spines[:].set_visible(False)
        panels[0].set_ylabel("kHz", fontsize=8)
        path = ROOT / "docs" / "figures" / "denoise.png"
        with BytesIO() as whole:
            figure.savefig(whole, dpi=110, transparent=True)
            Image.open(whole).quantize(64).save(path, optimize=True)
    print(path)


if __name__ == "__main__":
    main()
