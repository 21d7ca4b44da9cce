"""One model, several users: each has a stream of its own and runs it step by step in its thread.

    python examples/streaming.py

Then it compares the steps with whole sequences, and goes on from a state.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

import rnn_native as rn

STEPS, FEATURES = 200, 8

model = rn.GRU(FEATURES, 32, matmul="packed").model


def listen(x: NDArray[np.float32]) -> NDArray[Any]:
    """The outputs of one user, as they come: [steps, 32]."""
    stream = model.stream()
    outputs = []
    for x_t in x:
        y_t = stream.step(x_t[np.newaxis])  # [1, features] -> [1, 32], valid until the next step
        outputs.append(y_t[0].copy())
    return np.array(outputs)


def main() -> None:
    rng = np.random.default_rng(0)
    users = rng.standard_normal((4, STEPS, FEATURES), dtype="float32")
    with ThreadPoolExecutor(len(users)) as pool:
        streamed = np.array(list(pool.map(listen, users)))

    # The same as whole sequences in one batch: with matmul="packed", the same bits.
    y, _ = model(users.swapaxes(0, 1))
    print("steps equal sequences, bit by bit:", np.array_equal(streamed, y.swapaxes(0, 1)))

    # A state can be taken out of a stream, and put into another one to go on from there.
    first, second = model.stream(), model.stream()
    for x_t in users[0, :100]:
        first.step(x_t[np.newaxis])
    second.state = first.state
    print("continued:", np.array_equal(second.step(users[0, 100:101])[0], streamed[0, 100]))


if __name__ == "__main__":
    main()
