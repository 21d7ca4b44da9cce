"""Whole files of formats that are JSON, and of RNNoise: what is in each of them, and small."""

from __future__ import annotations

import json
from typing import Any

import keras_files as kf
import numpy as np
import rnnoise_file

_Seeds = dict[str, list[bytes]]


def seeds() -> _Seeds:
    files = [_rtneural(), _amplifier(), _guitar(1), _guitar(2), _state_dict(), _conv(), _browser()]
    return {
        "json": [json.dumps(value).encode() for value in files],
        "nam": [json.dumps(_nam()).encode()],
        "rnnoise": [rnnoise_file.text().encode()],
    }


def _numbers(*shape: int) -> Any:
    rng = np.random.default_rng(sum(shape))
    return rng.normal(0, 0.5, shape).round(2).astype("f4").tolist()


def _layer(kind: str, features: int, *shapes: tuple[int, ...], **more: Any) -> dict[str, Any]:
    shape = [None, None, features]
    weights = [_numbers(*one) for one in shapes]
    return {"type": kind, "activation": "", "shape": shape, "weights": weights, **more}


def _rtneural() -> dict[str, Any]:
    norm = [[1.0] * 4, [0.0] * 4, [0.5] * 4, [1.0] * 4]
    pictures = {"num_filters_in": 2, "num_features_in": 2, "num_filters_out": 2, "strides": 1}
    kernel = {"kernel_size_time": 2, "kernel_size_feature": 2, "dilation": 1, "padding": "same"}
    layers = [
        _layer("dense", 4, (1, 4), (4,), activation="tanh"),
        _layer("conv1d", 4, (2, 2, 4), (4,), kernel_size=[2], dilation=[1], groups=2),
        _layer("batchnorm", 4, epsilon=0.01) | {"weights": norm},
        _layer("prelu", 4, (1, 4)),
        _layer("conv2d", 4, (2, 2, 2, 2), (2,), **pictures, **kernel),
        _layer("gru", 2, (4, 6), (2, 6), (2, 6)),
        _layer("activation", 2, activation="elu"),
    ]
    return {"in_shape": [None, None, 1], "layers": layers}


def _amplifier() -> dict[str, Any]:
    """Of zeros, so that the golden pair is."""
    layers = [_layer("lstm", 2, (2, 8), (2, 8), (8,)), _layer("dense", 1, (2, 1), (1,))]
    for layer in layers:
        layer["weights"] = [np.zeros_like(array).tolist() for array in layer["weights"]]
    about = {"in_skip": 1, "in_gain": 1.0, "out_gain": -3, "metadata": {"name": "an amplifier"}}
    pair = {"input_batch": [0.5, 0.25], "output_batch": [0.5, 0.25]}
    return {"in_shape": [None, None, 2], "layers": layers, **about, **pair}


def _guitar(features: int) -> dict[str, Any]:
    state = {
        "rec.weight_ih_l0": _numbers(8, features), "rec.weight_hh_l0": _numbers(8, 2),
        "rec.bias_ih_l0": _numbers(8), "rec.bias_hh_l0": _numbers(8),
        "lin.weight": _numbers(1, 2), "lin.bias": _numbers(1),
    }  # fmt: skip
    data = {
        "model": "SimpleRNN", "input_size": features, "skip": 1, "output_size": 1,
        "unit_type": "LSTM", "num_layers": 1, "hidden_size": 2, "bias_fl": True,
    }  # fmt: skip
    return {"model_data": data, "state_dict": state}


def _state_dict() -> dict[str, Any]:
    lstm = {"weight_ih_l0": _numbers(8, 3), "weight_hh_l0": _numbers(8, 2)}
    head = {"weight": _numbers(2, 2), "bias": _numbers(2)}
    return {"lstm": lstm, **{f"head.{name}": array for name, array in head.items()}, "epoch": 3}


def _conv() -> dict[str, Any]:
    return {"weight": _numbers(2, 1, 3), "bias": _numbers(2)}


def _browser() -> dict[str, Any]:
    config = kf.sequential(kf.recurrent("GRU", "b", 2), kf.layer("Dense", "c", units=2))
    shapes = {"b/kernel": (1, 6), "b/recurrent_kernel": (2, 6), "b/bias": (6,),
              "c/kernel": (2, 2), "c/bias": (2,)}  # fmt: skip
    packed = {"dtype": "uint8", "scale": 0.01, "min": -1.0}
    entries = [
        {"name": name, "shape": list(shape), "dtype": "float32"} for name, shape in shapes.items()
    ]
    entries[0]["quantization"] = packed
    used = 6 + 4 * sum(int(np.prod(shape)) for shape in list(shapes.values())[1:])
    rest = 1024 - used  # of the file beside that every reader has
    entries.append({"name": "d/rest", "shape": [rest // 4], "dtype": "float32"})
    entries.append({"name": "e/rest", "shape": [rest % 4], "dtype": "float32"})
    entries[-1]["quantization"] = packed
    return {
        "format": "layers-model",
        "modelTopology": {"keras_version": "2.4.0", "model_config": config},
        "weightsManifest": [{"paths": ["weights.bin"], "weights": entries}],
    }


def _nam() -> dict[str, Any]:
    config = {"input_size": 1, "hidden_size": 2, "num_layers": 2}
    count = 8 * 3 + 8 + 4 + 8 * 4 + 8 + 4 + 3
    about = {"version": "0.5.1", "metadata": {"gain": 0.5}, "architecture": "LSTM"}
    return {**about, "config": config, "weights": _numbers(count)}
