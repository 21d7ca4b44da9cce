"""The command ``rnn-native``: one module in ``commands`` for each of its subcommands.

To add one: write its module with a docstring, ``EXAMPLES``, ``add_arguments(parser)`` and
``run(arguments)``, and enter it in ``COMMANDS``. What only one command needs is imported inside its
``run``. Notes and errors go to standard error, one line each.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from types import MappingProxyType, ModuleType
from typing import Final, NoReturn

from . import __version__
from .commands import bench, compare, convert, export_c, info, quantize, run
from .errors import RnnError

COMMANDS: Final[Mapping[str, ModuleType]] = MappingProxyType(
    {
        "info": info,
        "run": run,
        "convert": convert,
        "quantize": quantize,
        "export-c": export_c,
        "bench": bench,
        "compare": compare,
    }
)

FAILED: Final = 2
"""The exit status of everything that could not be done; one line on standard error says why."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(FAILED, f"{self.prog}: {message} ({self.prog} --help tells more)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="rnn-native", description="Runs trained recurrent networks on a CPU.")
    parser.add_argument("--version", action="version", version=f"rnn_native {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, module in COMMANDS.items():
        text = (module.__doc__ or "").strip()
        command = commands.add_parser(
            name,
            help=text.splitlines()[0],
            description=text,
            epilog=module.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
    return parser


def _reason(error: Exception) -> str:
    text = str(error)
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    return " ".join(text.split())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (``sys.argv`` by default); returns the exit status."""
    given = _parser().parse_args(arguments)
    name = f"rnn-native {given.command}"
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of files that are no text are shown, too
        sys.stdout.reconfigure(errors="surrogateescape")

    def note(message: Warning | str, *_: object, **__: object) -> None:
        print(f"{name}: note: {' '.join(str(message).split())}", file=sys.stderr)

    try:
        with warnings.catch_warnings():
            warnings.showwarning = note  # the line of code that warns is no concern of a user
            COMMANDS[given.command].run(given)
        sys.stdout.flush()
    except (RnnError, OSError) as error:
        if isinstance(error, BrokenPipeError) and error.filename is None:
            # Whoever reads has enough; the rest must not fail at the exit again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 128 + 13  # as shells say of what SIGPIPE ended
        print(f"{name}: {_reason(error)}", file=sys.stderr)
        return FAILED
    except MemoryError as error:
        print(f"{name}: not enough memory{f': {error}' if str(error) else ''}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return 130  # as shells say of what SIGINT ended
    return 0


if __name__ == "__main__":
    sys.exit(main())
