"""The kernels that exported C may be made for, and the options of the library beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from ..errors import OptionError


@dataclass(frozen=True)
class Target:
    """One set of kernels: the weights are packed for vectors of as many elements as it has."""

    lanes: tuple[int, int]
    """Of float32, of float64."""
    table: str
    """The C name of its kernels."""
    condition: str
    """What the preprocessor finds true where the library was compiled with it."""
    wanted: str
    """What the compiler needs for that."""


TARGETS: Final[Mapping[str, Target]] = MappingProxyType(
    {
        "baseline": Target((4, 2), "rnnat_kernels_baseline", "1", "GCC or Clang"),
        "neon": Target(
            (4, 2), "rnnat_kernels_neon", "defined(RNNAT_HAVE_NEON)", "a target with NEON"
        ),
        "avx2": Target((8, 4), "rnnat_kernels_avx2", "defined(RNNAT_HAVE_AVX2)", "-mavx2 -mfma"),
        "avx512": Target(
            (16, 8),
            "rnnat_kernels_avx512",
            "defined(RNNAT_HAVE_AVX512)",
            "-mavx512f -mavx512vl -mavx512dq -mavx512bw -mfma",
        ),
    }
)


def find(isa: str) -> Target:
    """``OptionError`` where there is none of that name."""
    if not isinstance(isa, str) or isa not in TARGETS:
        raise OptionError(f"isa: expected one of {', '.join(TARGETS)}; got {isa!r}")
    return TARGETS[isa]


def options(isa: str, facts: Mapping[str, Any]) -> dict[str, int]:
    """What the library has to be compiled with, or without, for a model (src/config.h)."""
    found = dict.fromkeys(("RNNAT_HEAP", "RNNAT_FILE_IO", "RNNAT_ENV", "RNNAT_OPENMP"), 0)
    found["RNNAT_SMALL"] = 1
    found["RNNAT_FLOAT64"] = facts["info"]["dtype"]
    for name in ("neon", "avx2", "avx512"):
        found[f"RNNAT_{name.upper()}"] = int(name == isa)
    return found
