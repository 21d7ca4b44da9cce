"""What the programs of this folder have in common: their arguments, and rows to try them on.

    python examples/scale/ray_data.py IN OUT --model model.onnx

IN is a folder of Parquet files with the columns `id` and `features`, a list of steps, which are
lists of numbers; OUT becomes one with `id` and `y`. `--rows 5000` makes IN first, and where there
is no `--model`, a small one beside it.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import rnn_native as rn

FEATURES, FILES, LONGEST = 40, 8, 200


@dataclass(frozen=True)
class Job:
    """Absolute paths, for workers have other current folders; and how many processes."""

    source: str
    target: str
    model: str
    workers: int


def use_this_python() -> None:
    """Have Spark's executors run this Python, which has rnn_native, and listen on this machine
    alone. A cluster has settings of its own for both."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")


def parse(description: str | None) -> Job:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("source", type=Path, metavar="IN")
    parser.add_argument("target", type=Path, metavar="OUT")
    parser.add_argument("--model", type=Path, help="any file that rn.load reads as it is")
    parser.add_argument("--rows", type=int, help="make IN first, of so many sequences")
    parser.add_argument("--workers", type=int, default=2, help="processes, of one CPU each")
    arguments = parser.parse_args()
    source, model = arguments.source.absolute(), arguments.model
    if arguments.rows is not None:
        make_rows(source, arguments.rows)
    if model is None:
        model = source.with_name(source.name + ".safetensors")
        if not model.exists():
            make_model(model)
    target = arguments.target.absolute()
    return Job(str(source), str(target), str(model.absolute()), arguments.workers)


def make_rows(folder: Path, rows: int) -> None:
    """Sequences of 0 to 200 steps in a few files."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for number, ids in enumerate(np.array_split(np.arange(rows), FILES)):
        lengths = rng.integers(0, LONGEST + 1, len(ids))
        numbers = rng.standard_normal((lengths.sum(), FEATURES), dtype=np.float32)
        steps = pa.FixedSizeListArray.from_arrays(numbers.reshape(-1), FEATURES)
        ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        features = pa.ListArray.from_arrays(ends, steps.cast(pa.list_(pa.float32())))
        pq.write_table(pa.table({"id": ids, "features": features}), folder / f"{number}.parquet")


def make_model(path: Path) -> None:
    """A small network with weights drawn at random, in the place of a trained one."""
    rng = np.random.default_rng(0)
    lstm = rn.LSTM(FEATURES, 64, bidirectional=True).spec
    rn.Model([lstm, rn.Linear(rng.normal(0, 0.1, (10, 128)), activation="softmax")]).save(path)
