"""The six cells that are compared, and how large each may be for the same number of weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..errors import OptionError
from ..models import GRUModel, LSTMModel, RNNModel
from ..models.architecture import num_parameters
from ..models.model import SequenceModel

_MODELS: Final[dict[str, type[SequenceModel]]] = {
    "rnn": RNNModel,
    "gru": GRUModel,
    "lstm": LSTMModel,
}


@dataclass(frozen=True)
class Contender:
    """One cell: ``kind`` rnn, gru or lstm; ``cell`` standard or article."""

    kind: str
    cell: str

    @property
    def name(self) -> str:
        """As it stands in arguments and files: ``gru``, ``gru-article``."""
        return self.kind if self.cell == "standard" else f"{self.kind}-{self.cell}"

    @property
    def title(self) -> str:
        """As it stands in tables: ``GRU``, ``GRU (article)``."""
        return self.kind.upper() + ("" if self.cell == "standard" else f" ({self.cell})")

    def model(
        self, input_dim: int, hidden_units: int, output_dim: int, output: str
    ) -> SequenceModel:
        unknown = -1 if output == "softmax" else None  # what the tasks write where none is asked
        return _MODELS[self.kind](
            input_dim, hidden_units, output_dim, cell=self.cell, output=output, unknown=unknown
        )

    def parameters(self, input_dim: int, hidden_units: int, output_dim: int) -> int:
        return num_parameters(self.kind, self.cell, input_dim, hidden_units, output_dim)

    def hidden_units(self, budget: int, input_dim: int, output_dim: int) -> int:
        """The most units with which a model has at most ``budget`` weights."""

        def weights(units: int) -> int:
            return self.parameters(input_dim, units, output_dim)

        if weights(1) > budget:
            raise OptionError(f"budget: {self.title} needs at least {weights(1)}, got {budget}")
        units = 1
        while weights(2 * units) <= budget:
            units *= 2
        step = units // 2
        while step:
            if weights(units + step) <= budget:
                units += step
            step //= 2
        return units


CONTENDERS: Final = tuple(
    Contender(kind, cell) for cell in ("standard", "article") for kind in _MODELS
)
