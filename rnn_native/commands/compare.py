"""Compare RNN, GRU and LSTM cells, and write a page that answers.

The three standard cells and the three of the article get the same number of weights and learn the
same tasks from the same seeds, each at the learning rate that a short search finds best: the adding
problem and copy memory at growing lags, sequential digits (needs scikit-learn), Bach chorales and
Irish tunes (music21), Japanese vowels (aeon) and sunspots (statsmodels); what is not installed is
skipped and named. Or they learn data of your own.

Into --out go comparison.html, the page (needs matplotlib and jinja2), comparison.md, the same as
text, tables (comparison.csv, costs.csv, gradients.csv), and results.json with everything.
pip install 'rnn_native[compare]' brings all that is needed. A comparison that was stopped goes on
where it was when called again.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from ..comparison.task import Family

T = TypeVar("T")

EXAMPLES: Final = """\
examples:
  rnn-native compare --quick --out quick
  rnn-native compare --tasks adding,copying --cells gru,lstm --seeds 0,1,2
  rnn-native compare --quick --data sequences.npz --out mine
  rnn-native compare --quick --csv log.csv --sequence trip --target driver
  rnn-native compare --quick --csv log.csv --sequence trip --target age --kind regression
"""

_OUT: Final = Path("comparison")
_FAMILIES: Final = ("adding", "copying", "digits", "chorales", "vowels", "sunspots", "tunes")
_KINDS: Final = ("classification", "regression", "next-step")
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


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _own(arguments: argparse.Namespace) -> dict[str, Family]:
    """Families of the user's own data, by their names."""
    from ..comparison import own_data
    from ..errors import OptionError

    kind = arguments.kind
    given = [own_data.family(path, kind) for path in arguments.data]
    if arguments.csv is not None:
        given.append(
            own_data.family(
                arguments.csv,
                kind,
                columns=arguments.columns,
                target=arguments.target,
                sequence=arguments.sequence,
            )
        )
    elif arguments.columns or arguments.sequence or arguments.target:
        raise OptionError("--columns, --sequence, --target: expected --csv FILE with them")
    given += [own_data.archive(name, kind) for name in arguments.ucr]
    if kind is not None and not given:
        raise OptionError("--kind: expected --data, --csv or --ucr with it")
    own = [family.name for family in given]
    twice = sorted({name for name in own if own.count(name) > 1 or name in _FAMILIES})
    if twice:
        raise OptionError(f"{', '.join(twice)}: expected names of data that no other task has")
    return {family.name: family for family in given}


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    scale = parser.add_mutually_exclusive_group()
    scale.add_argument("--quick", action="store_true", help="two minutes: smaller and fewer tasks")
    scale.add_argument("--tiny", action="store_true", help="seconds: only to see that all runs")
    add("--out", type=Path, default=_OUT, metavar="DIR", help=f"default {_OUT}")
    add(
        "--tasks",
        type=_list_of(_one_of(_FAMILIES)),
        metavar="NAME[,NAME...]",
        help=f"some of {', '.join(_FAMILIES)}; default all, or none beside data of your own",
    )
    own = parser.add_argument_group("data of your own, in the place of these tasks or beside them")
    own.add_argument(
        "--data",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help=".npz with X [sequences, time, features], and y and lengths where there are; or a "
        "folder with NAME_TRAIN.ts and NAME_TEST.ts",
    )
    own.add_argument("--csv", type=Path, metavar="FILE", help="a row for each step, below names")
    own.add_argument("--columns", type=_words, default=(), metavar="NAME[,NAME...]",
        help="features of the .csv; default all others")  # fmt: skip
    own.add_argument("--sequence", metavar="NAME", help="column that tells sequences apart")
    own.add_argument("--target", metavar="NAME", help="column with what is asked of a sequence")
    own.add_argument("--ucr", type=_words, default=(), metavar="NAME[,NAME...]",
        help="data sets of the UCR and UEA archives, as aeon has them")  # fmt: skip
    own.add_argument("--kind", choices=_KINDS,
        help="what is asked; default: y that are words, or few different whole numbers, are "
        "classes, others are numbers to guess, and without y the next step is asked")  # fmt: skip
    add(
        "--cells",
        type=_list_of(_one_of(_CELLS)),
        default=list(_CELLS),
        metavar="NAME[,NAME...]",
        help=f"some of {', '.join(_CELLS)}; default all",
    )
    add(
        "--seeds",
        type=_list_of(_number(0)),
        metavar="N[,N...]",
        help="default 0,1,2; with --tiny 0",
    )
    add(
        "--jobs",
        type=_number(1),
        metavar="N",
        help="runs at once, each in a process; default as many as there are processors",
    )
    add("--threads", type=_number(1), default=1, metavar="N", help="of each run; default 1")


def run(arguments: argparse.Namespace) -> None:
    from ..comparison.contenders import CONTENDERS
    from ..comparison.csv_files import write_csv
    from ..comparison.page import LACKING, write_html, write_markdown
    from ..comparison.study import Choice, compare
    from ..comparison.tasks import FAMILIES

    if LACKING:
        print(
            f"comparison.html: will not be written, since {' and '.join(LACKING)} "
            f"{'is' if len(LACKING) == 1 else 'are'} not installed; "
            "pip install 'rnn_native[compare]' brings what is needed",
            flush=True,
        )
    scale = "quick" if arguments.quick else "tiny" if arguments.tiny else "full"
    contenders = [contender for contender in CONTENDERS if contender.name in arguments.cells]
    families = _own(arguments)
    names = arguments.tasks if arguments.tasks or families else _FAMILIES
    families = {name: FAMILIES[name] for name in names or ()} | families
    seeds = arguments.seeds or ([0] if scale == "tiny" else [0, 1, 2])
    processes = arguments.jobs or (1 if scale == "tiny" else _processors())
    choice = Choice(scale, families, seeds, contenders, arguments.threads, processes)
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    try:
        results = compare(choice, out, lambda line: print(line, flush=True))
    except KeyboardInterrupt:
        print("rnn-native compare: stopped; the same command goes on from there", file=sys.stderr)
        raise
    write_csv(results, out)
    write_markdown(results, out)
    if not LACKING:
        write_html(results, out)
    for name in ("comparison.html", "comparison.md", "comparison.csv", "results.json"):
        if (out / name).exists():
            print(out / name)
