"""The BLAS this process already has: SciPy's where SciPy is in use, else the one NumPy carries.

No library is loaded and no package imported for it. A library is accepted on evidence: its
symbols' names say how it is called, a call that is harmless in either case tells how wide its
integers are, and a small product has to come out right. Otherwise there is none, and rnn_native
multiplies with its own kernels.
"""

from __future__ import annotations

import ctypes  # costs nothing here: NumPy imports it too
import importlib
import os
import re
import sys
import threading
from ctypes import c_char_p, c_int, c_int32, c_int64, c_void_p
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .blas_images import address_of, images_of, path_of
from .blas_threads import Control, control_of


@dataclass(frozen=True, slots=True)
class Library:
    """One BLAS of this process, as ``rnnat_blas_library`` wants it (see ``src/weights/blas.h``).

    Addresses are plain integers, 0 where there is nothing; they stay valid, for what NumPy and
    SciPy link is never unloaded.
    """

    name: str
    """For people: ``OpenBLAS 0.3.31 (NumPy's libscipy_openblas64_.so)``."""
    path: str
    """The file that holds the library, "" where the system does not tell."""
    integer_bits: int
    """32 (LP64) or 64 (ILP64): the width of every integer argument."""
    fortran: bool
    """Called as Fortran's ``sgemm_``, all by address and column-major; else as ``cblas_sgemm``."""
    sgemm: int
    dgemm: int
    set_threads: int
    get_threads: int
    threads_are_local: bool
    """Setting the count applies to the calling thread alone, not to the process."""


_lock = threading.Lock()
_resolved: list[Library | None] = []


def _renew_lock() -> None:
    """In a child of fork nobody holds it, or ever gives it back."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def find() -> Library | None:
    """The BLAS of this process, or None; looked for at the first call, the same ever after.

    SciPy's comes first where ``scipy.linalg`` is imported by then, since its entry points are
    public; else the library that NumPy's own extension module is linked with.
    """
    with _lock:
        if not _resolved:
            found = (source() for source in (_from_scipy, _from_numpy))
            _resolved.append(next((lib for lib in found if lib and _multiplies(lib)), None))
        return _resolved[0]


# ---- names and widths --------------------------------------------------------------------------


class _Scheme(NamedTuple):
    """How one family of builds names its symbols; {} stands for the routine."""

    gemm: str
    fortran: bool
    integer_bits: int | None  # None: the name is used with both widths
    probe: str  # Fortran's name for a routine of the same library


# Names that tell their width come first: some libraries have several (MKL, Accelerate).
_SCHEMES = (
    _Scheme("scipy_cblas_{}64_", False, 64, "scipy_{}_64_"),  # scipy-openblas64: NumPy's wheels
    _Scheme("cblas_{}64_", False, 64, "{}_64_"),  # OpenBLAS with the suffix 64_
    _Scheme("cblas_{}_64", False, 64, "{}_64_"),  # MKL, reference CBLAS
    _Scheme("cblas_{}$NEWLAPACK$ILP64", False, 64, "{}$NEWLAPACK$ILP64"),  # Accelerate
    _Scheme("scipy_cblas_{}", False, 32, "scipy_{}_"),  # scipy-openblas32: SciPy's wheels
    _Scheme("cblas_{}$NEWLAPACK", False, 32, "{}$NEWLAPACK"),  # Accelerate
    _Scheme("cblas_{}", False, None, "{}_"),  # all others; also 64-bit builds without a suffix
    _Scheme("{}_64_", True, 64, "{}_64_"),
    _Scheme("{}_", True, None, "{}_"),
)


def _probed_bits(isamax: int) -> int | None:
    """The integer width of the library with this Fortran ``isamax``, None where unknown.

    ``isamax(n, x, incx)`` gives the 1-based place of the greatest |x|, and 0 for every n < 1
    without complaint or a look at x. The n here is 3 in its low half and negative as a whole, so
    that each width sees a valid call: this is how libblastrampoline tells the two apart. It takes
    a little-endian machine, and 64-bit pointers for there to be two widths at all.
    """
    if ctypes.sizeof(c_void_p) == 4:
        return 32
    if isamax == 0 or sys.byteorder == "big":
        return None
    n, step, x = c_int64(3 - (1 << 32)), c_int64(1), (ctypes.c_float * 3)(1, 2, 1)
    function = ctypes.CFUNCTYPE(c_int64, c_void_p, c_void_p, c_void_p)(isamax)
    place = function(ctypes.addressof(n), ctypes.addressof(x), ctypes.addressof(step))
    return {0: 64, 2: 32}.get(place & 0xFFFFFFFF)  # a 32-bit result leaves the high half undefined


def _agreed_bits(named: int | None, probed: int | None) -> int | None:
    """The width that both tell, or that the one tells that can; None where they differ."""
    if named is None or probed is None:
        return named or probed
    return named if named == probed else None


# ---- NumPy and SciPy ---------------------------------------------------------------------------


def _from_numpy() -> Library | None:
    names = ("numpy._core._multiarray_umath", "numpy.core._multiarray_umath")
    module = next((sys.modules[name] for name in names if name in sys.modules), None)
    for image in images_of(module, "numpy"):
        for scheme in _SCHEMES:
            sgemm, dgemm = (address_of(image, scheme.gemm.format(f"{c}gemm")) for c in "sd")
            if not sgemm or not dgemm:
                continue
            probed = _probed_bits(address_of(image, scheme.probe.format("isamax")))
            bits = _agreed_bits(scheme.integer_bits, probed)
            if bits is not None:
                control, gemm = control_of(image), (sgemm, dgemm)
                return _library("NumPy", path_of(sgemm), bits, scheme.fortran, gemm, control)
    return None


def _from_scipy() -> Library | None:
    if "scipy.linalg" not in sys.modules and "scipy.linalg.cython_blas" not in sys.modules:
        return None
    try:
        module = importlib.import_module("scipy.linalg.cython_blas")
        capsules: dict[str, object] = module.__pyx_capi__
        (s_type, sgemm), (d_type, dgemm) = (_capsule(capsules[f"{c}gemm"]) for c in "sd")
        isamax = _capsule(capsules["isamax"])[1]
    except (ImportError, AttributeError, KeyError):
        return None
    integer = _gemm_integer(s_type, "s|float")
    if integer is None or integer != _gemm_integer(d_type, "d|double"):
        return None
    # `int` until SciPy 1.18, which can be built with 64-bit ones.
    named = {"int": 32, "int32_t": 32, "int64_t": 64, "npy_int64": 64, "long long": 64}
    bits = _agreed_bits(named.get(integer), _probed_bits(isamax))
    image = next(images_of(module, "scipy"), None)
    if bits is None or image is None:
        return None
    # The functions are SciPy's own; the library behind them has the threads and the name.
    behind = (address_of(image, scheme.gemm.format("sgemm")) for scheme in _SCHEMES)
    path = path_of(next((address for address in behind if address), sgemm))
    return _library("SciPy", path, bits, True, (sgemm, dgemm), control_of(image))


def _capsule(capsule: object) -> tuple[str, int]:
    """The C type and the address of a function that a Cython module exports."""
    # Indexing gives function objects of our own, so that nobody else's argument types change.
    get_name = ctypes.pythonapi["PyCapsule_GetName"]
    get_name.restype, get_name.argtypes = c_char_p, [ctypes.py_object]
    get_pointer = ctypes.pythonapi["PyCapsule_GetPointer"]
    get_pointer.restype, get_pointer.argtypes = c_void_p, [ctypes.py_object, c_char_p]
    name: bytes = get_name(capsule) or b""
    return name.decode(), get_pointer(capsule, name) or 0


def _gemm_integer(c_type: str, real: str) -> str | None:
    """The integer type in the C type of a gemm, None where that is not a gemm of `real`."""
    types = c_type.removeprefix("void (").removesuffix(" *)").split(" *, ")
    if len(types) != 13:
        return None
    i, r = types[2], types[5]
    if types != ["char", "char", i, i, i, r, r, i, r, i, r, r, i]:
        return None
    return i if re.search(rf"(^|_)({real})$", r) else None


def _library(
    owner: str, path: str, bits: int, fortran: bool, gemm: tuple[int, int], control: Control
) -> Library:
    name = f"{control.product} ({owner}'s {os.path.basename(path) or 'own'})"
    _, set_, get, local = control
    return Library(name, path, bits, fortran, *gemm, set_, get, local)


# ---- the proof ---------------------------------------------------------------------------------


def _multiplies(library: Library) -> bool:
    """Whether a 3x4x5 product comes out right in both precisions, and nothing around it changes.

    All entries are small integers, so that every order of summation gives the exact product.
    """
    for dtype in (np.float32, np.float64):
        memory = np.arange(3 * 6 + 4 * 8 + 3 * 7, dtype=dtype) % 11 - 5
        expected = memory.copy()
        a, b, c = _operands(memory)
        _operands(expected)[2][...] = np.matmul(a, b) + 2 * c
        multiply(library, a, b, 2.0, c)
        if not np.array_equal(memory, expected):
            return False
    return True


def _operands(memory: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Views [3, 4], [4, 5] and [3, 5] of rows of 6, 8 and 7."""
    a, b, c = memory[:18].reshape(3, 6), memory[18:50].reshape(4, 8), memory[50:].reshape(3, 7)
    return a[:, :4], b[:, :5], c[:, :5]


def multiply(
    library: Library, a: NDArray[Any], b: NDArray[Any], beta: float, c: NDArray[Any]
) -> None:
    """``c = a @ b + beta * c`` by a call of the library itself, for checks: nothing is validated.

    a [m, k], b [k, n], c [m, n], all float32 or all float64, each row contiguous.
    """
    single = c.dtype == np.float32
    real: Any = ctypes.c_float if single else ctypes.c_double
    integer: Any = c_int32 if library.integer_bits == 32 else c_int64
    (m, k), n = map(integer, a.shape), integer(b.shape[1])
    lda, ldb, ldc = (integer(each.strides[0] // each.itemsize) for each in (a, b, c))
    at_a, at_b, at_c = (c_void_p(each.ctypes.data) for each in (a, b, c))
    values: tuple[Any, ...]
    if library.fortran:  # column-major: C^T = B^T A^T, and all by address
        no = ctypes.c_char(b"N")
        by_address = map(ctypes.pointer, (no, no, n, m, k, real(1), ldb, lda, real(beta), ldc))
        ta, tb, m_, n_, k_, one, b_row, a_row, beta_, c_row = by_address
        values = (ta, tb, m_, n_, k_, one, at_b, b_row, at_a, a_row, beta_, at_c, c_row)
    else:
        row_major, no_transpose = c_int(101), c_int(111)
        values = (row_major, no_transpose, no_transpose, m, n, k, real(1), at_a, lda, at_b, ldb)
        values += (real(beta), at_c, ldc)
    address = library.sgemm if single else library.dgemm
    ctypes.CFUNCTYPE(None, *map(type, values))(address)(*values)
