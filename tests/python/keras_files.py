"""Files as Keras writes them, for tests that have no Keras."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = Mapping[str, Array]  # by name, as in Keras 2's weight_names without the layer's


def lstm(
    size: int, units: int, seed: int = 0, gates: int = 4, bias: tuple[int, ...] | None = None
) -> dict[str, Array]:
    """The arrays of a cell; ``gates`` 3 for a GRU, 1 for a SimpleRNN."""
    rng = np.random.default_rng(seed)
    width = gates * units
    shapes = {"kernel": (size, width), "recurrent_kernel": (units, width), "bias": bias or (width,)}
    if bias == ():
        del shapes["bias"]
    return {name: rng.normal(0, 0.5, shape).astype("f4") for name, shape in shapes.items()}


def by_gate(arrays: Arrays, order: str, columns: str) -> dict[str, Array]:
    """A cell's arrays as Keras 1 has them: in the order of ``order``, of arrays whose gates are in
    the order of ``columns``."""
    return {
        f"{leaf}_{gate}": np.split(array, len(order), axis=-1)[columns.index(gate)]
        for gate in order
        for leaf, array in zip("WUb", arrays.values(), strict=True)
    }


def dense(size: int, units: int, seed: int = 0) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {
        "kernel": rng.normal(0, 0.5, (size, units)).astype("f4"),
        "bias": rng.normal(0, 0.5, units).astype("f4"),
    }


def embedding(count: int, size: int) -> dict[str, Array]:
    return {"embeddings": np.random.default_rng(0).normal(0, 0.5, (count, size)).astype("f4")}


def layer(kind: str, name: str, *inputs: Any, **options: Any) -> dict[str, Any]:
    """A layer's configuration. ``inputs``: for a functional model of Keras 2, the names of the
    layers it is called with, or a list of those for each call."""
    of_layers = {} if kind in ("Any", "NotEqual") else {"trainable": True}  # operators have none
    own = {"name": name, **of_layers, **options}
    config: dict[str, Any] = {"class_name": kind, "config": own}
    if inputs:
        calls = [inputs] if isinstance(inputs[0], str) else list(inputs)
        config["name"] = name
        config["inbound_nodes"] = [
            [[one, 0, 0, {}] if isinstance(one, str) else list(one) for one in call]
            for call in calls
        ]
    return config


def recurrent(kind: str, name: str, units: int, *inputs: Any, **options: Any) -> dict[str, Any]:
    """A recurrent layer with every option that matters."""
    known: dict[str, Any] = {
        "units": units, "activation": "tanh", "use_bias": True, "return_sequences": True,
        "go_backwards": False,
    }  # fmt: skip
    if kind in ("LSTM", "GRU"):
        known["recurrent_activation"] = "sigmoid"
    if kind == "GRU":
        known["reset_after"] = False
    return layer(kind, name, *inputs, **(known | options))


def start(name: str) -> dict[str, Any]:
    """The input of a functional model."""
    return {"class_name": "InputLayer", "name": name, "config": {"name": name}, "inbound_nodes": []}


def sequential(*layers: Any, name: str = "sequential") -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"name": name, "layers": list(layers)}}


def functional(
    layers: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any], name: str = "model"
) -> dict[str, Any]:
    def ends(names: Sequence[Any]) -> list[Any]:
        return [[one, 0, 0] if isinstance(one, str) else list(one) for one in names]

    return {
        "class_name": "Functional",
        "config": {
            "name": name,
            "layers": list(layers),
            "input_layers": ends(inputs),
            "output_layers": ends(outputs),
        },
    }


KERAS_1 = "{name}:0"


def of_keras_1() -> tuple[Any, dict[str, Arrays]]:
    """A model of Keras 1, for ``write_h5`` with ``own=KERAS_1``, and its weights."""
    cell = {"class_name": "LSTM", "config": {
        "name": "a", "output_dim": 4, "activation": "tanh", "inner_activation": "hard_sigmoid",
        "return_sequences": True, "go_backwards": False, "consume_less": "cpu",
    }}  # fmt: skip
    layers = [
        {"class_name": "Convolution1D", "config": {
            "name": "c", "nb_filter": 3, "filter_length": 2, "border_mode": "valid", "bias": True,
            "activation": "relu", "subsample_length": 1, "batch_input_shape": [None, None, 2],
        }},
        {"class_name": "Bidirectional", "config": {
            "name": "both", "merge_mode": "sum", "layer": cell,
        }},
        {"class_name": "TimeDistributed", "config": {"name": "time", "layer": {
            "class_name": "Dense",
            "config": {"name": "d", "output_dim": 2, "bias": True, "activation": "softmax"},
        }}},
    ]  # fmt: skip
    own = {"c_W": np.ones((2, 1, 2, 3), "f4"), "c_b": np.ones(3, "f4")}
    gates = [by_gate(lstm(3, 4, seed), "icfo", "ifco") for seed in range(2)]
    both = {f"{side}_a_{name}": array for side, arrays in zip(("forward", "backward"), gates,
            strict=True) for name, array in arrays.items()}  # fmt: skip
    ends = dict(zip(("d_W", "d_b"), dense(4, 2).values(), strict=True))
    return {"class_name": "Sequential", "config": layers}, {"c": own, "both": both, "time": ends}


def write_h5(
    path: Path,
    config: Mapping[str, Any] | None,
    weights: Mapping[str, Arrays],
    version: str | None = "2.2.4",
    libver: str = "earliest",
    own: str = "{layer}/{name}:0",
    **packed: Any,
) -> Path:
    """Keras 2's layout; ``config`` None: of weights alone. ``packed``: how h5py keeps arrays;
    ``own``: how arrays are called, ``"{layer}_{name}:0"`` in Keras 1."""
    with h5py.File(path, "w", libver=libver) as file:
        root = file
        if config is not None:
            file.attrs["model_config"] = json.dumps(config).encode()
            root = file.create_group("model_weights")
        if version is not None:
            root.attrs["keras_version"] = version.encode()
        root.attrs["layer_names"] = [name.encode() for name in weights]
        for name, arrays in weights.items():
            group = root.create_group(name)
            names = [own.format(layer=name, name=array) for array in arrays]
            group.attrs["weight_names"] = [each.encode() for each in names]
            for each, array in zip(names, arrays.values(), strict=True):
                group.create_dataset(each, data=array, **packed)
    return path


def write_keras(
    path: Path,
    config: Mapping[str, Any] | bytes,
    weights: Mapping[str, Sequence[Array]] | bytes,
    version: str = "3.15.1",
    **zip_options: Any,
) -> Path:
    """Keras 3's archive; ``weights`` by their groups: ``layers/lstm/cell``."""
    members = {
        "metadata.json": json.dumps({"keras_version": version}).encode(),
        "config.json": config if isinstance(config, bytes) else json.dumps(config).encode(),
        "model.weights.h5": weights if isinstance(weights, bytes) else numbered(weights),
    }
    with zipfile.ZipFile(path, "w", **zip_options) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def numbered(weights: Mapping[str, Sequence[Array]]) -> bytes:
    """The bytes of a ``model.weights.h5``."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for group, arrays in weights.items():
            own = file.create_group(f"{group}/vars")
            for number, array in enumerate(arrays):
                own[str(number)] = array
    return buffer.getvalue()
