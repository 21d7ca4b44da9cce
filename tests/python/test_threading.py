"""The threads of a call: where they come from, how many there are, and what becomes of a call where
the system grants none, or has no processor for them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import rnn_native as rn

THREADING = rn.show_config(mode="dicts")["threading"]  # type: ignore[index]
OPENMP = rn.show_config(mode="dicts")["openmp"]  # type: ignore[index]

pytestmark = pytest.mark.skipif(THREADING == "none", reason="the core has no threads")
linux = pytest.mark.skipif(sys.platform != "linux", reason="limits and processors of Linux")


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs it without variables that say something of threads, but for these."""
    ours = ("OMP_NUM_THREADS", "RNN_NATIVE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=kept | {"OPENBLAS_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def printed(code: str, **environment: str) -> list[str]:
    done = python(code, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


# Everything that takes threads, twice each; `limit` between the two numbers of threads. The library
# and its peers have been loaded by then, for a limited process may not be able to.
LIMITED = """
import os, resource
import numpy as np
import rnn_native as rn

rng = np.random.default_rng(0)
spec = rn.LSTM(24, 96, num_layers=2, bidirectional=True).model.spec
packed, by_blas = (rn.Model(spec, matmul=matmul) for matmul in ("packed", {blas}))
wide = rn.GRU(32, 300).model
x = rng.standard_normal((20, 8, 24), dtype="float32")
step = rng.standard_normal((1, 32), dtype="float32")

def arrays(value):
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, dict):
        for name in sorted(value):
            yield from arrays(value[name])
    elif value is not None:
        for one in value:
            yield from arrays(one)

def all_bytes(threads):
    results = [packed(x, num_threads=threads)]
    stream = wide.stream(1, num_threads=threads)
    results += [stream.step(step).copy() for _ in range(3)]
    net = rn.train.Network(spec, num_threads=threads)
    y, _, tape = net.forward(x)
    gradients = net.backward(tape, np.ones_like(y))
    results += [y, gradients.x, gradients.state, gradients.weights]
    return [array.tobytes() for array in arrays(results)]

def in_halves(call):
    # All of its arrays [.., rows, ..], of four rows at a time.
    halves = [list(arrays(call(x[:, half]))) for half in (slice(4), slice(4, 8))]
    return [np.concatenate(both, axis=1).tobytes() for both in zip(*halves)]

expected = all_bytes(1)
assert all_bytes(1) == expected
# Two threads take half of the rows each, and what a BLAS sums may depend on how many there are.
by_halves = in_halves(lambda rows: by_blas(rows, num_threads=1))
tasks = len(os.listdir("/proc/self/task"))
{limit}
assert all_bytes(2) == expected
assert [a.tobytes() for a in arrays(by_blas(x, num_threads=2))] == by_halves
print(len(os.listdir("/proc/self/task")) - tasks)
"""

NO_PROCESSES = """
if os.getuid() == 0:
    os.setuid(54321)  # root has no such limit
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
"""
# Less than a worker's stack beside what is mapped already: all that the heap has had, and keeps.
KEPT = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**30)}
NO_ADDRESSES = """
spare = [bytes(100_000) for _ in range(200)]
del spare
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + 300_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
"""


@linux
@pytest.mark.parametrize("limit", [NO_PROCESSES, NO_ADDRESSES], ids=["processes", "addresses"])
def test_without_a_further_thread_a_call_runs_on_its_own(limit: str) -> None:
    blas = '"blas"' if rn.show_config(mode="dicts")["blas"] else '"packed"'  # type: ignore[index]
    assert printed(LIMITED.format(limit=limit, blas=blas), **KEPT) == ["0"]


@linux
def test_without_a_limit_the_same_has_a_thread() -> None:
    assert printed(LIMITED.format(limit="", blas='"packed"'), RNN_NATIVE_DYNAMIC="0") == ["1"]


# ---- one processor for two threads ----

# Processor time, which other processes do not change: on one processor two threads that spun until
# their time was up took some hundred times as much as one thread.
ONE_PROCESSOR = """
import os, time
import numpy as np
import rnn_native as rn

model = rn.LSTM(7, 33).model
x = np.random.default_rng(0).standard_normal((50, 3, 7), dtype="float32")
for _ in range(3):
    model(x, num_threads=2)
for task in os.listdir("/proc/self/task"):
    os.sched_setaffinity(int(task), {min(os.sched_getaffinity(0))})

def taken(threads):
    start = time.process_time()
    for _ in range(200):
        model(x, num_threads=threads)
    return time.process_time() - start

print(taken(2) / taken(1))
"""

# Everything that takes threads, again and again, while more processes spin than there are
# processors: calls have fewer threads then, at times.
BUSY = """
import subprocess, sys, os
spin = [sys.executable, "-c", "while True: pass"]
others = [subprocess.Popen(spin) for _ in range(len(os.sched_getaffinity(0)) + 1)]
try:
    exec(compile(LIMITED, "", "exec"))
    for _ in range(30):
        assert all_bytes(2) == expected
        assert all_bytes(3) == expected
finally:
    for other in others:
        other.kill()
print("same")
"""

# A process rests: seconds of a processor in one of the clock.
REST = """
import time
import numpy as np
import rnn_native as rn

model = rn.LSTM(32, 128).model
model(np.ones((50, 8, 32), "float32"), num_threads=4)
start = time.process_time()
time.sleep(1)
print(time.process_time() - start)
"""


@linux
def test_two_threads_on_one_processor_take_a_few_times_what_one_does() -> None:
    (ratio,) = printed(ONE_PROCESSOR)
    assert float(ratio) < 20


def test_with_busy_processors_a_call_has_the_same_bits() -> None:
    limited = LIMITED.format(limit="", blas='"packed"')
    assert printed(f"LIMITED = {limited!r}\n" + BUSY)[-1] == "same"


def test_threads_that_nobody_calls_take_no_processor() -> None:
    (seconds,) = printed(REST)
    assert float(seconds) < 0.1


# ---- variables ----

SHOW = """
import os
import rnn_native as rn
config = rn.show_config(mode="dicts")
print(config["threading"], config["num_threads"], config["num_threads_from"], config["dynamic"])
"""


def test_the_team_is_the_default() -> None:
    assert printed(SHOW)[0] == printed(SHOW, RNN_NATIVE_THREADING="")[0] == "team"


def test_the_environment_chooses_threads() -> None:
    assert printed(SHOW, RNN_NATIVE_THREADING="team")[0] == "team"
    if OPENMP:
        assert printed(SHOW, RNN_NATIVE_THREADING="openmp")[0] == "openmp"


@pytest.mark.parametrize("value", ["Team", "teams", "tbb", "1", *([] if OPENMP else ["openmp"])])
def test_the_environment_is_refused_by_name(value: str) -> None:
    done = python(SHOW, RNN_NATIVE_THREADING=value)
    assert done.returncode != 0
    for word in ("OptionError", "RNN_NATIVE_THREADING", "expected team", repr(value)):
        assert word in done.stderr


@pytest.mark.parametrize("value", ["2", "yes", "00", "-1", " 1"])
def test_dynamic_is_0_or_1(value: str) -> None:
    assert printed(SHOW)[3] == printed(SHOW, RNN_NATIVE_DYNAMIC="1")[3] == "True"
    assert printed(SHOW, RNN_NATIVE_DYNAMIC="0")[3] == "False"
    done = python(SHOW, RNN_NATIVE_DYNAMIC=value)
    assert done.returncode != 0
    for word in ("OptionError", "RNN_NATIVE_DYNAMIC", "expected 0 or 1", repr(value)):
        assert word in done.stderr


def test_it_is_told_what_the_default_number_is_from() -> None:
    def origin(code: str = SHOW, **environment: str) -> str:
        return printed(code, **environment)[2]

    assert origin(OMP_NUM_THREADS="3") == "OMP_NUM_THREADS"
    assert origin(OMP_NUM_THREADS="3", RNN_NATIVE_NUM_THREADS="2") == "RNN_NATIVE_NUM_THREADS"
    assert origin() in ("processors", "cgroup")
    assert origin("import rnn_native as rn\nrn.set_num_threads(3)\n" + SHOW) == "set_num_threads"


@pytest.mark.parametrize("threading", ["team", *(["openmp"] if OPENMP else [])])
def test_the_default_number_is_openmps_or_that_of_processors(threading: str) -> None:
    def number(**environment: str) -> int:
        return int(printed(SHOW, RNN_NATIVE_THREADING=threading, **environment)[1])

    for value, expected in [("3", 3), ("5,2", 5), (" 4 ", 4), ("9999", 4096)]:
        assert number(OMP_NUM_THREADS=value) == expected
    assert number(OMP_NUM_THREADS="3", RNN_NATIVE_NUM_THREADS="2") == 2
    if sys.platform == "linux":
        assert number() == number(OMP_NUM_THREADS="no")
        processors = len(os.sched_getaffinity(0))
        if printed(SHOW)[2] == "cgroup":  # its quota is less than that
            assert 1 <= number() < processors
        else:
            assert number() == processors


@linux
def test_the_default_number_is_of_processors_that_the_process_may_use() -> None:
    one = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    assert printed(one + SHOW)[1] == "1"


# ---- fork ----

FORKS = """
import os, sys, threading
import numpy as np
import rnn_native as rn

model = rn.GRU(64, 128, num_layers=2, bidirectional=True).model
x = np.ones((40, 32, 64), np.float32)
expected = model(x, num_threads=1)[0].tobytes()
stop = threading.Event()

def keep_calling():
    while not stop.is_set():
        model(x, num_threads=2)

caller = threading.Thread(target=keep_calling)
caller.start()
codes = []
for _ in range(10):
    pid = os.fork()
    if pid == 0:
        same = all(model(x, num_threads=n)[0].tobytes() == expected for n in (3, 2, 1))
        os._exit(0 if same else 3)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
stop.set()
caller.join()
print(*codes)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_forked_amid_a_call_has_threads_of_its_own() -> None:
    assert printed(FORKS) == ["0"] * 10
