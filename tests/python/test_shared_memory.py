"""Workers have one copy of a model's weights between them, however they are started."""

from __future__ import annotations

import functools
import multiprocessing
import pickle
import sys
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sharing_workers

import rnn_native as rn

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not Path("/proc/self/smaps_rollup").exists(),
    reason="needs Linux's smaps_rollup, which says what processes share",
)

WORKERS = 8
SIZE = 1408  # of an LSTM: 63 MB of weights
EACH = 4 * 2**20
"""What a worker may take beside the weights: a stream, the structs of the model and its vectors in
Python are 0.1 MB; modules that are imported and Python's heap 1 to 3 MB, as measured. It is a
fifteenth of the weights: more of these is not hidden in it."""


def growth(method: str, give: Any) -> int:
    """By how many bytes the memory of all workers together grows when each gets a model and runs
    it: Pss, in which a page that n processes have counts as 1/n for each."""
    context = multiprocessing.get_context(method)
    barrier = context.Barrier(WORKERS + 1)
    processes = [
        context.Process(target=sharing_workers.use_and_wait, args=(barrier, give))
        for _ in range(WORKERS)
    ]
    for process in processes:
        process.start()

    def all_of_them() -> int:
        return sum(sharing_workers.pss_of(pid) for pid in ("self", *(p.pid for p in processes)))

    barrier.wait(240)
    before = all_of_them()
    barrier.wait(240)
    barrier.wait(240)
    after = all_of_them()
    barrier.wait(240)
    for process in processes:
        process.join(240)
        assert process.exitcode == 0
    return after - before


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    rn.LSTM(SIZE, SIZE).model.save(path)
    return path


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_that_are_sent_a_model_add_nothing_of_its_weights(method: str, path: Path) -> None:
    """The parent has the copy."""
    model = rn.load(path, shared=True)
    assert model.memory > 60e6
    model(np.ones((1, 1, SIZE), np.float32))
    sent = bytes(ForkingPickler.dumps(model))
    assert growth(method, functools.partial(pickle.loads, sent)) <= WORKERS * EACH


def test_forked_workers_share_what_their_parent_has(path: Path) -> None:
    """In a file or not: nobody writes to the memory of a model."""
    model = rn.load(path)
    model(np.ones((1, 1, SIZE), np.float32))
    assert growth("fork", lambda: model) <= WORKERS * EACH


def test_workers_that_load_a_model_have_one_copy(path: Path, tmp_path: Path) -> None:
    """Of files in a folder; the first one packs it."""
    weights = rn.load(path, shared=tmp_path).memory
    load = functools.partial(rn.load, path, shared=str(tmp_path))
    assert growth("spawn", load) <= weights + WORKERS * EACH


def test_workers_that_share_nothing_have_a_copy_each(path: Path) -> None:
    """That the measure sees them."""
    weights = rn.load(path).memory
    assert growth("spawn", functools.partial(rn.load, path)) >= WORKERS * weights
