"""Measure the speed of a model file, or of random networks.

Each runtime that is installed and can run the model takes part: rnn_native, onnxruntime for an
.onnx file, PyTorch where torch.nn has the model's layers. Each runs in a process of its own, pinned
to the same processors, and its output is compared with the float64 reference before it is timed.
They take turns for some rounds. A round gives the best of 5 samples of 10 ms or more; the table
shows medians of rounds in microseconds per call and, behind a peer's, how many times faster
rnn_native was: the median of the ratios within the rounds. One step is run on a stream.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedError
from ..formats import write
from ..spec import ModelSpec
from .arguments import add_file, count, read_file, reader_options

if TYPE_CHECKING:
    from ..benchmark.child import Team

EXAMPLES: Final = """\
examples:
  rnn-native bench
  rnn-native bench model.onnx --time 1,100 --batch 1,8 --threads 2
"""

OURS: Final = "rnn_native"
RUNTIMES: Final = "rnn_native.benchmark.runtimes"
HIDDEN_SIZES: Final = (64, 256)
SEED: Final = 0


def _counts(text: str) -> tuple[int, ...]:
    return tuple(count(part) for part in text.split(","))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_file(parser, nargs="?")
    for name, default, meaning in (
        ("time", "1,100", "steps of a call"),
        ("batch", "1", "rows of a call"),
    ):
        parser.add_argument(
            f"--{name}", type=_counts, default=default, metavar="N[,N...]",
            help=f"{meaning} (default {default})",
        )  # fmt: skip
    for name, number, meaning in (
        ("threads", 1, "threads of every runtime"),
        ("rounds", 5, "how often all take their turns"),
    ):
        parser.add_argument(
            f"--{name}", type=count, default=number, metavar="N",
            help=f"{meaning} (default {number})",
        )  # fmt: skip


@dataclass(frozen=True)
class _Subject:
    """A model to measure; ``path`` is its file."""

    name: str
    path: Path
    spec: ModelSpec


def run(arguments: argparse.Namespace) -> None:
    from ..benchmark.child import choose_cpus, start_team

    threads, cpus = arguments.threads, choose_cpus(arguments.threads)
    modules = {OURS: "native", "torch": "pytorch"}
    left_out: dict[str, str] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if arguments.file is None:
            subjects = list(_random_networks(folder))
        else:
            subjects = [_read(arguments, folder)]
            if subjects[0].path.suffix.lower() == ".onnx":
                modules["onnxruntime"] = "onnx_file"
            else:
                left_out["onnxruntime"] = "runs whole .onnx files"
        paths = {name: f"{RUNTIMES}.{module}" for name, module in modules.items()}
        team = start_team(stack, paths, threads, cpus)
        where = f"on processor {', '.join(map(str, cpus))}" if cpus else "not pinned"
        print(f"{threads} thread(s) {where}; {arguments.rounds} rounds; µs per call")
        print("; ".join(f"{name} {version}" for name, version in team.versions.items()), end="\n\n")
        left_out |= _print_table(subjects, team, arguments, folder)
        for name, why in left_out.items():
            print(f"not measured: {name}: {why}")


def _read(arguments: argparse.Namespace, folder: Path) -> _Subject:
    """FILE itself; or, where options say what to read of it, that as a file of its own."""
    path, (spec, _) = arguments.file, read_file(arguments)
    spec.check_is_chain("bench")
    if arguments.format is None and not reader_options(arguments):
        return _Subject(path.name, path, spec)
    part = folder / "part.safetensors"
    write(spec, part)
    return _Subject(path.name, part, spec)


def _random_networks(folder: Path) -> Iterator[_Subject]:
    from ..modules import GRU, LSTM, RNN

    for module in (LSTM, GRU, RNN):
        for size in HIDDEN_SIZES:
            name = f"{module.__name__} {size}"
            path = folder / f"{name}.safetensors"
            model = module(size, size).model
            model.save(path)
            yield _Subject(name, path, model.spec)


def _input(spec: ModelSpec, time: int, batch: int) -> NDArray[Any]:
    rng = np.random.default_rng(SEED)
    if spec.takes_indices:
        x = rng.integers(spec.input_size, size=(time, batch))
        x[x == spec.mask_value] += 1  # no padding
        return x % spec.input_size
    return rng.standard_normal((time, batch, spec.input_size), dtype=np.float32)


def _print_table(
    subjects: Sequence[_Subject], team: Team, arguments: argparse.Namespace, folder: Path
) -> dict[str, str]:
    """A line for each measurement as soon as it is done; returns who took no part, and why."""
    from ..benchmark.rounds import take_turns, write_data

    left_out = dict(team.missing)
    peers = [name for name in team.versions if name != OURS]
    width = max(len("model"), *(len(subject.name) for subject in subjects))
    head = [f"{'model':{width}}", f"{'time':>5}", f"{'batch':>5}", f"{OURS:>12}"]
    print("  ".join([*head, *(f"{name:>18}" for name in peers)]))
    for subject, time, batch in product(subjects, arguments.time, arguments.batch):
        data = folder / "data.npz"
        write_data(data, subject.spec, _input(subject.spec, time, batch))
        results = take_turns(team.children, subject.path, data, arguments.rounds)
        ours = results[OURS]
        if ours.failure:
            raise UnsupportedError(f"{subject.name}: {ours.failure}")
        row = [f"{subject.name:{width}}", f"{time:5}", f"{batch:5}", f"{_micro(ours.seconds):>12}"]
        for name in peers:
            if results[name].failure:
                left_out[name] = results[name].failure
                row.append(f"{'-':>18}")
            else:
                ratio = f"({results[name].ratio_to(ours):.2f}x)"
                row.append(f"{_micro(results[name].seconds):>9} {ratio:>8}")
        print("  ".join(row), flush=True)
    return left_out


def _micro(seconds: float) -> str:
    return f"{seconds * 1e6:.0f}" if seconds >= 1e-3 else f"{seconds * 1e6:.3g}"
