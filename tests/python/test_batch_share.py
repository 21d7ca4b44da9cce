"""How many threads a call takes in a worker: what each engine says of it, here as stand-ins that
say what the engines do (tests/scale asks the engines themselves); and how rows are grouped.
"""

from __future__ import annotations

import os
import sys
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rnn_native as rn
from rnn_native.batch import Predictor, cpu_share
from rnn_native.batch.groups import grouped


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "RNN_NATIVE_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("ray", "pyspark", "distributed"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def ray(cpus: float | None, in_worker: bool = True) -> Any:
    def get_assigned_resources() -> dict[str, float]:
        assert in_worker
        return {} if cpus is None else {"CPU": cpus}

    context = SimpleNamespace(get_assigned_resources=get_assigned_resources)
    return SimpleNamespace(is_initialized=lambda: True, get_runtime_context=lambda: context)


def spark(cpus: int | None) -> Any:
    context = None if cpus is None else SimpleNamespace(cpus=lambda: cpus)
    return SimpleNamespace(TaskContext=SimpleNamespace(get=lambda: context))


def dask(in_worker: bool) -> Any:
    def get_worker() -> None:
        if not in_worker:
            raise ValueError("No worker found")

    return SimpleNamespace(get_worker=get_worker)


PROCESS = rn.get_num_threads()


@pytest.mark.parametrize(
    ("engine", "module", "threads"),
    [
        ("ray", ray(3.0), 3),
        ("ray", ray(2.5), 2),
        ("ray", ray(0.25), 1),
        ("ray", ray(None), PROCESS),
        ("ray", ray(3.0, in_worker=False), PROCESS),
        ("pyspark", spark(2), 2),
        ("pyspark", spark(None), PROCESS),
        ("distributed", dask(True), 1),
        ("distributed", dask(False), PROCESS),
    ],
)
def test_an_engine_is_asked(
    engine: str, module: Any, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, engine, module)
    assert cpu_share() == threads


@pytest.mark.parametrize(
    ("value", "threads"), [("3", 3), ("2,4", 2), (" 5 ", 5), ("0", 1), ("many", 1), ("", 1)]
)
def test_the_variable_of_openmp_goes_before_what_the_engine_says(
    value: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", dask(True))
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert cpu_share() == threads
    monkeypatch.setenv("RNN_NATIVE_NUM_THREADS", "7")  # the process has been told at import
    assert cpu_share() == PROCESS


def test_a_call_takes_the_share_unless_a_number_is_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []

    def counted(self: Any, x: Any, state: Any, lengths: Any, num_threads: int) -> Any:
        taken.append(num_threads)
        return call(self, x, state, lengths, num_threads)

    call = rn.Model.__call__
    monkeypatch.setattr(rn.Model, "__call__", counted)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    model = rn.GRU(4, 5).model
    batch = {"x": [np.zeros((3, 4), np.float32)]}
    Predictor(model)(batch)
    Predictor(model, num_threads=2)(batch)
    Predictor(rn.Model(model.spec, num_threads=4))(batch)
    assert taken == [3, 2, 4]


def test_threads_of_a_worker_share_one_model_and_give_its_bits() -> None:
    model = rn.LSTM(4, 16).model
    predictors = [Predictor(model) for _ in range(8)]
    rows = [np.random.default_rng(n).standard_normal((n, 4), dtype="f4") for n in range(1, 40)]
    found: list[Any] = [None] * 8
    begin = threading.Barrier(8)

    def call(number: int) -> None:
        begin.wait()
        found[number] = predictors[number]({"x": rows})["y"]

    threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(predictor.model) for predictor in predictors}) == 1
    for row, *each in zip(rows, *found, strict=True):
        assert all(np.array_equal(y, model(row[:, None])[0][:, 0]) for y in each)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_child_has_the_models_of_its_parent() -> None:
    predictor = Predictor(rn.GRU(4, 5).model)
    loaded = predictor.model
    child = os.fork()
    if child == 0:
        os._exit(0 if Predictor(loaded).model is not None else 1)
    assert os.waitpid(child, 0)[1] == 0


@given(st.lists(st.integers(0, 300), max_size=80), st.integers(1, 5000))
def test_groups_have_every_row_once_and_little_padding(lengths: list[int], numbers: int) -> None:
    """Padding of a group costs no more than to begin another at its shortest row."""
    counts = np.array(lengths, np.int64)
    groups = grouped(counts, numbers)
    assert sorted(np.concatenate(groups).tolist()) == list(range(len(lengths)))
    assert all(len(group) for group in groups) or not lengths
    for group in groups:
        own = counts[group]
        if len(own) == 0:
            continue
        assert (np.diff(own) <= 0).all()
        assert (own[0] - own).sum() <= 8 * own[-1]
        assert len(own) == 1 or len(own) * own[0] * numbers <= 2**21
