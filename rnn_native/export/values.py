"""What the functions of an exported model take and give: x and y or, of several inputs or outputs,
arrays of pointers to all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from ..spec import ModelSpec
from ..spec.window import Paces, most_steps_of, rate_of, steps_of
from .literals import literal, quoted


@dataclass(frozen=True)
class Values:
    """The inputs and outputs of the model ``name``, in C. ``real``: float or double."""

    name: str
    spec: ModelSpec
    real: str
    streams: bool
    max_steps: int

    @property
    def several(self) -> bool:
        return max(len(self.spec.inputs), len(self.spec.outputs)) > 1

    @property
    def pushes(self) -> bool:
        """Whether a stream tells how many steps of the outputs are ready: where these have other
        steps than the inputs."""
        outputs = self.spec.outputs.values()
        return self.streams and any(self.spec.value(value).paces for value in outputs)

    @cached_property
    def _macro(self) -> str:
        return self.name.upper()

    @property
    def _takes(self) -> str:
        """The type of x."""
        return "int32_t" if self.spec.takes_indices else self.real

    def parameters(self, steps: str = "") -> str:
        """Of a function; ``steps``: that between inputs and outputs, with its comma."""
        if self.several:
            return f"const void *const *inputs, {steps}void *const *outputs"
        return f"const {self._takes} *x, {steps}{self.real} *y"

    @property
    def push_parameters(self) -> str:
        """The same of a function that tells how many steps of the outputs are ready."""
        room = "const int32_t *capacities" if self.several else "int32_t capacity"
        return f"{self.parameters('int32_t steps, ')}, {room}, int32_t *got"

    def stream_call(self, steps: str) -> str:
        """The call of the library for so many steps of ``NAME_stream()``."""
        suffix, ends, room = "_values", ("inputs", "outputs"), "capacities"
        if not self.several:
            indices = "_indices" if self.spec.takes_indices else ""
            suffix, ends = indices + ("_f64" if self.real == "double" else ""), ("x", "y")
            room = "capacity"
        verb, more = ("push", f", {room}, got") if self.pushes else ("run", "")
        given = f"{self.name}_stream(), {ends[0]}, {steps}, {ends[1]}{more}"
        return f"rnnat_stream_{verb}{suffix}({given})"

    def run_members(self) -> tuple[str, str]:
        """The members of a run that say where all of that is."""
        if self.several:
            return ".inputs = inputs", ".outputs = outputs"
        return f".{'indices' if self.spec.takes_indices else 'x'} = x", ".y = y"

    # ---- what the header says ----

    def macros(self) -> Iterator[str]:
        """Sizes, and of a graph how many values there are, with their names."""
        if not self.several:
            inputs = "indices that it knows" if self.spec.takes_indices else "features of x"
            yield f"#define {self._macro}_INPUT_SIZE {self.spec.input_size} /* {inputs} */"
            yield f"#define {self._macro}_OUTPUT_SIZE {self.spec.output_size} /* features of y */"
        if not self.spec.is_chain:
            yield from self._named("INPUT", self.spec.sizes[0])
            yield from self._named("OUTPUT", self.spec.sizes[1])
        for index, value in enumerate(self.spec.outputs.values()):
            if (paces := self.spec.value(value).paces) and not self._is_alone(value):
                which = f"OUTPUT_{index}" if self.several else "OUTPUT"
                yield from self._pace(f"{self._macro}_{which}", which.lower(), paces)

    def _is_alone(self, value: str) -> bool:
        """Whether a call gives no more of an output than a last state."""
        return bool(self.spec.value(value).last) and not self.streams

    def _pace(self, macro: str, what: str, paces: Paces) -> Iterator[str]:
        """How many steps an output has, for whoever makes room for them."""
        rate, latency = rate_of(paces)
        if self.streams:
            most = most_steps_of(paces, self.max_steps)
            yield f"#define {macro}_REPEAT {rate.numerator} /* steps of {what} for every ... */"
            yield f"#define {macro}_STRIDE {rate.denominator} /* ... so many of the input */"
            yield f"#define {macro}_LATENCY {latency} /* steps of the input that one waits for */"
        else:
            most = steps_of(paces, self.max_steps)
        yield f"#define {macro}_MAX_STEPS {most} /* at most, of {self._macro}_MAX_STEPS at once */"

    def _named(self, kind: str, sizes: dict[str, int]) -> Iterator[str]:
        yield f"#define {self._macro}_NUM_{kind}S {len(sizes)}"
        for index, (name, size) in enumerate(sizes.items()):
            known = kind == "INPUT" and self.spec.inputs[name].indices
            what = "indices that it knows" if known else "features"
            yield f"#define {self._macro}_{kind}_{index}_NAME {literal(name)}"
            yield f"#define {self._macro}_{kind}_{index}_SIZE {size} /* {what} */"

    def shapes(self, steps: str, whole: bool = False) -> str:
        """Those of x and y of so many steps; ``whole``: of a run, not of a stream."""
        if self.several:
            return "inputs and outputs as above" + (", steps = 1" if not steps else "")
        axes = f"[{steps}{self._macro}_BATCH"
        x = f"x {axes}]: indices, each from 0 to {self._macro}_INPUT_SIZE - 1;"
        if not self.spec.takes_indices:
            x = f"x {axes}, {self._macro}_INPUT_SIZE],"
        (output,) = self.spec.outputs.values()
        if whole and not self.spec.return_sequences:
            axes = f"[{self._macro}_BATCH"
        elif self.spec.value(output).paces and steps:
            axes = f"[{self._made()}, {self._macro}_BATCH"
        return f"{x} y {axes}, {self._macro}_OUTPUT_SIZE]"

    def _made(self, index: int | None = None) -> str:
        """How many steps an output has that has not those of the inputs."""
        made = "got" if self.streams else "rnnat_model_run_steps"
        return made if index is None else f"{made}[{index}]" if self.streams else f"{made} {index}"

    def each_shape(self) -> Iterator[str]:
        """Those of all inputs and outputs where there are several."""
        axes = f"[steps, {self._macro}_BATCH"
        yield "inputs and outputs are arrays of pointers to dense arrays, none of which overlap:"
        for index, (name, one) in enumerate(self.spec.inputs.items()):
            size = f"{self._macro}_INPUT_{index}_SIZE"
            own = axes if one.time else f"[{self._macro}_BATCH"
            text = f"{self.real} {own}, {size}]"
            if one.indices:
                text = f"int32_t {own}], each from 0 to {size} - 1"
            if not one.time:
                text += ", the same at every step"
            yield f"  inputs[{index}], {quoted(name)}: {text}"
        for index, (name, source) in enumerate(self.spec.outputs.items()):
            size, value = f"{self._macro}_OUTPUT_{index}_SIZE", self.spec.value(source)
            steps, last = "steps" if not value.paces else self._made(index), value.last
            text = f"{self.real} [{steps}, {self._macro}_BATCH, {size}]"
            if last and self.streams:
                text += ", of the last step so far"
            elif last:
                text = f"{self.real} [{self._macro}_BATCH, {size}], of the last step"
            yield f"  outputs[{index}], {quoted(name)}: {text}"
