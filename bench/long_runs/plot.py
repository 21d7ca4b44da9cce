"""One picture: how far each type's state is from that of float32, over time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

# Distinct to colour-blind eyes too (Okabe and Ito).
COLOURS = {
    "int8": "#D55E00",
    "bfloat16-compute": "#CC79A7",
    "bfloat16": "#0072B2",
    "float16": "#009E73",
    "float64": "#555555",
}


def draw(results: Mapping[str, Any], titles: Mapping[str, str], path: Path) -> None:
    """A panel for each network, logarithmic, with the slope of a random walk to compare with."""
    columns = min(3, len(results))
    rows = -(-len(results) // columns)
    figure = Figure(figsize=(0.8 + 3.4 * columns, 0.8 + 2.7 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
    for axis, (name, result) in zip(axes, results.items(), strict=False):
        steps = np.array(result["blocks"])
        for kind, colour in COLOURS.items():
            if kind in result["types"]:
                label = "float32, from float64" if kind == "float64" else kind
                rms = np.array(result["types"][kind]["state"]["rms"])
                rms[rms == 0] = np.nan  # no logarithm: the chorales begin with silence
                axis.plot(steps, rms, color=colour, label=label)
        least = min(min(filter(None, it["state"]["rms"])) for it in result["types"].values())
        walk = steps[steps >= 100]
        axis.plot(walk, least * np.sqrt(walk / walk[0]) * 3, ":", color="black", linewidth=1,
                  label="slope of a random walk")  # fmt: skip
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_title(titles[name], fontsize=10, loc="left")
        axis.grid(linewidth=0.5, alpha=0.4)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    for axis in axes[len(results) :]:
        axis.set_visible(False)
    for axis in axes[(rows - 1) * columns :]:
        axis.set_xlabel("steps", fontsize=9)
    for axis in axes[::columns]:
        axis.set_ylabel("rms difference of the state", fontsize=9)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=8, frameon=False, ncols=6, loc="outside lower center")
    figure.savefig(path, dpi=100)
    with Image.open(path) as picture:
        few = picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=64)
    few.save(path, optimize=True)
