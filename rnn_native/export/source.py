"""The C source and the header of one model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from .. import _core
from ..masking import shown
from . import footprint
from .model_data import Constants
from .targets import Target

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
    layers: Sequence[str]
    """What a model file says of each."""
    mask_value: float | None
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


def _title(plan: Plan) -> Iterator[str]:
    yield TITLE
    yield " *"
    for index, layer in enumerate(plan.layers):
        yield f" *   {index} {layer}"
    yield " *"
    yield f" * Packed for the kernels {plan.isa}."


def _types(facts: _core.Struct) -> tuple[str, str, str]:
    """What x is made of, what y is, and the end of the names of functions for them."""
    real = ("float", "double")[facts["info"]["dtype"]]
    indices = "_indices" if facts["info"]["takes_indices"] else ""
    return ("int32_t" if indices else real), real, indices + ("_f64" if real == "double" else "")


def _shapes(plan: Plan, facts: _core.Struct, steps: str, whole: bool) -> str:
    """x and y of so many steps."""
    macro = plan.name.upper()
    axes = f"[{steps}{macro}_BATCH"
    x = f"x {axes}]: indices, each from 0 to {macro}_INPUT_SIZE - 1;"
    if not facts["info"]["takes_indices"]:
        x = f"x {axes}, {macro}_INPUT_SIZE],"
    last = whole and not facts["info"]["return_sequences"]
    return f"{x} y {f'[{macro}_BATCH' if last else axes}, {macro}_OUTPUT_SIZE]"


def _macros(
    plan: Plan, facts: _core.Struct, constants: Constants, memory: footprint.Footprint
) -> Iterator[str]:
    macro, info = plan.name.upper(), facts["info"]
    kind = ("float", "double")[info["dtype"]]
    inputs = "indices that it knows" if info["takes_indices"] else "features of x"
    yield f"#define {macro}_INPUT_SIZE {info['input_size']} /* {inputs} */"
    yield f"#define {macro}_OUTPUT_SIZE {info['output_size']} /* features of y */"
    yield f"#define {macro}_BATCH {plan.batch} /* rows that are run side by side */"
    yield f"#define {macro}_MAX_STEPS {plan.max_steps} /* steps that are run at once */"
    yield f"#define {macro}_NUM_STATES {info['num_states']}"
    for index, (_, state) in enumerate(facts["states"]):
        rows, features = state["rows"], state["features"]
        yield (
            f"#define {macro}_STATE_{index}_SIZE ({rows} * {macro}_BATCH * {features}) "
            f"/* {kind}s: [{rows}, {macro}_BATCH, {features}] */"
        )
    yield f"#define {macro}_NUM_PARAMETERS {info['num_parameters']}"
    yield f"#define {macro}_WEIGHT_BYTES {constants.bytes}u /* constant, of {kind}s */"
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
    x, y, _ = _types(facts)
    yield from _title(plan)
    if plan.mask_value is not None:
        yield f" * Steps whose input is {shown(plan.mask_value)} are padding: leave them out."
    yield " */"
    yield f"#ifndef {macro}_H\n#define {macro}_H\n"
    yield '#include "rnn_native.h"\n'
    yield from _macros(plan, facts, constants, memory)
    yield '\n#ifdef __cplusplus\nextern "C" {\n#endif\n'
    yield "/* For the functions of rnn_native.h; constant, and any number of threads may use it. */"
    yield f"extern const rnnat_model {name}_model;\n"
    if facts["info"]["streamable"]:
        yield f"{_STREAM}\nrnnat_stream *{name}_stream(void);"
        yield f"/* One step of it: {_shapes(plan, facts, '', False)}. */"
        yield f"rnnat_status {name}_step(const {x} *x, {y} *y);"
        yield f"/* Any number of steps: {_shapes(plan, facts, 'steps, ', False)}. */"
        yield f"rnnat_status {name}_steps(const {x} *x, int32_t steps, {y} *y);"
        yield "/* The state becomes what it was at first. */"
        yield f"rnnat_status {name}_reset(void);"
    else:
        yield f"/* Whole sequences of at most {macro}_MAX_STEPS steps, in static memory, from the"
        yield f" * model's initial state: {_shapes(plan, facts, 'steps, ', True)}."
        yield " * One thread at a time. */"
        yield f"rnnat_status {name}_run(const {x} *x, int32_t steps, {y} *y);"
    yield "\n#ifdef __cplusplus\n}\n#endif\n#endif"


def _source(
    plan: Plan, facts: _core.Struct, constants: Constants, memory: footprint.Footprint
) -> Iterator[str]:
    macro, name = plan.name.upper(), plan.name
    yield from _title(plan)
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
    yield f"    return {name}_model.kernels->lanes == {lanes};\n}}\n"
    yield from _stream(plan, facts) if facts["info"]["streamable"] else _run(plan, facts)


def _stream(plan: Plan, facts: _core.Struct) -> Iterator[str]:
    macro, name = plan.name.upper(), plan.name
    x, y, suffix = _types(facts)
    yield f"rnnat_stream *{name}_stream(void)\n{{"
    yield "    static rnnat_stream *stream;"
    yield f"    if (!stream && {name}_fits())"
    yield f"        (void)rnnat_stream_init({name}_memory, sizeof {name}_memory, &{name}_model,"
    yield f"                                {macro}_BATCH, {macro}_MAX_STEPS, &stream);"
    yield "    return stream;\n}\n"
    yield f"rnnat_status {name}_step(const {x} *x, {y} *y)\n{{"
    yield f"    return rnnat_stream_run{suffix}({name}_stream(), x, 1, y);\n}}\n"
    yield f"rnnat_status {name}_steps(const {x} *x, int32_t steps, {y} *y)\n{{"
    yield f"    return rnnat_stream_run{suffix}({name}_stream(), x, steps, y);\n}}\n"
    yield f"rnnat_status {name}_reset(void)\n{{"
    yield f"    return rnnat_stream_reset({name}_stream());\n}}"


def _run(plan: Plan, facts: _core.Struct) -> Iterator[str]:
    macro, name = plan.name.upper(), plan.name
    x, y, _ = _types(facts)
    suffix = "_f64" if y == "double" else ""
    field = "indices" if x == "int32_t" else "x"
    yield f"rnnat_status {name}_run(const {x} *x, int32_t steps, {y} *y)\n{{"
    yield f"    const rnnat_run{suffix} run = {{.struct_size = sizeof run,"
    yield "                           .time = steps,"
    yield f"                           .batch = {macro}_BATCH,"
    yield f"                           .{field} = x,"
    yield "                           .y = y,"
    yield "                           .num_threads = 1};"
    yield f"    if (steps > {macro}_MAX_STEPS) return RNNAT_ERROR_ARGUMENT;"
    yield f"    if (!{name}_fits()) return RNNAT_ERROR_UNSUPPORTED;"
    yield f"    return rnnat_model_run{suffix}(&{name}_model, &run, {name}_memory,"
    yield f"                           sizeof {name}_memory);\n}}"
