"""Pools of threads and of processes: the same bits, and no more threads than were asked for."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from agreement import assert_same_bits

import rnn_native as rn

joblib = pytest.importorskip("joblib")


def _model() -> rn.Model:
    return rn.Model(rn.LSTM(24, 96, num_layers=2, bidirectional=True).model.spec, num_threads=2)


def _inputs() -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal((20, batch, 24), dtype=np.float32) for batch in (1, 2, 5, 9)]


def _map_joblib(backend: str) -> Callable[[rn.Model, list[Any]], list[Any]]:
    def run(model: rn.Model, inputs: list[Any]) -> list[Any]:
        parallel = joblib.Parallel(n_jobs=2, backend=backend)
        return list(parallel(joblib.delayed(model)(x) for x in inputs))

    return run


def _map_processes(method: str) -> Callable[[rn.Model, list[Any]], list[Any]]:
    def run(model: rn.Model, inputs: list[Any]) -> list[Any]:
        with multiprocessing.get_context(method).Pool(2) as pool:
            return pool.map_async(model, inputs).get(timeout=120)

    return run


def _map_threads(model: rn.Model, inputs: list[Any]) -> list[Any]:
    with ThreadPoolExecutor(3) as pool:
        return list(pool.map(model, inputs))


POOLS = {
    "joblib-loky": _map_joblib("loky"),
    "joblib-threading": _map_joblib("threading"),
    "threads": _map_threads,
    **{
        f"processes-{method}": _map_processes(method)
        for method in ("fork", "spawn")
        if method in multiprocessing.get_all_start_methods()
    },
}


@pytest.mark.parametrize("pool", POOLS)
def test_a_pool_gives_the_bits_of_a_plain_call(pool: str) -> None:
    model, inputs = _model(), _inputs()
    expected = [model(x) for x in inputs]  # with threads, before any fork
    results = POOLS[pool](model, inputs)
    for (y, (h, c)), (y_plain, (h_plain, c_plain)) in zip(results, expected, strict=True):
        assert_same_bits(y, y_plain)
        assert_same_bits(h, h_plain)
        assert_same_bits(c, c_plain)


# Linux lists a process's threads as folders.
COUNT = """
import os, threading
import numpy as np
import rnn_native as rn

model = rn.LSTM(32, 128).model
x = np.zeros((50, 8, 32), np.float32)
callers, threads = {callers}, {threads}
before = len(os.listdir("/proc/self/task"))
meet = threading.Barrier(callers + 1)

def call():
    for _ in range(20):
        model(x, num_threads=threads)
    meet.wait()  # all have called, none has ended
    meet.wait()

pool = [threading.Thread(target=call) for _ in range(callers)]
for thread in pool:
    thread.start()
meet.wait()
print(len(os.listdir("/proc/self/task")) - before)
meet.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
@pytest.mark.parametrize(("callers", "threads"), [(3, 1), (2, 2)])
def test_callers_bring_no_more_threads_than_they_ask_for(callers: int, threads: int) -> None:
    code = COUNT.format(callers=callers, threads=threads)
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    threading = rn.show_config(mode="dicts")["threading"]  # type: ignore[index]
    most = callers * (threads if threading != "none" else 1)
    # those of a call that had ended before another began have served both
    assert callers <= int(done.stdout) <= most
