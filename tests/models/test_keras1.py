"""Files of Keras 1 against the same layers of Keras 3, with the hard_sigmoid of their time."""

from __future__ import annotations

import itertools
import json
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch", reason="see tests/models/requirements-torch.txt")
pytest.importorskip("keras", reason="see tests/models/requirements-torch.txt")
sys.path.insert(0, str(Path(__file__).parent))

import keras
import keras1_files as k1
import keras_models as km
from conftest import Runner
from keras import layers as known
from keras1_files import Layout, old_hard_sigmoid

from rnn_native import formats
from rnn_native.errors import FormatError, UnsupportedError

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
RUNNERS = (Runner("reference"), Runner("model"))
LAYOUTS = [Layout(*flags) for flags in itertools.product((True, False), repeat=2)]
RNG = np.random.default_rng(0)
Cell = Callable[..., Any]


def lstm(units: int = 4, **options: Any) -> Any:
    return known.LSTM(units, recurrent_activation=old_hard_sigmoid, **options)


def gru(units: int = 4, **options: Any) -> Any:
    return known.GRU(units, recurrent_activation=old_hard_sigmoid, reset_after=False, **options)


def rnn(units: int = 4, **options: Any) -> Any:
    return known.SimpleRNN(units, **options)


CELLS = pytest.mark.parametrize("cell", [lstm, gru, rnn])
EACH = pytest.mark.parametrize("layout", LAYOUTS, ids=str)


def built(*layers: Any, shape: Sequence[Any] = (6, 3)) -> Any:
    """A Sequential with weights that are not those of its beginning."""
    model = keras.Sequential([keras.Input(tuple(shape)), *layers])
    model.set_weights([abs(RNG.normal(0, 0.5, w.shape)) if "variance" in w.path
                       else RNG.normal(0, 0.5, w.shape) for w in model.weights])  # fmt: skip
    return model


def check(spec: Any, model: Any, x: Any) -> None:
    expected = km.run(model, x)
    for runner in RUNNERS:
        y, _ = runner(spec, np.swapaxes(x, 0, 1))
        runner.assert_close(np.swapaxes(y, 0, 1) if expected.ndim == 3 else y, expected)


def noise(*shape: int) -> Any:
    return RNG.normal(0, 1, shape).astype(np.float32)


def saved(folder: Path, model: Any, layout: Layout, shape: Sequence[Any] = (6, 3)) -> Path:
    return k1.write(folder / "m.h5", *k1.sequential(model, layout, shape), layout)


@CELLS
@EACH
@pytest.mark.parametrize("sequences", [True, False])
def test_cells(cell: Cell, layout: Layout, sequences: bool, tmp_path: Path) -> None:
    """Each gate's arrays apart, in the order i, c, f, o, or all in one."""
    model = built(cell(return_sequences=True), cell(5, return_sequences=sequences))
    check(formats.read(saved(tmp_path, model, layout)), model, noise(2, 6, 3))


@CELLS
@EACH
@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave"])
def test_bidirectional(cell: Cell, layout: Layout, mode: str, tmp_path: Path) -> None:
    both = known.Bidirectional(cell(return_sequences=True), merge_mode=mode)
    model = built(both, known.TimeDistributed(known.Dense(2, activation="tanh")))
    check(formats.read(saved(tmp_path, model, layout)), model, noise(2, 6, 3))


@EACH
def test_what_stands_around_the_cells(layout: Layout, tmp_path: Path) -> None:
    model = built(
        known.Dropout(0.2), lstm(return_sequences=True), known.BatchNormalization(),
        known.Activation("relu"), gru(), known.Dense(3, use_bias=False, activation="softmax"),
    )  # fmt: skip
    check(formats.read(saved(tmp_path, model, layout)), model, noise(2, 6, 3))


@EACH
def test_time_distributed_dense(layout: Layout, tmp_path: Path) -> None:
    model = built(lstm(return_sequences=True), known.Dense(3, activation="sigmoid"))
    config, weights = k1.sequential(model, layout, (6, 3))
    config["config"][1]["class_name"] = "TimeDistributedDense"
    spec = formats.read(k1.write(tmp_path / "m.h5", config, weights, layout))
    check(spec, model, noise(2, 6, 3))


@EACH
@pytest.mark.parametrize("masked", [True, False])
def test_an_embedding(layout: Layout, masked: bool, tmp_path: Path) -> None:
    words = known.Embedding(9, 4, mask_zero=masked)
    model = built(words, gru(return_sequences=True), lstm(), shape=(6,))
    x = np.array([[3, 4, 5, 0, 0, 0], [1, 8, 2, 7, 6, 5]])
    check(formats.read(saved(tmp_path, model, layout, (6,))), model, x)


@pytest.mark.parametrize("layout", [Layout(theano=t, legacy=g) for t in (0, 1) for g in (0, 1)])
@pytest.mark.parametrize(
    "options",
    [{}, {"padding": "same"}, {"strides": 2}, {"dilation_rate": 2}, {"activation": "relu"}],
    ids=str,
)
def test_convolutions(layout: Layout, options: dict[str, Any], tmp_path: Path) -> None:
    """Of both ways to have the kernel, and of Theano, which turns it round."""
    model = built(known.Conv1D(5, 2, **options), gru(return_sequences=True), shape=(8, 3))
    check(formats.read(saved(tmp_path, model, layout, (8, 3))), model, noise(2, 8, 3))


def test_pools(tmp_path: Path) -> None:
    model = built(
        rnn(return_sequences=True), known.MaxPooling1D(2), known.UpSampling1D(2),
        known.AveragePooling1D(2, strides=1), lstm(), shape=(8, 3),
    )  # fmt: skip
    path = saved(tmp_path, model, Layout(), (8, 3))
    check(formats.read(path), model, noise(2, 8, 3))


JOINS = {"sum": "add", "mul": "multiply", "ave": "average", "max": "maximum",
         "concat": "concatenate"}  # fmt: skip


def branched(mode: str) -> tuple[Any, Any, dict[str, Any]]:
    """Two cells of one input joined, and a Sequential behind them, by Keras 3 and as Keras 1."""
    start = keras.Input((6, 3), name="start")
    left, right = lstm(return_sequences=True, name="left"), gru(return_sequences=True, name="right")
    dense = known.Dense(2, name="dense")
    both = known.Bidirectional(lstm(return_sequences=True, name="own"), name="both")
    inner = keras.Sequential([both, dense], name="inner")
    model = keras.Model(start, inner(getattr(known, JOINS[mode])([left(start), right(start)])))
    model.set_weights([RNG.normal(0, 0.5, w.shape) for w in model.weights])
    layout = Layout()
    made = {layer.name: k1.old(layer, layout) for layer in (left, right, both, dense)}

    def node(config: Any, *names: str) -> Any:
        name = config["config"]["name"]
        return config | {"name": name, "inbound_nodes": [[[one, 0, 0] for one in names]]}

    merge = {"name": "merge", "mode": mode, "mode_type": "raw", "concat_axis": -1, "dot_axes": -1}
    layers = [
        {"class_name": "InputLayer", "name": "start", "inbound_nodes": [],
         "config": {"name": "start", "batch_input_shape": [None, 6, 3], "sparse": False}},
        node(made["left"][0], "start"), node(made["right"][0], "start"),
        node({"class_name": "Merge", "config": merge}, "left", "right"),
        {"class_name": "Sequential", "name": "inner", "inbound_nodes": [[["merge", 0, 0]]],
         "config": [made["both"][0], made["dense"][0]]},
    ]  # fmt: skip
    ends = {"input_layers": [["start", 0, 0]], "output_layers": [["inner", 1, 0]]}
    config = {"class_name": "Model", "config": {"name": "model_1", "layers": layers, **ends}}
    weights = {name: made[name][1] for name in ("left", "right")}
    weights["inner"] = made["both"][1] + made["dense"][1]
    return model, config, weights


@pytest.mark.parametrize("mode", JOINS)
def test_branches_and_models_inside(mode: str, tmp_path: Path) -> None:
    model, config, weights = branched(mode)
    spec = formats.read(k1.write(tmp_path / "m.h5", config, weights, Layout()))
    check(spec, model, noise(2, 6, 3))


@CELLS
@EACH
def test_weights_alone_which_tell_no_version(cell: Cell, layout: Layout, tmp_path: Path) -> None:
    """The names of the arrays do; with the JSON beside it too."""
    model = built(known.Bidirectional(cell(return_sequences=True)), known.Dense(2))
    config, weights = k1.sequential(model, layout, (6, 3))
    path = k1.write(tmp_path / "w.h5", None, weights, layout)
    beside = tmp_path / "m.json"
    beside.write_text(json.dumps(config | {"keras_version": "1.2.2"}))
    check(formats.read(path, config=beside), model, noise(2, 6, 3))
    with pytest.warns(UserWarning, match="weights alone"):
        spec = formats.read(path)
    check(spec, model, noise(2, 6, 3))


def test_a_whole_file_without_a_version(tmp_path: Path) -> None:
    model = built(gru())
    made = k1.sequential(model, Layout(), (6, 3))
    path = k1.write(tmp_path / "m.h5", *made, Layout(), version=None)
    check(formats.read(path), model, noise(2, 6, 3))


def test_a_node(tmp_path: Path) -> None:
    _, config, weights = branched("sum")
    path = k1.write(tmp_path / "m.h5", config, weights, Layout())
    spec = formats.read(path, node="inner/both")
    assert [layer.cell for layer in spec.recurrents] == ["lstm"]


def refused(folder: Path, config: Any, weights: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        formats.read(k1.write(folder / "m.h5", config, weights, Layout()))


def test_what_has_no_equal_is_refused_by_name(tmp_path: Path) -> None:
    _, config, weights = branched("sum")
    config["config"]["layers"][3]["config"]["mode"] = "dot"
    with pytest.raises(UnsupportedError, match=r"'merge' \(Merge\): mode='dot'; expected one of"):
        refused(tmp_path, config, weights)
    model = built(lstm(return_sequences=True), known.BatchNormalization())
    config, weights = k1.sequential(model, Layout(), (6, 3))
    config["config"][1]["config"]["mode"] = 1
    with pytest.raises(UnsupportedError, match="mode=1, of each row"):
        refused(tmp_path, config, weights)
    for kind in ("Highway", "MaxoutDense", "Merge", "Deconvolution2D"):
        config["config"][1] = {"class_name": kind, "config": {"name": "other", "mode": "sum"}}
        with pytest.raises(UnsupportedError, match=rf"'other' \({kind}\): .*node= takes one of"):
            refused(tmp_path, config, weights)


def test_gates_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    model = built(lstm())
    config, weights = k1.sequential(model, Layout(), (6, 3))
    (name,) = weights
    whole = weights[name]
    weights[name] = whole[:-1]
    with pytest.raises(FormatError, match=r"expected the arrays kernel, .* the file has lstm"):
        refused(tmp_path, config, weights)
    weights[name] = [(whole[0][0], np.ones((2, 4), "f4")), *whole[1:]]
    with pytest.raises(FormatError, match="differ in size"):
        refused(tmp_path, config, weights)
