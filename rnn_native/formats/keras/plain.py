"""Keras files of weights alone: what the layers are, by the names and shapes of their arrays.

``embeddings`` is an Embedding; a ``kernel`` with a ``recurrent_kernel`` a recurrent layer, of as
many gates as it is wide; two of those a Bidirectional; a ``kernel`` by itself a Dense layer. What
this does not show is what Keras does where nothing else is said: recurrent layers run forward and
give all their steps, directions are concatenated, Dense layers have no activation. A warning tells
what was assumed of the activations, unless options say it:

``cell``
    What the recurrent layers have to be: ``"rnn"``, ``"gru"`` or ``"lstm"``.
``activation``, ``recurrent_activation``
    Of all recurrent layers; otherwise tanh, and sigmoid, or Keras 2's hard_sigmoid before 2.3. A
    bias in cuDNN's layout says tanh and sigmoid by itself.
``reset_after``
    Of GRUs without biases, whose shapes would show it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...errors import FormatError, OptionError, UnsupportedError
from ...spec import GATES, ModelSpec
from ...warn import warn
from ..names import some
from .config import Layer
from .file import KerasFile
from .graph import Call, Graph, Tensor
from .objects import Found, found_in
from .store import NumberedStore

_CLASSES: Final = {"rnn": "SimpleRNN", "gru": "GRU", "lstm": "LSTM"}


def describe(
    file: KerasFile, node: str | None, between: tuple[str, str] | None, options: Mapping[str, Any]
) -> Graph:
    """The layers of a file, each called with what the one before it in the file gives."""
    if options["cell"] not in (None, *GATES):
        raise OptionError(f"cell: expected one of {', '.join(GATES)}; got {options['cell']!r}")
    found = found_in(file.store)
    names = [layer.name for layer in found]
    if len(set(names)) != len(names):
        raise FormatError("there are two layers of one name")
    if not any(layer.parts for layer in found):
        raise FormatError("a file without weights of layers")
    if isinstance(file.store, NumberedStore) and (between or (node is None and len(names) != 1)):
        raise UnsupportedError(_no_order(file, found))
    if node is not None:
        wanted = {node}
    elif between is not None and between[0] in names and between[1] in names:
        wanted = set(names[names.index(between[0]) : names.index(between[1]) + 1])
    else:
        wanted = set(names)
    guess = _Guess(file, options)
    graph = _in_order([guess.layer(layer, layer.name in wanted) for layer in found])
    guess.warn()
    return graph


def recurrent_in(file: KerasFile) -> list[str]:
    """The layers of a file that have weights of a cell."""
    return [layer.name for layer in found_in(file.store) if layer.is_recurrent]


def _no_order(file: KerasFile, found: Sequence[Found]) -> str:
    """What to do about a file of layers in no order."""
    recurrent = [layer.name for layer in found if layer.is_recurrent]
    others = [layer.name for layer in found if not layer.is_recurrent]
    model = "; config= takes its JSON"
    if file.own_class is not None:
        model = f", which is the code of {file.own_class[:80]}"
    return (
        f"the file has weights, and does not tell what the model does with them{model}. node= "
        f"takes one of the recurrent layers {some([*map(repr, recurrent)])}, or of the others "
        f"{some([*map(repr, others)])}, out"
    )


def check(spec: ModelSpec, options: Mapping[str, Any]) -> None:
    """The options that were given have to be of a cell that was read."""
    cells = {layer.cell for layer in spec.recurrents}
    for option, owners in (
        ("cell", set(GATES)),
        ("activation", set(GATES)),
        ("recurrent_activation", {"gru", "lstm"}),
        ("reset_after", {"gru"}),
    ):
        value = options[option]
        owners = {value} if option == "cell" else owners
        if value is not None and not (cells and cells <= owners if option == "cell" else
                                      cells & owners):  # fmt: skip
            kinds = ", ".join(map(repr, sorted(cells))) or "no recurrent ones"
            raise OptionError(f"{option}={value!r}: the layers that are read are {kinds}")


_DO_SOMETHING: Final = (
    "add", "attention", "average", "concatenate", "cropping", "dot", "global_", "max_pooling",
    "maximum", "merge", "minimum", "multiply", "repeat_vector", "subtract", "up_sampling",
)  # fmt: skip
"""How Keras calls layers without weights that are not left out."""


class _Guess:
    """Makes the configuration of a layer from its arrays, and notes what it assumed."""

    def __init__(self, file: KerasFile, options: Mapping[str, Any]) -> None:
        self.version, self.major = file.version, file.major()
        self.options = options
        self.assumed: dict[str, dict[str, str]] = {}

    def layer(self, found: Found, wanted: bool) -> Layer:
        """One that is none of ours is refused by its name if it is needed. Only what is wanted can
        contradict an option."""
        notes: dict[str, str] = {}
        kind, config = self._class(found, notes, wanted)
        if found.time_distributed:
            kind, config = "TimeDistributed", {"layer": {"class_name": kind, "config": config}}
        if wanted and notes:
            self.assumed[found.name] = notes
        return Layer(kind, (found.name,), found.groups, config, self.major)

    def _class(
        self, found: Found, notes: dict[str, str], wanted: bool
    ) -> tuple[str, dict[str, Any]]:
        kinds = [tuple(leaf for leaf, _ in part) for part in found.parts]
        shapes = [shape for part in found.parts for _, shape in part]
        if not kinds:
            if wanted and found.name.startswith(_DO_SOMETHING):
                raise UnsupportedError(
                    f"layer {found.name!r}: by its name it joins or pools what others make, which "
                    "weights alone do not say; config= takes the JSON of the whole model"
                )
            notes["it does"] = "nothing"
            return "Identity", {}
        if kinds == [("embeddings",)] and len(shapes[0]) == 2:
            return "Embedding", {"input_dim": shapes[0][0], "output_dim": shapes[0][1]}
        if kinds in ([("kernel",)], [("kernel", "bias")]) and len(shapes[0]) == 2:
            notes["activation"] = "linear"
            return "Dense", {"units": shapes[0][1], "use_bias": len(shapes) == 2}
        cells = [self._cell(found.name, dict(part), notes, wanted) for part in found.parts]
        first = cells[0]
        if first is None or any(cell != first for cell in cells) or len(cells) > 2:
            return "unknown", {}
        if len(cells) == 1:
            return first
        notes["merge_mode"] = "concat"
        return "Bidirectional", {"layer": {"class_name": first[0], "config": first[1]}}

    def _cell(
        self, name: str, shapes: Mapping[str, tuple[int, ...]], notes: dict[str, str], wanted: bool
    ) -> tuple[str, dict[str, Any]] | None:
        """Class and configuration of a cell with these arrays, if they are of one."""
        kernel, recurrent = shapes.get("kernel", ()), shapes.get("recurrent_kernel", ())
        bias = shapes.get("bias")
        if len(kernel) != 2 or len(recurrent) != 2 or len(shapes) != 2 + (bias is not None):
            return None
        units, width = recurrent
        cell = next((cell for cell, gates in GATES.items() if gates * units == width), None)
        if cell is None:
            return None
        config: dict[str, Any] = {
            "units": units, "use_bias": bias is not None, "return_sequences": True,
        }  # fmt: skip
        cudnn = bias == (2 * width,) and cell != "rnn"
        default: dict[str, Any] = {"activation": "tanh"}
        shown: tuple[str, ...] = ()
        if cudnn:
            shown = ("activation", "recurrent_activation", "reset_after")
        if cell != "rnn":
            default["recurrent_activation"] = "sigmoid" if cudnn else self._gates(name, wanted)
        if cell == "gru":
            shown += ("reset_after",) if bias is not None else ()
            default["reset_after"] = len(bias) == 2 or cudnn if bias else self.major > 2
        for option, value in default.items():
            given = self.options[option]
            if wanted and option in shown and given not in (None, value):
                raise OptionError(f"{option}={given!r}: the bias of {name!r} says {value}")
            config[option] = value if given is None or option in shown else given
            if given is None and option not in shown:
                notes[option] = str(value)
        return _CLASSES[cell], config

    def _gates(self, name: str, wanted: bool) -> str:
        """The default of ``recurrent_activation``, which changed in Keras 2.3; tf.keras, whose
        versions can end in -tf, had both at a time."""
        if self.major == 1:
            return "hard_sigmoid"
        match = re.match(r"2\.(\d+)", self.version or "")
        if match is None or self.major > 2:
            return "sigmoid"
        if (self.version or "").endswith("-tf") and wanted and not self.options[
            "recurrent_activation"
        ]:  # fmt: skip
            raise OptionError(
                f"{name!r}: recurrent_activation= has to be given: in Keras {self.version} it was "
                "sigmoid or hard_sigmoid, and the file does not tell"
            )
        return "hard_sigmoid" if int(match[1]) < 3 else "sigmoid"

    def warn(self) -> None:
        """Says what was assumed of the layers that are read."""
        texts = [
            f"{name!r}: {', '.join(f'{key} {value}' for key, value in notes.items())}"
            for name, notes in self.assumed.items()
        ]
        if texts:
            warn(
                f"the file has weights alone; assumed of {'; '.join(texts[:12])}. config= takes "
                "the model's JSON"
            )


def _in_order(layers: list[Layer]) -> Graph:
    graph = Graph()
    current = Tensor("", (-1,))
    graph.inputs = {current: None}
    for layer in layers:
        graph.calls[layer.name, (0,)] = Call(layer, (current,))
        current = Tensor(layer.name, (0,))
    graph.outputs = [current]
    return graph
