"""Dask: blocks of one array [rows, time, features], such as windows of a long signal.

    pip install 'dask[array,distributed]'
    python examples/scale/dask_blocks.py IN OUT

IN and OUT are folders of .npy files that dask.array.to_npy_stack writes, along the rows.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import dask.array as da
import numpy as np
from distributed import Client, LocalCluster
from numpy.typing import NDArray

from rnn_native.batch import Predictor


def run(source: str, target: str, model: str, workers: int) -> None:
    predictor = Predictor(model, inputs="x", outputs="y")

    def predict(block: NDArray[np.float32]) -> NDArray[np.float32]:
        return predictor({"x": block})["y"]

    with (
        LocalCluster(workers, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
    ):
        x = da.from_npy_stack(source, mmap_mode=None)
        rows, time, features = x.chunks  # one block has all of time, and all features
        y = predict(np.zeros((0, 1, sum(features)), np.float32))
        results = x.rechunk((rows, -1, -1)).map_blocks(
            predict, meta=y, chunks=(rows, (sum(time),), (y.shape[2],))
        )  # without meta it is called with arrays of no features to learn the type
        da.to_npy_stack(target, results, axis=0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", metavar="IN")
    parser.add_argument("target", metavar="OUT")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    run(given.source, given.target, str(given.model.absolute()), given.workers)
