"""The models under scikit-learn's names, which say what is learnt: classes, or numbers."""

from __future__ import annotations

from dataclasses import dataclass

from .model import GRUModel, LSTMModel, RNNModel


class RNNClassifier(RNNModel):
    """:class:`RNNModel` of classes."""


class GRUClassifier(GRUModel):
    """:class:`GRUModel` of classes."""


class LSTMClassifier(LSTMModel):
    """:class:`LSTMModel` of classes."""


@dataclass(eq=False, repr=False)
class RNNRegressor(RNNModel):
    """:class:`RNNModel` of numbers: its ``output`` is ``"identity"`` unless said otherwise."""

    output: str = "identity"


@dataclass(eq=False, repr=False)
class GRURegressor(GRUModel):
    """:class:`GRUModel` of numbers: its ``output`` is ``"identity"`` unless said otherwise."""

    output: str = "identity"


@dataclass(eq=False, repr=False)
class LSTMRegressor(LSTMModel):
    """:class:`LSTMModel` of numbers: its ``output`` is ``"identity"`` unless said otherwise."""

    output: str = "identity"
