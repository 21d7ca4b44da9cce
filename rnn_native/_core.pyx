# cython: language_level=3, boundscheck=False, wraparound=False, binding=True
"""The only binding to the C core: checks buffers, releases the GIL, raises."""

cimport cython
cimport numpy as cnp
from cpython.buffer cimport PyBUF_WRITE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_CheckSignals, PyErr_Occurred
from cpython.memoryview cimport PyMemoryView_FromMemory
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc
from libc.stdint cimport int32_t, uint64_t, uintptr_t
from libc.string cimport memcpy, memset

from ._crnn cimport *

import os
from threading import main_thread

import numpy as np

from .arrays import as_array as plain_array
from .errors import (
    BusyError,
    DTypeError,
    FormatError,
    OptionError,
    PoolFullError,
    RnnError,
    ShapeError,
    UnsupportedError,
)
from .masking import refuse_masked
from .states import by_name, flatten

cnp.import_array()

# Which process this is, counted from the one that imported the library: what another thread had under
# way when a process forked nobody finishes in its child.
cdef uint64_t generation = 1


def _count_fork():
    global generation
    generation += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_fork)

cdef enum:
    MAX_STATES = 256  # arrays of the state that one model may have
    MAX_VALUES = 64  # inputs of one model, and outputs
    TEXT_SIZE = 1024  # bytes of what the core says of a fault
    MOST_STEPS = 64  # of a push that are run together
    CACHE_LINE = 64
    LARGE = 32768  # bytes of an output that is worth aligning
    PACKED = 1  # RNNAT_MATMUL_PACKED

# ---- status -> exception, one row a code ----

_ERRORS = {
    "RNNAT_ERROR_ARGUMENT": OptionError,
    "RNNAT_ERROR_FORMAT": FormatError,
    "RNNAT_ERROR_UNSUPPORTED": UnsupportedError,
    "RNNAT_ERROR_SHAPE": ShapeError,
    "RNNAT_ERROR_NOT_FOUND": FormatError,
    "RNNAT_ERROR_OVERFLOW": ShapeError,
    "RNNAT_ERROR_NO_MEMORY": MemoryError,
    "RNNAT_ERROR_TOO_SMALL": RnnError,
    "RNNAT_ERROR_IO": OSError,
    "RNNAT_ERROR_DTYPE": DTypeError,
    "RNNAT_ERROR_LENGTH": ShapeError,
    "RNNAT_ERROR_INDEX": ShapeError,
    "RNNAT_ERROR_INPUT": DTypeError,
    "RNNAT_ERROR_ID": ShapeError,
    "RNNAT_ERROR_FULL": PoolFullError,
    "RNNAT_ERROR_MODEL": FormatError,
}


def status_names():
    """Names of all the core's status codes, in the order of their values."""
    names = []
    cdef int32_t code = 0
    while True:
        name = rnnat_status_name(<rnnat_status>code).decode()
        if name == "RNNAT_ERROR_UNKNOWN":
            return names
        names.append(name)
        code += 1


def exception_for(str name):
    """The exception class raised for the status code of that name."""
    return _ERRORS[name]


cdef int check(rnnat_status status, str what) except -1:
    if status == RNNAT_OK:
        return 0
    name = rnnat_status_name(status).decode()
    raise _ERRORS.get(name, RnnError)(f"{what}: {name}")


cdef int check_model(rnnat_status status, const char *text) except -1:
    """``check`` of what makes a model, whose fault the core tells."""
    if status != RNNAT_OK:
        check(status, f"model: {text.decode(errors='replace')}" if text[0] else "model")
    return 0


include "_arguments.pxi"
include "_signals.pxi"
include "_model.pxi"
include "_graph.pxi"
include "_shared.pxi"
include "_stream.pxi"
include "_pool.pxi"
include "_pool_run.pxi"
include "_train.pxi"
include "_export.pxi"
include "_library.pxi"
