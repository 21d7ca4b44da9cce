"""Public networks of PyTorch's, as they are and under ``rn.accelerate``.

    python bench/accelerate.py [--threads N] [--rounds N] [NETWORK ...]

The networks are those of tests/models/torch_networks.py. Both run under ``inference_mode`` with the
same number of threads, in one process, and take turns for some rounds: each round gives the best of
5 samples of 10 ms or more. The ratio is PyTorch's time over ours, within each round, then the
median; the share is the time that PyTorch's recurrent modules take of the whole call, which bounds
what there is to win.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "tests" / "models"))

import torch
from torch_networks import NETWORKS

import rnn_native as rn
from rnn_native.benchmark import timing

SAMPLES = 5


@contextmanager
def clocked(net: torch.nn.Module) -> Iterator[list[float]]:
    """Seconds of each call of a recurrent module inside, meanwhile."""
    spent: list[float] = []

    def before(*_: Any) -> None:
        spent.append(-time.perf_counter())

    def after(*_: Any) -> None:
        spent[-1] += time.perf_counter()

    parts = [part for part in net.modules() if isinstance(part, torch.nn.RNNBase)]
    hooks = [part.register_forward_pre_hook(before) for part in parts]
    hooks += [part.register_forward_hook(after) for part in parts]
    yield spent
    for hook in hooks:
        hook.remove()


def share(net: torch.nn.Module, call: Callable[[], Any]) -> float:
    """Of the time of a call, that of its recurrent modules: the median of some calls."""
    shares = []
    with clocked(net) as spent:
        for _ in range(9):
            spent.clear()
            start = time.perf_counter()
            call()
            shares.append(sum(spent) / (time.perf_counter() - start))
    return median(shares)


def measure(name: str, threads: int, rounds: int) -> str:
    net, theirs = NETWORKS[name].make()
    other, ours = NETWORKS[name].make()
    rn.accelerate(other, num_threads=threads)
    torch.testing.assert_close(ours(), theirs(), rtol=1e-4, atol=1e-4)
    calls = [timing.calls_per_sample(call) for call in (theirs, ours)]
    turns = []
    for _ in range(rounds):
        turn = [
            min(timing.samples(call, n, SAMPLES))
            for call, n in zip((theirs, ours), calls, strict=True)
        ]
        turns.append(turn)
    ratio = median(a / b for a, b in turns)
    micro = [median(times) * 1e6 for times in zip(*turns, strict=True)]
    package = NETWORKS[name].package
    return (
        f"{package + ' ' + version(package):24} {NETWORKS[name].what:46} {micro[0]:10.0f} "
        f"{micro[1]:10.0f} {ratio:6.2f}  {share(net, theirs):6.0%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"of {', '.join(NETWORKS)}")
    parser.add_argument("--threads", type=int, default=1, help="of both (default 1)")
    parser.add_argument("--rounds", type=int, default=5, help="how often both take turns (5)")
    arguments = parser.parse_args()
    if unknown := set(arguments.networks) - set(NETWORKS):
        parser.error(f"expected some of {', '.join(NETWORKS)}; got {', '.join(sorted(unknown))}")
    torch.set_num_threads(arguments.threads)
    print(f"{arguments.threads} thread(s); torch {torch.__version__}; µs per call")
    print(f"{'':24} {'':46} {'torch':>10} {'rnn_native':>10} {'ratio':>6}  recurrent")
    with torch.inference_mode():
        for name in arguments.networks or NETWORKS:
            try:
                print(measure(name, arguments.threads, arguments.rounds), flush=True)
            except PackageNotFoundError as error:
                print(f"{name}: {error.name} is not installed")


if __name__ == "__main__":
    main()
