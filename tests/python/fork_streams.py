"""Forks while another thread steps a stream, and while one packs a network's weights.

    python fork_streams.py

Exits with 0 if each child finds what it may: test_fork.py starts it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

import rnn_native as rn

TRIES = 200
INSIDE, OUTSIDE = 10, 11  # how a child ends: what the thread was in when it began


def in_children(work: Callable[[], Any], check: Callable[[], bool]) -> None:
    """``work`` in a thread, again and again; ``check`` in children, until one began inside."""
    ended = threading.Event()

    def again() -> None:
        while not ended.is_set():
            work()

    thread = threading.Thread(target=again)
    thread.start()
    try:
        for _ in range(TRIES):
            child = os.fork()
            if child == 0:
                signal.alarm(60)  # ends it where it hangs
                code = 1
                try:
                    code = INSIDE if check() else OUTSIDE
                finally:
                    os._exit(code)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            if code == INSIDE:
                return
            assert code == OUTSIDE, f"a child ended with {code}"
    finally:
        ended.set()
        thread.join()
    raise AssertionError("no child began inside")


def refused(call: Callable[[], Any]) -> bool:
    try:
        call()
    except rn.BusyError as error:
        return "forked" in str(error)
    return False


def stream(threads: int) -> None:
    model = rn.LSTM(256, 256, num_layers=4).model
    x = np.random.default_rng(1).standard_normal((64, 256)).astype(np.float32)
    one = model.stream(64, threads)
    first = one.step(x).copy()
    state = one.state
    second = one.step(x).copy()

    def check() -> bool:
        inside = refused(lambda: one.step(x))
        if inside:
            assert refused(lambda: one.state), "a half of a state is no state"
        one.reset()
        assert one.step(x).tobytes() == first.tobytes()
        one.state = state
        assert one.step(x).tobytes() == second.tobytes()
        return inside

    in_children(lambda: one.step(x), check)

    def assigned() -> bool:
        inside = refused(lambda: one.state)
        one.state = state
        assert one.step(x).tobytes() == second.tobytes()
        return inside

    in_children(lambda: one.step(x), assigned)
    one.reset()
    assert one.step(x).tobytes() == first.tobytes()  # the parent's own goes on


def stateless() -> None:
    """Without a state there is none to lose."""
    weight = np.random.default_rng(2).standard_normal((512, 512)).astype(np.float32)
    spec = rn.ModelSpec((rn.Linear(weight),) * 8)
    one = rn.Model(spec).stream(64)
    x = np.ones((64, 512), np.float32)
    want = one.step(x).tobytes()
    for _ in range(20):
        in_children(lambda: one.step(x), lambda: one.step(x).tobytes() == want)


def network() -> None:
    """A child's forward has the weights as they are, however much of them was packed."""
    spec = rn.GRU(256, 256, num_layers=2).model.spec
    x = np.random.default_rng(3).standard_normal((2, 1, 256)).astype(np.float32)
    net = rn.train.Network(spec)
    want = net.forward(x)[0].tobytes()
    for _ in range(20):
        in_children(net.update, lambda: net.forward(x)[0].tobytes() == want)


if __name__ == "__main__":
    stream(1)
    stream(2)
    stateless()
    network()
    sys.exit(0)
