# Ctrl-C and other signals while the core runs: included by _core.pyx.
#
# Python calls signal handlers in its main thread, between instructions of its own code. A long call
# of the core asks for that in between (src/threads/stop.h); where a handler raises, the call is left.

cdef extern from *:
    """
    #ifdef _WIN32
    #include <windows.h>
    static double monotonic_seconds(void) { return (double)GetTickCount64() * 1e-3; }
    static void rest(int long_since) { Sleep(long_since ? 1 : 0); }
    #else
    #include <sched.h>
    #include <time.h>
    static double monotonic_seconds(void)
    {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    }
    static void rest(int long_since)
    {
        const struct timespec millisecond = {0, 1000000};
        if (long_since)
            nanosleep(&millisecond, NULL);
        else
            sched_yield();
    }
    #endif
    """
    double monotonic_seconds() nogil
    void rest(bint) nogil

cdef extern from "Python.h":
    unsigned long PyThread_get_thread_ident()

cdef double PERIOD = 0.1  # seconds between two looks,
cdef double SHARE = 50  # and at least so many times what a look took, which may wait for the GIL
cdef double LONG = 0.05  # seconds of waiting for other threads that are worth going to sleep

cdef struct Watch:
    rnnat_stop stop
    double due, waits_since
    void *owner


cdef class _Signals:
    """What one long call has to do with signals; ``error`` is what a handler raised."""

    cdef Watch watch
    cdef object error

    cdef rnnat_stop *begin(self):
        self.watch.stop.wanted = ask_signals
        self.watch.stop.arg = &self.watch
        self.watch.stop.every = RNNAT_STOP_WORK
        self.watch.owner = <void *>self
        self.watch.due = monotonic_seconds() + PERIOD
        return &self.watch.stop

    cdef int end(self) except -1:
        """Raises what a handler has raised."""
        if self.error is not None:
            raise self.error
        return 0


cdef _Signals signals(double work):
    """For a call of so many multiplications, in this thread; None where it is short, or no handler
    is ever called in this thread."""
    if work < RNNAT_STOP_WORK or PyThread_get_thread_ident() != main_thread().ident:
        return None
    return _Signals.__new__(_Signals)


cdef c_bool ask_signals(void *arg, c_bool waits) noexcept nogil:
    """Whether a handler has raised. Until a look is due it is the clock alone that is read."""
    cdef Watch *watch = <Watch *>arg
    cdef double now = monotonic_seconds()
    cdef bint raised
    if not waits:
        watch.waits_since = 0
    elif watch.waits_since == 0:
        watch.waits_since = now
    if now < watch.due:
        if waits:
            rest(now - watch.waits_since > LONG)
        return False
    with gil:
        raised = call_handlers(<_Signals>watch.owner)
    watch.due = monotonic_seconds()
    watch.due += max(PERIOD, SHARE * (watch.due - now))
    return raised


cdef bint call_handlers(_Signals asked) noexcept:
    try:
        PyErr_CheckSignals()
    except BaseException as error:
        asked.error = error
        return True
    return False
