"""Rows a second of `rn.batch.Predictor` in each engine, beside plain Python, and what each costs.

    python bench/scale.py [--rows 4000] [--only ray,dask] [--rounds 3]

Every way reads a folder of Parquet files and writes one. Clusters and models are there before the
clock starts; the least of the rounds counts. Of each way:

    rows/s      by the clock
    cpu s       that all its processes took, and
    a core      rows for each of these seconds: what a core does that has nothing else to do
    own ms      seconds of the same kind for a batch of 256 rows where the function gives back the
                column of ids: reading, shipping and the engine itself, without a model
    start s     until the cluster is there
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "scale"))
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import job
import machine
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

import rnn_native as rn
from rnn_native.batch import Predictor

WORKERS, BATCH = 2, 256
Function = Callable[[Any], Any]
Way = Callable[[Function], None]


def ids(batch: Any) -> Any:
    """No model: the columns of a result, without sequences."""
    return batch.select(["id"]) if isinstance(batch, (pa.Table, pa.RecordBatch)) else batch[["id"]]


def batches(source: str) -> Iterator[Any]:
    for path in sorted(Path(source).glob("*.parquet")):
        yield from pq.ParquetFile(path).iter_batches(BATCH)


class RowByRow:
    """What stands in the place of a Predictor: a call of the model for each row."""

    def __init__(self, path: str) -> None:
        self._model = rn.load(path, num_threads=1)

    def __call__(self, batch: Any) -> Any:
        ys = []
        for row in batch.column("features").to_pylist():
            x = np.array(row, np.float32).reshape(-1, 1, job.FEATURES)
            ys.append(self._model(x)[0][:, 0].tolist())
        return pa.RecordBatch.from_pydict({"id": batch.column("id"), "y": ys})


def write(path: str, results: Iterator[Any]) -> None:
    writer = None
    for result in results:
        writer = writer or pq.ParquetWriter(path, result.schema)
        writer.write_batch(result)
    if writer is not None:
        writer.close()


@contextmanager
def loop(source: str, target: str) -> Iterator[Way]:
    yield lambda function: write(f"{target}/0.parquet", map(function, batches(source)))


@contextmanager
def pool(source: str, target: str) -> Iterator[Way]:
    with multiprocessing.get_context("spawn").Pool(WORKERS) as processes:
        yield lambda function: write(
            f"{target}/0.parquet", processes.imap(function, batches(source))
        )


@contextmanager
def in_ray(source: str, target: str) -> Iterator[Way]:
    import ray

    os.environ["RAY_DATA_DISABLE_PROGRESS_BARS"] = "1"
    ray.init(num_cpus=WORKERS + 1, include_dashboard=False, log_to_driver=False)
    logging.getLogger("ray.data").setLevel(logging.ERROR)

    class Call:
        def __init__(self, function: Function) -> None:
            self._function = function

        def __call__(self, batch: Any) -> Any:
            return self._function(batch)

    def run(function: Function) -> None:
        rows = ray.data.read_parquet(source).repartition(4 * WORKERS)
        rows.map_batches(
            Call, fn_constructor_args=(function,), batch_format="pyarrow", batch_size=BATCH,
            compute=ray.data.ActorPoolStrategy(size=WORKERS), num_cpus=1,
        ).write_parquet(target)  # fmt: skip

    yield run
    ray.shutdown()


@contextmanager
def in_dask(source: str, target: str) -> Iterator[Way]:
    import dask.dataframe as dd
    from distributed import Client, LocalCluster

    with (
        LocalCluster(WORKERS, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
    ):

        def run(function: Function) -> None:
            rows = dd.read_parquet(source, dtype_backend="pyarrow")
            results = rows.map_partitions(function, meta=function(rows._meta))
            results.to_parquet(target, write_index=False)

        yield run


@contextmanager
def in_spark(source: str, target: str) -> Iterator[Way]:
    from pyspark.sql import SparkSession

    job.use_this_python()
    spark = (
        SparkSession.builder.master(f"local-cluster[{WORKERS},1,1024]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", BATCH)
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")

    def run(function: Function) -> None:
        schema = "id long" if function is ids else "id long, y array<array<float>>"
        rows = spark.read.parquet(source)
        results = rows.mapInArrow(lambda batches: map(function, batches), schema)
        results.write.mode("overwrite").parquet(target)

    yield run
    spark.stop()


ROW_BY_ROW = "a call for each row"
WAYS: dict[str, Any] = {
    ROW_BY_ROW: loop,
    "Predictor": loop,
    "multiprocessing": pool,
    "Ray Data": in_ray,
    "Dask": in_dask,
    "Spark mapInArrow": in_spark,
}


def cpu_seconds() -> dict[int, float]:
    """Of this process and all that it has started, by their numbers."""
    own = psutil.Process()
    found = {}
    for process in [own, *own.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            found[process.pid] = times.user + times.system
    return found


def seconds(way: Way, function: Function, target: str, rounds: int) -> tuple[float, float]:
    """By the clock, and of all processes together."""
    took = []
    for _ in range(1 + rounds):  # in the first one workers load what they need
        shutil.rmtree(target, ignore_errors=True)
        os.makedirs(target)
        before, began = cpu_seconds(), time.perf_counter()
        way(function)
        clock, after = time.perf_counter() - began, cpu_seconds()
        took.append((clock, sum(s - before.get(pid, 0.0) for pid, s in after.items())))
    return min(clock for clock, _ in took[1:]), min(cpu for _, cpu in took[1:])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="words of the ways, with commas")
    arguments = parser.parse_args()
    print(*(f"{name}: {value}" for name, value in machine.describe().items()), sep="\n")
    print(f"{arguments.rows} sequences, batches of {BATCH}, {WORKERS} workers\n")
    print(f"{'':20} {'rows/s':>8} {'cpu s':>8} {'a core':>8} {'own ms':>8} {'start s':>8}")
    with tempfile.TemporaryDirectory() as folder:
        source, target, model = (f"{folder}/{name}" for name in ("in", "out", "m.safetensors"))
        job.make_rows(Path(source), arguments.rows)
        job.make_model(Path(model))
        os.chdir(
            folder
        )  # Ray's workers import from here first, and the project's folder is not built
        predictor = Predictor(model, inputs="features", outputs="y", num_threads=1)
        wanted = [word for word in arguments.only.lower().split(",") if word]
        for name, context in WAYS.items():
            if wanted and not any(word in name.lower() for word in wanted):
                continue
            began = time.perf_counter()
            with context(source, target) as way:
                start = time.perf_counter() - began
                _, own = seconds(way, ids, target, arguments.rounds)
                function = RowByRow(model) if name == ROW_BY_ROW else predictor
                clock, cpu = seconds(way, function, target, arguments.rounds)
            per_batch = 1000 * own / (arguments.rows / BATCH)
            print(
                f"{name:20} {arguments.rows / clock:8.0f} {cpu:8.2f} {arguments.rows / cpu:8.0f} "
                f"{per_batch:8.1f} {start:8.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
