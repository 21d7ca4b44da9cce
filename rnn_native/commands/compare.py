"""Compare RNN, GRU and LSTM cells, and write a report.

The three standard cells and the three of the article get the same number of weights and learn the
same tasks from the same seeds: the adding problem and copy memory at growing lags, sequential
digits (needs scikit-learn), Bach chorales (music21) and Japanese vowels (aeon); what is not
installed is skipped and named.

Into --out go tables (comparison.csv, costs.csv, gradients.csv, comparison.md), comparison.html with
plots (needs matplotlib and jinja2), and results.json with everything. pip install
'rnn_native[compare]' brings all that is needed. A comparison that was stopped goes on where it was
when called again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")

EXAMPLES: Final = """\
examples:
  rnn-native compare --quick --out quick
  rnn-native compare --tasks adding,copying --cells gru,lstm --seeds 0,1,2
"""

_OUT: Final = Path("comparison")
_FAMILIES: Final = ("adding", "copying", "digits", "chorales", "vowels")
_CELLS: Final = ("rnn", "gru", "lstm", "rnn-article", "gru-article", "lstm-article")


def _list_of(parse: Callable[[str], T]) -> Callable[[str], list[T]]:
    def parse_all(text: str) -> list[T]:
        return list(dict.fromkeys(parse(part) for part in text.split(",")))

    return parse_all


def _one_of(known: Sequence[str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in known:
            raise argparse.ArgumentTypeError(f"expected some of {', '.join(known)}; got {text!r}")
        return text

    return parse


def _number(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"expected a number of at least {least}, got {text!r}")
        return int(text)

    return parse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    scale = parser.add_mutually_exclusive_group()
    scale.add_argument("--quick", action="store_true", help="two minutes: smaller and fewer tasks")
    scale.add_argument("--tiny", action="store_true", help="seconds: only to see that all runs")
    add("--out", type=Path, default=_OUT, metavar="DIR", help=f"default {_OUT}")
    add(
        "--tasks",
        type=_list_of(_one_of(_FAMILIES)),
        default=list(_FAMILIES),
        metavar="NAME[,NAME...]",
        help=f"some of {', '.join(_FAMILIES)}; default all",
    )
    add(
        "--cells",
        type=_list_of(_one_of(_CELLS)),
        default=list(_CELLS),
        metavar="NAME[,NAME...]",
        help=f"some of {', '.join(_CELLS)}; default all",
    )
    add("--seeds", type=_list_of(_number(0)), default=[0], metavar="N[,N...]", help="default 0")
    add("--threads", type=_number(1), default=1, metavar="N", help="default 1")  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    from ..comparison.contenders import CONTENDERS
    from ..comparison.study import Choice, compare
    from ..comparison.tables import write_csv, write_markdown

    scale = "quick" if arguments.quick else "tiny" if arguments.tiny else "full"
    contenders = [contender for contender in CONTENDERS if contender.name in arguments.cells]
    choice = Choice(scale, arguments.tasks, arguments.seeds, contenders, arguments.threads)
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    results = compare(choice, out, lambda line: print(line, flush=True))
    write_csv(results, out)
    write_markdown(results, out)
    try:
        from ..comparison.report import write_html

        write_html(results, out)
    except ImportError as error:
        print(f"comparison.html: skipped: {error.name} is not installed")
    for name in ("comparison.html", "comparison.md", "comparison.csv", "results.json"):
        if (out / name).exists():
            print(out / name)
