"""Padding over time: more steps in front of the first one and behind the last one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...errors import OptionError
from ..keys import Key, one_of, size
from ..layer import Float64
from ..window import MOST, Window
from ..windowed import Windowed

PAD_MODES: Final = ("zeros", "reflect", "replicate", "circular")
_LOOKS_ON: Final = {"reflect": "padding that mirrors steps", "circular": "padding that goes around"}


@dataclass(frozen=True)
class Pad(Windowed):
    """Padding over time: [time, batch, features] becomes [before + time + after, batch, features],
    and lengths likewise; no steps where there are none.

    The ``before`` steps in front of a row's first one and the ``after`` behind its last one are
    zeros or, by ``mode``, steps of the row: ``"reflect"`` mirrors them at its ends, without these;
    ``"replicate"`` repeats its ends; ``"circular"`` goes around, from one end to the other. A row
    shorter than its padding is mirrored at its other end, too, or goes around again, as NumPy's
    ``pad`` has it; PyTorch refuses it.

    A convolution over time that pads by other numbers than zeros is one without padding behind it:
    ``rn.Pad(4, 1, 1, "reflect"), rn.Conv1d(weight)`` is PyTorch's ``Conv1d(4, 8, 3, padding=1,
    padding_mode="reflect")``.

    In front of the first step alone it runs in streams, with zeros or ``"replicate"``. Its state is
    the ``phase`` [1, batch, 1], how many of these steps are still to come.

    Raises
    ------
    OptionError
        Another mode, or numbers out of range.

    >>> import numpy as np
    >>> import rnn_native as rn
    >>> model = rn.Model([rn.Pad(1, 2, 1, "reflect"), rn.Scale(np.ones(1), np.zeros(1))])
    >>> y, _ = model(np.arange(4.0)[:, None, None])
    >>> y.ravel().tolist()
    [2.0, 1.0, 0.0, 1.0, 2.0, 3.0, 2.0]
    """

    features: int
    before: int
    after: int = 0
    mode: str = "zeros"

    kind = "pad"
    keys = (
        Key("features", "natural", least=1),
        Key("before", "natural"),
        Key("after", "natural"),
        Key("mode", "word", words=PAD_MODES),
    )

    def __post_init__(self) -> None:
        for name, least in (("features", 1), ("before", 0), ("after", 0)):
            object.__setattr__(self, name, size(f"Pad {name}", getattr(self, name), least))
        for name in ("before", "after"):
            if getattr(self, name) > MOST:
                raise OptionError(f"Pad {name}: expected 0 to {MOST}, got {getattr(self, name)}")
        one_of("Pad mode", self.mode, PAD_MODES)

    @property
    def input_size(self) -> int:
        return self.features

    @property
    def output_size(self) -> int:
        return self.features

    @property
    def window(self) -> Window:
        return Window(1, 1, 1, self.before, self.after, whole=bool(self.needs_all))

    @property
    def needs_all(self) -> str:
        return _LOOKS_ON.get(self.mode, "") if self.before else ""

    def read(self, at: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        if count == 0 or self.mode == "zeros":
            return at
        if self.mode == "replicate" or count == 1:
            return np.clip(at, 0, count - 1)
        if self.mode == "circular":
            return at % count
        at = at % (2 * count - 2)
        return np.minimum(at, 2 * count - 2 - at)

    def over(self, taps: Float64, real: NDArray[np.bool_]) -> Float64:
        return taps[:, 0]
