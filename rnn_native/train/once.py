"""Gradients of a Model or a module as it stands: forward and backward without a Network at hand."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from numpy.typing import ArrayLike, NDArray

from ..errors import OptionError
from ..model import Model
from ..modules import GRU, LSTM, RNN
from ..states import State
from .network import Gradients, Network, Tape

# A Model never changes, so that its Network serves as long as it lives.
_networks: WeakKeyDictionary[Model, Network] = WeakKeyDictionary()


def forward(
    model: Model | RNN | GRU | LSTM | Network,
    x: ArrayLike,
    state: Any = None,
    lengths: ArrayLike | None = None,
    dropout: float = 0.0,
    seed: int | None = None,
) -> tuple[NDArray[Any], State, Tape]:
    """``y, state, tape`` of a Model, an RNN, GRU or LSTM, or a Network: see
    :meth:`Network.forward`. x and y are [batch, time, ...] where the model is ``batch_first``."""
    if isinstance(model, Network):
        return model.forward(x, state, lengths, dropout, seed)
    prefix = ""
    if isinstance(model, (RNN, GRU, LSTM)):
        model, prefix = model.model, "0."
    if not isinstance(model, Model):
        raise OptionError(
            f"model: expected a Model, an RNN, GRU or LSTM, or a Network, "
            f"got {type(model).__name__}"
        )
    network = _networks.get(model)
    if network is None:
        network = Network(model.spec, model.dtype, model.num_threads)
        _networks[model] = network
    return network._forward(x, state, lengths, dropout, seed, model.batch_first, prefix)


def backward(tape: Tape, dy: ArrayLike, dstate: Any = None) -> Gradients:
    """The gradients behind a tape: see :meth:`Network.backward`. The weights of a Model or a
    Network have names like ``"0.weight_ih_l0"``, those of an RNN, GRU or LSTM their own."""
    if not isinstance(tape, Tape):
        raise OptionError(f"tape: expected a Tape, got {type(tape).__name__}")
    return tape.network.backward(tape, dy, dstate)
