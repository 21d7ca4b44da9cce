"""On the PYTHONPATH of a program, this kills one of its workers: the first process, other than the
program's own, in which a Predictor has been called twice. ``KILL_ONCE`` names the file that is made
then, and while it is there nothing else dies.
"""

import os
import signal


def arm(marker: str) -> None:
    own = str(os.getpid())
    if os.environ.setdefault("KILL_ONCE_NOT", own) == own:
        return  # the program: what it starts has its number
    from rnn_native.batch import Predictor

    call, calls = Predictor.__call__, 0

    def killing(self, batch):
        nonlocal calls
        result = call(self, batch)
        calls += 1
        if calls == 2:
            try:
                os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return result
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    Predictor.__call__ = killing


if "KILL_ONCE" in os.environ:
    arm(os.environ["KILL_ONCE"])
