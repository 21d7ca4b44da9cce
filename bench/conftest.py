"""Lets the suites import their neighbours, whatever way pytest imports them, and runs their tests
once for each runtime that is installed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))

from ours import Ours
from runtimes import PEERS

from rnn_native.benchmark.precision import PRECISIONS
from rnn_native.benchmark.pytest_plugin import OURS, RUNTIMES, installed

REDUCED = {f"{OURS} {name}": name for name in PRECISIONS if name != "float32"}
MODULES = (
    RUNTIMES
    | dict.fromkeys(REDUCED, RUNTIMES[OURS])
    | {
        "onnxruntime": ("onnx", PEERS["onnxruntime"]),
        "openvino": ("openvino", PEERS["openvino"]),
        "jax": ("jax", PEERS["jax"]),
    }
)
"""Those that calculate sequences and can take turns in one process; ours in every precision."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Rows in the order of their names: of each runtime GRU, LSTM and RNN."""
    if getattr(config.option, "benchmark_sort", None) == "min":  # what nobody has asked for
        config.option.benchmark_sort = "name"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "runtime" in metafunc.fixturenames:
        metafunc.parametrize("runtime", installed(MODULES))


@pytest.fixture
def module(runtime: str, request: pytest.FixtureRequest) -> str:
    """The module of this runtime."""
    threads: Any = request.node.callspec.params.get("threads", 1)
    if runtime == "jax" and threads != (os.cpu_count() or 1):
        pytest.skip("jax: has a thread for each processor; make bench pins its process")
    if runtime not in (OURS, *REDUCED):
        pytest.importorskip(MODULES[runtime][0])
    return MODULES[runtime][1]


@pytest.fixture
def precision(runtime: str) -> str:
    """That of this runtime."""
    name = REDUCED.get(runtime, "float32")
    if why := Ours.of(name).refused:
        pytest.skip(why)
    return name
