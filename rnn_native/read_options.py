"""The options of formats that ``load`` passes on, with their types, for editors and type checkers.

Which format has which is said in ``formats.FORMATS``, and what they mean in ``formats.read``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TypedDict

from numpy.typing import ArrayLike

from .as_spec import HasLayer
from .spec import Layer


class ReadOptions(TypedDict, total=False):
    """Each may be left out; None is the same."""

    activation: str | None
    between: Sequence[str | None] | None
    cell: str | None
    chain: Sequence[str | Layer | HasLayer] | None
    config: str | os.PathLike[str] | None
    given: Mapping[str, ArrayLike] | None
    node: str | None
    nonlinearity: str | None
    output_nonlinearity: str | None
    prefix: str | None
    recurrent_activation: str | None
    reset_after: bool | None
    shapes: Mapping[str, Sequence[int | None]] | None
