"""Run a model over the sequences in a file.

INPUT holds [time, batch, features], or as FILE or --batch-first says [batch, time, features], or
[time, features] of one row, in a .npy, .npz or .csv file (a line a step); for a model that begins
with an Embedding integers, without the axis of features, in a .csv one on each line. OUTPUT gets y
in the same arrangement, or of a model that gives its last state alone [batch, features], in a .csv
a line a row. Without -o, and with -, numbers go to standard output as lines of a .csv; - as INPUT
is standard input.

It is run some steps at a time, so that a .npy or .csv larger than memory passes through; the
result has the same bits as a single call. A model with a layer that runs in reverse needs the whole
sequence, and .npz files are read and written as a whole. OUTPUT takes its place when it is
complete: an error leaves what was there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..errors import OptionError
from ..spec import ModelSpec
from .arguments import add_dtype, add_file, count, read_file, refuse_to_overwrite

if TYPE_CHECKING:
    from ..model import Model
    from ..sequence_files.inputs import Input

EXAMPLES: Final = """\
examples:
  rnn-native run model.safetensors x.npy -o y.npy
  rnn-native run model.onnx x.npy -o y.npy --batch-first --lengths 90,41,7
  rnn-native run model.safetensors steps.csv | head
  rnn-native run model.npz part1.npy -o y1.npy --state-out state.npz
  rnn-native run model.npz part2.npy -o y2.npy --state state.npz
"""

_LARGE: Final = 2**30  # bytes of x and y in memory that are worth a word


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_file(parser)
    add("input", type=Path, metavar="INPUT", help="a .npy, .npz or .csv file, or -")
    add(
        "-o", "--output", type=Path, default=Path("-"), metavar="OUTPUT",
        help="a .npy, .npz or .csv file; an .npz calls it y",
    )  # fmt: skip
    add("--key", metavar="NAME", help="which array of an .npz INPUT that has several")
    add("--header", action="store_true", help="the first line of a .csv INPUT is one of names")
    add(
        "--batch-first", action=argparse.BooleanOptionalAction,
        help="INPUT and OUTPUT are [batch, time, features]; without either, what FILE says",
    )  # fmt: skip
    add(
        "--lengths", metavar="FILE|N,N...",
        help="how many steps of each row count: numbers, or a .npy or text file of them",
    )  # fmt: skip
    add("--state", type=Path, metavar="FILE", help="an .npz file of the state to begin with")
    add("--state-out", type=Path, metavar="FILE", help="an .npz file for the state at the end")
    add_dtype(parser, "what is computed in (default: what FILE says, else float32)")
    add("--threads", type=count, metavar="N", help="how many threads may be used")
    add("--chunk", type=count, metavar="N", help="steps to run at once (default by size)")


def run(arguments: argparse.Namespace) -> None:
    from ..model import Model
    from ..sequence_files import inputs, outputs, progress, running, states

    _check_paths(arguments)
    spec, said = read_file(arguments)
    reduced = said.reduced if arguments.dtype is None else {}
    dtype = arguments.dtype or said.dtype
    model = Model(spec, dtype=dtype, num_threads=arguments.threads, **reduced)
    batch_first: bool | None = arguments.batch_first
    turned = said.batch_first if batch_first is None else batch_first
    state = lengths = None
    if arguments.state is not None:
        arrays = inputs.open_states(arguments.state)
        state = states.from_arrays(spec, str(arguments.state), arrays)
    if arguments.lengths is not None:
        lengths = inputs.read_lengths(arguments.lengths)
    with _open_input(arguments, model, spec, turned) as source:
        if batch_first and source.flat:
            raise OptionError(f"--batch-first: {source.name} has no axis of rows")
        have_ends = lengths is not None or spec.mask_value is not None
        steps = running.steps_of_a_piece(spec, source.batch, arguments.chunk, have_ends)
        needed = running.whole_bytes(model, spec, source)
        if steps is None and needed is not None and needed > _LARGE:
            print(
                f"rnn-native run: note: the whole sequence is needed: {needed / 2**30:.1f} GiB for "
                f"x and y; {spec.looks_ahead or 'rows have lengths and a layer a stride'}",
                file=sys.stderr,
            )
        form = running.form_of(model, spec, source, turned and not source.flat, state)
        long = steps is not None and (source.time is None or source.time > steps)
        with (
            outputs.open_output(arguments.output, form) as output,
            progress.steps_bar(source.time, long) as advance,
        ):
            state = running.run(model, spec, source, output, steps, state, lengths, advance)
            if arguments.state_out is not None:
                outputs.write_states(arguments.state_out, states.to_arrays(spec, state))


def _check_paths(arguments: argparse.Namespace) -> None:
    """What can be refused before anything is read."""
    from ..sequence_files.inputs import SUFFIXES

    source, suffix = arguments.input, arguments.input.suffix.lower()
    standard = str(source) == "-"
    if not standard and suffix not in SUFFIXES:
        raise OptionError(f"{source}: expected the suffix {', '.join(SUFFIXES)}; got {suffix!r}")
    if arguments.key is not None and suffix != ".npz":
        raise OptionError(f"--key: only for an .npz INPUT, this is {source}")
    if arguments.header and not (standard or suffix == ".csv"):
        raise OptionError(f"--header: only for a .csv INPUT, this is {source}")
    if arguments.state_out is not None and arguments.state_out.suffix.lower() != ".npz":
        raise OptionError(f"--state-out: expected the suffix .npz, got {arguments.state_out}")
    lengths = None if arguments.lengths is None else Path(arguments.lengths)
    read = {
        "FILE": arguments.file,
        "INPUT": None if standard else source,
        "--lengths": lengths,
    }
    output = None if str(arguments.output) == "-" else arguments.output
    refuse_to_overwrite("OUTPUT", output, arguments, {**read, "--state": arguments.state})
    refuse_to_overwrite("--state-out", arguments.state_out, arguments, {**read, "OUTPUT": output})


@contextmanager
def _open_input(
    arguments: argparse.Namespace, model: Model, spec: ModelSpec, batch_first: bool
) -> Iterator[Input]:
    from ..sequence_files import inputs, lines

    path: Path = arguments.input
    features = None if spec.takes_indices else spec.input_size

    def of_lines(name: str, file: Any) -> Input:
        return lines.LinesInput(name, file, features, model.dtype, arguments.header)

    def of_array(array: Any) -> Input:
        return inputs.ArrayInput(str(path), array, spec.takes_indices, batch_first)

    if str(path) == "-":
        yield of_lines("standard input", sys.stdin.buffer)
    elif path.suffix.lower() == ".csv":
        with open(path, "rb") as file:
            yield of_lines(str(path), file)
    elif path.suffix.lower() == ".npy":
        with inputs.open_npy(path) as stored:
            yield of_array(stored)
    else:
        yield of_array(inputs.open_npz(path, arguments.key))
