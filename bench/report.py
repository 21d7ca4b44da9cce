"""Turns results into a page of tables and, where matplotlib is installed, into plots.

    python bench/report.py build/bench/results.json

does so again for results that were written before.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import exp, log
from pathlib import Path
from typing import Any

from results import OURS, Result, best_peer, ratios, runtimes, seconds, share


def micro(time: float | None) -> str:
    if time is None:
        return "–"
    return f"{time * 1e6:.0f}" if time >= 1e-4 else f"{time * 1e6:.3g}"


def one_line(result: Result) -> str:
    peer = best_peer(result)
    against = f"  {ratios(result)[peer]:5.2f} times {peer}" if peer else ""
    of = f"  {share(result):4.0%} of the limit" if share(result) else ""
    start = f"{result['threads']} {result['cell']:4} {result['case']:15}"
    return f"{start} {micro(seconds(result)):>8} µs{of}{against}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines of Markdown."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join(['---'] + ['---:'] * (len(head) - 1))}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _head(results: Mapping[str, Any]) -> Iterator[str]:
    yield "# rnn_native beside its peers\n"
    yield from (f"- {name}: {value}" for name, value in results["machine"].items())
    versions = results["versions"]
    yield f"- runtimes: {', '.join(f'{name} {versions[name]}' for name in versions)}"
    for name, why in results["missing"].items():
        yield f"- left out: {name}: {why}"
    for threads, cpus in results["cpus"].items():
        pinned = ", ".join(map(str, cpus)) or "not pinned"
        limit = results["limits"].get(threads)
        peak = ""
        if limit:
            sizes = {int(size): speed for size, speed in limit["bandwidth"].items()}
            read = ", ".join(f"{_bytes(size)} {speed:.0f}" for size, speed in sizes.items())
            peak = f"; peak {limit['gflops']:.0f} GFLOP/s; read GB/s: {read}"
        yield f"- {threads_text(threads)}, processors {pinned}{peak}"
    yield (
        f"- rounds: {results['rounds']}, in each the best of {results['samples']} samples; "
        "µs are medians of the rounds, ratios medians of the ratios within a round\n"
    )


def _bytes(size: int) -> str:
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"


def threads_text(number: int | str) -> str:
    return "1 thread" if int(number) == 1 else f"{number} threads"


def _groups(results: Mapping[str, Any]) -> dict[tuple[int, str], list[Result]]:
    """By threads and cell."""
    groups: dict[tuple[int, str], list[Result]] = {}
    for result in results["cases"]:
        groups.setdefault((result["threads"], result["cell"]), []).append(result)
    return groups


def _summary(groups: Mapping[tuple[int, str], Sequence[Result]]) -> Iterator[str]:
    rows = []
    for (threads, cell), cases in groups.items():
        found = {case["case"]: min(ratios(case).values()) for case in cases if ratios(case)}
        if not found:
            continue
        worst = min(found, key=lambda name: found[name])
        mean = exp(sum(map(log, found.values())) / len(found))
        ahead = sum(ratio > 1 for ratio in found.values())
        rows.append((
            f"{cell}, {threads_text(threads)}", f"{mean:.2f}", f"{found[worst]:.2f} ({worst})",
            f"{ahead} of {len(found)}",
        ))  # fmt: skip
    if not rows:
        return
    yield "## Times the best peer's speed\n"
    yield from table(("", "geometric mean", "minimum", "faster in"), rows)


def _cases(threads: int, cell: str, cases: Sequence[Result]) -> Iterator[str]:
    yield f"## {cell}, {threads_text(threads)}\n"
    rows = []
    for case in cases:
        time, peer, of = seconds(case), best_peer(case), share(case)
        assert time is not None
        rows.append((
            case["case"], micro(time), f"{case['flops'] / time * 1e-9:.3g}",
            f"{of:.0%}" if of else "–", peer or "–", micro(seconds(case, peer)),
            f"{ratios(case)[peer]:.2f}" if peer else "–",
        ))  # fmt: skip
    head = ("case", "ours µs", "GFLOP/s", "of the limit", "best peer", "its µs", "ratio")
    yield from table(head, rows)

    names = list(dict.fromkeys(name for case in cases for name in case["runtimes"] if name != OURS))
    if not names:
        return
    yield "Every peer: µs, and the form of calling it that was fastest.\n"
    rows = [[case["case"], *(_cell(case, name) for name in names)] for case in cases]
    yield from table(["case", *names], rows)
    for case in cases:
        for name in names:
            if why := case["runtimes"].get(name, {}).get("failure"):
                yield f"- {case['case']}: {name}: {why}"
    yield ""


def _cell(case: Result, name: str) -> str:
    it = runtimes(case).get(name)
    return f"{micro(it.seconds)} ({it.form})" if it else "–"


def write(results: Mapping[str, Any], out: Path) -> list[Path]:
    """report.md and the plots in ``out``; returns their paths."""
    groups = _groups(results)
    lines = [*_head(results), *_summary(groups)]
    for (threads, cell), cases in groups.items():
        lines += _cases(threads, cell, cases)
    try:
        from plots import draw

        drawn = draw(results["cases"], out)
        lines += [f"![]({path.name})" for path in drawn]
    except ModuleNotFoundError as error:
        drawn = []
        lines.append(f"No plots: {error.name} is not installed.")
    page = out / "report.md"
    page.write_text("\n".join(lines).rstrip() + "\n")
    return [page, *drawn]


if __name__ == "__main__":
    for name in sys.argv[1:]:
        for path in write(json.loads(Path(name).read_text()), Path(name).parent):
            print(path)
