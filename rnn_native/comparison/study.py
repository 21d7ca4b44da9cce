"""The whole comparison: all cells on all tasks, from all seeds, into one folder.

    results.json      everything; the other files are made from it
    comparison.csv    a row for each run;  costs.csv a row for each cell
    gradients.csv     norms of dL/dh_{t-k} over the lag k, before and after training
    comparison.md     tables
    comparison.html   tables and plots in one file (needs matplotlib and jinja2)
    runs/, cache/     records of finished runs, and data that took long to read

A comparison that was stopped goes on where it was when it is called again with the same folder.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..config import show_config
from ..formats.files import replacing
from . import cost
from .contenders import CONTENDERS, Contender
from .runs import run
from .task import Splits, Task
from .tasks import FAMILIES, missing

Say = Callable[[str], None]


@dataclass(frozen=True)
class Choice:
    """What is compared: ``scale`` one of ``tasks.SCALES``."""

    scale: str
    families: Sequence[str] = tuple(FAMILIES)
    seeds: Sequence[int] = (0,)
    contenders: Sequence[Contender] = CONTENDERS
    num_threads: int = 1


def compare(choice: Choice, out: Path, say: Say) -> dict[str, Any]:
    """Run what is not yet done of the choice, and write ``results.json``; returns its contents."""
    skipped: dict[str, str] = {}
    tasks = []
    for family in choice.families:
        lacking = missing(family)
        if lacking:
            skipped[family] = f"{', '.join(lacking)} is not installed"
            say(f"{family}: skipped: {skipped[family]}")
            continue
        for task in FAMILIES[family].tasks(choice.scale):
            tasks.append(_task(task, choice, out, say))
    say("costs: sizes and times of each cell")  # last: one that was stopped often does it once
    costs = cost.measure(list(choice.contenders), choice.scale, choice.num_threads)
    results = {
        "choice": {
            "scale": choice.scale,
            "families": list(choice.families),
            "seeds": list(choice.seeds),
            "cells": [contender.name for contender in choice.contenders],
            "threads": choice.num_threads,
        },
        "machine": _machine(),
        "costs": costs,
        "tasks": tasks,
        "skipped": skipped,
    }
    with replacing(out / "results.json") as file:
        file.write(json.dumps(results, indent=1).encode())
    return results


def _task(task: Task, choice: Choice, out: Path, say: Say) -> dict[str, Any]:
    data: list[Splits] = []

    def load(task: Task) -> Splits:
        """Once, and only if a run is not done yet."""
        if not data:
            data.append(task.load(out / "cache"))
        return data[0]

    records = []
    for contender in choice.contenders:
        for seed in choice.seeds:
            record = run(
                task, contender, seed, out / "runs", load, choice.num_threads, choice.scale
            )
            records.append(record)
            say(f"{task.title}: {contender.title}, seed {seed}: {_outcome(task, record)}")
    return {
        "name": task.name,
        "family": task.family,
        "variant": task.variant,
        "lag": task.lag,
        "metric": asdict(task.metric),
        "budget": task.budget,
        "learning": asdict(task.learning),
        "records": records,
    }


def _outcome(task: Task, record: dict[str, Any]) -> str:
    if "failure" in record:
        return f"failed: {record['failure']}"
    epochs = len(record["history"]["seconds"])
    return (
        f"{task.metric.name} {record['result']:.{task.metric.digits}f} "
        f"({epochs} epochs of {record['seconds_per_epoch']:.2f} s)"
    )


def _machine() -> dict[str, Any]:
    config = show_config(mode="dicts") or {}
    return {
        "cpu": _cpu(),
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
