"""The kernels that exported C may be made for, and the options of the library beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from .. import _core
from ..errors import OptionError, UnsupportedError
from .library import library_text


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
    bfloat16: str = ""
    """What a CPU has to have besides for ``compute``; empty: exported models have no such
    products."""


TARGETS: Final[Mapping[str, Target]] = MappingProxyType(
    {
        "scalar": Target((1, 1), "rnnat_kernels_baseline", "RNNAT_SCALAR", "RNNAT_SCALAR 1"),
        "baseline": Target(
            (4, 2),
            "rnnat_kernels_baseline",
            "!RNNAT_SCALAR && defined(__GNUC__)",
            "vectors as GCC and Clang have them",
        ),
        "neon": Target(
            (4, 2), "rnnat_kernels_neon", "defined(RNNAT_HAVE_NEON)", "a target with NEON"
        ),
        "avx2": Target((8, 4), "rnnat_kernels_avx2", "defined(RNNAT_HAVE_AVX2)", "-mavx2 -mfma"),
        "avx512": Target(
            (16, 8),
            "rnnat_kernels_avx512",
            "defined(RNNAT_HAVE_AVX512)",
            "-mavx512f -mavx512vl -mavx512dq -mavx512bw -mfma",
            "AVX512_BF16",
        ),
    }
)


def find(isa: str) -> Target:
    """``OptionError`` where there is none of that name."""
    if not isinstance(isa, str) or isa not in TARGETS:
        raise OptionError(f"isa: expected one of {', '.join(TARGETS)}; got {isa!r}")
    return TARGETS[isa]


def check_compute(isa: str, compute: str) -> None:
    """``UnsupportedError`` where exported models have no such products."""
    if TARGETS[isa].bfloat16:
        return
    having = " or ".join(
        f"isa={name!r}, for a CPU with {target.bfloat16}"
        for name, target in TARGETS.items()
        if target.bfloat16
    )
    raise UnsupportedError(
        f"compute={compute!r}: expected {having}; got {isa!r}; weight_dtype={compute!r} runs with "
        "any, products in float32"
    )


_ABSENT: Final = ("READER", "HEAP", "FILE_IO", "ENV", "THREADS", "OPENMP")


def options(isa: str, told: _core.Told) -> dict[str, int]:
    """What the library has to be compiled with, 1, or can be without, 0 (src/config.h)."""
    found = dict.fromkeys(_ABSENT, 0) | {"SMALL": 1, "FLOAT64": told.members["info"]["dtype"]}
    found |= {"BASELINE": int(isa in ("scalar", "baseline")), "SCALAR": int(isa == "scalar")}
    found |= {name: int(name == isa.upper()) for name in ("NEON", "AVX2", "AVX512")}
    optional = re.findall(r"#ifndef (RNNAT_WITH_\w+)", library_text("rnn_native.c"))
    parts = {name: int(name in told.parts) for name in dict.fromkeys(optional)}
    return {f"RNNAT_{key}": value for key, value in found.items()} | parts
