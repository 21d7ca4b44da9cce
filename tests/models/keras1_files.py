"""Files as Keras 1.2 laid them out, of Keras 3's layers: its classes, options and arrays.

Keras 1 cannot be installed beside anything of today. What is written here follows its layers'
``get_config`` and ``add_weight``, and ``save_weights_to_hdf5_group``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from keras import layers as known
from keras import ops

Arrays = list[tuple[str, Any]]
_ORDERS = {"LSTM": ("icfo", "ifco"), "GRU": ("zrh", "zrh")}  # of the arrays, of Keras 3's columns


@dataclass(frozen=True)
class Layout:
    """``apart``: each gate by itself, as ``consume_less`` "cpu" and "mem" had it; ``theano``: the
    backend; ``legacy``: kernels of Convolution1D as before Keras 1.2."""

    apart: bool = True
    theano: bool = False
    legacy: bool = False


@keras.saving.register_keras_serializable("keras1")
def old_hard_sigmoid(x: Any) -> Any:
    """That of Keras 1 and 2. By the name of hard_sigmoid, a Bidirectional would take Keras 3's."""
    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)


def old(layer: Any, layout: Layout) -> tuple[dict[str, Any], Arrays]:
    """The configuration of a layer and its arrays by their names."""
    name, given = layer.name, [np.asarray(array) for array in layer.get_weights()]
    kind = type(layer).__name__
    options: dict[str, Any] = {"name": name, "trainable": True}
    arrays: Arrays = []
    if isinstance(layer, known.Bidirectional):
        forward, first = old(layer.forward_layer, layout)
        _, second = old(layer.backward_layer, layout)
        own = forward["config"]["name"].removeprefix("forward_")
        arrays = [
            (f"forward_{own}{n.removeprefix(forward['config']['name'])}", a) for n, a in first
        ]
        arrays += [(f"backward_{own}{n.removeprefix(layer.backward_layer.name)}", a)
                   for n, a in second]  # fmt: skip
        forward["config"]["name"] = own
        options |= {"merge_mode": layer.merge_mode, "layer": forward}
    elif isinstance(layer, known.TimeDistributed):
        inner, arrays = old(layer.layer, layout)
        options["layer"] = inner
    elif isinstance(layer, (known.LSTM, known.GRU, known.SimpleRNN)):
        options |= {
            "output_dim": layer.units, "activation": layer.activation.__name__, "stateful": False,
            "return_sequences": layer.return_sequences, "go_backwards": layer.go_backwards,
            "init": "glorot_uniform", "inner_init": "orthogonal", "W_regularizer": None,
            "U_regularizer": None, "b_regularizer": None, "dropout_W": 0.0, "dropout_U": 0.0,
            "consume_less": "cpu" if layout.apart else "gpu", "unroll": False, "input_dim": 3,
        }  # fmt: skip
        if kind != "SimpleRNN":
            options["inner_activation"] = layer.recurrent_activation.__name__.removeprefix("old_")
        arrays = _cell(kind, name, given, layout)
    elif isinstance(layer, known.Dense):
        options |= {"output_dim": layer.units, "activation": layer.activation.__name__,
                    "bias": layer.use_bias, "input_dim": None, "init": "uniform"}  # fmt: skip
        arrays = [*zip((f"{name}_W", f"{name}_b"), given, strict=False)]
    elif isinstance(layer, known.Embedding):
        options |= {"input_dim": layer.input_dim, "output_dim": layer.output_dim,
                    "mask_zero": layer.mask_zero, "dropout": 0.0, "input_length": None}  # fmt: skip
        arrays = [(f"{name}_W", given[0])]
    elif isinstance(layer, known.Conv1D):
        dilated = layer.dilation_rate[0] > 1
        kind = "AtrousConvolution1D" if dilated else "Convolution1D"
        options |= {
            "nb_filter": layer.filters, "filter_length": layer.kernel_size[0], "bias": True,
            "border_mode": layer.padding, "subsample_length": layer.strides[0],
            "activation": layer.activation.__name__, "input_dim": 3, "input_length": None,
        }  # fmt: skip
        if dilated:
            options["atrous_rate"] = layer.dilation_rate[0]
        kernel = given[0][:, None]
        kernel = kernel[::-1] if layout.theano else kernel
        kernel = kernel.transpose(3, 2, 0, 1) if layout.legacy else kernel
        arrays = [(f"{name}_W", kernel), (f"{name}_b", given[1])]
    elif isinstance(layer, (known.MaxPooling1D, known.AveragePooling1D)):
        options |= {"pool_length": layer.pool_size[0], "stride": layer.strides[0],
                    "border_mode": layer.padding}  # fmt: skip
    elif isinstance(layer, known.UpSampling1D):
        options["length"] = layer.size
    elif isinstance(layer, known.BatchNormalization):
        options |= {"epsilon": layer.epsilon, "mode": 0, "axis": -1, "momentum": 0.99}
        names = ("gamma", "beta", "running_mean", "running_std")
        arrays = [(f"{name}_{own}", array) for own, array in zip(names, given, strict=True)]
    elif isinstance(layer, known.Masking):
        options["mask_value"] = layer.mask_value
    elif isinstance(layer, known.Dropout):
        options["p"] = layer.rate
    elif isinstance(layer, known.Activation):
        options["activation"] = layer.activation.__name__
    else:
        raise TypeError(kind)
    return {"class_name": kind, "config": options}, arrays


def _cell(kind: str, name: str, given: Sequence[Any], layout: Layout) -> Arrays:
    if kind == "SimpleRNN" or not layout.apart:
        return [(f"{name}_{leaf}", a) for leaf, a in zip("WUb", given, strict=True)]
    order, columns = _ORDERS[kind]
    return [
        (f"{name}_{leaf}_{gate}", np.split(array, len(order), axis=-1)[columns.index(gate)])
        for gate in order
        for leaf, array in zip("WUb", given, strict=True)
    ]


def write(
    path: Path,
    config: Any,
    weights: dict[str, Arrays],
    layout: Layout,
    version: str | None = "1.2.2",
) -> Path:
    """``config`` None: of weights alone, which told no version."""
    with h5py.File(path, "w") as file:
        root = file
        if config is not None:
            file.attrs["model_config"] = json.dumps(config).encode()
            if version:
                file.attrs["keras_version"] = version.encode()
            root = file.create_group("model_weights")
        root.attrs["layer_names"] = [name.encode() for name in weights]
        for name, arrays in weights.items():
            group = root.create_group(name)
            ending = "" if layout.theano else ":0"
            group.attrs["weight_names"] = [f"{own}{ending}".encode() for own, _ in arrays]
            for own, array in arrays:
                group[f"{own}{ending}"] = array
    return path


def sequential(model: Any, layout: Layout, shape: Sequence[Any]) -> tuple[Any, dict[str, Arrays]]:
    """The configuration, a list, and the weights of a Sequential of Keras 3."""
    made = [old(layer, layout) for layer in model.layers]
    configs = [config for config, _ in made]
    configs[0]["config"] |= {"batch_input_shape": [None, *shape], "input_dtype": "float32"}
    weights = {layer.name: arrays for layer, (_, arrays) in zip(model.layers, made, strict=True)}
    return {"class_name": "Sequential", "config": configs}, weights
