"""The precisions that a model may be measured in: what a Model is asked for, what is right enough,
and what bounds its speed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Precision:
    options: Mapping[str, str]
    """Of ``rn.Model``."""
    tolerance: float
    """Largest error that passes, of the largest expected value."""
    arithmetic: str
    """The type of what is multiplied: the name of one of the machine's peaks."""
    weight_bytes: int


PRECISIONS: Final[Mapping[str, Precision]] = {
    "float32": Precision({}, 1e-4, "float32", 4),
    "float16": Precision({"weight_dtype": "float16"}, 4e-3, "float32", 2),
    "bfloat16-widened": Precision({"weight_dtype": "bfloat16"}, 3e-2, "float32", 2),
    "bfloat16": Precision({"compute": "bfloat16"}, 3e-2, "bfloat16", 2),
    "int8": Precision({"weight_dtype": "int8"}, 1e-1, "int8", 1),
}
"""By the name that ``--precision`` takes.

float32 rounds by 2^-24. A step adds up to some 2000 products, whose roundings come to less than
2000 * 2^-24 = 1.2e-4 if all went one way, and to its square root, 3e-6, as they go; bfloat16
weights or a wrong gate are off by 2^-9 = 2e-3 and more.

The others are those of a layer with H inputs and H units, weights uniform in +-1/sqrt(H) and normal
inputs. A sum of 2 H products varies by 1/sqrt(3); where both factors are rounded by half a unit of
2^-8 it is off by 2^-9 / sqrt(3), 6e-4, and five times that in the worst of a million. A recurrence
that shrinks by 1/sqrt(3) a step collects 2.4 steps' errors, and y itself is rounded: some 1e-2, of
which three times passes. float16 rounds an eighth as much. In int8 an input of +-4.5 has steps of
0.035, or twice that where a peer keeps 7 bits: 6e-3 to 1.2e-2, 3e-2 to 6e-2 at worst. A network
with two gates exchanged is off by 0.3 and more, one without its recurrent weights by 0.13.
"""
