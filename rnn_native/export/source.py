"""The C source and the header of one model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .. import _core
from ..formats import metadata
from ..masking import shown
from ..spec import ModelSpec
from ..weight_types import WEIGHT_DTYPES
from . import footprint
from .literals import listed, quoted
from .model_data import Constants
from .targets import Target
from .values import Values

MARK: Final = "/* Written by rnn-native export-c"
"""How the first line of every file of ours begins."""
TITLE: Final = f"{MARK} {_core.version()}; do not edit."
"""That line, of this version's."""

_STREAM: Final = """\
/* The model's own stream, in static memory. The first call makes it, in the model's initial state,
 * and must have returned before another thread uses any function below. NULL where the library was
 * compiled for other kernels than the weights are packed for. */"""


@dataclass(frozen=True)
class Plan:
    """What is exported, and how."""

    name: str
    packed: _core.PackedModel
    spec: ModelSpec
    isa: str
    target: Target
    batch: int
    max_steps: int


def _footprint(
    packed: _core.PackedModel, told: _core.Told, batch: int, steps: int
) -> footprint.Footprint:
    """Of a stream, or of a run where the model has none."""
    of = footprint.of_stream if told.members["info"]["streamable"] else footprint.of_run
    return of(packed, batch, steps)


def memory(
    packed: _core.PackedModel, target: Target, batch: int, steps: int, pointer: int
) -> tuple[int, int]:
    """Bytes of constants, and of RAM where a pointer has 4 or 8 bytes."""
    told = packed.describe()
    constants = Constants("model", told, "NULL", max(target.lanes) > 1)
    return constants.bytes, _footprint(packed, told, batch, steps).need(pointer)


def make(plan: Plan, told: _core.Told) -> tuple[str, str]:
    """The text of NAME.h and of NAME.c. ``told``: what ``plan.packed.describe()`` tells."""
    memory = _footprint(plan.packed, told, plan.batch, plan.max_steps)
    facts = told.members
    table = f"&{plan.target.table}[{facts['info']['dtype']}]"
    constants = Constants(plan.name, told, table, max(plan.target.lanes) > 1)
    header = "\n".join(_header(plan, facts, constants, memory)) + "\n"
    source = "\n".join(_source(plan, facts, constants, memory)) + "\n"
    return header, source


def _real(facts: _core.Struct) -> str:
    """The C type that is computed in."""
    return ("float", "double")[facts["info"]["dtype"]]


def _stored(facts: _core.Struct) -> str | None:
    """What matrices are stored as where that is another type."""
    code = facts["info"]["weight_dtype"]
    return WEIGHT_DTYPES[code - 1] if code else None


def _title(plan: Plan, facts: _core.Struct) -> Iterator[str]:
    yield TITLE
    yield " *"
    for index, (name, node) in enumerate(plan.spec.nodes.items()):
        line = metadata.describe(node.layer)
        if plan.spec.is_chain:
            yield f" *   {index} {line}"
        else:
            yield from listed(f" *   {quoted(name)}: {line}; reads", node.inputs)
    yield " *"
    yield f" * Packed for the kernels {plan.isa}."
    if stored := _stored(facts):
        multiplied = ", and multiplied in it" if facts["info"]["compute"] else ""
        yield f" * Matrices are stored as {stored}{multiplied}."
        if plan.spec.keep:
            yield from listed(f" * Stored as {_real(facts)} are those of", plan.spec.keep)


def _values(plan: Plan, facts: _core.Struct) -> Values:
    streams = bool(facts["info"]["streamable"])
    return Values(plan.name, plan.spec, _real(facts), streams, plan.max_steps)


def _state_names(spec: ModelSpec) -> list[str]:
    """What each array of the state is, of a graph; of a chain it is known by its number."""
    return [
        "" if spec.is_chain else f", {state} of {quoted(name)}"
        for name, node in spec.nodes.items()
        for state in node.layer.state_names
    ]


def _macros(
    plan: Plan, facts: _core.Struct, constants: Constants, memory: footprint.Footprint
) -> Iterator[str]:
    macro, info = plan.name.upper(), facts["info"]
    values = _values(plan, facts)
    yield from values.macros()
    yield f"#define {macro}_BATCH {plan.batch} /* rows that are run side by side */"
    yield f"#define {macro}_MAX_STEPS {plan.max_steps} /* steps that are run at once */"
    yield f"#define {macro}_NUM_STATES {info['num_states']}"
    names = _state_names(plan.spec)
    for index, ((_, state), name) in enumerate(zip(facts["states"], names, strict=True)):
        rows, features = state["rows"], state["features"]
        yield (
            f"#define {macro}_STATE_{index}_SIZE ({rows} * {macro}_BATCH * {features}) "
            f"/* {values.real}s: [{rows}, {macro}_BATCH, {features}]{name} */"
        )
    yield f"#define {macro}_NUM_PARAMETERS {info['num_parameters']}"
    kinds = f"{stored} and {values.real}s" if (stored := _stored(facts)) else f"{values.real}s"
    yield f"#define {macro}_WEIGHT_BYTES {constants.bytes}u /* constant, of {kinds} */"
    what, name = ("stream", "STREAM") if info["streamable"] else ("run", "RUN")
    yield ""
    yield f"/* What one {what} needs, all of its memory. */"
    yield "#if UINTPTR_MAX > 0xffffffffu"
    yield f"#define {macro}_{name}_BYTES {memory.need(8)}u"
    yield "#else"
    yield f"#define {macro}_{name}_BYTES {memory.need(4)}u"
    yield "#endif"


def _header(
    plan: Plan, facts: _core.Struct, constants: Constants, memory: footprint.Footprint
) -> Iterator[str]:
    macro, name = plan.name.upper(), plan.name
    values = _values(plan, facts)
    yield from _title(plan, facts)
    if plan.spec.mask_value is not None:
        yield f" * Steps whose input is {shown(plan.spec.mask_value)} are padding: leave them out."
    yield " */"
    yield f"#ifndef {macro}_H\n#define {macro}_H\n"
    yield '#include "rnn_native.h"\n'
    yield from _macros(plan, facts, constants, memory)
    yield '\n#ifdef __cplusplus\nextern "C" {\n#endif\n'
    yield "/* For the functions of rnn_native.h; constant, and any number of threads may use it. */"
    yield f"extern const rnnat_model {name}_model;\n"
    if values.several:
        yield "/* " + "\n * ".join(values.each_shape()) + " */\n"
    if values.streams:
        yield f"{_STREAM}\nrnnat_stream *{name}_stream(void);"
        if values.pushes:
            yield f"/* Any number of steps: {values.shapes('steps, ')}, those that are"
            yield " * ready; there has to be room for them, or TOO_SMALL is all that happens. */"
            yield f"rnnat_status {name}_push({values.push_parameters});"
        else:
            yield f"/* One step of it: {values.shapes('')}. */"
            yield f"rnnat_status {name}_step({values.parameters()});"
            yield f"/* Any number of steps: {values.shapes('steps, ')}. */"
            yield f"rnnat_status {name}_steps({values.parameters('int32_t steps, ')});"
        yield "/* The state becomes what it was at first. */"
        yield f"rnnat_status {name}_reset(void);"
    else:
        yield f"/* Whole sequences of at most {macro}_MAX_STEPS steps, in static memory, from the"
        yield f" * model's initial state: {values.shapes('steps, ', whole=True)}."
        yield " * One thread at a time. */"
        yield f"rnnat_status {name}_run({values.parameters('int32_t steps, ')});"
    yield "\n#ifdef __cplusplus\n}\n#endif\n#endif"


def _source(
    plan: Plan, facts: _core.Struct, constants: Constants, memory: footprint.Footprint
) -> Iterator[str]:
    macro, name = plan.name.upper(), plan.name
    yield from _title(plan, facts)
    yield " */"
    if constants.has_names:
        yield "#include <math.h>\n"
    yield '#include "rnn_native_config.h"'
    yield '#include "rnn_native_internal.h"'
    yield f'#include "{name}.h"\n'
    yield f"#if !({plan.target.condition})"
    yield f'#error "{name}.c is packed for {plan.isa}: expected {plan.target.wanted}"'
    yield "#endif\n"
    yield from constants.lines
    need = "STREAM" if facts["info"]["streamable"] else "RUN"
    yield ""
    yield f"static unsigned char {name}_memory[{macro}_{need}_BYTES];"
    yield f"_Static_assert(sizeof {name}_memory >=\n                   {memory.exact()},"
    yield f'               "{macro}_{need}_BYTES");'
    yield ""
    yield "/* True where the library's kernels are those that the weights are packed for. */"
    yield f"static bool {name}_fits(void)\n{{"
    lanes = plan.target.lanes[facts["info"]["dtype"]]
    if facts["info"]["compute"]:
        products = f"rnnat_stored_runs({name}_model.kernels, RNNAT_STORED_BF16_DOT)"
        yield f"    if (!{products}) return false;"
    yield f"    return {name}_model.kernels->lanes == {lanes};\n}}\n"
    yield from _stream(plan, facts) if facts["info"]["streamable"] else _run(plan, facts)


def _stream(plan: Plan, facts: _core.Struct) -> Iterator[str]:
    macro, name = plan.name.upper(), plan.name
    values = _values(plan, facts)
    yield f"rnnat_stream *{name}_stream(void)\n{{"
    yield "    static rnnat_stream *stream;"
    yield f"    if (!stream && {name}_fits())"
    yield f"        (void)rnnat_stream_init({name}_memory, sizeof {name}_memory, &{name}_model,"
    yield f"                                {macro}_BATCH, {macro}_MAX_STEPS, &stream);"
    yield "    return stream;\n}\n"
    if values.pushes:
        yield f"rnnat_status {name}_push({values.push_parameters})\n{{"
    else:
        yield f"rnnat_status {name}_step({values.parameters()})\n{{"
        yield f"    return {values.stream_call('1')};\n}}\n"
        yield f"rnnat_status {name}_steps({values.parameters('int32_t steps, ')})\n{{"
    yield f"    return {values.stream_call('steps')};\n}}\n"
    yield f"rnnat_status {name}_reset(void)\n{{"
    yield f"    return rnnat_stream_reset({name}_stream());\n}}"


def _run(plan: Plan, facts: _core.Struct) -> Iterator[str]:
    macro, name = plan.name.upper(), plan.name
    values = _values(plan, facts)
    suffix = "_f64" if values.real == "double" else ""
    yield f"rnnat_status {name}_run({values.parameters('int32_t steps, ')})\n{{"
    yield f"    const rnnat_run{suffix} run = {{.struct_size = sizeof run,"
    yield "                           .time = steps,"
    yield f"                           .batch = {macro}_BATCH,"
    for member in values.run_members():
        yield f"                           {member},"
    yield "                           .num_threads = 1};"
    yield f"    if (steps > {macro}_MAX_STEPS) return RNNAT_ERROR_ARGUMENT;"
    yield f"    if (!{name}_fits()) return RNNAT_ERROR_UNSUPPORTED;"
    yield f"    return rnnat_model_run{suffix}(&{name}_model, &run, {name}_memory,"
    yield f"                           sizeof {name}_memory);\n}}"
