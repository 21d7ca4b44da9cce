"""ModelSpec: a trained model as plain data, in PyTorch's names, shapes and gate order.

A :class:`ModelSpec` is a chain of layers, or a graph of them; every format reads into it
and writes out of it, and nothing past it knows a framework's quirks. Layers are validated on
construction and never change afterwards.

A kind of layer is a class in ``spec/layers``, a cell one in ``spec/cells``; each states everything
that others ask about it, its equations included, and ``LAYERS`` and ``CELLS`` are the only lists.

Canonical form (that of ``torch.nn``; G is 1 for RNN, 3 for GRU, 4 for LSTM; P is ``proj_size``
where there is a projection and ``hidden_size`` otherwise):

=====================  ==========================  ==========================================
array                  shape                       gate blocks, top to bottom
=====================  ==========================  ==========================================
``weight_ih_l{k}``     [G * H, in of layer k]      LSTM i, f, g, o; GRU r, z, n; RNN h
``weight_hh_l{k}``     [G * H, P]                  the same
``bias_ih_l{k}``       [G * H]                     the same
``bias_hh_l{k}``       [G * H]                     the same
``weight_hr_l{k}``     [P, H]                      LSTM with a projection
``weight_c{i,f,o}_l{k}``  [H]                      LSTM with diagonal peepholes
=====================  ==========================  ==========================================

Arrays of the direction that runs from the last step to the first end in ``_reverse``.

Without a counterpart in ``torch.nn``:

=====================  ==========================  ==========================================
array                  shape                       of
=====================  ==========================  ==========================================
``weight_gh_l{k}``     [2 * H, H]                  gate-recurrent GRU: r, z, both on z_{t-1}
``weight_hh_l{k}``     [H, H]                      gate-recurrent GRU: n
``weight_gh_l{k}``     [4 * H, H]                  gate-recurrent LSTM: i, f, g, o on i_{t-1},
                                                   f_{t-1}, i_{t-1}, i_{t-1}
``weight_ch_l{k}``     [4 * H, H]                  gate-recurrent LSTM: i, f, g, o on c_{t-1}
``weight_ho``          [O, H * directions]         RNN with an output layer: on the top h_t
``weight_xo``          [O, in]                     RNN with an output layer: on the layer's x_t
``bias_o``             [O]                         RNN with an output layer
=====================  ==========================  ==========================================

A gate-recurrent cell has ``bias_ih`` and no ``bias_hh``. A Recurrent with an ``initial_state`` has
among its arrays, not its weights, ``h_0`` and the like, [num_layers * directions, features of it].
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ..activations import ACTIVATIONS as ACTIVATIONS
from ..activations import Activation as Activation
from .cell import Cell as Cell
from .cells import CELLS as CELLS
from .cells import KINDS
from .cells import cell_of as cell_of
from .cells.rnn import NONLINEARITIES as NONLINEARITIES
from .graph import ModelSpec as ModelSpec
from .keys import MAX_SIZE as MAX_SIZE
from .layer import Layer as Layer
from .layers import *
from .layers import LAYERS as LAYERS
from .layers.combine import Combine as Combine
from .layers.merge import MERGE_MODES as MERGE_MODES
from .layers.recurrent_options import DIRECTIONS as DIRECTIONS
from .layers.recurrent_options import SUFFIXES as SUFFIXES
from .layers.recurrent_options import recurrent_options as recurrent_options
from .layers.recurrent_options import recurrent_shapes as recurrent_shapes
from .weights import Array as Array
from .wiring import Input as Input
from .wiring import Node as Node
from .wiring import Static as Static

GATES: Final[Mapping[str, int]] = MappingProxyType(
    {kind: len(cell_of(kind).gates) for kind in KINDS}
)
"""How many gates, or blocks of rows of ``weight_ih``, a cell has."""
STANDARD: Final[Mapping[str, tuple[Activation, ...]]] = MappingProxyType(
    {kind: cell_of(kind).activations for kind in KINDS}
)
"""What a cell of each kind has where nothing else is said, in ONNX's order: f; f, g; f, g, h."""


def state_names(cell: str, gate_recurrent: bool = False) -> tuple[str, ...]:
    """What a cell carries from step to step: h first, which is also its output."""
    return cell_of(cell, gate_recurrent).state_names


def trace_names(cell: str) -> tuple[str, ...]:
    """What a cell calculates in one step, in the order of its equations."""
    return cell_of(cell).trace_names
