"""Numbers and activations in a layer's line, such as ``hard_sigmoid:0x1.99999ap-3:0x1p-1,tanh``.

A number is written as ``float.hex`` and C's ``%a`` do it, without trailing zeros: every double has
exactly one such text, and reading it needs neither a decimal conversion nor a locale.
docs/file-format.md says the same to those who write a reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from ..activations import CONSTANTS, Activation
from ..errors import FormatError


def number_text(value: float) -> str:
    """A finite number."""
    mantissa, _, exponent = value.hex().partition("p")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}p{exponent}"


def read_number(where: str, text: str) -> float:
    """What ``number_text`` made, but for -0."""
    try:
        value = float.fromhex(text) + 0.0
    except (ValueError, OverflowError):
        value = float("nan")
    if isfinite(value) and number_text(value) == text:
        return value
    raise FormatError(f"{where}: expected a finite number like 0x1.8p+1, got {text!r}")


def activations_text(activations: Sequence[Activation]) -> str:
    return ",".join(":".join([a.name, *map(number_text, a.constants)]) for a in activations)


def read_activations(where: str, text: str) -> tuple[Activation, ...]:
    """What ``activations_text`` made."""
    return tuple(_activation(where, one) for one in text.split(","))


def _activation(where: str, text: str) -> Activation:
    name, *numbers = text.split(":")
    if name not in CONSTANTS:
        raise FormatError(f"{where}: expected one of {', '.join(CONSTANTS)}; got {name!r}")
    takes = CONSTANTS[name]
    if len(numbers) != len(takes):
        raise FormatError(
            f"{where}: expected {len(takes)} numbers after {name}, got {len(numbers)} in {text!r}"
        )
    values = (read_number(where, number) for number in numbers)
    return Activation(name, **dict(zip(takes, values, strict=True)))
