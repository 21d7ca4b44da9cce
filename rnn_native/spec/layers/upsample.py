"""More steps: each one several times, or cut into parts that become steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...errors import OptionError, ShapeError
from ..keys import Key, one_of, size
from ..layer import Float64, Ran, State, Value
from ..window import MOST, Window
from ..windowed import Windowed

MODES: Final = ("nearest", "parts")


@dataclass(frozen=True)
class Upsample(Windowed):
    """``factor`` steps for each one: [time, batch, features] becomes [time * factor - cut, batch,
    features].

    With ``"nearest"`` they are all that step, as PyTorch's ``Upsample`` has it. With ``"parts"``
    its features are cut into ``factor`` parts, one behind the other, each of which becomes a step:
    so a convolution of ``factor`` times as many channels makes more steps, as a transposed one
    does.
    ``cut`` leaves out that many of the last steps; a stream waits until it knows that there are
    more, and its state has the step before, and the phase.

    Raises
    ------
    OptionError
        Another mode, or numbers out of range: ``cut`` is below ``factor``.

    >>> import numpy as np
    >>> import rnn_native as rn
    >>> model = rn.Model([rn.GRU(3, 4), rn.Upsample(2)])
    >>> y, _ = model(np.zeros((5, 1, 3), np.float32))
    >>> y.shape, model.stream(batch=1).rate
    ((10, 1, 4), Fraction(2, 1))
    """

    factor: int
    mode: str = "nearest"
    cut: int = 0

    kind = "upsample"
    keys = (
        Key("factor", "natural", least=1),
        Key("mode", "word", words=MODES),
        Key("cut", "natural"),
    )
    input_size = None
    output_size = None

    def __post_init__(self) -> None:
        for name, least in (("factor", 1), ("cut", 0)):
            object.__setattr__(self, name, size(f"Upsample {name}", getattr(self, name), least))
        one_of("Upsample mode", self.mode, MODES)
        if self.factor > MOST:
            raise OptionError(f"Upsample factor: expected 1 to {MOST}, got {self.factor}")
        if self.cut >= self.factor:
            raise OptionError(
                f"Upsample cut: expected it below factor={self.factor}, got {self.cut}"
            )

    @property
    def window(self) -> Window:
        """It waits for as many as are cut off behind the last."""
        return Window(1 + self.cut, 1, self.factor)

    def outputs(self, where: str, name: str, inputs: Sequence[Value]) -> tuple[Value, ...]:
        (made,) = super().outputs(where, name, inputs)
        if self.mode == "nearest":
            return (made,)
        features, rest = divmod(made.features, self.factor)
        if rest:
            raise ShapeError(
                f"{where} (Upsample): expected an input of features in factor={self.factor} parts, "
                f"{inputs[0].name} gives {made.features}"
            )
        return (Value(made.name, features, last=made.last, paces=made.paces),)

    def run(self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_]) -> Ran:
        ran = super().run(inputs, state, valid)
        if self.mode == "nearest":
            return ran
        (y,) = ran.outputs
        parts = y.reshape(*y.shape[:2], self.factor, y.shape[2] // self.factor)
        which = (np.arange(len(y)) - self.phase_of(state)) % self.factor
        return Ran((parts[np.arange(len(y)), :, which],), ran.state)

    def over(self, taps: Float64, real: NDArray[np.bool_]) -> Float64:
        return taps[:, 0]
