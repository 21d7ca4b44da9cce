# Of the core as a whole: version, instruction sets, threads, BLAS. Included by _core.pyx.

def version():
    """The core's version."""
    return rnnat_version().decode()


def isas():
    """(name, compiled, available) of every instruction set, best last."""
    cdef rnnat_isa_entry entry
    cdef int32_t i = 0
    rows = []
    while rnnat_isa_at(i, &entry):
        rows.append((entry.name.decode(), entry.kernels != NULL, bool(entry.available)))
        i += 1
    return rows


def weight_types():
    """(name, largest number) of every type that weights can be stored as, by its code from 1 on."""
    cdef const char *name
    cdef double largest
    cdef int32_t code = 1
    rows = []
    while rnnat_weight_type_at(code, &name, &largest):
        rows.append((name.decode(), largest))
        code += 1
    return rows


def weight_stored(int32_t code, double value):
    """A number once it is stored as a weight of a type."""
    return rnnat_weight_stored(code, value)


def has_bf16_dot():
    """Whether this CPU, and this build of the kernels in use, multiply bfloat16."""
    cdef rnnat_status status
    cdef const rnnat_kernels *kernels = rnnat_isa_current(&status)
    return status == RNNAT_OK and bool(rnnat_stored_runs(kernels, RNNAT_STORED_BF16_DOT))


def int8_at_once():
    """How many integers of a column they multiply at once: 64 by AMX, 8, 4, or 2 where these are
    widened. AMX's tiles are asked for."""
    cdef rnnat_status status
    cdef const rnnat_kernels *kernels = rnnat_isa_current(&status)
    if status == RNNAT_OK and rnnat_stored_runs(kernels, RNNAT_STORED_INT8_TILES):
        return 8 if rnnat_stored_group(RNNAT_STORED_INT8_TILES) == 8 else 64
    return 4 if status == RNNAT_OK and rnnat_stored_runs(kernels, RNNAT_STORED_INT8_DOT) else 2


def isa():
    """The instruction set in use. ``OptionError`` or ``UnsupportedError`` where
    RNN_NATIVE_ISA names one that is unknown or cannot run here."""
    cdef rnnat_status status
    rnnat_isa_current(&status)
    if status != RNNAT_OK:
        import os

        known = ", ".join(name for name, _, available in isas() if available)
        raise _ERRORS[rnnat_status_name(status).decode()](
            f"RNN_NATIVE_ISA: expected one of {known} on this machine, "
            f"got {os.environ.get('RNN_NATIVE_ISA')!r}"
        )
    return rnnat_isa().decode()


def get_num_threads():
    """Threads that a call uses at most where it states none: what :func:`set_num_threads` was given,
    else ``RNN_NATIVE_NUM_THREADS``, else the first number of ``OMP_NUM_THREADS``, else the processors
    that this process may use, or as many of them as the CPU quota of its cgroup, which is a
    container's limit, has whole ones. The last four are looked at once, at import;
    ``num_threads_from`` of :func:`show_config` says which of them it was.

    >>> rn.set_num_threads(2)
    >>> rn.get_num_threads()
    2
    >>> rn.show_config(mode="dicts")["num_threads_from"]
    'set_num_threads'
    """
    cdef rnnat_status status
    threads = rnnat_threads_default(&status)
    if status != RNNAT_OK:
        import os

        raise OptionError(
            "RNN_NATIVE_NUM_THREADS: expected an integer from 1 to 4096, "
            f"got {os.environ.get('RNN_NATIVE_NUM_THREADS')!r}"
        )
    return threads


def set_num_threads(num_threads):
    """Use at most that many threads (1 to 4096) where a call states none."""
    if isinstance(num_threads, bool) or not isinstance(num_threads, (int, np.integer)):
        raise OptionError(f"num_threads: expected an integer, got {num_threads!r}")
    rnnat_threads_set_default(as_num_threads(num_threads))


def num_threads_from():
    """What ``get_num_threads`` is from: ``"set_num_threads"``, the name of a variable,
    ``"processors"`` or ``"cgroup"``."""
    return rnnat_threads_origin().decode()


def dynamic():
    """Whether calls have fewer threads where processors are busy with others. ``OptionError`` where
    RNN_NATIVE_DYNAMIC is neither 0 nor 1."""
    if rnnat_threads_dynamic() < 0:
        import os

        raise OptionError(
            f"RNN_NATIVE_DYNAMIC: expected 0 or 1, got {os.environ.get('RNN_NATIVE_DYNAMIC')!r}"
        )
    return threading() == "team" and bool(rnnat_threads_dynamic())


def threading():
    """Where the threads of a call come from: ``"team"``, ``"openmp"`` or, in a core without
    threads, ``"none"``. ``OptionError`` where RNN_NATIVE_THREADING names none that it has."""
    name = rnnat_threading().decode()
    if name == "none" and rnnat_threads_compiled():
        import os

        raise OptionError(
            f"RNN_NATIVE_THREADING: expected {'team or openmp' if openmp() else 'team'}, "
            f"got {os.environ.get('RNN_NATIVE_THREADING')!r}"
        )
    return name


def openmp():
    """Whether the core was compiled with OpenMP."""
    return bool(rnnat_openmp_compiled())


def use_blas(library):
    """Hands a ``blas.Library`` to the core; False where it is not usable."""
    cdef rnnat_blas_library lib
    cdef bytes name = library.name.encode()
    lib.name = name
    lib.integer_bits = library.integer_bits
    lib.fortran = library.fortran
    lib.sgemm = <rnnat_function><uintptr_t>library.sgemm
    lib.dgemm = <rnnat_function><uintptr_t>library.dgemm
    lib.set_threads = <rnnat_function><uintptr_t>library.set_threads
    lib.get_threads = <rnnat_function><uintptr_t>library.get_threads
    lib.threads_are_local = library.threads_are_local
    return bool(rnnat_blas_use(&lib))


def blas_available():
    return bool(rnnat_blas_available())


def read_bytes(file, Py_ssize_t size):
    """Up to ``size`` bytes of a file, as its ``read`` gives them: large ones in huge pages, which
    takes half as long as in small ones."""
    data = PyBytes_FromStringAndSize(NULL, size)
    cdef char *begin = PyBytes_AS_STRING(data)
    rnnat_heap_advise(begin, size)
    cdef Py_ssize_t done = 0
    while done < size:
        count = file.readinto(PyMemoryView_FromMemory(begin + done, size - done, PyBUF_WRITE))
        if not count:
            return data[:done]
        done += count
    return data
