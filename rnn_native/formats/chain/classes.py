"""Classes of PyTorch's as ``chain=`` has them: what they say, and the layers that they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Final

import numpy as np

from ...activations import Activation
from ...errors import FormatError, OptionError, ShapeError, UnsupportedError
from ...spec import (
    Embedding,
    InstanceNorm,
    LayerNorm,
    Linear,
    PReLU,
    RMSNorm,
    Scale,
    Transpose,
)
from ...torch_functions import function_of
from .kinds import Here, Kind, Made, parameters
from .layout import Layout

EPSILON: Final = 1e-5
"""That of a norm in PyTorch, unless it was given another: a ``state_dict`` does not have it."""
STATISTICS: Final = ("running_mean", "running_var")


def _linear(here: Here) -> Made:
    weight = here.arrays["weight"]
    layer = Linear(weight, here.arrays.get("bias"))
    here.check(in_features=layer.input_size, out_features=layer.output_size)
    here.check_arrays(bias="bias" in here.arrays)
    return [layer], here.layout.of_features(here.where)


def _embedding(here: Here) -> Made:
    layer = Embedding(here.arrays["weight"])
    here.check(num_embeddings=layer.input_size, embedding_dim=layer.output_size)
    if here.said["max_norm"] is not None:
        raise UnsupportedError(f"{here.where}: max_norm changes the table as it is used")
    return [layer], Layout()


def _recurrent(here: Here) -> Made:
    layer = here.recurrent
    assert layer is not None
    own = {
        "input_size": layer.input_size, "hidden_size": layer.hidden_size,
        "num_layers": layer.num_layers, "proj_size": layer.proj_size,
        "bidirectional": layer.direction == "bidirectional", "bias": layer.bias,
    }  # fmt: skip
    here.check(**own)
    nonlinearity = here.said.get("nonlinearity")
    if nonlinearity is not None:
        layer = replace(layer, nonlinearity=nonlinearity)
    here.layout.of_features(here.where)
    return [layer], Layout()


def _batch_norm(here: Here) -> Made:
    arrays = here.arrays
    mean, variance = (arrays[name] for name in STATISTICS)
    if mean.ndim != 1 or any(array.shape != mean.shape for array in arrays.values()):
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise FormatError(f"a BatchNorm: expected vectors of equal size, got {shapes}")
    here.check(num_features=len(mean))
    affine = "weight" in arrays
    here.check_arrays(affine=affine, track_running_stats=True, bias="bias" in arrays)
    here.check_channels(len(mean))
    gamma = arrays.get("weight", np.ones_like(mean))
    beta = arrays.get("bias", np.zeros_like(mean))
    own = Scale.normalizing(mean, variance, gamma, beta, here.said["eps"])
    return [Scale(here.over_positions(own.scale), here.over_positions(own.shift))], here.layout


def _prelu(here: Here) -> Made:
    slope = here.arrays["weight"]
    here.check(num_parameters=slope.size)
    if slope.size > 1:
        here.check_channels(slope.size)
        return [PReLU(here.over_positions(slope))], here.layout
    return [PReLU(np.repeat(slope, here.features or 1))], here.layout


def _layer_norm(here: Here) -> Made:
    """Over all features: of several axes, as PyTorch's arrays have them, they are flattened."""
    layout = here.layout.of_features(here.where)
    weight, bias = here.arrays.get("weight"), here.arrays.get("bias")
    shape = here.said["normalized_shape"]
    shape = (shape,) if type(shape) is int else shape
    if weight is not None:
        if shape is not None and shape != weight.shape:
            raise ShapeError(
                f"{here.where}: normalized_shape={shape} is said, but its weight has {weight.shape}"
            )
        shape = weight.shape
    here.check_arrays(elementwise_affine=weight is not None)
    if "bias" in here.said and weight is not None:
        here.check_arrays(bias=bias is not None)
    if shape is None:
        shape = (_features(here),)
    sizes = [_natural(here, "normalized_shape", size) for size in shape]
    features = int(np.prod(sizes))
    flat = None if weight is None else weight.reshape(-1)
    if "subtract_mean" in here.said:
        epsilon = here.said["eps"]
        if epsilon is None:  # what PyTorch takes then
            epsilon = float(np.finfo(np.float32).eps)
        return [RMSNorm(features, flat, epsilon)], layout
    shift = None if bias is None else bias.reshape(-1)
    return [LayerNorm(features, flat, shift, epsilon=here.said["eps"])], layout


def _over_time(here: Here) -> Made:
    """InstanceNorm and GroupNorm, of [batch, channels, ...] over all steps and positions; one with
    running statistics is as a BatchNorm."""
    arrays = here.arrays
    if set(STATISTICS) <= arrays.keys():
        return _batch_norm(here)
    groups = here.said.get("num_groups")
    steps = here.layout.time is not None
    if not steps and (groups is None or here.layout.positions > 1):
        raise UnsupportedError(
            f"{here.where}: the time is none of its axes, and over those inside a step alone it is "
            "not supported"
        )
    weight, bias = arrays.get("weight"), arrays.get("bias")
    channels = here.said.get("num_features", here.said.get("num_channels"))
    if weight is not None:
        here.check(num_features=len(weight), num_channels=len(weight))
        channels = len(weight)
    if channels is None:
        channels = here.layout.channels(here.where, _features(here))
    _natural(here, "num_features", channels)
    here.check_arrays(affine=weight is not None, bias=bias is not None)
    here.check_channels(channels)
    epsilon, positions = here.said["eps"], here.layout.positions
    if not steps:
        return [LayerNorm(channels, weight, bias, groups or 1, epsilon)], here.layout
    features = channels * positions
    return [InstanceNorm(features, weight, bias, epsilon, positions, groups)], here.layout


def _group_norm(here: Here) -> Made:
    here.says("num_groups")
    return _over_time(here)


def _natural(here: Here, name: str, value: Any) -> int:
    if type(value) is not int or value < 1:
        raise OptionError(f"{here.where}: {name}: expected numbers from 1, got {value!r}")
    return value


def _features(here: Here) -> int:
    if here.features is None:
        raise OptionError(f"{here.where}: cannot be first without its sizes")
    return here.features


def _flatten(here: Here) -> Made:
    """[positions, channels] as PyTorch's [channels, positions], or as it is."""
    features = _features(here)
    if here.layout.time is not None and here.said["start_dim"] == 1:
        raise UnsupportedError(f"{here.where}: start_dim=1 takes the time too; expected Flatten()")
    if here.said["end_dim"] not in (None, -1):
        raise UnsupportedError(f"{here.where}: expected end_dim=-1, got {here.said['end_dim']!r}")
    if not here.layout.is_known:
        raise UnsupportedError(
            f"{here.where}: behind a layer of ours that has positions or orders features; "
            "rn.Transpose(positions, channels) says the order"
        )
    channels = here.layout.channels(here.where, features)
    if here.said["channels_last"] is True or 1 in (channels, here.layout.positions):
        return [], here.layout.flat
    return [Transpose(here.layout.positions, channels)], here.layout.flat


def _nothing(here: Here) -> Made:
    return [], here.layout


def _over_features(name: str) -> Callable[[Here], str]:
    def function(here: Here) -> str:
        if here.said["dim"] != -1:
            raise UnsupportedError(
                f"{here.where}: expected dim=-1, the features of a step; got {here.said['dim']!r}"
            )
        return name

    return function


def _function(name: str) -> Callable[[Here], Activation]:
    def function(here: Here) -> Activation:
        made = function_of(name, SimpleNamespace(**here.said))
        if made is None:
            raise UnsupportedError(f"{here.where}: with these arguments it is no function here")
        return made

    return function


_RECURRENT = parameters(
    "input_size hidden_size num_layers bias batch_first dropout bidirectional proj_size"
)
_NORM = parameters(
    "num_features", eps=EPSILON, momentum=None, affine=None, track_running_stats=None, bias=None
)
_FUNCTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "ELU": {"alpha": 1.0, "inplace": None}, "GELU": {"approximate": "none"},
    "Hardsigmoid": {"inplace": None}, "Hardswish": {"inplace": None},
    "Hardtanh": {"min_val": -1.0, "max_val": 1.0, "inplace": None},
    "LeakyReLU": {"negative_slope": 0.01, "inplace": None}, "Mish": {"inplace": None},
    "ReLU": {"inplace": None}, "ReLU6": {"inplace": None}, "SELU": {"inplace": None},
    "SiLU": {"inplace": None}, "Sigmoid": {}, "Softplus": {"beta": 1.0, "threshold": 20.0},
    "Softsign": {}, "Tanh": {},
}  # fmt: skip
_WB: Final = ("weight", "bias")
CLASSES: Final[Mapping[str, Kind]] = {
    "Linear": Kind(_linear, parameters("in_features out_features bias"), ("weight",), ("bias",)),
    "Embedding": Kind(
        _embedding,
        parameters(
            "num_embeddings embedding_dim padding_idx max_norm norm_type scale_grad_by_freq sparse"
        ),
        ("weight",),
    ),
    **{name: Kind(_recurrent, _RECURRENT) for name in ("LSTM", "GRU")},
    "RNN": Kind(
        _recurrent,
        parameters(
            "input_size hidden_size num_layers nonlinearity bias batch_first dropout bidirectional"
        ),
    ),
    **{
        f"{name}Cell": Kind(_recurrent, parameters("input_size hidden_size bias" + more))
        for name, more in (("LSTM", ""), ("GRU", ""), ("RNN", " nonlinearity"))
    },
    **{f"BatchNorm{n}d": Kind(_batch_norm, _NORM, STATISTICS, _WB) for n in (1, 2)},
    **{f"InstanceNorm{n}d": Kind(_over_time, _NORM, (), (*_WB, *STATISTICS)) for n in (1, 2)},
    "GroupNorm": Kind(
        _group_norm,
        parameters("num_groups num_channels", eps=EPSILON, affine=None, bias=None),
        (),
        _WB,
    ),
    "PReLU": Kind(_prelu, parameters("num_parameters init"), ("weight",)),
    "LayerNorm": Kind(
        _layer_norm,
        parameters("normalized_shape", eps=EPSILON, elementwise_affine=None, bias=None),
        (),
        _WB,
    ),
    "RMSNorm": Kind(
        _layer_norm,
        parameters("normalized_shape", eps=None, elementwise_affine=None, subtract_mean=False),
        (),
        ("weight",),
    ),
    "Flatten": Kind(_flatten, parameters("start_dim end_dim", channels_last=False)),
    **{
        name: Kind(_nothing, parameters("p inplace"))
        for name in ("Dropout", "Dropout1d", "Dropout2d", "AlphaDropout", "Identity")
    },
    "Softmax": Kind(None, parameters("dim"), function=_over_features("softmax")),
    "LogSoftmax": Kind(None, parameters("dim"), function=_over_features("log_softmax")),
    **{name: Kind(None, own, function=_function(name)) for name, own in _FUNCTIONS.items()},
}
"""By their names; those of convolutions and pools are in ``windows`` and ``pools``."""
