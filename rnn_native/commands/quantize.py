"""Write a model with weights of fewer bits.

OUT is the model with matrices as --weights stores them, in fewer bytes, and is loaded with weights
of that type; it is called as IN is. The report tells what that does, as ratios of signal to
difference in dB: more is better, 40 dB is a hundredth, 60 dB a thousandth. Of each layer with
matrices it has that of its weights and, with --check, of its own output and of the model's outputs
where it alone is reduced, and of its output in the result; then of the outputs, and how far states
drift from those of the float32 model. int8 weights are chosen for what they multiply in CHECK,
unless --rounding nearest says that each is rounded by itself.

CHECK is an input of the model, as INPUT of rnn-native run; of a model with several inputs it is an
.npz of arrays by their names. Layers that do not stand the type stay float32: --keep names them,
--keep-worst and --at-least choose those that hurt most. OUT takes its place when it is complete.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from .. import formats
from ..errors import OptionError
from ..formats import calling, metadata
from ..formats import golden as golden_strings
from ..formats.files import placing
from ..quantizing import ROUNDINGS, quantize
from ..spec.products import COMPUTES
from ..spec.stored import STORED
from .arguments import add_file, count, read_strings, refuse_to_overwrite
from .convert import source_strings
from .text import in_bytes

EXAMPLES: Final = """\
examples:
  rnn-native quantize model.safetensors small.safetensors --weights int8 --check x.npy
  rnn-native quantize model.onnx small.safetensors --check a.npy b.npy --keep-worst 1
  rnn-native quantize model.safetensors half.safetensors --weights float16 --json
"""


def decibel(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a number of dB, got {text!r}")
    return value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_file(parser, metavar="IN")
    add = parser.add_argument
    add("out", type=Path, metavar="OUT", help="the file to write: .safetensors or .npz")
    add(
        "--weights", choices=STORED,
        help="what matrices are stored as (default int8, with --compute that type)",
    )  # fmt: skip
    add(
        "--compute", choices=COMPUTES,
        help="what both sides of products are rounded to, where the CPU has such products",
    )  # fmt: skip
    add(
        "--check", type=Path, nargs="+", default=[], metavar="CHECK",
        help="inputs on which the reduced model is compared, and int8 weights are chosen: .npy, "
        ".npz or .csv",
    )  # fmt: skip
    add(
        "--rounding", choices=ROUNDINGS,
        help="each int8 weight to the nearest, or in turn by what they multiply in CHECK (default "
        "gptq, without --check nearest)",
    )  # fmt: skip
    add(
        "--lengths", nargs="+", metavar="FILE|N,N...",
        help="how many steps of each row of each CHECK count, as of rnn-native run",
    )  # fmt: skip
    add(
        "--batch-first", action=argparse.BooleanOptionalAction,
        help="each CHECK is [batch, time, features]; without either, what IN says",
    )  # fmt: skip
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument(
        "--keep", nargs="+", metavar="NAME",
        help="layers that stay float32: 0, 1, ..., or names of a graph's nodes",
    )  # fmt: skip
    kept.add_argument(
        "--keep-worst", type=count, metavar="N",
        help="the N layers that hurt an output most where they alone are reduced stay float32",
    )  # fmt: skip
    add(
        "--at-least", type=decibel, metavar="DB",
        help="as many more of the worst stay float32 as every output needs to have so many dB",
    )  # fmt: skip
    add("--threads", type=count, metavar="N", help="how many threads may be used")
    add("--json", action="store_true", help="the report as one JSON object")


def run(arguments: argparse.Namespace) -> None:
    from ..sequence_files import inputs, whole

    out: Path = arguments.out
    _check(arguments)
    source_format, _ = formats.find(arguments.file, arguments.format)
    format, _ = formats.find_to_write(out, None)
    spec, said, strings = read_strings(arguments)
    strings = {**strings, **formats.strings(arguments.file, arguments.format)}
    turned = said.batch_first if arguments.batch_first is None else arguments.batch_first
    checks = [whole.read(spec, path, turned) for path in arguments.check]
    lengths = arguments.lengths and [inputs.read_lengths(text) for text in arguments.lengths]
    weights = arguments.weights or arguments.compute or "int8"
    made = quantize(
        spec,
        weights,
        checks or None,
        lengths=lengths,
        rounding=arguments.rounding,
        compute=arguments.compute,
        keep=arguments.keep or arguments.keep_worst,
        at_least=arguments.at_least,
        num_threads=arguments.threads,
    )
    called = calling.Calling(said.batch_first, "float32", weights, arguments.compute)
    carried = calling.to_strings(called) | source_strings(arguments.file, source_format, strings)
    _tell_what_is_left_out(strings)
    with placing(out) as new:
        formats.write(made.model.spec, new, format, carried)
    sizes = {"before": arguments.file.stat().st_size, "after": out.stat().st_size}
    if arguments.json:
        facts = {"file": str(arguments.file), "out": str(out), "bytes": sizes, **made.as_dict()}
        print(json.dumps(facts))
        return
    before, after = (in_bytes(sizes[which]) for which in ("before", "after"))
    print(f"file: {before} before, {after} now")
    print(made)


def _check(arguments: argparse.Namespace) -> None:
    """What can be refused before anything is read."""
    kept: dict[str, Path | None] = {"IN": arguments.file}
    kept |= {f"CHECK {path}": path for path in arguments.check}
    kept |= {f"--lengths {text}": Path(text) for text in arguments.lengths or ()}
    refuse_to_overwrite("OUT", arguments.out, arguments, kept)
    for option in ("keep_worst", "at_least", "lengths"):
        if getattr(arguments, option) is not None and not arguments.check:
            raise OptionError(f"--{option.replace('_', '-')}: only with --check")
    if arguments.rounding == "gptq" and not arguments.check:
        raise OptionError("--rounding gptq: only with --check")
    if arguments.lengths is not None and len(arguments.lengths) != len(arguments.check):
        raise OptionError(
            f"--lengths: expected {len(arguments.check)}, one for each CHECK; "
            f"got {len(arguments.lengths)}"
        )


def _tell_what_is_left_out(strings: Mapping[str, str]) -> None:
    if any(key in golden_strings.KEYS for key in strings):
        _note("the golden input of IN is left out: its result is another with these weights")
    if metadata.ESTIMATOR in strings:
        _note("labels and parameters of IN are left out: what loads them runs in float32")


def _note(text: str) -> None:
    print(f"rnn-native quantize: note: {text}", file=sys.stderr)
