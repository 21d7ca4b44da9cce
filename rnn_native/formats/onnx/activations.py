"""The attributes of RNN, GRU and LSTM that say how gates are calculated: activations with their
constants, clip, input_forget.

``activations`` lists f (RNN), f and g (GRU), or f, g and h (LSTM) of one direction after the
other. ``activation_alpha`` and ``activation_beta`` are consumed in that order by those activations
that take a constant of the kind; the others take their operator's default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ...activations import CONSTANTS, Activation
from ...errors import UnsupportedError
from ...spec import Recurrent, cell_of
from .graph import Node

NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "relu": "Relu",
        "tanh": "Tanh",
        "sigmoid": "Sigmoid",
        "affine": "Affine",
        "leaky_relu": "LeakyRelu",
        "thresholded_relu": "ThresholdedRelu",
        "scaled_tanh": "ScaledTanh",
        "hard_sigmoid": "HardSigmoid",
        "elu": "Elu",
        "softsign": "Softsign",
        "softplus": "Softplus",
    }
)
"""What ONNX calls the activations that it has; onnxruntime reads the names in any case."""
ELEMENTWISE: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{
            NAMES[name]: name for name in (
                "elu", "hard_sigmoid", "leaky_relu", "relu", "sigmoid", "softplus", "softsign",
                "tanh",
            )
        },
        "Abs": "abs", "Erf": "erf", "Exp": "exp", "HardSwish": "hard_swish", "Log": "log",
        "Mish": "mish", "Reciprocal": "reciprocal", "Sqrt": "sqrt", "Swish": "silu",
    }
)  # fmt: skip
"""The operators that are a function of each number, with the same constants. ThresholdedRelu is
another function as an operator: at alpha itself it is 0."""
_THEIRS: Final = tuple(NAMES.values())
_OURS: Final = {theirs.lower(): ours for ours, theirs in NAMES.items()}


def attributes(layer: Recurrent) -> dict[str, Any]:
    """The attributes of a node that is one layer of ``layer``, as far as they are not the defaults.

    ``UnsupportedError`` for a number that the attributes, which are float32, have no room for.
    """
    said: dict[str, Any] = {}
    directions = range(layer.num_directions)
    every = [activation for d in directions for activation in layer.activations_of(d)]
    if layer.cell == "rnn" or layer.activations is not None:
        own = [_of_onnx(activation) for activation in every]
        said["activations"] = [NAMES[activation.name] for activation in own]
        for constant in ("alpha", "beta"):
            values = [getattr(activation, constant) for activation in own]
            if numbers := [value for value in values if value is not None]:
                where = f"activation_{constant}"
                said[where] = [_float32(f"Recurrent {where}", number) for number in numbers]
    if layer.clip is not None:
        said["clip"] = _float32("Recurrent clip", layer.clip)
        if said["clip"] == 0:
            raise UnsupportedError(f"Recurrent clip={layer.clip}: 0 in float32, as ONNX has it")
    if layer.input_forget:
        said["input_forget"] = 1
    return said


def rounded(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options with numbers as the attributes keep them: what reading them again gives."""
    activations = options["activations"]
    return {
        **options,
        "activations": activations
        and tuple(
            (own.name, *(float(np.float32(number)) for number in own.constants))
            for own in map(_of_onnx, activations)
        ),
        "clip": None if options["clip"] is None else float(np.float32(options["clip"])),
    }


def _of_onnx(activation: Activation) -> Activation:
    if activation.name != "identity" and activation.name not in NAMES:
        raise UnsupportedError(
            f"Recurrent activations={activation.name}: ONNX's operators have no such activation; "
            f"they have {', '.join(_THEIRS)}"
        )
    return Activation("affine") if activation.name == "identity" else activation


def _float32(where: str, value: float) -> float:
    with np.errstate(over="ignore"):
        number = float(np.float32(value))
    if not isfinite(number):
        raise UnsupportedError(f"{where}={value}: beyond float32, in which ONNX has it")
    return number


def known(cell: str, extends: bool = False) -> dict[str, tuple[str, Any]]:
    """The attributes read here, with their types and defaults, for ``Node.options``; with those
    that ONNX's operators have not, where a graph ``extends`` them."""
    attributes: dict[str, tuple[str, Any]] = {
        "activation_alpha": ("floats", []),
        "activation_beta": ("floats", []),
        "activations": ("strings", None),
        "clip": ("float", None),
    }
    if cell == "lstm":
        attributes["input_forget"] = ("int", 0)
    return attributes | ({"cell_clip": ("float", None)} if cell == "lstm" and extends else {})


def options(node: Node, cell: str, directions: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """``Recurrent``'s activations, clip and input_forget."""
    clip = given["clip"]
    if clip is not None and not 0 < clip < float("inf"):
        raise node.unsupported(f"attribute clip={clip} is not supported: expected above 0")
    coupled = given.get("input_forget", 0)
    if coupled not in (0, 1):
        raise node.malformed(f"attribute input_forget={coupled}: expected 0 or 1")
    own = {"activations": _activations(node, cell, directions, given), "clip": clip}
    if cell == "lstm":
        own |= {"input_forget": bool(coupled), "cell_clip": given.get("cell_clip")}
    return own


def _activations(
    node: Node, cell: str, directions: int, given: Mapping[str, Any]
) -> tuple[Activation, ...] | None:
    names = given["activations"]
    count = len(cell_of(cell).activations) * directions
    if names is None:
        ours = [a.name for a in cell_of(cell).activations] * directions
    elif cell == "rnn" and [name.lower() for name in names] == ["tanh", "tanh"]:
        ours = ["tanh"] * directions  # the default as the schema spells it for any direction
    elif len(names) != count:
        raise node.malformed(
            f"attribute activations={names}: expected {count} of them for {directions} "
            f"direction{'s' if directions > 1 else ''}"
        )
    else:
        ours = [_OURS.get(name.lower(), "") for name in names]
        if "" in ours:
            raise node.unsupported(
                f"attribute activations={names} is not supported: expected {', '.join(_THEIRS)}"
            )
    alphas, betas = iter(given["activation_alpha"]), iter(given["activation_beta"])
    chosen = tuple(_activation(node, name, alphas, betas) for name in ours)
    for constant, left in (("alpha", list(alphas)), ("beta", list(betas))):
        if left:
            raise node.unsupported(
                f"attribute activation_{constant}={given[f'activation_{constant}']} is not "
                f"supported: {len(left)} more than {', '.join(NAMES[name] for name in ours)} take"
            )
    return chosen


def _activation(
    node: Node, name: str, alphas: Iterator[float], betas: Iterator[float]
) -> Activation:
    constants: dict[str, float] = {}
    for constant, default in CONSTANTS[name].items():
        value = next(alphas if constant == "alpha" else betas, default)
        if value is None:
            raise node.unsupported(
                f"attribute activation_{constant}: {NAMES[name]} needs one, and has no default"
            )
        if not abs(value) < float("inf"):
            raise node.malformed(f"attribute activation_{constant}: expected a number, got {value}")
        constants[constant] = value
    return Activation(name, **constants)
