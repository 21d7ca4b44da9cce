"""How many threads a call may use inside a worker: what the engine that runs it has given it.

The engines are asked where somebody has imported them; none is imported here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Final

from .. import _core


def cpu_share() -> int:
    """How many threads a call in this process may use, from 1 on: the first of these that is there.

    1. ``RNN_NATIVE_NUM_THREADS``, read when the package was imported;
    2. ``OMP_NUM_THREADS`` as it is now, of a list the first: Ray, Spark and Dask's worker processes
       set it for what they run;
    3. the CPUs that Ray has assigned to this task or actor, rounded down;
    4. the CPUs of this task of Spark's;
    5. inside a worker of Dask's, 1: it runs as many tasks at once as it has threads;
    6. :func:`rnn_native.get_num_threads`, for the process as a whole.
    """
    for share in _SHARES:
        count = share()
        if count is not None:
            return count
    return _core.get_num_threads()


def _of_our_variable() -> int | None:
    return _core.get_num_threads() if os.environ.get("RNN_NATIVE_NUM_THREADS") else None


def _of_openmp_variable() -> int | None:
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(first) if first.isdecimal() and 0 < int(first) <= _MOST else None


def _of_ray() -> int | None:
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return None
    try:
        resources = ray.get_runtime_context().get_assigned_resources()
    except AssertionError:  # the driver, to which nothing is assigned
        return None
    return _whole(resources.get("CPU"))


def _of_spark() -> int | None:
    pyspark = sys.modules.get("pyspark")
    task = None if pyspark is None else pyspark.TaskContext.get()
    return None if task is None else _whole(task.cpus())


def _of_dask() -> int | None:
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        distributed.get_worker()
    except ValueError:  # not in a worker
        return None
    return 1


def _whole(cpus: float | None) -> int | None:
    """A part of a CPU is one thread; None and 0, which is no share: None."""
    return max(1, int(cpus)) if cpus else None


_MOST: Final = 4096
_SHARES: Final[tuple[Callable[[], int | None], ...]] = (
    _of_our_variable, _of_openmp_variable, _of_ray, _of_spark, _of_dask,
)  # fmt: skip
