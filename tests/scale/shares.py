"""What cpu_share() says inside the workers of an engine, one number a line:  shares.py ENGINE"""

from __future__ import annotations

import os
import sys


def share(*ignored: object) -> str:
    from rnn_native.batch import cpu_share

    with_variable = cpu_share()
    os.environ.pop("OMP_NUM_THREADS", None)  # of what Ray, Spark and Dask set: what is left
    return f"{with_variable} {cpu_share()}"


def ray_tasks() -> list[str]:
    import ray

    ray.init(num_cpus=3, include_dashboard=False)
    task = ray.remote(share)
    counts = 0.5, 1, 3
    return [ray.get(task.options(num_cpus=count).remote()) for count in counts]


def dask_workers() -> list[str]:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(2, threads_per_worker=2, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        return [client.submit(share).result()]


def spark_tasks() -> list[str]:
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master("local-cluster[1,2,1024]")
    spark = builder.config("spark.task.cpus", 2).config("spark.ui.enabled", "false").getOrCreate()
    try:
        return spark.sparkContext.parallelize([0], 1).map(share).collect()
    finally:
        spark.stop()


if __name__ == "__main__":
    engines = {"ray": ray_tasks, "dask": dask_workers, "spark": spark_tasks}
    print("\n".join(engines[sys.argv[1]]()))
