"""Where the libraries of this process lie, and what is at their symbols: for ``blas``."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Iterator
from ctypes import c_char_p, c_void_p
from typing import Any


def address_of(image: ctypes.CDLL, symbol: str) -> int:
    """Where `symbol` is in the image or in what it links; 0 where there is none."""
    try:
        return ctypes.cast(image[symbol], c_void_p).value or 0
    except AttributeError:
        return 0


if sys.platform == "win32":
    from ctypes import wintypes

    _BLAS_FILE = re.compile(r"(lib)?(scipy_)?(openblas|mkl_rt|blis|c?blas)", re.IGNORECASE)

    def images_of(module: Any, package: str) -> Iterator[ctypes.CDLL]:
        """The BLAS-like modules of this process, those next to the package before all."""
        kernel = ctypes.WinDLL("kernel32")
        handles, used = (wintypes.HMODULE * 4096)(), wintypes.DWORD()
        process, size = c_void_p(-1), ctypes.sizeof(handles)  # -1: this process
        if not kernel.K32EnumProcessModules(process, handles, size, ctypes.byref(used)):
            return
        count = min(used.value, size) // ctypes.sizeof(wintypes.HMODULE)
        found = [(_file_of(handle), handle) for handle in handles[:count] if handle]
        found = [each for each in found if _BLAS_FILE.match(os.path.basename(each[0]))]
        found.sort(key=lambda each: f"{package}.libs" not in each[0].lower())
        for path, handle in found:
            yield ctypes.CDLL(path, handle=handle)

    def _file_of(handle: int) -> str:
        buffer = ctypes.create_unicode_buffer(32768)
        kernel = ctypes.WinDLL("kernel32")
        kernel.GetModuleFileNameW(c_void_p(handle), buffer, len(buffer))
        return buffer.value

    def path_of(address: int) -> str:
        """The file of the module that `address` is in, "" where there is none."""
        handle, how = c_void_p(), 4 | 2  # by address; leave the reference count
        kernel = ctypes.WinDLL("kernel32")
        found = kernel.GetModuleHandleExW(how, c_void_p(address), ctypes.byref(handle))
        return _file_of(handle.value) if found and handle.value else ""

else:

    def images_of(module: Any, package: str) -> Iterator[ctypes.CDLL]:
        """What to search for the BLAS that an extension module of the package is linked with.

        A look-up in the module's own handle searches what it is linked with and nothing else, so
        this finds its very BLAS, whatever other ones the process has. Where the module is built
        into the interpreter, the global names are searched.
        """
        try:
            yield ctypes.CDLL(getattr(module, "__file__", None), mode=os.RTLD_NOLOAD)
        except OSError:
            yield ctypes.CDLL(None)

    def path_of(address: int) -> str:
        """The file of the library that `address` is in, "" where the system does not tell."""
        info = (c_char_p * 4)()  # Dl_info: four pointers, the first to the file's name
        found = ctypes.CDLL(None)["dladdr"](c_void_p(address), ctypes.byref(info))
        return os.path.realpath(os.fsdecode(info[0])) if found and info[0] else ""
