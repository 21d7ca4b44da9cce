"""The process of one runtime: answers requests, one line of JSON each, until its input ends.

    python -P -m rnn_native.benchmark.worker MODULE [FOLDER]

MODULE is a module with ``version()`` and ``prepare(task)`` (:class:`Runtime`), and ``mode()``, what
its calls are made within, if there is such a thing; FOLDER is added to
the end of the path for it.

=========  =====================================  ===============================================
request    arguments                              reply
=========  =====================================  ===============================================
hello                                             version
prepare    model, data (paths), threads,          form, precision, calls, error, tried
           precision: float32 unless given
samples    count                                  seconds: that many samples, seconds per call
drop                                              nothing: the model and its buffers are let go
=========  =====================================  ===============================================

A reply has ``failure``, one line, in place of all else where something went wrong.
"""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ..formats import read
from ..spec import ModelSpec, Recurrent
from . import serving, timing
from .precision import PRECISIONS

TOLERANCE: Final = PRECISIONS["float32"].tolerance
"""Largest error that passes for the same network in float32, of the largest expected value."""

TURNS: Final = 3
"""Of several forms that are right, before the fastest is known."""


@dataclass(frozen=True)
class Task:
    """What a runtime is asked to run."""

    model: str
    """Path of the model's file."""
    x: NDArray[Any]
    """[time, batch, features], or indices [time, batch]."""
    states: Sequence[NDArray[Any]] | None
    """Initial states in the order of ``states.flatten``, None for the model's own."""
    threads: int
    lengths: NDArray[Any] | None = None
    """Steps of each row, [batch]; None: all."""
    precision: str = "float32"
    """One of ``PRECISIONS``. Peers add the forms that they have of it to those of float32."""

    @cached_property
    def spec(self) -> ModelSpec:
        return read(self.model)

    @property
    def is_step(self) -> bool:
        return len(self.x) == 1

    @property
    def layer(self) -> Recurrent:
        """The model's only layer; ``NotImplementedError`` where it has others or another one."""
        if len(self.spec.layers) != 1 or not self.spec.recurrents:
            raise NotImplementedError("runs models of one Recurrent layer only")
        return self.spec.recurrents[0]


@dataclass(frozen=True)
class Form:
    """One way of calling a runtime."""

    call: timing.Call
    """What is timed. The first call starts from the task's states."""
    arrays: Callable[[Any], Sequence[Any]]
    """Of what ``call`` returned: y [time, batch, features] and then, if it gives them, the final
    states [layers * directions, batch, size]."""
    precision: str = "float32"
    """What it computes in, which says how far off it may be."""


class Runtime(Protocol):
    """What a module in ``runtimes`` offers."""

    def version(self) -> str: ...

    def prepare(self, task: Task) -> Mapping[str, Form]:
        """Every way of calling that may be the fastest here. What fails or is wrong is left out
        and the fastest of the rest is measured."""
        ...


def largest_error(got: Sequence[Any], expected: Sequence[NDArray[Any]]) -> float:
    """Largest difference of any element, of the largest expected value; what is not given is not
    compared, but y has to be. ``ValueError`` where shapes differ."""
    if not got:
        raise ValueError("no output")
    errors = []
    for ours, theirs in zip(expected, got, strict=False):
        array = np.asarray(theirs)
        if array.shape != ours.shape:
            raise ValueError(f"expected an output of shape {ours.shape}, got {array.shape}")
        scale = max(1.0, float(np.max(np.abs(ours), initial=0.0)))
        errors.append(float(np.max(np.abs(array - ours), initial=0.0)) / scale)
    return float(np.max(errors))  # not max(): NaN has to stay


@dataclass(frozen=True)
class Chosen:
    """The fastest form of calling whose numbers are right; ``tried`` are all of them."""

    form: str
    precision: str
    calls: int
    error: float
    tried: Mapping[str, str | float]


def choose(forms: Mapping[str, Form], expected: Sequence[NDArray[Any]]) -> Chosen:
    """``ValueError`` with the reasons where none gives what is expected. The others take turns, so
    that what slows the machine down for a while slows all of them."""
    right: dict[str, tuple[float, int]] = {}
    tried: dict[str, str | float] = {}
    for name, form in forms.items():
        try:
            error = largest_error(form.arrays(form.call()), expected)
            tolerance = PRECISIONS[form.precision].tolerance
            if not error <= tolerance:
                raise ValueError(f"the output is off by {error:.1e}, more than {tolerance:.0e}")
            right[name] = error, timing.calls_per_sample(form.call)
        except Exception as failure:
            tried[name] = serving.one_line(failure)
    if not right:
        raise ValueError("; ".join(f"{name}: {why}" for name, why in tried.items()))
    seconds = dict.fromkeys(right, 0.0 if len(right) == 1 else math.inf)
    for _ in range(TURNS if len(right) > 1 else 0):
        for name, (_, calls) in right.items():
            (sample,) = timing.samples(forms[name].call, calls, 1)
            seconds[name] = min(seconds[name], sample)
    best = min(seconds, key=lambda name: seconds[name])
    error, calls = right[best]
    return Chosen(best, forms[best].precision, calls, error, tried | seconds)


def enter(module: Any) -> AbstractContextManager[Any]:
    """What a runtime's calls are to be made within: its ``mode()``, where it has one."""
    mode = getattr(module, "mode", nullcontext)
    entered: AbstractContextManager[Any] = mode()
    return entered


class Worker:
    """The requests by name, over one runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._form: Form | None = None
        self._calls = 0

    def hello(self) -> dict[str, Any]:
        return {"version": self._runtime.version()}

    def prepare(
        self, model: str, data: str, threads: int, precision: str = "float32"
    ) -> dict[str, Any]:
        self.drop()
        with np.load(data) as arrays:
            states = [arrays[name] for name in arrays if name.startswith("state")]
            expected = [arrays[name] for name in arrays if name.startswith("expected")]
            x = arrays["x"]
        task = Task(model, x, states or None, threads, precision=precision)
        forms = self._runtime.prepare(task)
        chosen = choose(forms, expected)
        self._form, self._calls = forms[chosen.form], chosen.calls
        return asdict(chosen)

    def samples(self, count: int) -> dict[str, Any]:
        if self._form is None:
            raise ValueError("nothing is prepared")
        return {"seconds": timing.samples(self._form.call, self._calls, count)}

    def drop(self) -> dict[str, Any]:
        self._form = None
        return {}


def main() -> None:
    module, *folders = sys.argv[1:]
    sys.path.extend(folders)
    with ExitStack() as stack:  # for all of this process: entering it is no part of a call

        def make() -> Worker:
            runtime: Any = importlib.import_module(module)
            stack.enter_context(enter(runtime))
            return Worker(runtime)

        serving.main(make)


if __name__ == "__main__":
    main()
