"""RTNeural's JSON, and AIDA-X's: the tables of RTNeural's own tests, golden pairs, what is written.

The tables are what Keras and PyTorch made of an input; the limits are those of RTNeural's tests.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import cli, formats, reference
from rnn_native.errors import FormatError, OptionError, UnsupportedError
from rnn_native.formats import safetensors
from rnn_native.spec import Elementwise, Layer, Linear, ModelSpec, PReLU, Scale, Softmax

DATA = Path(__file__).parents[1] / "data/rtneural"
LIMIT = {"gru": 5e-6, "gru_torch": 5e-6}


def table(name: str) -> Any:
    return np.loadtxt(DATA / f"{name}.csv", delimiter=",")


def outputs(path: Path, x: Any, **options: Any) -> list[Any]:
    """Of the reference and of the core."""
    model = rn.load(path, **options)
    return [reference.run(model.spec, x)[0], model(x.astype(np.float32))[0]]


@pytest.mark.parametrize("name", ["conv", "dense", "gru", "lstm"])
def test_the_tables_of_layers_as_keras_has_them(name: str) -> None:
    x, expected = table(f"{name}_x_python"), table(f"{name}_y_python")
    for y in outputs(DATA / f"{name}.json", x.reshape(-1, 1, 1)):
        assert np.abs(y.ravel() - expected).max() <= LIMIT.get(name, 1e-6)


def test_the_table_of_convolutions_over_positions() -> None:
    """Over time all of them are causal; Keras's, two "valid" ones and a "same" one, which pads a
    step in front, are as many steps earlier."""
    x = table("conv2d_x_python").reshape(-1, 1, 23)
    expected = table("conv2d_y_python").reshape(-1, 8)
    reach, in_front = (5 - 1) * 2 + (4 - 1) + (2 - 1) * 3, 1
    for y in outputs(DATA / "conv2d.json", x):
        whole = y[reach:, 0]
        assert np.abs(whole - expected[in_front:][: len(whole)]).max() <= 1e-6


def test_a_state_dict_runs_as_the_chain_says(tmp_path: Path) -> None:
    x, expected = table("gru_torch_x_python"), table("gru_torch_y_python")
    path = DATA / "gru_torch.json"
    for y in outputs(path, x.reshape(-1, 1, 1), chain=["gru", "gru2", "dense"]):
        assert np.abs(y.ravel() - expected).max() <= LIMIT["gru_torch"]
    with pytest.raises(OptionError, match=r"several recurrent modules: .*'gru\.', 'gru2\.'"):
        rn.load(path)
    with pytest.raises(OptionError, match=r"no module 'rnn'.*'gru', 'gru2', 'dense'"):
        rn.load(path, chain=["rnn"])


def test_a_convolution_alone_has_its_stride_from_the_chain() -> None:
    x = table("conv1d_torch_x_first_64").reshape(-1, 1, 1)
    for text, name in (
        (":Conv1d()", "conv1d_torch_y_first_60"),
        (":Conv1d(stride=3)", "conv1d_torch_y_stride_3_first_20"),
    ):
        for y in outputs(DATA / "conv1d_torch.json", x, chain=[text]):
            assert np.abs(y[:, 0].T - table(name)).max() <= 1e-6


# ---- what is written ----


def normal(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).normal(0, 0.5, shape).astype(np.float32)


CHAINS: dict[str, list[Layer]] = {
    "gru": [rn.GRU(3, 4, 2).spec, Linear(normal(4, 4), normal(4), "softmax"), Elementwise("elu")],
    "gru without biases": [rn.GRU(3, 5, bias=False).spec, Linear(normal(2, 5))],
    "conv1d": [
        rn.Conv1d(normal(6, 2, 3), normal(6), padding="causal", dilation=2, groups=2),
        Scale(normal(6), normal(6)),
        PReLU(normal(6)),
        Elementwise("sigmoid"),
    ],
    "conv2d, same": [
        rn.Conv2d(normal(3, 2, 2, 3), normal(3), positions=7, padding=("causal", 1),
                  stride=(1, 2), dilation=(3, 1), activation="tanh"),
        Softmax(),
    ],
    "conv2d, valid": [rn.Conv2d(normal(3, 1, 2, 3), positions=7, padding=("causal", 0))],
}  # fmt: skip


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_written_is_read_again(name: str, dtype: str, tmp_path: Path) -> None:
    layers = [
        layer.make({k: a.astype(dtype) for k, a in layer.arrays.items()}, layer.options)
        if not isinstance(layer, rn.spec.Recurrent) else layer
        for layer in CHAINS[name]
    ]  # fmt: skip
    spec, path = ModelSpec(tuple(layers)), tmp_path / "model.json"
    formats.write(spec, path)
    x = np.random.default_rng(0).normal(size=(9, 2, spec.input_size))
    y = reference.run(spec, x)[0]
    assert np.abs(reference.run(formats.read(path), x)[0] - y).max() <= 1e-14
    layers = json.loads(path.read_text())["layers"]
    assert {layer["type"] for layer in layers} <= {
        "dense", "gru", "conv1d", "conv2d", "batchnorm", "prelu", "activation",
    }  # fmt: skip


def test_the_biases_of_an_lstm_become_their_sum(tmp_path: Path) -> None:
    spec = rn.LSTM(2, 3, num_layers=2).spec
    rn.Model(spec).save(tmp_path / "m.json")
    found = formats.read(tmp_path / "m.json").recurrents
    assert len(found) == 2
    for k, layer in enumerate(found):
        total = spec.arrays[f"bias_ih_l{k}"] + spec.arrays[f"bias_hh_l{k}"]
        assert np.array_equal(layer.arrays["bias_ih_l0"], total)
        assert not layer.arrays["bias_hh_l0"].any()
        assert np.array_equal(layer.arrays["weight_hh_l0"], spec.arrays[f"weight_hh_l{k}"])


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([rn.RNN(2, 3).spec], "RTNeural has LSTM and GRU, no"),
        ([rn.LSTM(2, 3, bidirectional=True).spec], "no direction='bidirectional'"),
        ([rn.LSTM(2, 4, proj_size=2).spec], "no proj_size=2"),
        ([rn.GRU(2, 3, reset_after=False).spec], "no reset_after=False"),
        ([Linear(normal(2, 2), activation="log_softmax")], "no log_softmax"),
        ([rn.Conv1d(normal(2, 2, 3))], "no before=0"),
        ([rn.Conv1d(normal(2, 2, 3), padding="causal", stride=2)], "no stride_time=2"),
        ([Linear(normal(2, 2)), Elementwise("mish")], "expected tanh, relu, sigmoid or elu of 1"),
        ([Linear(normal(4, 2)), Softmax(2)], "no groups=2"),
        ([rn.Embedding(normal(4, 2))], "no Embedding there; what goes is Linear, Recurrent"),
    ],
)
def test_what_rtneural_has_not_is_refused_by_name(
    layers: list[Layer], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedError, match=message):
        formats.write(ModelSpec(tuple(layers)), tmp_path / "m.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["state-dict-json", "rtneural", "json"])
def test_a_named_format_is_written_and_recognised(name: str, tmp_path: Path) -> None:
    spec = ModelSpec((rn.GRU(2, 3).spec, Linear(normal(2, 3), normal(2), "relu")))
    formats.write(spec, tmp_path / "m.json", name)
    for other in (name, None):
        found = formats.read(tmp_path / "m.json", other)
        assert safetensors.dumps(found) == safetensors.dumps(spec)
    keys = json.loads((tmp_path / "m.json").read_text())
    assert ("0.weight_ih_l0" in keys) == (name == "state-dict-json")


def test_a_golden_input_goes_with_a_state_dict(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    rn.GRU(2, 3).model.save(path, format="state-dict-json", golden=True)
    rn.load(path, verify=True)


# ---- AIDA-X ----


def amplifier(features: int = 1, seed: int = 0, **more: Any) -> dict[str, Any]:
    """A file whose golden pair is calculated here, in float64."""
    rng = np.random.default_rng(seed)
    w, u, b = (rng.normal(0, 0.4, s).astype("f4") for s in ((features, 20), (5, 20), (20,)))
    head, offset = rng.normal(0, 0.4, (5, 1)).astype("f4"), rng.normal(0, 0.4, 1).astype("f4")
    x = rng.normal(0, 0.5, 50).astype("f4")
    h, c, made = np.zeros(5), np.zeros(5), []
    for sample in x.astype(float):
        i, f, g, o = np.split(sample * w[0] + h @ u + b, 4)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
        made.append(float((h @ head + offset)[0]) + sample * more.get("in_skip", 0))
    shape = [None, None]
    layers = [
        {"type": "lstm", "activation": "", "shape": [*shape, 5], "weights": [w, u, b]},
        {"type": "dense", "activation": "", "shape": [*shape, 1], "weights": [head, offset]},
    ]
    for layer in layers:
        layer["weights"] = [array.tolist() for array in layer["weights"]]  # type: ignore[attr-defined]
    about = {"metadata": {"name": "an amplifier", "license": "CC0", "samplerate": "48000"}}
    pair = {"input_batch": x.tolist(), "output_batch": made}
    return {"in_shape": [*shape, features], "layers": layers, **about, **pair, **more}


def saved(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value))
    return path


def test_the_golden_pair_is_replayed_and_carried(tmp_path: Path) -> None:
    value = amplifier()
    path = saved(tmp_path / "amp.json", value)
    rn.load(path, verify=True)
    about = formats.strings(path)
    assert about["metadata.license"] == "CC0"
    golden = formats.golden.from_strings(about)
    assert golden is not None
    assert golden.x.ravel().tolist() == value["input_batch"]
    assert golden.error < 1e-6
    value["output_batch"][30] += 3e-5
    with pytest.raises(FormatError, match=r"output_batch: .* up to 3e-05 else .* 1e-05 is allowed"):
        rn.load(saved(path, value))


@pytest.mark.parametrize("features", [1, 3])
@pytest.mark.parametrize("skip", [0, 1])
@pytest.mark.parametrize("gains", [(0, 0), (6.0, -12.0), (0, 3.5), (-90, 1)])
def test_skip_gains_and_knobs(
    features: int, skip: int, gains: tuple[float, float], tmp_path: Path
) -> None:
    value = amplifier(features, in_skip=skip, in_gain=gains[0], out_gain=gains[1])
    path = saved(tmp_path / "amp.json", value)
    for name in ("in_skip", "in_gain", "out_gain"):
        del value[name]
    value["output_batch"] = None
    plain = rn.load(saved(tmp_path / "plain.json", value | {"input_batch": None}))
    first, last = (10 ** (gain / 20) if gain > -90 else 0.0 for gain in gains)
    x = np.random.default_rng(1).normal(size=(20, 2, features))
    inner = x * [first, *[1] * (features - 1)]
    expected = last * (reference.run(plain.spec, inner)[0] + skip * inner[..., :1])
    model = rn.load(path)
    y = reference.run(model.spec, x)[0]
    assert np.abs(y - expected).max() <= 1e-6  # gains are float32
    assert np.abs(model(x.astype("f4"))[0] - expected).max() <= 2e-6
    carried = formats.golden.from_strings(formats.strings(path)) is not None
    assert carried == (not skip and gains[0] > -90)
    if carried:
        rn.load(path, verify=True)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"in_skip": 2}, "in_skip 2: expected 0 or 1"),
        ({"in_gain": "loud"}, "in_gain: expected a number"),
        ({"out_gain": 1000}, "out_gain: expected at most 200 dB"),
        ({"input_batch": None}, "expected both input_batch and output_batch"),
        ({"output_batch": [0.0]}, r"input_batch \(50,\), output_batch \(1,\)"),
    ],
)
def test_what_is_wrong_with_an_amplifier(
    more: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises((FormatError, UnsupportedError), match=message):
        rn.load(saved(tmp_path / "amp.json", amplifier() | more))


def test_a_golden_pair_is_taken_to_another_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, other = saved(tmp_path / "amp.json", amplifier(in_gain=3.0)), tmp_path / "m.safetensors"
    assert cli.main(["convert", str(path), str(other), "--verify"]) == 0
    assert "rnn_native.golden.x" in formats.strings(other)
    assert cli.main(["info", str(path)]) == 0
    told = capsys.readouterr().out
    for text in ("CC0", "an amplifier", "48000"):
        assert text in told
