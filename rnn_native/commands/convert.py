"""Write a model file in another format.

The suffix of OUT says which, unless --to does. Weights keep their bits, and OUT computes in what IN
does, unless --dtype says otherwise; OUT is called as IN is, time or batch first. A golden input and
output that IN carries goes along, after a replay; --golden makes a new one. Labels and parameters
of a saved GRUModel, LSTMModel or RNNModel go along where OUT is .safetensors. Where the model came
from is noted in OUT. OUT takes its place when it is complete: an error leaves what was there.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from .. import formats
from ..errors import FormatError, OptionError, RnnError
from ..formats import calling, metadata
from ..formats import golden as golden_strings
from ..formats.files import placing
from ..spec import ModelSpec
from .arguments import add_dtype, add_file, read_file, reader_options, refuse_to_overwrite

EXAMPLES: Final = """\
examples:
  rnn-native convert model.onnx model.safetensors
  rnn-native convert checkpoint.safetensors encoder.npz --prefix encoder.lstm
  rnn-native convert model.onnx model.safetensors --golden --verify
  rnn-native convert double.npz single.safetensors --dtype float32
"""

_LONGEST: Final = 1000  # characters of a path or a name that is noted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    writable = [name for name, entry in formats.FORMATS.items() if entry.writes]
    add_file(parser, metavar="IN")
    parser.add_argument("out", type=Path, metavar="OUT", help="the file to write")
    parser.add_argument(
        "--to", choices=writable, help="the format of OUT, in the place of what its suffix says"
    )
    add_dtype(parser, "round or widen the weights to this type, and have OUT computed in it")
    parser.add_argument(
        "--golden",
        action="store_true",
        help="have OUT carry a random input and what the model makes of it",
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="read OUT again before it takes its place, and replay what it carries",
    )


def run(arguments: argparse.Namespace) -> None:
    out: Path = arguments.out
    refuse_to_overwrite("OUT", out, arguments, {"IN": arguments.file})
    source_format, _ = formats.find(arguments.file, arguments.format)
    format, entry = formats.find_to_write(out, arguments.to)
    spec, said = read_file(arguments)
    strings = formats.strings(arguments.file, arguments.format)
    carried: dict[str, str] = {}
    kept = said if arguments.dtype is None else calling.Calling()
    if arguments.golden or arguments.verify or entry.carries:
        carried = _golden(arguments, spec, strings, kept.reduced)
    elif any(key in golden_strings.KEYS for key in strings):
        _note(f"the golden input of IN is left out: the format {format} has no place for it")
    if arguments.verify and not carried:
        raise OptionError("--verify: IN carries no golden input and output; --golden makes one")
    if arguments.dtype is not None:
        spec = _cast(spec, np.dtype(arguments.dtype))
    if entry.carries:
        called = calling.Calling(
            said.batch_first, arguments.dtype or said.dtype, kept.weight_dtype, kept.compute
        )
        source = source_strings(arguments.file, source_format, strings)
        estimator = _estimator(strings, format, arguments.dtype)
        carried = calling.to_strings(called) | source | estimator | carried
    with placing(out) as new:
        formats.write(spec, new, format, carried)
        if arguments.verify:
            try:
                _verify(new.temporary, format, carried)
            except RnnError as error:
                raise type(error)(str(error).replace(new.temporary, new.path)) from error


def _golden(
    arguments: argparse.Namespace,
    spec: ModelSpec,
    strings: Mapping[str, str],
    reduced: Mapping[str, Any],
) -> dict[str, str]:
    """The strings that OUT is to carry, replayed or made; none where there is no golden input.
    ``reduced``: what OUT says of weights and products."""
    from .. import verify
    from ..model import Model

    def made(call: Any) -> dict[str, str]:
        cast = spec if arguments.dtype is None else _cast(spec, np.dtype(arguments.dtype))
        model = Model(cast, dtype=_dtype_of(cast), **reduced)
        return golden_strings.to_strings(verify.make(model, call))

    if arguments.golden:
        return made(True)
    if not any(key in golden_strings.KEYS for key in strings):
        return {}
    if reader_options(arguments):
        _note("the golden input of IN is of the whole model and is left out")
        return {}
    try:
        old = golden_strings.from_strings(strings)
        assert old is not None
        verify.replay(Model(spec, dtype=old.y.dtype), spec, old)
    except RnnError as error:
        raise type(error)(f"{arguments.file}: {error}") from error
    same = arguments.dtype in (None, old.y.dtype.name)
    if same and old.error <= golden_strings.largest_error(old.y.dtype, any(reduced.values())):
        return golden_strings.to_strings(old)
    return made(verify.arguments_of(spec, old))


def _verify(path: str, format: str, strings: Mapping[str, str]) -> None:
    from ..loading import load

    golden = golden_strings.from_strings(strings)
    assert golden is not None
    load(path, format, dtype=golden.y.dtype, verify=True)


def _dtype_of(spec: ModelSpec) -> np.dtype[Any]:
    return np.result_type(*{array.dtype for array in metadata.to_arrays(spec).values()})


def _cast(spec: ModelSpec, dtype: np.dtype[Any]) -> ModelSpec:
    """The same model with weights of that type."""
    arrays = {}
    for name, array in metadata.to_arrays(spec).items():
        with np.errstate(over="ignore"):
            arrays[name] = array.astype(dtype)
        if not np.array_equal(np.isfinite(arrays[name]), np.isfinite(array)):
            raise FormatError(f"--dtype {dtype}: {name} has numbers too large for it")
    return metadata.from_metadata(metadata.to_metadata(spec), arrays)


def _estimator(strings: Mapping[str, str], format: str, dtype: str | None) -> dict[str, str]:
    """What a model of rnn_native.models says of itself, where OUT has a place for it."""
    if metadata.ESTIMATOR not in strings:
        return {}
    from ..models import saving

    found = saving.in_dtype(strings[metadata.ESTIMATOR], dtype)
    if found is None:
        return {}
    name, text = found
    if format != "safetensors":
        _note(
            f"the labels and parameters that {name}.load reads of IN are left out: the format "
            f"{format} has no place for them"
        )
        return {}
    return {metadata.ESTIMATOR: text}


def source_strings(path: Path, format: str, strings: Mapping[str, str]) -> dict[str, str]:
    """Where the model came from: what IN says of that, or IN itself; and what it was quantised
    to."""
    known = {key: strings[key] for key in metadata.SOURCE if key in strings}
    quantized = {k: strings[k][:_LONGEST] for k in (metadata.QUANTIZED,) if k in strings}
    if known:
        return known | quantized
    file = os.fsencode(path).decode("utf-8", "replace")
    values = (file, format, strings.get("producer", ""))
    found = zip(metadata.SOURCE, values, strict=True)
    return {key: value[:_LONGEST] for key, value in found if value} | quantized


def _note(text: str) -> None:
    print(f"rnn-native convert: note: {text}", file=sys.stderr)
