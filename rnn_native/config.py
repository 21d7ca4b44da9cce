"""What this build and machine offer."""

from __future__ import annotations

from typing import Any, Final

from . import _core
from .choices import find_blas
from .errors import OptionError

_INT8: Final = {
    2: "widened",
    4: "four at once",
    8: "eight at once, two rows by two columns",
    64: "64 at once, 16 rows by 16 columns; few rows four at once",
}


def show_config(mode: str = "stdout") -> dict[str, Any] | None:
    """Print, or with ``mode="dicts"`` return, what is in use.

    ``version``; ``isa``, the instruction set in use; ``isas_compiled`` and ``isas_available``
    (compiled, and this CPU runs them), best last; ``blas``, the library that ``matmul="blas"``
    takes, or None; ``threading``, where threads come from (``team``, ``openmp`` or ``none``);
    ``openmp``, whether the core was compiled with it; ``dynamic``, whether calls have fewer threads
    where processors are busy with others; ``num_threads``, the default number, and
    ``num_threads_from``: ``set_num_threads``, the variable that it is from, the ``processors`` that
    this process may use, or the CPU quota of its ``cgroup``; ``int8`` and ``bfloat16``, how weights
    of these types are multiplied here, for which a CPU with AMX asks Linux for its tiles, as the
    first model with int8 weights does.
    """
    if mode not in ("stdout", "dicts"):
        raise OptionError(f"mode: expected one of stdout, dicts; got {mode!r}")
    isas = _core.isas()
    config = {
        "version": _core.version(),
        "isa": _core.isa(),
        "isas_compiled": [name for name, compiled, _ in isas if compiled],
        "isas_available": [name for name, _, available in isas if available],
        "blas": find_blas(),
        "threading": _core.threading(),
        "openmp": _core.openmp(),
        "dynamic": _core.dynamic(),
        "num_threads": _core.get_num_threads(),
        "num_threads_from": _core.num_threads_from(),
        "int8": _INT8[_core.int8_at_once()],
        "bfloat16": "pairs with compute='bfloat16'" if _core.has_bf16_dot() else "widened alone",
    }
    if mode == "dicts":
        return config
    for name, value in config.items():
        print(f"{name:16} {', '.join(value) if isinstance(value, list) else value}")
    return None
