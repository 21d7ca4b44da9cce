"""What a BLAS calls itself, and how its own threads are held back: for ``blas``."""

from __future__ import annotations

import ctypes
import re
import threading
from ctypes import c_char_p, c_int
from typing import Any, NamedTuple

from .blas_images import address_of


class Control(NamedTuple):
    """What a library calls itself, and how its thread count is held (``src/weights/blas.h``)."""

    product: str
    set_threads: int = 0
    get_threads: int = 0
    local: bool = False


def _call(address: int, result: Any, *arguments: int) -> Any:
    """Call a C function of int arguments; None where there is none."""
    prototype = ctypes.CFUNCTYPE(result, *[c_int] * len(arguments))
    return prototype(address)(*arguments) if address else None


def control_of(image: ctypes.CDLL) -> Control:
    """Of the library that an image is, or that it links."""
    # FlexiBLAS comes first, for it wears the others' names too. It hands on to a library that may
    # count by process or by thread: neither can be undone without knowing which, so it is let be.
    if address_of(image, "flexiblas_set_num_threads"):
        return Control("FlexiBLAS")
    for look in (_mkl, _openblas, _blis):
        found = look(image)
        if found is not None:
            return found
    set_, get = address_of(image, "BLASSetThreading"), address_of(image, "BLASGetThreading")
    if set_ and get:  # Accelerate since macOS 15; per thread, and 1 means a single thread
        return Control("Accelerate", set_, get, True)
    return Control("BLAS")


def _mkl(image: ctypes.CDLL) -> Control | None:
    # The capitals matter: mkl_set_num_threads_local is Fortran's, and takes an address.
    set_ = address_of(image, "MKL_Set_Num_Threads_Local")
    if not set_:
        return None
    text = ctypes.create_string_buffer(200)
    version = address_of(image, "MKL_Get_Version_String")
    if version:
        ctypes.CFUNCTYPE(None, c_char_p, c_int)(version)(text, len(text))
    number = re.search(rb"Version ([\d.]+)", text.value)
    return Control(f"MKL {number[1].decode()}" if number else "MKL", set_, 0, True)


def _openblas(image: ctypes.CDLL) -> Control | None:
    affixes = (("scipy_", "64_"), ("", "64_"), ("", "_64"), ("scipy_", ""), ("", ""))
    for prefix, suffix in affixes:
        set_, get, config, parallel = (
            address_of(image, f"{prefix}openblas_{what}{suffix}")
            for what in ("set_num_threads", "get_num_threads", "get_config", "get_parallel")
        )
        if not set_ or not get:
            continue
        version = re.match(rb"OpenBLAS (\d\S*)", _call(config, c_char_p) or b"")
        product = f"OpenBLAS {version[1].decode()}" if version else "OpenBLAS"
        kind = _call(parallel, c_int)
        if kind == 0:  # no threads
            return Control(product)
        if kind != 2:  # threads of its own, one count for the process
            return Control(product, set_, get)
        # Built with OpenMP it asks OpenMP at every call, so that is whom to tell; most versions
        # forget what openblas_set_num_threads said.
        set_, get = (
            address_of(image, "omp_set_num_threads"),
            address_of(image, "omp_get_max_threads"),
        )
        return Control(product, set_, get, True) if set_ and get else Control(product)
    return None


def _blis(image: ctypes.CDLL) -> Control | None:
    set_, get, version = (
        address_of(image, f"bli_{what}")
        for what in ("thread_set_num_threads", "thread_get_num_threads", "info_get_version_str")
    )
    if not set_ or not get:
        return None
    product = f"BLIS {(_call(version, c_char_p) or b'').decode(errors='replace')}".rstrip()
    if _call(get, c_int) < 1:  # nobody set a count: it runs on one thread
        return Control(product)
    return Control(product, set_, get, _count_is_local(set_, get))


def _count_is_local(set_threads: int, get_threads: int) -> bool:
    """Whether a count is the calling thread's own: AMD's BLIS and the original differ in that."""
    before: int = _call(get_threads, c_int)
    other = threading.Thread(target=_call, args=(set_threads, None, before + 1))
    other.start()
    other.join()
    local: bool = _call(get_threads, c_int) == before
    if not local:
        _call(set_threads, None, before)
    return local
