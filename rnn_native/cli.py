"""The command ``rnn-native``: one module in ``commands`` for each of its subcommands.

To add one: write its module with a docstring, ``add_arguments(parser)`` and ``run(arguments)``,
and enter it in ``COMMANDS``. What only one command needs is imported inside its ``run``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType, ModuleType
from typing import Final, NoReturn

from . import __version__
from .commands import bench, compare
from .errors import RnnError

COMMANDS: Final[Mapping[str, ModuleType]] = MappingProxyType({"bench": bench, "compare": compare})

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
    try:
        COMMANDS[given.command].run(given)
    except (RnnError, OSError) as error:
        print(f"rnn-native {given.command}: {_reason(error)}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return 130  # as shells say of what SIGINT ended
    return 0


if __name__ == "__main__":
    sys.exit(main())
