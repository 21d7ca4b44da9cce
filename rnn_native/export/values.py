"""What the functions of an exported model take and give: x and y or, of several inputs or outputs,
arrays of pointers to all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from ..spec import ModelSpec
from .literals import literal, quoted


@dataclass(frozen=True)
class Values:
    """The inputs and outputs of the model ``name``, in C. ``real``: float or double."""

    name: str
    spec: ModelSpec
    real: str
    streams: bool

    @property
    def several(self) -> bool:
        return max(len(self.spec.inputs), len(self.spec.outputs)) > 1

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

    def stream_call(self, steps: str) -> str:
        """The call of the library for so many steps of ``NAME_stream()``."""
        suffix, ends = "_values", ("inputs", "outputs")
        if not self.several:
            indices = "_indices" if self.spec.takes_indices else ""
            suffix, ends = indices + ("_f64" if self.real == "double" else ""), ("x", "y")
        return f"rnnat_stream_run{suffix}({self.name}_stream(), {ends[0]}, {steps}, {ends[1]})"

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
        last = whole and not self.spec.return_sequences
        return f"{x} y {f'[{self._macro}_BATCH' if last else axes}, {self._macro}_OUTPUT_SIZE]"

    def each_shape(self) -> Iterator[str]:
        """Those of all inputs and outputs where there are several."""
        axes = f"[steps, {self._macro}_BATCH"
        yield "inputs and outputs are arrays of pointers to dense arrays, none of which overlap:"
        for index, (name, one) in enumerate(self.spec.inputs.items()):
            size = f"{self._macro}_INPUT_{index}_SIZE"
            text = f"{self.real} {axes}, {size}]"
            if one.indices:
                text = f"int32_t {axes}], each from 0 to {size} - 1"
            yield f"  inputs[{index}], {quoted(name)}: {text}"
        for index, (name, source) in enumerate(self.spec.outputs.items()):
            size, last = f"{self._macro}_OUTPUT_{index}_SIZE", self.spec.value(source).last
            text = f"{self.real} {axes}, {size}]"
            if last and self.streams:
                text += ", of the last step so far"
            elif last:
                text = f"{self.real} [{self._macro}_BATCH, {size}], of the last step"
            yield f"  outputs[{index}], {quoted(name)}: {text}"
