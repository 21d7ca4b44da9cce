"""Models that learn from sequences and predict: RNNModel, GRUModel, LSTMModel.

model = GRUModel(hidden_units=64, validation_split=0.1, epochs=20)
model.fit(X, y)
model.predict(X_new)

They learn classes unless ``output`` says otherwise. As GRUClassifier and GRURegressor, and so on,
their names say what they learn.
"""

from .generation import next_step
from .inputs import pad
from .model import GRUModel, LSTMModel, RNNModel
from .named import (
    GRUClassifier,
    GRURegressor,
    LSTMClassifier,
    LSTMRegressor,
    RNNClassifier,
    RNNRegressor,
)

__all__ = [
    "GRUClassifier",
    "GRUModel",
    "GRURegressor",
    "LSTMClassifier",
    "LSTMModel",
    "LSTMRegressor",
    "RNNClassifier",
    "RNNModel",
    "RNNRegressor",
    "next_step",
    "pad",
]
