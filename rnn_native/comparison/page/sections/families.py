"""Task by task: results, how they were learnt, gradients over the lag, gates over time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from statistics import mean
from typing import Any, Final

import numpy as np

from ...answer import TITLES, head_to_head
from ...caveats import EDGE, STILL, at_the_edge, legend, marks, still_improving
from ...statistics import digits, leaders, records_of, spreads
from ...tasks.chorales import CHUNG_2014
from .. import figures
from ..blocks import Block, Figure, Figures, Section, Table, Text

Results = Mapping[str, Any]
TaskResult = Mapping[str, Any]

GATE_NAMES: Final = {
    "z": "update z", "r": "reset r", "i": "input i", "f": "forget f", "o": "output o"
}  # fmt: skip
GATE_WORDS: Final = {
    "z": "an open update gate z keeps the old state",
    "r": "a shut reset gate r lets a new state be made without the old one",
    "i": "an open input gate i writes to the memory",
    "f": "an open forget gate f keeps the memory",
    "o": "an open output gate o shows the memory to the outside",
}
"""What each does, as the article and PyTorch have it."""


def section(results: Results) -> Iterator[Section]:
    cells = results["choice"]["cells"]
    for family in dict.fromkeys(task["family"] for task in results["tasks"]):
        tasks = [task for task in results["tasks"] if task["family"] == family]
        blocks: list[Block] = [Text(tasks[0]["about"]), _results(tasks, results)]
        pairs = [(where, text) for where, text in head_to_head(results)
                 if where in {f"{task['title']}, {task['variant']}" for task in tasks}]  # fmt: skip
        blocks += [Text(f"{text}.", f"{where}:") for where, text in pairs]
        drawn: list[Figure] = []
        if len(tasks) > 1 and all(task["lag"] for task in tasks):
            drawn.append(
                Figure(
                    f"{tasks[0]['metric']['name'].capitalize()} over the lag",
                    partial(_by_lag, tasks, cells),
                    "The lag is the number of steps over which something has to be remembered. "
                    "The line is the mean of the seeds; they lie in the shaded part.",
                )
            )
        for task in tasks:
            drawn += _of_task(task, cells)
        blocks += [Figures(drawn), _learning(tasks, results)]
        yield Section(f"task-{family}", tasks[0]["title"], blocks)


def _of_task(task: TaskResult, cells: Sequence[str]) -> Iterator[Figure]:
    title = f"{task['title']}, {task['variant']}"
    yield Figure(
        f"{title}: loss of the validation data",
        partial(_curves, task, cells),
        "A line for each seed. One that still falls at its end might have gone on.",
    )
    for when in ("before", "after"):
        if any(_norms(task, cell, when) is not None for cell in cells):
            yield Figure(
                f"{title}: how much of the last step's error reaches k steps back, {when} learning",
                partial(_gradients, task, cells, when),
                "A line that falls fast is a gradient that vanishes: those steps are hardly "
                "learnt from. A line that rises is a gradient that explodes.",
            )
    for cell in cells:
        if cell in ("gru", "lstm") and _gates(task, cell):
            yield Figure(
                f"{title}: how far the gates of the {TITLES[cell]} are open",
                partial(_activity, task, cell),
                f"{_sentence(_gates(task, cell))}. The line is the mean of all units, eight of ten "
                "are in the shaded part.",
            )


def _results(tasks: Sequence[TaskResult], results: Results) -> Table:
    """A row for each cell, a column for each task."""
    cells = results["choice"]["cells"]
    many = len(results["choice"]["seeds"]) > 1
    head = ["cell", *(task["variant"] for task in tasks)]
    rows = [[TITLES[cell]] for cell in cells]
    strong = set()
    for number, task in enumerate(tasks, 1):
        found, best = spreads(task, cells), leaders(task, cells)
        for place, cell in enumerate(cells):
            mean, between, ends = (
                digits(task, found[cell], "\n") if cell in found else "diverged"
            ).partition("\n")
            rows[place].append(mean + marks(task, cell) + between + ends)
            if many and cell in best:
                strong.add((place, number))
    metric = tasks[0]["metric"]
    better = "less" if metric["of"] == "loss" else "more"
    note = f"{metric['name'].capitalize()}, {better} is better"
    note += (
        "; the mean of the seeds, below it the lowest and the highest. Bold: the best mean, and "
        "all that it is not ahead of."
        if many else "; one seed."
    )  # fmt: skip
    note = " ".join(filter(None, (note, legend(results, tasks, cells))))
    if any(cell in CHUNG_2014 for cell in cells) and tasks[0]["family"] == "chorales":
        head.append("Chung et al.")
        for row, cell in zip(rows, cells, strict=True):
            row.append(f"{CHUNG_2014[cell]:.2f}" if cell in CHUNG_2014 else "")
        note += (
            " Last column: test, on JSB Chorales, in table 2 of Chung et al. (2014): such pieces "
            "from another source in another split."
        )
    for label, levels in _levels(tasks).items():
        row = [label]
        for task, level in zip(tasks, levels, strict=True):
            row.append("" if level is None else f"{level:.{task['metric']['digits']}f}")
        rows.append(row + [""] * (len(head) - len(row)))
    return Table(head, rows, frozenset(strong), note=note)


def _levels(tasks: Sequence[TaskResult]) -> dict[str, list[float | None]]:
    """What those reach who learn nothing, or little."""
    names = dict.fromkeys(name for task in tasks for name in task["references"])
    found: dict[str, list[float | None]] = {
        name: [task["references"].get(name) for task in tasks] for name in names
    }
    if any(task["metric"]["baseline"] is not None for task in tasks):
        found["nothing learnt"] = [task["metric"]["baseline"] for task in tasks]
    return found


def _learning(tasks: Sequence[TaskResult], results: Results) -> Table:
    """The rate that the search chose, epochs and their time."""
    cells, learning = results["choice"]["cells"], tasks[0]["learning"]
    head = ["cell", "hidden units", "weights",
            *(f"{task['variant']}: rate; epochs; s per epoch" for task in tasks)]  # fmt: skip
    rows = []
    for cell in cells:
        first = next(records_of(tasks[0], cell))
        row = [TITLES[cell], str(first["settings"]["hidden_units"]), f"{first['parameters']:,}"]
        for task in tasks:
            done = [record for record in records_of(task, cell) if "failure" not in record]
            rate = f"{task['rates'][cell]['rate']:g}{EDGE if at_the_edge(task, cell) else ''}"
            if done:
                epochs = mean(len(record["history"]["seconds"]) for record in done)
                seconds = mean(record["seconds_per_epoch"] for record in done)
                still = STILL if still_improving(task, cell) else ""
                rate += f"; {epochs:.0f}{still}; {seconds:.2f}"
            row.append(rate)
        rows.append(row)
    note = (
        f"Adam, {learning['schedule']} rate, batches of {learning['batch_size']}, at most "
        f"{learning['epochs']} epochs, gradients clipped to a norm of {learning['max_norm']}. "
        "The rate is the one of those tried whose short run had the lowest validation loss. "
        "Seconds of an epoch are those of runs side by side. "
        f"{legend(results, tasks, cells)}"
    ).strip()
    return Table(head, rows, note=note)


def _curves(task: TaskResult, cells: Sequence[str]) -> str:
    def fill(axes: Any) -> None:
        lowest, ends = np.inf, {}
        for cell in cells:
            last = []
            for record in records_of(task, cell):
                losses = record.get("history", {}).get("val_loss", [])
                axes.plot(range(1, len(losses) + 1), losses, alpha=0.8, **figures.line_style(cell))
                lowest = min([lowest, *losses])
                last += losses[-1:]
            if last:
                ends[cell] = (axes.get_xlim()[1], float(np.mean(last)))
        if lowest > 0 and np.isfinite(lowest):
            axes.set_yscale("log")
        axes.set_xlabel("epoch")
        axes.set_title("Validation loss while learning", loc="left")
        right = max((x for x, _ in ends.values()), default=1)
        axes.set_xlim(0, right)
        figures.label_ends(axes, {cell: (right, y) for cell, (_, y) in ends.items()})

    return figures.draw(fill, f"{task['title']}, {task['variant']}: validation loss over epochs")


def _by_lag(tasks: Sequence[TaskResult], cells: Sequence[str]) -> str:
    metric = tasks[0]["metric"]

    def fill(axes: Any) -> None:
        ends = {}
        for cell in cells:
            points = [(task["lag"], spreads(task, [cell]).get(cell)) for task in tasks]
            known = [(lag, found) for lag, found in points if found is not None]
            if not known:
                continue
            lags = [lag for lag, _ in known]
            axes.plot(lags, [found.mean for _, found in known], marker="o", markersize=4,
                      **figures.line_style(cell))  # fmt: skip
            axes.fill_between(
                lags, [found.low for _, found in known], [found.high for _, found in known],
                color=figures.colour(cell), alpha=0.15, linewidth=0,
            )  # fmt: skip
            ends[cell] = (float(lags[-1]), known[-1][1].mean)
        if metric["baseline"]:
            axes.axhline(metric["baseline"], color=figures.ink(), linewidth=0.9, linestyle=":")
        axes.set_xscale("log")
        if metric["of"] == "loss":
            axes.set_yscale("log")
        lags = sorted({task["lag"] for task in tasks})
        axes.set_xticks(lags, [str(lag) for lag in lags])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("lag (steps); dotted: nothing learnt")
        axes.set_title(metric["name"].capitalize(), loc="left")
        figures.label_ends(axes, ends)

    return figures.draw(fill, f"{tasks[0]['title']}: {metric['name']} over the lag")


def _norms(task: TaskResult, cell: str, when: str) -> tuple[list[int], Any] | None:
    """The lags, and the geometric mean of the seeds' norms."""
    found = [
        record["gradients"][when]
        for record in records_of(task, cell)
        if when in record["gradients"]
    ]
    if not found:
        return None
    with np.errstate(divide="ignore"):
        level = np.exp(np.mean(np.log([norms["state"] for norms in found]), axis=0))
    return found[0]["lag"], np.where(level > 0, level, np.nan)


def _gradients(task: TaskResult, cells: Sequence[str], when: str) -> str:
    def fill(axes: Any) -> None:
        ends = {}
        for cell in cells:
            norms = _norms(task, cell, when)
            if norms is None:
                continue
            lags, level = norms
            axes.plot(lags, level, **figures.line_style(cell))
            shown = level[np.isfinite(level)]
            if len(shown):
                ends[cell] = (float(lags[-1]), float(shown[-1]))
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, 1e-16), min(high, 1e6))
        axes.set_xlabel("k (steps back from the last one)")
        axes.set_ylabel("norm of the gradient")
        axes.set_title(f"Gradient that arrives, {when} learning", loc="left")
        figures.label_ends(axes, ends)

    title = (
        f"{task['title']}, {task['variant']}: norm of the gradient over the lag, {when} learning"
    )
    return figures.draw(fill, title)


def _gates(task: TaskResult, cell: str) -> Mapping[str, Mapping[str, Sequence[float]]]:
    """Those of the first seed."""
    for record in records_of(task, cell):
        gates: Mapping[str, Mapping[str, Sequence[float]]] = record.get("gates", {})
        return gates
    return {}


def _activity(task: TaskResult, cell: str) -> str:
    gates = _gates(task, cell)
    styles = ("-", (0, (5, 2)), (0, (1, 1.2)))

    def fill(axes: Any) -> None:
        ends, right = {}, 1
        for style, (gate, lines) in zip(styles, gates.items(), strict=False):
            steps = range(1, len(lines["mean"]) + 1)
            axes.fill_between(steps, lines["low"], lines["high"], color=figures.colour(cell),
                              alpha=0.13, linewidth=0)  # fmt: skip
            axes.plot(steps, lines["mean"], color=figures.colour(cell), linestyle=style)
            right = len(lines["mean"])
            ends[GATE_NAMES[gate]] = (float(right), lines["mean"][-1])
        axes.set_ylim(0, 1)
        axes.set_xlim(1, max(2, right))
        axes.set_yticks((0, 0.5, 1), ("shut 0", "½", "open 1"))
        axes.set_xlabel("step of the sequence")
        axes.set_title(f"Gates of the {TITLES[cell]}", loc="left")
        figures.label_ends(axes, ends, colour=figures.colour(cell))

    title = f"{task['title']}, {task['variant']}: gates of the {TITLES[cell]}"
    return figures.draw(fill, title)


def _sentence(gates: Iterable[str]) -> str:
    text = "; ".join(GATE_WORDS[gate] for gate in gates)
    return text[0].upper() + text[1:]
