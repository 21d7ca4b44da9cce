"""Keras's files of all ages: those that people shipped long ago, whole, beside the same layers of
Keras 3 on PyTorch, and what Keras 3 itself writes of classes of one's own."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch", reason="see tests/models/requirements-torch.txt")
pytest.importorskip("keras", reason="see tests/models/requirements-torch.txt")
sys.path.insert(0, str(Path(__file__).parent))

import h5py
import keras
from conftest import Runner
from keras import layers as known
from keras1_files import old_hard_sigmoid

from rnn_native import formats
from rnn_native.errors import UnsupportedError

pytestmark = [
    pytest.mark.models,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
Finder = Callable[[str, str], Path]
RNG = np.random.default_rng(0)
_OPTIONS = ("units", "activation", "recurrent_activation", "return_sequences", "merge_mode", "rate")


def of_keras_2(config: Any) -> Any:
    """A layer of Keras 2 as one of Keras 3."""
    own = {key: value for key, value in config["config"].items() if key in _OPTIONS}
    if own.get("recurrent_activation") == "hard_sigmoid":
        own["recurrent_activation"] = old_hard_sigmoid
    if "layer" in config["config"]:
        own["layer"] = of_keras_2(config["config"]["layer"])
    return getattr(known, config["class_name"])(**own)


def remade(path: Path) -> list[tuple[str, Any]]:
    """The names and the layers of a Sequential of Keras 2.0 whose configuration is a list."""
    with h5py.File(path) as file:
        configs = json.loads(file.attrs["model_config"])["config"]
        assert isinstance(configs, list)
        shape = configs[0]["config"]["batch_input_shape"][1:]
        layers = [of_keras_2(config) for config in configs]
        keras.Sequential([keras.Input(shape), *layers])
        names = [config["config"]["name"] for config in configs]
        for name, layer in zip(names, layers, strict=True):
            group = file["model_weights"][name]
            layer.set_weights([group[weight][()] for weight in group.attrs["weight_names"]])
    return list(zip(names, layers, strict=True))


def test_russtress_layer_by_layer(package_file: Finder, run: Runner) -> None:
    """Stress in Russian words, Keras 2.0.4: a bidirectional LSTM with hard_sigmoid, Dense. Its
    gates remember for all 40 steps, in which Keras's float32 errs by 1.2e-5; test_keras_real.py has
    its equations in float64."""
    path = package_file("russtress", "russtress/weights.96.hdf5")
    x = np.eye(36, dtype=np.float32)[RNG.integers(0, 36, (5, 40))]
    layers = remade(path)
    value = x
    for name, layer in layers:
        value = layer(value)
        if layer.weights:
            y, _ = run(formats.read(path, between=(layers[0][0], name)), np.swapaxes(x, 0, 1))
            expected = keras.ops.convert_to_numpy(value)
            bound = 5e-5 * max(1, abs(expected).max())
            np.testing.assert_allclose(y, expected, rtol=0, atol=bound)
    y, _ = run(formats.read(path), np.swapaxes(x, 0, 1))
    np.testing.assert_allclose(y, keras.ops.convert_to_numpy(value), rtol=0, atol=5e-5)


# What Keras 3 writes of a class of one's own


@keras.saving.register_keras_serializable("ages")
class Net(keras.Model):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.bi = known.Bidirectional(known.LSTM(5, return_sequences=True))
        self.blocks = [known.GRU(4, return_sequences=True), known.GRU(3, return_sequences=True)]
        self.drop = known.Dropout(0.1)
        self.encoder = keras.Sequential([known.LSTM(4, return_sequences=True), known.Dense(3)])
        self.recurrent = known.SimpleRNN(4, return_sequences=True)
        self.table = {"words": known.Embedding(9, 3)}

    def call(self, x: Any) -> Any:
        y = self.encoder(self.bi(self.table["words"](x)))
        for block in self.blocks:
            y = block(y)
        return self.recurrent(self.drop(y))


@pytest.fixture(scope="module")
def net() -> Net:
    net = Net()
    net(np.zeros((1, 5), "int32"))
    net.set_weights([RNG.normal(0, 0.5, w.shape) for w in net.weights if "seed" not in w.path]
                    + [w.numpy() for w in net.weights if "seed" in w.path])  # fmt: skip
    net.compile("adam")
    return net


NODES: dict[str, Callable[[Net], Any]] = {
    "bi": lambda net: net.bi,
    "blocks/gru": lambda net: net.blocks[0],
    "blocks/gru_1": lambda net: net.blocks[1],
    "encoder/layers/lstm": lambda net: net.encoder.layers[0],
    "simple_rnn": lambda net: net.recurrent,  # behind "layers" in the alphabet: by its class
}


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_each_recurrent_layer_of_a_class_of_ones_own(
    net: Net, suffix: str, tmp_path: Path, run: Runner
) -> None:
    path = tmp_path / f"m{suffix}"
    (net.save_weights if suffix == ".weights.h5" else net.save)(path)
    with pytest.raises(UnsupportedError, match="node= takes one of the recurrent layers") as caught:
        formats.read(path)
    listed = str(caught.value).partition("recurrent layers ")[2].partition(", or of")[0]
    names = listed.replace("'", "").split(", ")
    assert len(names) == len(NODES)
    for name, (known_as, layer_of) in zip(sorted(names), sorted(NODES.items()), strict=True):
        layer = layer_of(net)
        assert name in (known_as, layer.name)
        size = layer.get_weights()[0].shape[0]
        x = RNG.normal(0, 1, (2, 7, size)).astype(np.float32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            spec = formats.read(path, node=name)
        y, _ = run(spec, np.swapaxes(x, 0, 1))
        expected = keras.ops.convert_to_numpy(layer(x))
        run.assert_close(np.swapaxes(y, 0, 1), np.asarray(expected))


HDF5 = [{"libver": "latest"}, {"libver": "v108"}, {"chunks": True, "compression": "gzip"}]


@pytest.mark.parametrize("options", HDF5, ids=str)
@pytest.mark.parametrize("suffix", [".h5", ".weights.h5"])
def test_files_that_were_packed_again(
    suffix: str, options: dict[str, Any], tmp_path: Path, run: Runner
) -> None:
    """Copied array by array into another layout of HDF5."""
    layers = [known.LSTM(4, return_sequences=True), known.GRU(40)]
    model = keras.Sequential([keras.Input((6, 3)), *layers])
    path, again = tmp_path / f"m{suffix}", tmp_path / f"again{suffix}"
    (model.save if suffix == ".h5" else model.save_weights)(path)
    libver = options.get("libver", "earliest")
    packed = {key: value for key, value in options.items() if key != "libver"}
    with h5py.File(path) as file, h5py.File(again, "w", libver=libver) as copy:

        def enter(name: str, item: Any) -> None:
            if isinstance(item, h5py.Group):
                own = copy.require_group(name)
            else:
                own = copy.create_dataset(name, data=item[()], **(packed if item.shape else {}))
            own.attrs.update(item.attrs)

        copy.attrs.update(file.attrs)
        file.visititems(enter)
    beside = tmp_path / "m.json"
    beside.write_text(model.to_json())
    config = {} if suffix == ".h5" else {"config": beside}
    x = RNG.normal(0, 1, (2, 6, 3)).astype(np.float32)
    y, _ = run(formats.read(again, **config), np.swapaxes(x, 0, 1))
    run.assert_close(y, np.asarray(keras.ops.convert_to_numpy(model(x))))
