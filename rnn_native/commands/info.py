"""Tell what is in a model file.

Layers with their sizes and options, parameters, where the model came from as far as the file
tells, what it takes in memory packed for this CPU, whether it runs step by step, the names of its
state for rnn-native run, and whether it carries a golden input and output. Of a file that is known
and not loaded as it is: why, which parts of it are and what to type for them, and its arrays.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from .. import formats
from ..errors import FormatError, RnnError, UnsupportedError
from ..formats import calling, metadata
from ..formats import golden as golden_strings
from ..masking import shown
from ..spec import ModelSpec
from . import unloadable
from .arguments import add_dtype, add_file, read_strings, reader_options
from .text import in_bytes, row

EXAMPLES: Final = """\
examples:
  rnn-native info model.safetensors
  rnn-native info checkpoint.safetensors --prefix encoder.lstm
  rnn-native info model.onnx --json | python -m json.tool
  rnn-native info model.safetensors --verify
  rnn-native info checkpoint.bin --arrays
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_file(parser)
    add_dtype(parser, "what the model would be packed in (default: what FILE says, else float32)")
    parser.add_argument(
        "--arrays", action="store_true", help="list every array of the file, as rn.read_arrays has"
    )
    parser.add_argument("--json", action="store_true", help="the same as one JSON object")
    parser.add_argument(
        "--verify",
        action="store_true",
        help="replay the golden input here; an error where the result is another",
    )


def run(arguments: argparse.Namespace) -> None:
    try:
        read = read_strings(arguments)
    except RnnError as error:
        if arguments.verify:
            raise
        facts = unloadable.facts_of(arguments, error)
        lines = unloadable.lines_of(facts)
    else:
        facts = _facts(arguments, *read)
        lines = _lines(facts)
    if arguments.json:
        print(json.dumps(facts))
        return
    for line in lines:
        print(line)


def _facts(
    arguments: argparse.Namespace,
    spec: ModelSpec,
    said: calling.Calling,
    strings: Mapping[str, str],
) -> dict[str, Any]:
    """Everything there is to tell, in the form of --json (docs/command-line.md)."""
    from ..sequence_files import states

    strings = {**strings, **formats.strings(arguments.file, arguments.format)}
    packed, streams = _pack(arguments, spec, said)
    format, _ = formats.find(arguments.file, arguments.format)
    source = {key.rpartition(".")[2]: strings[key] for key in metadata.SOURCE if key in strings}
    kinds = Counter[str]()
    for array in metadata.to_arrays(spec).values():
        kinds[array.dtype.name] += array.size
    return {
        "file": str(arguments.file),
        "format": format,
        "version": unloadable.version_of(strings),
        "loads": True,
        "bytes": arguments.file.stat().st_size,
        "producer": strings.get("producer"),
        "source": source or None,
        "quantized": strings.get(metadata.QUANTIZED),
        **_values(spec, said),
        "layers": [_layer(spec, name) for name in spec.nodes],
        "num_parameters": spec.num_parameters,
        "weights": dict(kinds),
        "packed": packed,
        "streams": streams,
        "state": states.shapes(spec),
        "golden": _golden(strings),
        "strings": {
            key: text
            for key, text in strings.items()
            if key != "producer" and not key.startswith(metadata.PREFIX)
        },
    } | (_arrays(arguments) if arguments.arrays else {})


def _arrays(arguments: argparse.Namespace) -> dict[str, Any]:
    found = formats.read_arrays(arguments.file, arguments.format)
    return {"arrays": {name: unloadable.told(array) for name, array in found.items()}}


def _values(spec: ModelSpec, said: calling.Calling) -> dict[str, Any]:
    """What goes in and out: of a graph, every input and output by name."""
    call: dict[str, Any] = {"batch_first": said.batch_first, "dtype": said.dtype, **said.reduced}
    if spec.is_chain:
        x, y = spec.axes(said.batch_first)
        return {
            "input_size": spec.input_size,
            "takes_indices": spec.takes_indices,
            "mask_value": spec.mask_value,
            "output_size": spec.output_size,
            "call": {"x": x, "y": y, **call},
        }
    inputs = [
        {"name": name, "indices" if one.indices else "features": one.features}
        for name, one in spec.inputs.items()
    ]
    outputs = [
        {"name": name, "features": spec.value(value).features, "value": value}
        for name, value in spec.outputs.items()
    ]
    return {"inputs": inputs, "mask_value": spec.mask_value, "outputs": outputs, "call": call}


def _layer(spec: ModelSpec, name: str) -> dict[str, Any]:
    layer, reads = spec.nodes[name]
    options = {
        name: [[a.name, *a.constants] for a in value] if isinstance(value, tuple) else value
        for name, value in layer.line.items()
    }
    parameters = sum(array.size for array in layer.arrays.values())
    told = {"kind": layer.kind, **options, "parameters": parameters}
    told |= {"kept": True} if name in spec.keep else {}
    return told if spec.is_chain else {"name": name, "reads": list(reads), **told}


def _pack(
    arguments: argparse.Namespace, spec: ModelSpec, said: calling.Calling
) -> tuple[dict[str, Any], bool | None]:
    from .. import _core
    from ..loading import load
    from ..model import Model

    dtype = arguments.dtype or said.dtype
    reduced = said.reduced if arguments.dtype is None else {}
    try:
        if arguments.verify:
            options, asked = reader_options(arguments), arguments.dtype
            model = load(arguments.file, arguments.format, dtype=asked, verify=True, **options)
        else:
            model = Model(spec, dtype=dtype, **reduced)
    except UnsupportedError as error:
        return {"refused": str(error)}, None
    where = {"isa": _core.isa(), "matmul": model.matmul}
    told = {"bytes": model.memory, "dtype": dtype, "weight_dtype": model.weight_dtype, **where}
    return told, model.streamable


def _golden(strings: Mapping[str, str]) -> dict[str, Any] | None:
    try:
        golden = golden_strings.from_strings(strings)
    except FormatError as error:
        return {"malformed": str(error)}
    if golden is None:
        return None
    steps, rows = golden.x.shape[:2]
    return {"steps": steps, "rows": rows, "dtype": golden.y.dtype.name, "error": golden.error}


def _lines(facts: Mapping[str, Any]) -> Iterator[str]:
    for name, text in _rows(facts):
        yield row(name, text)
    yield ""
    for index, layer in enumerate(facts["layers"]):
        options = " ".join(
            f"{key}={_option(value)}"
            for key, value in layer.items()
            if key not in ("kind", "parameters", "name", "reads", "kept")
        )
        reads = f"{layer['name']} <- {', '.join(layer['reads'])}: " if "reads" in layer else ""
        kept = ", kept in float32" if "kept" in layer else ""
        count = f"{layer['parameters']:,} parameters{kept}"
        yield f"{index:<3} {reads}{layer['kind']} {options} ({count})"
    yield from unloadable.array_lines(facts.get("arrays", {}))


def _option(value: Any) -> str:
    if isinstance(value, list):  # activations: a name and its constants each
        each = [f"{n}({','.join(map(str, c))})" if c else n for n, *c in value]
        return ",".join(each)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _rows(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    made = f", made by {facts['producer']}" if facts["producer"] else ""
    version = f" ({facts['version']})" if facts["version"] else ""
    size = in_bytes(facts["bytes"])
    yield "file", f"{facts['file']}: {facts['format']}{version}, {size}{made}"
    if source := facts["source"]:
        known = ", ".join(source[key] for key in ("format", "producer") if key in source)
        yield "from", f"{source.get('file', 'a file')} ({known})"
    yield from _value_rows(facts)
    weights = ", ".join(f"{count:,} in {dtype}" for dtype, count in facts["weights"].items())
    yield "parameters", weights
    if facts["quantized"]:
        yield "quantized", _quantized(facts["quantized"], facts["call"]["dtype"])
    packed = facts["packed"]
    if "refused" in packed:
        yield "packed", f"not possible: {packed['refused']}"
    else:
        form = _form(packed)
        yield "packed", f"{in_bytes(packed['bytes'])} in {form}, for {packed['isa']}"
        yield "streams", "yes" if facts["streams"] else "no: it needs whole sequences"
    shapes = [f"{name} [{', '.join(map(str, s))}]" for name, s in facts["state"].items()]
    yield "state", ", ".join(shapes) or "none"
    golden = facts["golden"]
    if golden is None:
        yield "golden", "none"
    elif "malformed" in golden:
        yield "golden", f"malformed: {golden['malformed']}"
    else:
        yield "golden", f"steps: {golden['steps']}, rows: {golden['rows']}, {golden['dtype']}"
    for key, text in facts["strings"].items():
        yield "says", f"{key}: {text}"


def _form(of: Mapping[str, Any]) -> str:
    """What is computed in, and what weights and products are where that is another type."""
    stored = f", weights in {of['weight_dtype']}" if of["weight_dtype"] else ""
    products = f", products in {of['compute']}" if of.get("compute") else ""
    return f"{of['dtype']}{stored}{products}"


def _quantized(text: str, dtype: str) -> str:
    """What is made of weights and of values that were integers."""
    were = {what: types for what, _, types in (part.partition(" ") for part in text.split("; "))}
    said = [f"weights were {were.get('weights', 'integers')}, run in {dtype}"]
    if "values" in were:
        said.append(f"values were {were['values']}: kept in its range, not rounded")
    return "; ".join(said)


def _value_rows(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    mask = facts["mask_value"]
    if "inputs" in facts:
        for one in facts["inputs"]:
            size, kind = (one.get(key) for key in ("indices", "features"))
            yield "input", f"{one['name']}: " + (f"{kind} features" if kind else _indices(size))
        if mask is not None:
            yield "masked", f"steps that are {shown(mask)}: padding behind a row's end"
        for one in facts["outputs"]:
            yield "output", f"{one['name']}: {one['features']} features of {one['value']}"
        yield "call", f"model(x) in {_form(facts['call'])}, dicts where there are several"
        return
    size = facts["input_size"]
    yield "input", _indices(size) if facts["takes_indices"] else f"{size} features"
    if mask is not None:
        whose = "whose index is" if facts["takes_indices"] else "with all features"
        yield "masked", f"steps {whose} {shown(mask)}: padding behind a row's end"
    yield "output", f"{facts['output_size']} features"
    x, y = (f"[{', '.join(map(str, facts['call'][name]))}]" for name in "xy")
    yield "call", f"{x} -> {y} in {_form(facts['call'])}"


def _indices(count: int) -> str:
    return f"indices from 0 to {count - 1}"
