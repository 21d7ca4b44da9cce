"""The process of one of the two builds that ``compare.py --builds`` measures.

    PYTHON -P bench/build_worker.py FOLDER [PACKAGES]

FOLDER has the serving.py and timing.py of who measures, so that both builds are asked and timed in
the same way; PACKAGES is where the build is imported from, if not as it is installed. Of the build
itself only what is public is used, which older ones have as well.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

Prepared = tuple[Callable[[], Any], Any]
"""What is timed, and what it gave."""


def load_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def arrays_of(value: Any) -> Iterator[Any]:
    """The arrays in tuples, mappings and objects of attributes, in their order."""
    if isinstance(value, (tuple, list)):
        for part in value:
            yield from arrays_of(part)
    elif isinstance(value, dict):
        for name in sorted(value):
            yield from arrays_of(value[name])
    elif value is not None:
        yield np.asarray(value)


def digest(value: Any) -> str:
    """Of the types, shapes and bits of every array in ``value``."""
    found = hashlib.sha256()
    for array in arrays_of(value):
        found.update(f"{array.dtype.str} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def sequence(model: Any, x: Any, state: Any, threads: int) -> Prepared:
    call = partial(model, x, state, num_threads=threads)
    return call, call()


def step(model: Any, x: Any, state: Any, threads: int) -> Prepared:
    stream = model.stream(x.shape[1]) if threads == 1 else model.stream(x.shape[1], threads)
    if state is not None:
        stream.state = state
    gave = [stream.step(x[0]).copy() for _ in range(8)]
    return partial(stream.step, x[0]), (gave, stream.state)


def training(model: Any, x: Any, state: Any, threads: int) -> Prepared:
    from rnn_native.train import Network

    net = Network(model.spec, num_threads=threads)
    dy = np.ones((*x.shape[:2], model.output_size), np.float32)

    def call() -> Any:
        y, _, tape = net.forward(x)
        grads = net.backward(tape, dy)
        return y, grads.x, grads.weights

    return call, call()


KINDS = {"sequence": sequence, "step": step, "training": training}


class Worker:
    """The requests by name; see ``rnn_native.benchmark.worker``."""

    def __init__(self, timing: ModuleType) -> None:
        import rnn_native

        self._rn = rnn_native
        self._timing = timing
        self._call: Callable[[], Any] | None = None
        self._calls = 0

    def hello(self) -> dict[str, Any]:
        config = self._rn.show_config(mode="dicts")
        version = f"{config['version']} ({config['isa']})"
        return {"version": version, "file": self._rn.__file__}

    def prepare(self, model: str, data: str, threads: int) -> dict[str, Any]:
        self.drop()
        with np.load(data) as arrays:
            kind, x = str(arrays["kind"]), arrays["x"]
            states = tuple(arrays[name] for name in arrays if name.startswith("state"))
        state = states if len(states) > 1 else states[0] if states else None
        loaded = self._rn.load(model, num_threads=threads)
        self._call, gave = KINDS[kind](loaded, x, state, threads)
        found = digest(gave)
        self._calls = self._timing.calls_per_sample(self._call)
        return {"calls": self._calls, "digest": found}

    def samples(self, count: int) -> dict[str, Any]:
        if self._call is None:
            raise ValueError("nothing is prepared")
        return {"seconds": self._timing.samples(self._call, self._calls, count)}

    def drop(self) -> dict[str, Any]:
        self._call = None
        return {}


if __name__ == "__main__":
    FOLDER = Path(sys.argv[1])
    sys.path[:0] = sys.argv[2:]
    load_file(FOLDER / "serving.py").main(lambda: Worker(load_file(FOLDER / "timing.py")))
