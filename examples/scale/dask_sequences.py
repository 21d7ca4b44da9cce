"""Dask: partitions of a DataFrame, on processes of one thread each.

pip install 'dask[dataframe,distributed]'
python examples/scale/dask_sequences.py IN OUT --rows 5000
"""

from __future__ import annotations

import dask.dataframe as dd
from distributed import Client, LocalCluster
from job import Job, parse

from rnn_native.batch import Predictor


def run(job: Job) -> None:
    with (
        LocalCluster(job.workers, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
    ):
        rows = dd.read_parquet(job.source, dtype_backend="pyarrow")  # lists stay pyarrow's
        predictor = Predictor(job.model, inputs="features", outputs="y")
        meta = predictor(rows._meta)  # no rows: the columns and their types
        results = rows.map_partitions(predictor, meta=meta)
        results.to_parquet(job.target, write_index=False, overwrite=True)


if __name__ == "__main__":
    run(parse(__doc__))
