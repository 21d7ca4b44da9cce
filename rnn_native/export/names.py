"""Names that exported models may have: they become those of files, macros and functions."""

from __future__ import annotations

import re
from typing import Final

from ..errors import OptionError

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")

# With -I of the folder, <NAME.h> would be found there: the headers of C, those that these include
# in glibc, musl, newlib and others, and compilers'.
_HEADERS: Final = frozenset(
    {
        "assert", "complex", "ctype", "errno", "fenv", "float", "inttypes", "iso646", "limits",
        "locale", "math", "setjmp", "signal", "stdalign", "stdarg", "stdatomic", "stdbit",
        "stdbool", "stdckdint", "stddef", "stdint", "stdio", "stdlib", "stdnoreturn", "string",
        "tgmath", "threads", "time", "uchar", "wchar", "wctype",
        "alloca", "availability", "cdefs", "corecrt", "crtdefs", "cpuid", "elf", "endian", "envz",
        "fcntl", "features", "getopt", "ieeefp", "libintl", "link", "malloc", "memory", "newlib",
        "omp", "picolibc", "poll", "process", "pthread", "pthread_time", "pthread_unistd", "reent",
        "sal", "sched", "semaphore", "spawn", "stdc", "strings", "syslimits", "unistd", "vadefs",
        "values", "vcruntime", "windows", "xlocale", "yvals",
    }
)  # fmt: skip
_INTRINSICS: Final = re.compile(r"arm_\w+|mm_malloc|\w*intrin|wasm_simd128")


def check(name: str) -> str:
    """The name itself; ``OptionError`` for one that cannot be used."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise OptionError(
            f"name: expected a letter and up to 39 letters, digits or underscores; got {name!r}"
        )
    if name.lower() in _HEADERS or _INTRINSICS.fullmatch(name.lower()):
        raise OptionError(f"name: {name}.h is a header of C or of a compiler; choose another name")
    if name.lower().startswith("rnn"):
        raise OptionError(
            f"name: expected none that begins with rnn, as the library's; got {name!r}"
        )
    return name


def of_file(stem: str) -> str:
    """A name for the model in a file: what is left of the file's, after ``model_`` where that alone
    could not be used."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", stem).strip("_")[:40]
    try:
        return check(name)
    except OptionError:
        return check(f"model_{name}".strip("_")[:40])
