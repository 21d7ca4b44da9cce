"""Turns results into a page of tables and, where matplotlib is installed, into plots.

    python bench/report.py build/bench/results.json

does so again for results that were written before.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import geometric_mean
from typing import Any

from goals import Verdict, best_ratio, verdicts
from results import (
    FLOAT32,
    OURS,
    Result,
    best_peer,
    float32_ratio,
    label,
    packed_bytes,
    ratios,
    runtimes,
    seconds,
    share,
)


def micro(time: float | None) -> str:
    if time is None:
        return "–"
    return f"{time * 1e6:.0f}" if time >= 1e-4 else f"{time * 1e6:.3g}"


def one_line(result: Result) -> str:
    peer, float32 = best_peer(result), float32_ratio(result)
    against = ""
    if peer and ratios(result):
        against = f"  {ratios(result)[peer]:5.2f} times {label(result, peer)}"
    elif peer:
        against = f"  {label(result, peer)} {micro(seconds(result, peer))} µs"
    of = f"  {share(result):4.0%} of the limit" if share(result) else ""
    own = f"  {float32:5.2f} times float32" if float32 else ""
    start = f"{result['threads']} {result['cell']:4} {result['case']:15}"
    return f"{start} {micro(seconds(result)):>8} µs{of}{own}{against}"


def one_verdict(it: Verdict) -> str:
    bound = f"at {'most' if it.goal.at_most else 'least'} {it.goal.bound}"
    where = f" ({it.case})" if it.case else ""
    return f"{it.cell}, {threads_text(it.threads)}: {it.goal.name}: {it.found:.3f}{where}, {bound}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines of Markdown."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join(['---'] + ['---:'] * (len(head) - 1))}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _head(results: Mapping[str, Any]) -> Iterator[str]:
    precision = results["precision"]
    reduced = "" if precision == "float32" else f", in {precision}"
    yield f"# rnn_native beside its peers{reduced}\n"
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
            most = ", ".join(f"{kind} {speed:.0f}" for kind, speed in limit["peaks"].items())
            peak = f"; peak GFLOP/s: {most}; read GB/s: {read}"
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
        found = {case["case"]: ratio for case in cases if (ratio := best_ratio(case))}
        if not found:
            continue
        worst = min(found, key=lambda name: found[name])
        ahead = sum(ratio > 1 for ratio in found.values())
        rows.append((
            f"{cell}, {threads_text(threads)}", f"{geometric_mean(found.values()):.2f}",
            f"{found[worst]:.2f} ({worst})", f"{ahead} of {len(found)}",
        ))  # fmt: skip
    if not rows:
        return
    yield "## Times the best peer's speed\n"
    yield from table(("", "geometric mean", "minimum", "faster in"), rows)


def _goals(found: Sequence[Verdict]) -> Iterator[str]:
    if not found:
        return
    yield "## Goals\n"
    yield "Of each the worst case or the geometric mean, and how many of the grid were measured.\n"
    rows = [
        (
            f"{it.goal.name}: {'at most' if it.goal.at_most else 'at least'} {it.goal.bound}",
            f"{it.cell}, {threads_text(it.threads)}", f"{it.found:.3f}", it.case or "mean",
            f"{it.measured} of {it.in_grid}", "met" if it.is_met else "**not met**",
        )
        for it in found
    ]  # fmt: skip
    yield from table(("goal", "", "found", "case", "measured", ""), rows)


def _cases(threads: int, cell: str, cases: Sequence[Result]) -> Iterator[str]:
    yield f"## {cell}, {threads_text(threads)}\n"
    rows = [_row(case) for case in cases]
    yield from table(list(rows[0]), [list(row.values()) for row in rows])

    names = list(dict.fromkeys(name for case in cases for name in peers_named(case)))
    if not names:
        return
    yield "Every peer: µs, and the form of calling it that was fastest.\n"
    lines = [[case["case"], *(_cell(case, name) for name in names)] for case in cases]
    yield from table(["case", *names], lines)
    for case in cases:
        for name in names:
            if why := case["runtimes"].get(name, {}).get("failure"):
                yield f"- {case['case']}: {name}: {why}"
    yield from dict.fromkeys(
        f"- {name}: {form}: {why}"
        for case in cases
        for name in names
        for form, why in case["runtimes"].get(name, {}).get("tried", {}).items()
        if isinstance(why, str)
    )
    yield ""


def peers_named(case: Result) -> list[str]:
    """All that were asked, those that failed among them."""
    return [name for name in case["runtimes"] if name not in (OURS, FLOAT32)]


def _row(case: Result) -> dict[str, str]:
    """A case by the heads of its columns, of which reduced precision has some more."""
    time, peer, reduced = seconds(case), best_peer(case), case["precision"] != "float32"
    ratio = ratios(case).get(peer or "")
    row = {"case": case["case"], "ours µs": micro(time)}
    if reduced:
        row["float32 µs"] = micro(seconds(case, FLOAT32))
        row["times float32"] = _number(float32_ratio(case), ".2f")
        row["bytes"] = _number(packed_bytes(case), ".0%")
        row["off by"] = _error(case, OURS)
    row["GFLOP/s"] = _number(case["flops"] / time * 1e-9 if time else None, ".3g")
    row["of the limit"] = _number(share(case), ".0%")
    row["best peer"] = label(case, peer) if peer else "–"
    row["its µs"] = micro(seconds(case, peer))
    if reduced:
        row["its off by"] = _error(case, peer)
    row["ratio"] = _number(ratio, ".2f")
    return row


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _error(case: Result, name: str | None) -> str:
    it = runtimes(case).get(name or "")
    return f"{it.error:.0e}" if it else "–"


def _cell(case: Result, name: str) -> str:
    it = runtimes(case).get(name)
    return f"{micro(it.seconds)} ({it.form})" if it else "–"


def write(results: Mapping[str, Any], out: Path) -> list[Path]:
    """report.md and the plots in ``out``; returns their paths."""
    groups = _groups(results)
    lines = [*_head(results), *_summary(groups), *_goals(list(verdicts(results["cases"])))]
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
