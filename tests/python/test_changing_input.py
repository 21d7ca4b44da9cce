"""Input that another thread writes while a call reads it: a call gives some numbers or an error of
ours, and the process goes on. What is checked is what is used.

A writer that flips between right and wrong values meets each check and each use sooner or later;
where that is does not matter to what is asked here. Where something else was used than was checked,
the process that runs this dies of a wrong address, or waits for ever.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

PREAMBLE = """
import threading
import numpy as np
import rnn_native as rn

rng = np.random.default_rng(0)
table = rn.Embedding(rng.standard_normal((10, 8)).astype(np.float32))
spec = rn.ModelSpec((table, rn.GRU(8, 8).spec))
model = rn.Model(spec)
done = threading.Event()


def flipping(array, right, wrong):
    # Small writes hold the GIL, which calls release while they read.
    while not done.is_set():
        array[...] = wrong
        array[...] = right


def meanwhile(array, right, wrong, call, count):
    thread = threading.Thread(target=flipping, args=(array, right, wrong))
    thread.start()
    refused = 0
    for _ in range(count):
        try:
            call()
        except rn.ShapeError:
            refused += 1
    done.set()
    thread.join()
    return refused
"""

CASES = {
    "indices of a call": """
x = np.zeros((4000, 16), np.int32)
for row in (x[-1], x[:, -1], x[::50]):
    done.clear()
    meanwhile(row, 0, 2**30, lambda: model(x, num_threads=1), 60)
""",
    "indices of a call in several threads": """
x = np.zeros((4000, 16), np.int32)
meanwhile(x[-1], 0, 2**30, lambda: model(x, num_threads=2), 40)
""",
    "indices of a trace": """
x = np.zeros((2000, 16), np.int32)
meanwhile(x[-1], 0, -(2**30), lambda: model.trace(x), 40)
""",
    "indices of a step": """
stream, x = model.stream(20000), np.zeros(20000, np.int32)
meanwhile(x[-99:], 0, 2**30, lambda: stream.step(x), 200)
""",
    "indices of training": """
net = rn.train.Network(spec)
x = np.zeros((2000, 16), np.int32)


def step():
    y, _, tape = net.forward(x)
    net.backward(tape, np.ones_like(y))


meanwhile(x[-1], 0, 2**30, step, 8)
""",
    "lengths": """
lstm = rn.LSTM(8, 8, bidirectional=True).model
x = np.ones((40, 3000, 8), np.float32)
lengths = np.full(3000, 40)
meanwhile(lengths, 40, 2**40, lambda: lstm(x, lengths=lengths, num_threads=2), 60)
""",
    "a mask": """
masked = rn.Model(rn.ModelSpec(spec.layers, mask_value=3))
x = np.zeros((2000, 16), np.int32)
meanwhile(x[-1], 0, 3, lambda: masked(x), 30)
""",
    "states": """
x = np.zeros((200, 64), np.int32)
state = np.zeros((1, 64, 8), np.float32)
meanwhile(state, 0, np.nan, lambda: model(x, state), 40)
""",
    "phases, which say how many steps there are": """
pooled = rn.Model([rn.Linear(np.ones((64, 8), np.float32)), rn.AvgPool(4, 4)])
x = np.zeros((3, 64, 8), np.float32)
_, state = pooled(x)
meanwhile(state["1"][1], 0, 3, lambda: pooled(x, state), 2000)
""",
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_a_writer_beside_it_ends_no_process(case: str) -> None:
    run = subprocess.run(
        [sys.executable, "-P", "-c", PREAMBLE + CASES[case]],
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert (run.returncode, run.stderr) == (0, "")
