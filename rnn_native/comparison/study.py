"""The whole comparison: all cells on all tasks, from all seeds, into one folder.

    results.json      everything; the other files are made from it
    comparison.csv    a row for each run;  costs.csv a row for each cell and view
    gradients.csv     norms of dL/dh_{t-k} over the lag k, before and after training
    comparison.md     tables
    comparison.html   tables and plots in one file (needs matplotlib and jinja2)
    runs/, cache/     records of finished runs, and data that took long to read

First a short search chooses each cell's learning rate on each task, then all seeds are run; what
things cost is measured last, when none of these runs any more. A comparison that was stopped goes
on where it was when it is called again with the same folder.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..config import show_config
from ..formats.files import replacing
from . import cost, device, plan, scaling, search
from .contenders import CONTENDERS, Contender
from .plan import Job
from .progress import Progress, Say
from .runs import Record, finished
from .task import Family, Task, answers
from .tasks import FAMILIES, missing
from .workers import Workshop, do_all

SCHEMA: Final = 2
"""Of ``results.json``."""


@dataclass(frozen=True)
class Choice:
    """What is compared: ``scale`` one of ``tasks.SCALES``; ``processes`` jobs at once, each of
    ``num_threads`` threads."""

    scale: str
    families: Mapping[str, Family] = field(default_factory=lambda: dict(FAMILIES))
    seeds: Sequence[int] = (0,)
    contenders: Sequence[Contender] = CONTENDERS
    num_threads: int = 1
    processes: int = 1


def compare(choice: Choice, out: Path, say: Say) -> dict[str, Any]:
    """Run what is not yet done of the choice, and write ``results.json``; returns its contents."""
    tasks, skipped = _tasks(choice, say)
    shop = Workshop(out, choice.scale, choice.num_threads)
    sizes, references = _look_at(tasks, shop)
    rates, records = _run(tasks, choice, shop, sizes, say)
    standard = [contender for contender in choice.contenders if contender.cell == "standard"]
    say("costs: sizes and times of each cell")  # last: one that was stopped often does it once
    before = _load()
    measured = {
        "costs": cost.measure(choice.contenders, choice.scale, choice.num_threads),
        "steps": scaling.step_seconds(tasks, standard, choice.scale),
        "scaling": scaling.measure(standard, choice.scale),
        "device": device.measure(standard),
    }
    results = {
        "schema": SCHEMA,
        "choice": {
            "scale": choice.scale,
            "families": list(choice.families),
            "seeds": list(choice.seeds),
            "cells": [contender.name for contender in choice.contenders],
            "threads": choice.num_threads,
            "processes": choice.processes,
            "rates": list(plan.RATES[choice.scale]),
        },
        "machine": _machine() | {"load": [before, _load()]},
        **measured,
        "tasks": [
            _result(task, choice, rates[task.name], records[task.name], references[task.name])
            | {"sizes": sizes[task.name]}
            for task in tasks
        ],
        "skipped": skipped,
    }
    with replacing(out / "results.json") as file:
        file.write(json.dumps(results, indent=1).encode())
    return results


def _tasks(choice: Choice, say: Say) -> tuple[list[Task], dict[str, str]]:
    """All tasks, and why families are skipped, by their titles."""
    tasks: list[Task] = []
    skipped: dict[str, str] = {}
    for name, family in choice.families.items():
        lacking = missing(family)
        if lacking:
            skipped[family.TITLE] = f"{', '.join(lacking)} is not installed"
            say(f"{name}: skipped: {skipped[family.TITLE]}")
        else:
            found = family.tasks(choice.scale)
            for task in found:
                if task.about:
                    say(f"{task.name}: {task.about}")
            tasks += found
    return tasks, skipped


def _look_at(
    tasks: Sequence[Task], shop: Workshop
) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
    """How many sequences each task learns from, watches and tests, for how many answers the test
    asks, and what simple predictors reach. All data are read once here, so that what takes long to
    read is in the cache before processes begin."""
    sizes, references = {}, {}
    for task in tasks:
        splits = shop.load(task)
        sizes[task.name] = {name: len(part.x) for name, part in splits._asdict().items()}
        sizes[task.name]["asked"] = answers(splits.test)
        references[task.name] = dict(task.references(splits)) if task.references else {}
    return sizes, references


def _run(
    tasks: Sequence[Task],
    choice: Choice,
    shop: Workshop,
    sizes: Mapping[str, Mapping[str, int]],
    say: Say,
) -> tuple[dict[str, dict[str, Any]], dict[str, list[Record]]]:
    """What the search chose for each task and cell, and the records of the runs, in order."""
    first = [job for task in tasks for job in plan.searches(task, choice.contenders, choice.scale)]
    likely = [  # at any rate: how much there is to do does not depend on it
        job
        for task in tasks
        for contender in choice.contenders
        for job in plan.runs(task, contender, 0.0, choice.seeds)
    ]
    known = _finished(first, shop)

    def effort(job: Job) -> float:
        return job.effort(sizes[job.task.name]["train"])

    jobs = [job for job in first if job not in known]
    progress = Progress(say, len(jobs) + len(likely), sum(map(effort, [*jobs, *likely])))
    for job, record in do_all(shop, jobs, choice.processes):
        known[job] = record
        progress.add(effort(job), f"{job.title}: {_outcome(job.task, record)}")

    rates: dict[str, dict[str, Any]] = {task.name: {} for task in tasks}
    second: list[Job] = []
    for task in tasks:
        for contender in choice.contenders:
            tried = plan.searches(task, [contender], choice.scale)
            found = search.choose([known[job] for job in tried])
            rates[task.name][contender.name] = found
            second += plan.runs(task, contender, found["rate"], choice.seeds)
    known |= _finished(second, shop)
    for job in second:
        if job in known:
            progress.skip(effort(job))
    jobs = [job for job in second if job not in known]
    for job, record in do_all(shop, jobs, choice.processes):
        known[job] = record
        progress.add(effort(job), f"{job.title}: {_outcome(job.task, record)}")
    records: dict[str, list[Record]] = {task.name: [] for task in tasks}
    for job in second:
        records[job.task.name].append(known[job])
    return rates, records


def _finished(jobs: Sequence[Job], shop: Workshop) -> dict[Job, Record]:
    found = {}
    for job in jobs:
        data = shop.digest(job.task)
        record = finished(job, shop.out / "runs", data, shop.num_threads, shop.scale)
        if record is not None:
            found[job] = record
    return found


def _result(
    task: Task,
    choice: Choice,
    rates: Mapping[str, Any],
    records: list[Record],
    references: Mapping[str, float],
) -> dict[str, Any]:
    family = choice.families[task.family]
    return {
        "name": task.name,
        "family": task.family,
        "title": family.TITLE,
        "about": " ".join(filter(None, (family.ABOUT, task.about))),
        "variant": task.variant,
        "lag": task.lag,
        "metric": asdict(task.metric),
        "references": references,
        "budget": task.budget,
        "units": list(task.units),
        "learning": asdict(task.learning),
        "rates": rates,
        "records": records,
    }


def _outcome(task: Task, record: Record) -> str:
    if "failure" in record:
        return f"failed: {record['failure']}"
    if record["settings"]["role"] == "search":
        return f"validation loss {search.lowest_loss(record):.4g}"
    epochs = len(record["history"]["seconds"])
    return (
        f"{task.metric.name} {record['result']:.{task.metric.digits}f} "
        f"({epochs} epochs of {record['seconds_per_epoch']:.2f} s)"
    )


def _load() -> float | None:
    """How many processes want to run, on average over the last minute, where the system tells."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _machine() -> dict[str, Any]:
    config = show_config(mode="dicts") or {}
    return {
        "cpu": _cpu(),
        "processors": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "rnn_native": config["version"],
        "isa": config["isa"],
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
