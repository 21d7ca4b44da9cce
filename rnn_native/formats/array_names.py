"""What names in a ``state_dict`` say: which arrays are of one recurrent module, and which they are.

A name is a prefix and the array's own name as ``Recurrent`` has it, ``encoder.lstm.`` and
``weight_ih_l0``. The modules ``RNNCell``, ``GRUCell`` and ``LSTMCell`` have names without ``_l0``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ..errors import FormatError

ARRAY: Final = re.compile(
    r"(?P<prefix>.*?)(?P<array>weight_[igc]h|weight_hh|bias_ih|bias_hh|weight_hr|weight_c[ifo])"
    r"(_l(?P<layer>0|[1-9][0-9]{0,5})(?P<reverse>_reverse)?)?",
    re.DOTALL,
)
OUTPUT: Final = ("weight_ho", "weight_xo", "bias_o")
"""Of an RNN's output layer."""
LONGEST: Final = 50
"""Characters that are looked at; an array's own name has half of them."""


def modules_of(tensors: Iterable[str]) -> dict[str, dict[str, str]]:
    """The recurrent modules: for each prefix, names as ``Recurrent`` has them -> names in the
    file."""
    modules: dict[str, dict[str, str]] = {}
    for name in tensors:
        match = ARRAY.fullmatch(name, max(0, len(name) - LONGEST))
        if match:
            prefix = name[: match.start("array")]
            own = name[match.start("array") :] + ("" if match["layer"] else "_l0")
            module = modules.setdefault(prefix, {})
            if own in module:
                raise FormatError(f"{module[own]!r} and {name!r} are the same array of a module")
            module[own] = name
    for name in tensors:
        for own in OUTPUT:
            prefix = name.removesuffix(own)
            if prefix != name and prefix in modules:
                modules[prefix][own] = name
    return modules
