"""What processes do in tests of models that share their weights. ``python sharing_workers.py FILE``
loads a pickle of a model and of its input, and writes what it gives."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np

import rnn_native as rn

Answer = tuple[bytes, bool]


def answer(model: Any, x: Any) -> Answer:
    """The bits of a call, and whether the weights are shared."""
    y, _ = model(x)
    return np.asarray(y).tobytes(), bool(getattr(model, "model", model).is_shared)


def send_answer(queue: Any, model: Any, x: Any) -> None:
    queue.put(answer(model, x))


def mapped() -> list[str]:
    """The permissions of this process's maps of shared weights, ``r--s``."""
    lines = Path("/proc/self/maps").read_text(encoding="ascii").splitlines()
    return [line.split()[1] for line in lines if line.rstrip().endswith(".weights")]


def pss_of(pid: int | str | None) -> int:
    """Bytes of memory of a process, those that n processes share counted as 1/n."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return 1024 * sum(int(line.split()[1]) for line in text.splitlines() if line[:4] == "Pss:")


def load_when_all_do(barrier: Any, queue: Any, path: str, folder: str | bool, x: Any) -> None:
    """Loads a file in the moment in which others do."""
    barrier.wait(120)
    queue.put(answer(rn.load(path, shared=folder), x))
    barrier.wait(120)


def use_and_wait(barrier: Any, give: Any) -> None:
    """Makes or takes a model between the first and the second meeting of a barrier, runs it on
    one step, and holds it until the third."""
    barrier.wait(240)
    barrier.wait(240)
    model = give()
    stream = model.stream()
    for _ in range(3):
        stream.step(np.ones((1, model.input_size), np.float32))
    barrier.wait(240)
    barrier.wait(240)


def main(path: str) -> None:
    data = Path(path).read_bytes()
    try:
        model, x = pickle.loads(data)
        result: Any = answer(model, x)
    except OSError as error:
        result = f"{type(error).__name__}: {error}"
    Path(path + ".out").write_bytes(pickle.dumps((rn._core.isa(), result)))


if __name__ == "__main__":
    main(sys.argv[1])
