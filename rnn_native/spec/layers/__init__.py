"""The layers: ``LAYERS`` is the only list of their kinds, and ``__all__`` of their names in
``rnn_native``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ..layer import Layer
from .attention import AdditiveAttention, Attention
from .attention_pool import AttentionPool
from .combine import Add, Combine, Concat, Div, Max, Min, Mul, Sub
from .conv import Conv
from .convolutions import Conv1d, Conv2d, Conv3d
from .elementwise import Elementwise
from .embedding import Embedding
from .expand import Expand
from .instance_norm import InstanceNorm
from .linear import Linear
from .merge import Merge
from .norm import LayerNorm, RMSNorm
from .pad import Pad
from .pool import AvgPool, MaxPool, Pool
from .pool_within import PoolWithin
from .prelu import PReLU
from .recurrent import Recurrent
from .reduce import Last, Reduce
from .scale import Scale
from .softmax import LogSoftmax, Softmax, SoftmaxOverTime
from .strided import Repeat, Slice, Strided, Transpose
from .transposed import ConvTranspose1d, ConvTranspose2d
from .upsample import Upsample

__all__ = [
    "Add",
    "AdditiveAttention",
    "Attention",
    "AttentionPool",
    "AvgPool",
    "Concat",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "Div",
    "Elementwise",
    "Embedding",
    "Expand",
    "InstanceNorm",
    "Last",
    "LayerNorm",
    "Linear",
    "LogSoftmax",
    "Max",
    "MaxPool",
    "Merge",
    "Min",
    "Mul",
    "PReLU",
    "Pad",
    "PoolWithin",
    "RMSNorm",
    "Recurrent",
    "Reduce",
    "Repeat",
    "Scale",
    "Slice",
    "Softmax",
    "SoftmaxOverTime",
    "Strided",
    "Sub",
    "Transpose",
    "Upsample",
]

LAYERS: Final[Mapping[str, type[Layer]]] = MappingProxyType(
    {
        layer.kind: layer
        for layer in (
            Embedding,
            Recurrent,
            Linear,
            Merge,
            Combine,
            Expand,
            Elementwise,
            Pool,
            Conv,
            PoolWithin,
            Strided,
            Upsample,
            Pad,
            Scale,
            PReLU,
            LayerNorm,
            InstanceNorm,
            Reduce,
            Softmax,
            SoftmaxOverTime,
            AttentionPool,
            Attention,
        )
    }
)
"""By the first word of their line in a file."""
