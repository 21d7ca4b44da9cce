"""A fixture for your own tests: a model beside its peers, measured by pytest-benchmark.

    pytest -p rnn_native.benchmark.pytest_plugin
    pytest_plugins = ["rnn_native.benchmark.pytest_plugin"]  # or so, in the uppermost conftest.py

It loads itself nowhere. A test that takes ``benchmark_model`` runs once for each runtime, and
pytest-benchmark shows these in one table.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
from numpy.typing import ArrayLike

from .. import reference
from ..errors import OptionError, RnnError, UnsupportedError
from ..loading import load
from ..model import Model
from ..states import flatten, state_counts
from .serving import one_line
from .worker import Task, choose, enter

if TYPE_CHECKING:
    BenchmarkModel = Callable[..., Any]

OURS: Final = "rnn_native"
RUNTIMES: Final = {
    OURS: ("rnn_native", "rnn_native.benchmark.runtimes.native"),
    "torch": ("torch", "rnn_native.benchmark.runtimes.pytorch"),
    "onnxruntime": ("onnxruntime", "rnn_native.benchmark.runtimes.onnx_file"),
}
"""By the name in the table: the package that has to be installed, and the runtime's module."""


def installed(runtimes: dict[str, tuple[str, str]]) -> list[str]:
    """The names whose package is there; none of them is imported."""
    return [name for name, (package, _) in runtimes.items() if importlib.util.find_spec(package)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "benchmark_model" in metafunc.fixturenames:
        metafunc.parametrize("_benchmark_runtime", installed(RUNTIMES), scope="function")


@pytest.fixture
def _benchmark_runtime(request: pytest.FixtureRequest) -> Any:
    return request.param  # from pytest_generate_tests


@pytest.fixture
def benchmark_model(
    request: pytest.FixtureRequest, _benchmark_runtime: str, tmp_path: Path
) -> BenchmarkModel:
    """``benchmark_model(model, x, peers=("torch", "onnxruntime"), lengths=None, threads=1)``.

    Measures the model, a file or an ``rn.Model``, on x as it is called with it, on one runtime for
    each run of the test. The output is compared with the float64 reference first: a runtime whose
    output is wrong, or that lacks what the model has, is skipped with the reason, and for
    rnn_native that is an error. Of several ways of calling a runtime the fastest is measured.

    Parameters
    ----------
    model
        A path that ``rn.load`` takes, or an ``rn.Model`` that computes in float32.
    x
        [time, batch, input_size], or as the model's ``batch_first`` says; indices without the last
        axis.
    peers
        Who runs beside rnn_native, where installed: ``"torch"``, ``"onnxruntime"``.
    lengths
        Steps of each row, [batch]; None: all.
    threads
        How many threads every runtime may use.

    Returns y [time, batch, features] of the runtime, or [batch, features] of a last state alone.
    """
    if not request.config.pluginmanager.hasplugin("benchmark"):
        raise UnsupportedError(
            "benchmark_model: needs pytest-benchmark, which is not installed or is switched off: "
            "pip install 'rnn_native[bench]'"
        )
    benchmark = request.getfixturevalue("benchmark")
    parameters = request.node.callspec.params
    own = [f"{key}={value}" for key, value in parameters.items() if key != "_benchmark_runtime"]
    benchmark.group = ", ".join([request.node.originalname, *own])

    def call(
        model: Model | str | os.PathLike[str],
        x: ArrayLike,
        peers: Sequence[str] = ("torch", "onnxruntime"),
        lengths: ArrayLike | None = None,
        threads: int = 1,
    ) -> Any:
        if unknown := sorted(set(peers) - (RUNTIMES.keys() - {OURS})):
            raise OptionError(f"peers: expected some of torch, onnxruntime; got {unknown[0]!r}")
        if _benchmark_runtime not in {OURS, *peers}:
            pytest.skip(f"{_benchmark_runtime}: not among the peers of this test")
        subject = model if isinstance(model, Model) else load(model)
        if subject.dtype != np.float32:
            raise UnsupportedError(f"benchmark_model: expected a float32 model, got {subject!r}")
        module = RUNTIMES[_benchmark_runtime][1]
        task_model = str(_file(subject, model, _benchmark_runtime, tmp_path))
        array = np.asarray(x) if subject.spec.takes_indices else np.asarray(x, np.float32)
        array = np.ascontiguousarray(np.swapaxes(array, 0, 1)) if subject.batch_first else array
        steps = None if lengths is None else np.asarray(lengths)
        y, state = reference.run(subject.spec, array, None, steps)
        expected = [y, *flatten(state_counts(subject.spec), state)]
        task = Task(task_model, array, None, threads, steps)
        return measure(benchmark, _benchmark_runtime, module, task, expected)

    return call


def _file(subject: Model, model: Any, runtime: str, folder: Path) -> Path:
    """The user's own .onnx file for onnxruntime, else one that is made of the model."""
    onnx = runtime == "onnxruntime"
    if onnx and not isinstance(model, Model) and Path(model).suffix.lower() == ".onnx":
        return Path(model)
    path = folder / ("model.onnx" if onnx else "model.safetensors")
    try:
        subject.save(path)
    except (RnnError, ImportError) as error:
        pytest.skip(f"{runtime}: {one_line(error)}")
    return path


def measure(benchmark: Any, name: str, module: str, task: Task, expected: Sequence[Any]) -> Any:
    """One row of pytest-benchmark's table: the fastest right form of one runtime. Returns its y."""
    with _left_out(name):
        runtime: Any = importlib.import_module(module)
    with enter(runtime):
        with _left_out(name):
            forms = runtime.prepare(task)
            chosen = choose(forms, expected)
        form = forms[chosen.form]
        benchmark.extra_info |= {
            "runtime": name, "version": runtime.version(), "form": chosen.form,
            "precision": chosen.precision, "error": chosen.error, "threads": task.threads,
        }  # fmt: skip
        return form.arrays(benchmark(form.call))[0]


@contextmanager
def _left_out(name: str) -> Iterator[None]:
    """Of a peer, what fails is why it is left out; of ours, an error."""
    try:
        yield
    except Exception as error:
        if name.startswith(OURS):
            raise
        pytest.skip(f"{name}: {one_line(error)}")
