"""What two threads cost where the processors are not theirs alone.

    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE python -P bench/company.py
    python -P bench/company.py --cases small,team --peers torch,onnxruntime --rounds 3
    python -P bench/company.py --python ../before/build/venv-test/bin/python

Four companies, in each of which a case is called one call after the other, by processes that are
not pinned but in the third:

- ``free``: one process, and nothing else;
- ``busy``: one process, while another one spins on the last processor;
- ``pinned``: one process, whose threads are all put onto the first processor after its first calls;
- ``crowd``: four processes at once.

In a round the case runs with one thread and then with two, or in the crowd with as many as a call
has that states no number. ``free``, ``busy`` and ``pinned`` are the median call with several
threads over that with one; ``p99``, in the company before it, the 99th percentiles with one and
with several threads, over the median with one; ``crowd`` the calls a second of all four processes,
over those with one thread each. Each is the median over the rounds; what is in brackets is the
least and the largest of them. Peers run the same case in the same company. What else the machine
does counts as well: the load before is told.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np


class Case(NamedTuple):
    """One recurrent network and the shape of a call of it."""

    what: str
    cell: str
    inputs: int
    hidden: int
    steps: int
    batch: int
    layers: int = 1

    @property
    def is_step(self) -> bool:
        return self.steps == 1


CASES = {
    "small": Case("a call of tens of microseconds", "LSTM", 7, 33, 50, 3),
    "gru64": Case("GRU, rows divided", "GRU", 64, 64, 100, 8),
    "lstm64": Case("LSTM, rows divided", "LSTM", 64, 64, 100, 8),
    "lstm256": Case("a long call, rows divided", "LSTM", 256, 256, 100, 32),
    "step": Case("one step of a stream", "LSTM", 256, 256, 1, 1),
    "team": Case("units divided, a barrier a step", "LSTM", 512, 512, 50, 1),
    "wavefront": Case("stacked layers", "LSTM", 64, 64, 200, 1, 4),
}
PROCESSES = 4
"""Of a crowd."""


# ---- the process that is measured ----


def ours(case: Case, threads: int | None) -> Callable[[], Any]:
    import rnn_native as rn

    module = getattr(rn, case.cell)(case.inputs, case.hidden, num_layers=case.layers)
    x = np.random.default_rng(0).standard_normal((case.steps, case.batch, case.inputs), "float32")
    if not case.is_step:
        return lambda: module.model(x, num_threads=threads)
    stream = module.model.stream(case.batch, num_threads=threads)
    return lambda: stream.step(x[0])


def torch(case: Case, threads: int | None) -> Callable[[], Any]:
    import torch

    if threads:
        torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    net = getattr(torch.nn, case.cell)(case.inputs, case.hidden, num_layers=case.layers)
    x = torch.randn(case.steps, case.batch, case.inputs)
    return lambda: net(x)


def onnxruntime(case: Case, threads: int | None) -> Callable[[], Any]:
    import onnxruntime

    import rnn_native as rn

    module = getattr(rn, case.cell)(case.inputs, case.hidden, num_layers=case.layers)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model.onnx")
        module.model.save(path)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    inputs: dict[str, Any] = {}
    for one in session.get_inputs():
        is_x = not inputs
        states = (case.layers, case.batch, case.hidden)
        shape = (case.steps, case.batch, case.inputs) if is_x else states
        inputs[one.name] = np.ones(shape, "float32")
    return lambda: session.run(None, inputs)


RUNTIMES = {"ours": ours, "torch": torch, "onnxruntime": onnxruntime}


def times_of(call: Callable[[], Any], seconds: float) -> list[float]:
    """Seconds of each call, for that long and of ten calls at least."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 10 or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times


def work(runtime: str, name: str, threads: int) -> None:
    """Reads how many seconds to go on for, and answers with what its calls took, until its input
    ends."""
    call = RUNTIMES[runtime](CASES[name], threads or None)
    times_of(call, 0.2)
    print("ready", flush=True)
    for line in sys.stdin:
        times = times_of(call, float(line))
        told = {
            "median": median(times),
            "p99": float(np.quantile(times, 0.99)),
            "rate": len(times) / sum(times),
        }
        print(json.dumps(told), flush=True)


# ---- the process that measures ----


class Worker:
    """A process that calls one case."""

    def __init__(self, python: str, runtime: str, case: str, threads: int) -> None:
        command = [python, "-P", __file__, "--worker", runtime, case, str(threads)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if self._line() != "ready\n":
            assert self.process.stderr
            raise RuntimeError(self.process.stderr.read().strip().splitlines()[-1])

    def _line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline()

    def begin(self, seconds: float) -> None:
        assert self.process.stdin
        print(seconds, file=self.process.stdin, flush=True)

    def end(self) -> dict[str, float]:
        told: dict[str, float] = json.loads(self._line())
        return told

    def pin(self) -> None:
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {min(os.sched_getaffinity(0))})

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def workers(python: str, runtime: str, case: str, threads: Sequence[int]) -> Iterator[list[Worker]]:
    """Processes that wait for their turns."""
    made: list[Worker] = []
    try:
        for count in threads:
            made.append(Worker(python, runtime, case, count))
        yield made
    finally:
        for worker in made:
            worker.close()


@contextmanager
def spinner() -> Iterator[None]:
    """Meanwhile a process spins on the last of the processors."""
    code = "import os\nos.sched_setaffinity(0, {max(os.sched_getaffinity(0))})\nwhile True: pass\n"
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        time.sleep(0.2)
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def turn(at_once: Sequence[Worker], seconds: float) -> list[dict[str, float]]:
    for worker in at_once:
        worker.begin(seconds)
    return [worker.end() for worker in at_once]


class Ratios(NamedTuple):
    """Of one round: several threads beside one."""

    median: float
    p99_of_one: float
    p99: float
    rate: float


def compared(one: Sequence[dict[str, float]], several: Sequence[dict[str, float]]) -> Ratios:
    return Ratios(
        several[0]["median"] / one[0]["median"],
        one[0]["p99"] / one[0]["median"],
        several[0]["p99"] / one[0]["median"],
        sum(told["rate"] for told in several) / sum(told["rate"] for told in one),
    )


def rounds_of(one: Sequence[Worker], several: Sequence[Worker], wanted: Any) -> list[Ratios]:
    return [
        compared(turn(one, wanted.seconds), turn(several, wanted.seconds))
        for _ in range(wanted.rounds)
    ]


def measure(runtime: str, case: str, wanted: Any) -> dict[str, list[Ratios]]:
    found = {}
    with workers(wanted.python, runtime, case, [1, wanted.threads]) as (one, several):
        found["free"] = rounds_of([one], [several], wanted)
        with spinner():
            found["busy"] = rounds_of([one], [several], wanted)
        one.pin()
        several.pin()
        found["pinned"] = rounds_of([one], [several], wanted)
    with (
        workers(wanted.python, runtime, case, [1] * PROCESSES) as ones,
        workers(wanted.python, runtime, case, [0] * PROCESSES) as defaults,
    ):
        found["crowd"] = rounds_of(ones, defaults, wanted)
    return found


def cell(values: Sequence[float]) -> str:
    return f"{median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def row(case: str, runtime: str, found: dict[str, list[Ratios]]) -> str:
    cells = [case, runtime, cell([r.median for r in found["free"]])]
    for name in ("busy", "pinned"):
        rounds = found[name]
        cells.append(cell([r.median for r in rounds]))
        tails = [median(r.p99_of_one for r in rounds), median(r.p99 for r in rounds)]
        cells.append(", ".join(f"{tail:.1f}" for tail in tails))
    cells.append(cell([r.rate for r in found["crowd"]]))
    return "| " + " | ".join(cells) + " |"


def names(known: Sequence[str]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        wrong = [name for name in text.split(",") if name not in known]
        if wrong:
            raise argparse.ArgumentTypeError(
                f"expected some of {', '.join(known)}; got {', '.join(wrong)}"
            )
        return text.split(",")

    return parse


def main() -> None:
    assert __doc__
    if sys.argv[1:2] == ["--worker"]:
        work(sys.argv[2], sys.argv[3], int(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    peers = [name for name in RUNTIMES if name != "ours"]
    parser.add_argument("--cases", type=names(list(CASES)), default=list(CASES))
    parser.add_argument("--peers", type=names(peers), default=[], help=", ".join(peers))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each turn")
    parser.add_argument("--python", default=sys.executable, help="whose package is measured")
    wanted = parser.parse_args()
    if not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2:
        raise SystemExit("expected a system with affinities, and two processors")
    print(f"load before: {os.getloadavg()[0]:.2f}; {wanted.rounds} rounds of {wanted.seconds} s\n")
    print("| case | runtime | free | busy | p99 | pinned | p99 | crowd |")
    print("|---|---|---:|---:|---:|---:|---:|---:|", flush=True)
    for case in wanted.cases:
        for runtime in ["ours", *wanted.peers]:
            try:
                print(row(case, runtime, measure(runtime, case, wanted)), flush=True)
            except RuntimeError as failure:
                print(f"| {case} | {runtime} | {failure} | | | | | |", flush=True)


if __name__ == "__main__":
    main()
