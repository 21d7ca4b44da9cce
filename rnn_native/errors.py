"""The errors this package raises, each also the builtin a caller would expect."""

from __future__ import annotations


class RnnError(Exception):
    """Base of every error that rnn_native raises on purpose."""


class ShapeError(RnnError, ValueError):
    """An array, a length or a state has the wrong shape, size or range."""


class DTypeError(RnnError, TypeError):
    """An array has an element type that makes no sense where it came."""


class OptionError(RnnError, ValueError):
    """An option has a value that does not exist, or two options contradict each other."""


class FormatError(RnnError, ValueError):
    """A file is malformed, truncated, or does not say what is needed to read it."""


class VerifyError(RnnError, ValueError):
    """A model does not give the golden output that its file carries."""


class UnsupportedError(RnnError, NotImplementedError):
    """The request is well formed and known, but this build or version cannot serve it."""


class BusyError(RnnError, RuntimeError):
    """A Stream or a StreamPool was used while another thread was using it, or after a fork that
    came between."""


class PoolFullError(RnnError, RuntimeError):
    """A StreamPool has as many open streams as its capacity says."""


class NotFittedError(RnnError, ValueError, AttributeError):
    """A model of ``rnn_native.models`` was asked for what it has yet to learn."""


class DivergenceError(RnnError, ArithmeticError):
    """Training led to a loss or a gradient that is infinite or not a number."""
