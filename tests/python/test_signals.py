"""Signals while the core runs: a handler is called within a moment, in the main thread; where it
raises, as Ctrl-C does, the call is left and nothing has changed; where it does not, no bit differs.

What would take days and ends at all was left. Of what cannot take so long, it is asked that a
handler is called twice within one call: when it has ended there is one handler's call, however many
signals came.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strategies
from agreement import AnyArray, assert_same_bits, assert_same_state

import rnn_native as rn
from rnn_native.formats.safetensors import unpack
from rnn_native.spec import Embedding, Linear, ModelSpec

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="signals as POSIX has them"
)

GENEROUS = 300  # seconds; what is left takes less than one, what is not, days

DAYS = """
import os, signal, sys, threading, time
import numpy as np
import rnn_native as rn

signal.signal(signal.SIGINT, signal.default_int_handler)
STEPS = 2**31 - 1


def endless(batch, features, dtype=np.float32):
    # Every step is the same memory.
    row = np.ones((batch, features), dtype)
    strides = (0, *row.strides)
    return np.lib.stride_tricks.as_strided(row, (STEPS, batch, features), strides)


def model(cell, input_size, hidden_size, dtype="float32", matmul="auto", **options):
    layer = cell(input_size, hidden_size, **options).spec
    last = rn.Recurrent(weights=layer.weights, **{**layer.options, "return_sequences": False})
    return rn.Model(rn.ModelSpec((last,)), dtype=dtype, matmul=matmul)


def left(call):
    # Once the call has begun, with nothing between it and the signal but time.
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        call()
    except KeyboardInterrupt:
        print("left", flush=True)
"""

CALLS = {
    "one layer": "left(lambda: model(rn.GRU, 3, 64)(endless(1, 3), num_threads=n))",
    "float64": "left(lambda: model(rn.GRU, 3, 8, 'float64')(endless(1, 3, np.float64), "
    "num_threads=n))",
    "a large layer, whose units are divided": "left(lambda: model(rn.LSTM, 3, 300)(endless(1, 3), "
    "num_threads=n))",
    "a batch": "left(lambda: model(rn.LSTM, 3, 64)(endless(16, 3), num_threads=n))",
    "rows that end, the first ones first": "left(lambda: model(rn.LSTM, 3, 64)(endless(4, 3), "
    "lengths=[5, 5, STEPS, STEPS], num_threads=n))",
    "both directions": "left(lambda: model(rn.GRU, 3, 64, bidirectional=True)(endless(1, 3), "
    "num_threads=n))",
    "a wavefront": "left(lambda: model(rn.LSTM, 48, 48, num_layers=4)(endless(1, 48), "
    "num_threads=n))",
    "a projection": "left(lambda: model(rn.LSTM, 3, 300, proj_size=50)(endless(2, 3), "
    "num_threads=n))",
    "a pool that looks ahead": "left(lambda: rn.Model([rn.Linear(np.ones((1, 1), np.float32)), "
    "rn.AvgPool(2**20, 1, 2**19)])(np.zeros((2**22, 1, 1), np.float32), num_threads=n))",
    "through a BLAS": "if rn.show_config(mode='dicts')['blas']:\n"
    "    left(lambda: model(rn.GRU, 3, 64, matmul='blas')(endless(1, 3), num_threads=n))\n"
    "else:\n    print('left')",
}


def run(program: str) -> str:
    """What a process prints that ends by itself."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, timeout=GENEROUS
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("case", sorted(CALLS))
def test_ctrl_c_leaves_a_call_of_days(case: str, threads: int) -> None:
    assert run(f"{DAYS}\nn = {threads}\n{CALLS[case]}") == "left\n"


class TwiceError(Exception):
    """Raised by a handler that has been called twice."""


@contextmanager
def alarms(handler: Callable[..., Any], period: float = 0.02) -> Iterator[None]:
    """SIGALRM over and over, and who is to handle it."""
    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, period, period)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def raise_at_second() -> Callable[..., None]:
    calls = []

    def handler(*_: object) -> None:
        calls.append(None)
        if len(calls) == 2:
            raise TwiceError

    return handler


def is_left(call: Callable[[], Any]) -> bool:
    try:
        with alarms(raise_at_second()):
            call()
    except TwiceError:
        return True
    return False


def longer(run: Callable[[int], bool], most: int = 2**22) -> bool:
    """Whether it comes true for some number of steps: where a call takes long enough here."""
    steps = 2**9
    while steps <= most:
        if run(steps):
            return True
        steps *= 2
    return False


NETWORKS = {
    "lstm": (rn.LSTM(8, 128, num_layers=2), Linear(np.ones((3, 128)) / 99, activation="softmax")),
    "gru": (rn.GRU(8, 128, bidirectional=True),),
    "embedding": (Embedding(np.ones((5, 8))), rn.RNN(8, 128)),
}


def network(name: str, threads: int) -> rn.train.Network:
    layers = [part.spec if hasattr(part, "spec") else part for part in NETWORKS[name]]
    return rn.train.Network(ModelSpec(tuple(layers)), num_threads=threads)


def batch_of(net: rn.train.Network, steps: int) -> AnyArray:
    return strategies.random_input(net.spec, steps, 3, np.random.default_rng(3))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_training_is_left_and_goes_on(name: str, threads: int) -> None:
    net = network(name, threads)
    x = batch_of(net, 50)
    y, state, tape = net.forward(x)
    grads = net.backward(tape, np.ones_like(y))
    assert longer(lambda steps: is_left(lambda: net.forward(batch_of(net, steps))), 2**18)

    def backward(steps: int) -> bool:
        y, _, tape = net.forward(batch_of(net, steps))
        dy = np.ones_like(y)
        return is_left(lambda: net.backward(tape, dy))

    assert longer(backward, 2**18)
    again, state_again, tape = net.forward(x)
    assert_same_bits(again, y)
    assert_same_state(state_again, state)
    for gradient, expected in zip(
        net.backward(tape, np.ones_like(y)).weights.values(), grads.weights.values(), strict=True
    ):
        assert_same_bits(gradient, expected)


MODELS: dict[str, Callable[[], rn.Model]] = {
    "one layer": lambda: rn.GRU(8, 64).model,
    "divided": lambda: rn.LSTM(8, 300).model,
    "both directions": lambda: rn.LSTM(8, 64, num_layers=2, bidirectional=True).model,
    "wavefront": lambda: rn.LSTM(48, 48, num_layers=3).model,
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", sorted(MODELS))
def test_no_bit_changes_with_handlers_that_return(name: str, threads: int) -> None:
    """Nor after a call that was left."""
    model = MODELS[name]()
    small = np.float64(5e-324)
    calls: list[bool] = []

    def handler(*_: object) -> None:
        y, _ = model(x[:9], num_threads=threads)  # the model itself may be called
        calls.append(small * 1.0 == small and np.array_equal(y, first))  # and floats are as ever

    def is_long(steps: int) -> bool:
        nonlocal x, first
        x = np.random.default_rng(4).standard_normal((steps, 2, model.input_size), np.float32)
        first = model(x[:9], num_threads=threads)[0]
        y, state = model(x, num_threads=threads)
        calls.clear()
        with alarms(handler):
            again, state_again = model(x, num_threads=threads)
            count = len(calls)
        assert all(calls)
        assert_same_bits(again, y)
        assert_same_state(state_again, state)
        if count > 1 and is_left(lambda: model(x, num_threads=threads)):
            again, state_again = model(x, num_threads=threads)
            assert_same_bits(again, y)
            assert_same_state(state_again, state)
            return True
        return False

    x = first = np.zeros(0, np.float32)
    assert longer(is_long, 2**20)


def test_a_trace_is_left() -> None:
    model = rn.LSTM(8, 64, num_layers=2).model

    def is_long(steps: int) -> bool:
        x = np.ones((steps, 2, 8), np.float32)
        return is_left(lambda: model.trace(x))

    assert longer(is_long, 2**17)


def test_a_call_in_another_thread_goes_on() -> None:
    """Handlers are the main thread's: another one neither calls nor waits for them."""
    model = rn.LSTM(8, 64).model
    x = np.random.default_rng(5).standard_normal((40000, 1, 8), np.float32)
    expected, _ = model(x)
    results, threads, done = [], [], threading.Event()

    def work() -> None:
        results.append(model(x)[0])
        done.set()

    with alarms(lambda *_: threads.append(threading.current_thread())):
        thread = threading.Thread(target=work)
        thread.start()
        while not (done.wait(0.01) and threads):
            pass
        thread.join()
    assert set(threads) == {threading.main_thread()}
    assert_same_bits(results[0], expected)


@pytest.mark.parametrize("make", [rn.train.SGD, rn.train.Adam])
def test_a_step_of_an_optimizer_is_whole_or_nothing(make: Any) -> None:
    """Raised between any two of its changes, here of one weight or another."""
    net = network("gru", 1)
    optimizer = make(net, learning_rate=0.1)
    y, _, tape = net.forward(batch_of(net, 20))
    gradients = net.backward(tape, y).weights
    optimizer.step(gradients)
    y, _, tape = net.forward(batch_of(net, 20))
    weights = {name: array.copy() for name, array in net.weights.items()}
    state = optimizer.state_dict()
    change, left = optimizer._change, 0

    def interrupted(*arrays: AnyArray) -> None:
        nonlocal left
        change(*arrays)
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

    optimizer._change = interrupted
    for changes in range(1, len(weights) + 1):
        left = changes
        with pytest.raises(KeyboardInterrupt):
            optimizer.step(gradients)
        for name, array in net.weights.items():
            assert_same_bits(array, weights[name])
        for name, array in optimizer.state_dict().items():
            assert_same_bits(array, state[name])
        assert_same_bits(net.forward(batch_of(net, 20))[0], y)


def test_a_fit_that_was_left_is_as_it_was(tmp_path: Path) -> None:
    """It goes on from its checkpoint, with the bits of one that was not left."""
    rng = np.random.default_rng(6)
    x = rng.standard_normal((64, 20, 3)).astype(np.float32)
    y = rng.integers(0, 2, 64)
    options: dict[str, Any] = {"batch_size": 16, "checkpoint": tmp_path / "fit.safetensors"}
    model = rn.models.GRUModel(3, 16, 2)
    model.fit(x, y, epochs=1, batch_size=16)
    before = model.predict_proba(x)
    while not (tmp_path / "fit.safetensors").exists():
        with pytest.raises(TwiceError), alarms(raise_at_second(), 0.1):
            model.fit(x, y, epochs=10**9, **options)
    assert_same_bits(model.predict_proba(x), before)
    metadata, _ = unpack((tmp_path / "fit.safetensors").read_bytes())
    epochs = 1 + len(json.loads(metadata["fit"])["history"]["seconds"])
    whole = rn.models.GRUModel(3, 16, 2).fit(x, y, epochs=epochs, batch_size=16)
    resumed = rn.models.GRUModel(3, 16, 2).fit(x, y, epochs=epochs, **options)
    assert_same_bits(resumed.predict_proba(x), whole.predict_proba(x))
