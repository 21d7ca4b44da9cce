"""Models that learn from sequences and predict: RNNModel, GRUModel, LSTMModel.

model = GRUModel(input_dim=8, hidden_units=64, output_dim=10)
model.fit(X, y, validation=0.1, epochs=20, seed=0)
model.predict(X_new)
"""

from .inputs import pad
from .model import GRUModel, LSTMModel, RNNModel

__all__ = ["GRUModel", "LSTMModel", "RNNModel", "pad"]
