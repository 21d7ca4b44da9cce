"""``chain=``: modules of a ``state_dict`` in the order in which they run, and layers between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strategies
import torch_files
from agreement import assert_same_bits
from numpy.typing import NDArray

import rnn_native as rn
from rnn_native import cli, formats
from rnn_native.formats import safetensors
from rnn_native.formats.metadata import describe
from rnn_native.spec import Embedding, Layer, Linear, Recurrent

RNG = np.random.default_rng(12)
SUFFIXES = (".pt", ".npz", ".safetensors")


def normal(*shape: int) -> NDArray[Any]:
    return RNG.standard_normal(shape, dtype="f4")


EMB, LSTM = normal(11, 6), strategies.make_recurrent(RNG, "lstm", 6, 5, num_layers=2)
BI = strategies.make_recurrent(RNG, "gru", 6, 5, direction="bidirectional")
RNN = strategies.make_recurrent(RNG, "rnn", 5, 4)
FC, OUT = Linear(normal(7, 5), normal(7)), Linear(normal(3, 7), normal(3))
PARTS: dict[str, dict[str, Any]] = {
    "emb": {"weight": EMB},
    "lstm": dict(LSTM.arrays),
    "bi": dict(BI.arrays),
    "rnn": dict(RNN.arrays),
    "cell": {name.removesuffix("_l0"): array for name, array in RNN.arrays.items()},
    "fc": dict(FC.arrays),
    "out": dict(OUT.arrays),
    "wide": {"weight": normal(2, 10)},
    "bn": {
        "weight": normal(5), "bias": normal(5), "running_mean": normal(5),
        "running_var": np.abs(normal(5)), "num_batches_tracked": np.array(7),
    },
    "plain_bn": {"running_mean": normal(7), "running_var": np.abs(normal(7))},
    "slope": {"weight": normal(1)},
    "slopes": {"weight": normal(5)},
    "norm": {"weight": normal(5), "bias": normal(5)},
    "tied": {"parametrizations.weight.original": normal(4, 5), "bias": normal(4)},
    "lora": {"weight": normal(4, 5), "bias": normal(4), "lora_A.weight": normal(2, 5)},
    "deep.net.gru": dict(strategies.make_recurrent(RNG, "gru", 3, 3).arrays),
    "deep.net.head": {"weight": normal(2, 3), "bias": normal(2)},
    "alone.only": {"weight": normal(2, 7), "bias": normal(2)},
}  # fmt: skip
ARRAYS = {f"{module}.{own}": a for module, arrays in PARTS.items() for own, a in arrays.items()}


def write(path: Path, arrays: dict[str, Any]) -> Path:
    floats = {name: array for name, array in arrays.items() if array.dtype.kind == "f"}
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".safetensors":
        path.write_bytes(b"".join(safetensors.pack(floats, {})))
    else:
        path.write_bytes(torch_files.zip_file(torch_files.state_dict(arrays)))
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("chain") / "net.npz", ARRAYS)


def layers(path: Path, *chain: Any, **options: Any) -> tuple[Layer, ...]:
    return formats.read(path, chain=chain, **options).layers


def assert_same(got: Any, want: Any) -> None:
    assert [describe(layer) for layer in got] == [describe(layer) for layer in want]
    for one, other in zip(got, want, strict=True):
        for name, array in other.arrays.items():
            assert_same_bits(one.arrays[name], array)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_of_state_dicts_gives_the_layers_in_the_order_of_the_chain(
    tmp_path: Path, suffix: str
) -> None:
    path = write(tmp_path / f"net{suffix}", ARRAYS)
    chain = ["emb", "lstm", rn.MaxPool(2), rn.Last(), "fc:relu", "out:softmax"]
    want = [Embedding(EMB), LSTM, rn.MaxPool(2), rn.Last()]
    want += [Linear(FC.weight, FC.bias, "relu"), Linear(OUT.weight, OUT.bias, "softmax")]
    assert_same(layers(path, *chain), want)
    model = rn.load(path, chain=chain)
    x = RNG.integers(0, 11, (9, 3))
    assert_same_bits(model(x)[0], rn.Model(want)(x)[0])


def test_modules_in_modules_are_named_by_dots_or_behind_a_prefix(path: Path) -> None:
    want = layers(path, "deep.net.gru", "deep.net.head")
    assert isinstance(want[0], Recurrent)
    assert_same(layers(path, "gru", "head", prefix="deep.net"), want)
    assert_same(layers(path, "net.gru.", "net.head.", prefix="deep."), want)
    assert_same(layers(path, "fc", "alone"), [FC, layers(path, "alone.only")[0]])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_module_alone_has_no_name(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"net{suffix}", dict(RNN.arrays))
    assert_same(layers(path, ""), [RNN])
    path = write(tmp_path / f"odd{suffix}", {f"enc_{n}": a for n, a in RNN.arrays.items()})
    assert_same(layers(path, "enc_"), [RNN])


def test_a_weight_alone_is_a_table_where_it_is_first_and_a_linear_elsewhere(path: Path) -> None:
    assert_same(layers(path, "emb"), [Embedding(EMB)])
    assert_same(layers(path, "emb:linear"), [Linear(EMB)])
    assert_same(
        layers(path, "bi", "wide:tanh")[1:], [Linear(PARTS["wide"]["weight"], None, "tanh")]
    )


def test_a_batch_norm_is_folded_and_a_slope_is_for_every_feature(path: Path) -> None:
    bn = PARTS["bn"]
    args = bn["running_mean"], bn["running_var"], bn["weight"], bn["bias"]
    assert_same(layers(path, "bn"), [rn.Scale.normalizing(*args, 1e-5)])
    assert_same(layers(path, "bn:eps=0.25"), [rn.Scale.normalizing(*args, 0.25)])
    one = np.ones(7), np.zeros(7)
    plain = PARTS["plain_bn"]["running_mean"], PARTS["plain_bn"]["running_var"]
    assert_same(layers(path, "fc", "plain_bn")[1:], [rn.Scale.normalizing(*plain, *one, 1e-5)])
    slope = PARTS["slope"]["weight"]
    assert_same(layers(path, "fc", "slope")[1:], [rn.PReLU(np.repeat(slope, 7))])
    assert_same(layers(path, "lstm", "slopes")[1:], [rn.PReLU(PARTS["slopes"]["weight"])])


def test_functions_stand_behind_a_colon(path: Path) -> None:
    assert_same(
        layers(path, "lstm:tanh", "fc:leaky_relu(0.25)", "out:relu:clip(-1, 0.5)"),
        [
            LSTM, rn.Elementwise("tanh"),
            FC, rn.Elementwise("leaky_relu", 0.25),
            Linear(OUT.weight, OUT.bias, "relu"), rn.Elementwise("clip", -1.0, 0.5),
        ],
    )  # fmt: skip


def test_the_last_step_and_the_last_state(path: Path) -> None:
    """Of a forward layer they are the same, and it keeps no other step; in the reverse direction
    the last step is where it begins."""
    forward = Recurrent(**{**LSTM.options, "return_sequences": False}, weights=LSTM.weights)
    assert_same(layers(path, "lstm", rn.Last()), [forward])
    assert_same(layers(path, "lstm:h_n"), [forward])
    assert_same(layers(path, "lstm:tanh", rn.Last()), [LSTM, rn.Elementwise("tanh"), rn.Last()])
    both = Recurrent(**{**BI.options, "return_sequences": False}, weights=BI.weights)
    assert_same(layers(path, "bi:h_n"), [both])
    assert_same(layers(path, "bi", rn.Last()), [BI, rn.Last()])
    x, lengths = normal(8, 3, 6), [8, 3, 5]
    y, h_n = rn.Model(BI)(x, lengths=lengths)
    at_end, _ = rn.load(path, chain=["bi", rn.Last()])(x, lengths=lengths)
    assert_same_bits(at_end, y[np.subtract(lengths, 1), np.arange(3)])
    state, _ = rn.load(path, chain=["bi:h_n"])(x, lengths=lengths)
    assert_same_bits(state, np.concatenate([h_n[0], h_n[1]], axis=-1))


def test_a_cell_and_options_that_arrays_do_not_show(path: Path) -> None:
    relu = Recurrent(**{**RNN.options, "nonlinearity": "relu"}, weights=RNN.weights)
    assert_same(layers(path, "cell"), [RNN])
    assert_same(layers(path, "lstm", "rnn", nonlinearity="relu"), [LSTM, relu])
    before = layers(path, "bi", reset_after=False)[0]
    assert isinstance(before, Recurrent)
    assert not before.reset_after
    with pytest.raises(rn.OptionError, match="reset_after=False: no module of the chain has it"):
        layers(path, "lstm", "rnn", reset_after=False)
    with pytest.raises(
        rn.OptionError, match=r"the tensors of the module 'lstm\.' are those of a 'lstm'"
    ):
        layers(path, "lstm", cell="gru")


def test_modules_of_ours_stand_for_their_layer(path: Path) -> None:
    gru = rn.GRU(7, 2)
    assert_same(layers(path, "fc", gru), [FC, gru.spec])


@pytest.mark.parametrize(
    ("chain", "error", "message"),
    [
        (["lstn"], rn.OptionError, "no module 'lstn'; is 'lstm' meant.; there are 'emb', 'lstm',"),
        (["gru"], rn.OptionError, "is 'deep.net.gru' meant. prefix='deep.net' says"),
        (["deep"], rn.OptionError, "'deep' holds several modules, 'deep.net.gru', 'deep.net.head'"),
        (["fc:rellu"], rn.OptionError, "'fc:rellu': .*got 'rellu'; is 'relu' meant"),
        (["fc:relu6"], rn.OptionError, "which is clip with 0 and 6 here"),
        (["fc:Tanh()!"], rn.OptionError, "behind a colon; got 'Tanh"),
        (["fc:leaky_relu(a)"], rn.OptionError, "expected a number, got 'a'"),
        (["fc:clip(1,2,3)"], rn.OptionError, "at most 2 constants, got 3"),
        (["fc:h_n"], rn.OptionError, "h_n is not for a module that is 'Linear'"),
        (["lstm:eps=1"], rn.OptionError, "eps is not for a module that is 'LSTM'"),
        (["lstm:softmax"], rn.UnsupportedError, "softmax goes only directly behind a Linear"),
        (["lstm", "out"], rn.ShapeError, "'out' .*: expected an input of 7 .*, 'lstm' gives 5"),
        (["emb", rn.MaxPool(2), "fc"], rn.ShapeError, r"'fc' .*of 5 features, chain\[1\] gives 6"),
        (["lstm", rn.Last(), "rnn"], rn.ShapeError, "'rnn' .*expected an input of steps, .*alone"),
        (["bi", rn.Last(), rn.Last()], rn.ShapeError, r"chain\[2\] .*expected an input of steps"),
        ([rn.Last(), "lstm"], rn.UnsupportedError, r"chain\[0\] \(Reduce\): cannot be first"),
        (["fc", rn.Embedding(np.ones((2, 2)))], rn.UnsupportedError, "Embedding can only be first"),
        (["fc", rn.Add()], rn.UnsupportedError, r"chain\[1\] \(Combine\): reads several values"),
        (["fc", rn.Last], rn.OptionError, r"got Last; rn.Last\(...\) makes one"),
        (["fc", 3], rn.OptionError, r"chain\[1\]: expected the name of a module.*got int"),
        (["norm"], rn.UnsupportedError, r"'norm': weight \(5,\), bias \(5,\).*a norm's, as it"),
        (["tied"], rn.UnsupportedError, r"'tied': unexpected .*original.*remove_parametriza"),
        (["lora"], rn.UnsupportedError, r"'lora': unexpected lora\.lora_A\.weight"),
        ("fc", rn.OptionError, "expected a list of modules and layers, got 'fc'"),
        ([], rn.OptionError, "expected a list"),
        (["fc"] * 1001, rn.OptionError, "at most 1000 modules and layers, got 1001"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_by_name(
    path: Path, chain: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as raised:
        formats.read(path, chain=chain)
    assert str(raised.value).startswith(str(path))


def test_arrays_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    wrong = {f"lstm.{n}": a for n, a in LSTM.arrays.items() if n != "bias_hh_l1"}
    wrong |= {"fc.weight": FC.weight, "fc.bias": OUT.bias, "ints.weight": np.ones((2, 2), int)}
    wrong |= {"bn.running_mean": normal(3), "bn.running_var": np.float32([1, -1, 1])}
    wrong |= {"bn2.running_mean": normal(3), "bn2.running_var": np.ones(4, "f4")}
    path = write(tmp_path / "net.npz", wrong)
    for name, message in (
        ("lstm", "'lstm.': missing bias_hh_l1"),
        ("fc", r"'fc': Linear bias: expected shape \(7,\), got \(3,\)"),
        ("ints", "'ints': .*expected float32 or float64 weights, got int64"),
        ("bn", "'bn': Scale variance"),
        ("bn2", "a BatchNorm: expected vectors of equal size"),
    ):
        with pytest.raises(rn.FormatError, match=message):
            layers(path, name)


def test_a_file_that_describes_its_layers_takes_no_chain(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        rn.Model(RNN).save(tmp_path / f"m{suffix}")
        with pytest.raises(rn.OptionError, match="option chain: only for a file that does not"):
            rn.load(tmp_path / f"m{suffix}", chain=["0"])
    with pytest.raises(rn.OptionError, match="format onnx: unknown option chain"):
        rn.load(tmp_path / "m.onnx", chain=["0"])


def test_the_command_line(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "m.safetensors"
    chain = "emb,lstm,maxpool(2,1),last,fc:clip(-1,0.5),out:softmax"
    assert cli.main(["convert", str(path), str(out), "--chain", chain]) == 0
    want = layers(
        path, "emb", "lstm", rn.MaxPool(2, 1), rn.Last(), "fc:clip(-1,0.5)", "out:softmax"
    )
    assert_same(rn.load(out).spec.layers, want)
    assert cli.main(["info", str(path), "--chain", "emb,lstm:h_n", "--json"]) == 0
    assert '"return_sequences": false' in capsys.readouterr().out
    assert cli.main(["info", str(path), "--chain", "emb,lstn"]) == 2
    assert "is 'lstm' meant" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["info", str(path), "--chain", "emb,maxpool(0)"])
    assert "maxpool(0): Pool kernel_size: expected 1" in capsys.readouterr().err
    named = write(tmp_path / "last.npz", {f"last.{n}": a for n, a in FC.arrays.items()})
    assert cli.main(["info", str(named), "--chain", "last."]) == 0
