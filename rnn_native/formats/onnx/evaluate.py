"""Operators calculated: of constants that a file puts together, and for the backend.

``fold`` is for what a file makes of its constants, ``evaluate`` for any arrays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import RnnError
from .graph import Anything, Node
from .operators import FOLDED as FOLDED
from .operators import FUNCTIONS as FUNCTIONS
from .operators.common import MANY, show


def fold(node: Node, arrays: Sequence[Anything | None]) -> list[Anything] | None:
    """The results of an operator on constants, or None for one that is not in ``FOLDED``.

    What it takes of memory and of work is taken from the file's budget.
    """
    if node.op not in FOLDED:
        return None
    node.contents.budget.work(str(node), sum(a.size for a in arrays if a is not None))
    results = evaluate(node, arrays)
    for result in results:
        if not any(array is not None and _is_view(result, array) for array in arrays):
            node.contents.budget.take(str(node), result.nbytes)
    return results


def evaluate(node: Node, arrays: Sequence[Anything | None]) -> list[Anything]:
    """The results of one of ``FUNCTIONS``; raises ``FormatError`` where the arrays do not fit it,
    ``UnsupportedError`` for what of it is not done."""
    function, least, most = FUNCTIONS[node.op]
    required = arrays if most == MANY else arrays[:least]
    if not least <= len(arrays) <= most or any(array is None for array in required):
        raise node.malformed(f"expected {least} to {most} inputs, got {len(arrays)}")
    try:
        with np.errstate(all="ignore"):
            result = function(node, arrays)
    except RnnError:
        raise
    except (ValueError, IndexError, TypeError, ArithmeticError) as error:
        raise node.malformed(f"on {show(arrays)}: {error}") from error
    return result if isinstance(result, list) else [np.asarray(result)]


def _is_view(result: Anything, array: Anything) -> bool:
    return result.size <= array.size and np.may_share_memory(result, array)
