"""A process that answers requests, one line of JSON each, until its input ends.

Nothing here needs the rest of the package, so that a process in which another version of it is
installed can load this file by its path (``bench/build_worker.py``).
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import IO, Any


def one_line(error: BaseException) -> str:
    """The first line of an error's message, after its type unless it is one of ours."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"{error.name} is not installed"
    lines = str(error).strip().splitlines() or [""]
    ours = type(error).__module__.partition(".")[0] == "rnn_native"
    known = ours or isinstance(error, NotImplementedError)
    return lines[0] if known else f"{type(error).__name__}: {lines[0]}"


def serve(make: Callable[[], Any], requests: IO[str], replies: IO[str]) -> None:
    """Answer every line of ``requests`` with the method of that name, of what ``make`` gives.

    That is made for the first request. A reply has ``failure``, one line, where something failed.
    """
    worker: Any = None
    for line in requests:
        arguments = json.loads(line)
        try:
            worker = worker or make()
            reply = getattr(worker, arguments.pop("op"))(**arguments)
        except Exception as error:
            reply = {"failure": one_line(error)}
        print(json.dumps(reply), file=replies, flush=True)


def die_with_parent() -> None:
    """A child that is stopped between its turns would otherwise outlive a killed parent."""
    if sys.platform == "linux":
        import ctypes

        PR_SET_PDEATHSIG = 1  # of sys/prctl.h
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main(make: Callable[[], Any]) -> None:
    """Serve this process's standard input."""
    die_with_parent()
    # Whatever a library prints must not come between the replies.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(make, sys.stdin, replies)
