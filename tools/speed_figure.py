#!/usr/bin/env python3
"""Draw docs/figures/speed.svg: how many times the best peer's speed, by cell and threads.

    python tools/speed_figure.py build/*/results.json --machine "Zen 4, AVX-512, two cores"
    python tools/speed_figure.py                        # draws what docs/figures/speed.json has

The first form puts what `bench/compare.py` measured into docs/figures/speed.json, with the date of
the files, and draws it. Needs matplotlib; colours are seen on white and on black.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import geometric_mean
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "figures"
INK, OURS, LEAST = "#77808a", "#3d8bd4", "#d9822b"
CELLS = ("lstm", "gru", "rnn")
TICKS = (0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16)


def condensed(paths: Sequence[Path], machine: str) -> dict[str, Any]:
    """What the figure needs of runs on one machine: of each case the least ratio to a peer."""
    sys.path.insert(0, str(ROOT / "bench"))
    from results import best_peer, ratios

    runs = [json.loads(path.read_text()) for path in paths]
    groups: dict[tuple[str, int], dict[str, Any]] = {}
    for case in (case for run in runs for case in run["cases"]):
        if not ratios(case):
            continue
        group = groups.setdefault(
            (case["cell"], case["threads"]),
            {"cell": case["cell"], "threads": case["threads"], "cases": {}},
        )
        peer = best_peer(case)
        group["cases"][case["case"]] = [round(ratios(case)[peer or ""], 3), peer]
    for group in groups.values():
        by_case = {case: ratio for case, (ratio, _) in group["cases"].items()}
        group["mean"] = round(geometric_mean(by_case.values()), 2)
        group["least_case"] = min(by_case, key=lambda case: by_case[case])
        group["least"] = round(by_case[group["least_case"]], 2)
    day = datetime.fromtimestamp(max(path.stat().st_mtime for path in paths), UTC)
    return {
        "machine": machine or runs[0]["machine"]["processor"],
        "date": f"{day.day} {day:%B %Y}",
        "precision": runs[0]["precision"],
        "peers": sorted({peer for g in groups.values() for _, peer in g["cases"].values()}),
        "groups": sorted(groups.values(), key=lambda g: (g["threads"], CELLS.index(g["cell"]))),
    }  # fmt: skip


def draw(data: Mapping[str, Any], path: Path) -> None:
    groups = data["groups"]
    settings = {"svg.fonttype": "none", "font.family": "sans-serif", "text.color": INK,
                "svg.hashsalt": "speed", "axes.edgecolor": INK, "axes.labelcolor": INK,
                "xtick.color": INK, "ytick.color": INK}  # fmt: skip
    with rc_context(settings):
        figure = Figure(figsize=(5.4, 1.4 + 0.32 * len(groups)), layout="constrained")
        axes = figure.subplots()
        for row, group in enumerate(groups):
            axes.barh(row, group["mean"] - 1, left=1, height=0.5, color=OURS)
            ratios = [ratio for ratio, _ in group.get("cases", {}).values()]
            axes.plot(ratios, [row] * len(ratios), "o", color=INK, markersize=2.5, alpha=0.8)
            axes.plot(group["least"], row, "D", color=LEAST, markersize=5)
        _axis(axes, groups)
        axes.set_title(
            f"Times the best peer's speed, {data['precision']}\n{data['machine']}, {data['date']}",
            loc="left", fontsize=10,
        )  # fmt: skip
        axes.set_xlabel(
            "bar: geometric mean of all cases; orange: the least"
            + ("; grey: each" if any("cases" in group for group in groups) else "")
            + "\npeers: "
            + ", ".join(data["peers"]),
            fontsize=8,
        )
        figure.savefig(path, transparent=True, metadata={"Date": None})


def _axis(axes: Any, groups: list[Mapping[str, Any]]) -> None:
    every = [ratio for g in groups for ratio in (
        g["mean"], g["least"], *(ratio for ratio, _ in g.get("cases", {}).values())
    )]  # fmt: skip
    low, high = min(0.9, *every) / 1.05, max(every) * 1.06
    ticks = [tick for tick in TICKS if low <= tick <= high]
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.axvline(1, color=INK, linewidth=0.8)
    axes.set_yticks(
        range(len(groups)),
        [_label(group) for group in groups],
    )
    axes.invert_yaxis()
    axes.tick_params(length=0, labelsize=10)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _label(group: Mapping[str, Any]) -> str:
    threads = f"{group['threads']} thread{'s' * (group['threads'] > 1)}"
    return f"{group['cell'].upper()}, {threads}: {group['mean']:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("results", type=Path, nargs="*", help="results.json of bench/compare.py")
    parser.add_argument("--machine", default="", help="its name for readers")
    options = parser.parse_args()
    kept = FIGURES / "speed.json"
    if options.results:
        kept.write_text(json.dumps(condensed(options.results, options.machine), indent=1) + "\n")
    draw(json.loads(kept.read_text()), FIGURES / "speed.svg")
    print(FIGURES / "speed.svg")


if __name__ == "__main__":
    main()
