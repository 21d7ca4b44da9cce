"""state_dicts without a description: what can be told from names and shapes is, nothing else."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import TRAINED_VARIANT_IDS, TRAINED_VARIANTS, make_recurrent, recurrents

from rnn_native.errors import FormatError, OptionError, UnsupportedError
from rnn_native.formats import metadata as md
from rnn_native.formats.plain import from_state_dict
from rnn_native.formats.safetensors import loads, pack
from rnn_native.spec import Recurrent

Arrays = dict[str, NDArray[Any]]
LSTM = make_recurrent(np.random.default_rng(0), "lstm", 3, 4)


def named(layer: Recurrent, prefix: str = "") -> Arrays:
    return {prefix + name: array for name, array in layer.arrays.items()}


def read(tensors: Arrays, **options: Any) -> Recurrent:
    (layer,) = from_state_dict(tensors, **options).layers
    assert isinstance(layer, Recurrent)
    return layer


def invisible(layer: Recurrent) -> dict[str, Any]:
    """The options that no shape shows."""
    if layer.cell == "rnn":
        of_output = {"output_nonlinearity": layer.output_nonlinearity} if layer.output_layer else {}
        return {"nonlinearity": layer.nonlinearity, **of_output}
    if layer.cell == "gru" and not layer.gate_recurrent:
        return {"reset_after": layer.reset_after}
    return {}


@given(
    recurrents(general=False, initial=False),
    st.sampled_from(["", "lstm.", "model.rnn.0.", "enc_", "weight_ih_l0."]),
)
def test_all_that_shapes_show_is_inferred(layer: Recurrent, prefix: str) -> None:
    again = read(named(layer, prefix), **invisible(layer))
    assert md.describe(again) == md.describe(layer)
    for name, array in layer.arrays.items():
        assert again.arrays[name].tobytes() == array.tobytes()


def test_by_default_the_invisible_options_are_those_of_pytorch() -> None:
    rng = np.random.default_rng(0)
    assert read(named(make_recurrent(rng, "rnn", 3, 4))).nonlinearity == "tanh"
    assert read(named(make_recurrent(rng, "gru", 3, 4))).reset_after is True
    rnn = read(named(make_recurrent(rng, "rnn", 3, 4, output_layer=2)))
    assert rnn.output_nonlinearity == "sigmoid"


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_a_cell_module_is_a_layer_of_its_own(cell: str) -> None:
    layer = make_recurrent(np.random.default_rng(0), cell, 3, 4)
    tensors = {name.removesuffix("_l0"): array for name, array in layer.arrays.items()}
    assert md.describe(read(tensors)) == md.describe(layer)


@pytest.mark.parametrize(("cell", "options"), TRAINED_VARIANTS, ids=TRAINED_VARIANT_IDS)
def test_a_stated_cell_must_be_the_one_there_is(cell: str, options: dict[str, Any]) -> None:
    layer = make_recurrent(np.random.default_rng(0), cell, 3, 4, **options)
    assert read(named(layer), cell=cell).cell == cell
    for other in {"rnn", "gru", "lstm"} - {cell}:
        with pytest.raises(OptionError, match=f"cell='{other}', but .* of a '{cell}'"):
            read(named(layer), cell=other)
    with pytest.raises(OptionError, match="cell: expected one of rnn, gru, lstm; got 'LSTM'"):
        read(named(layer), cell="LSTM")


@pytest.mark.parametrize(
    ("cell", "option"),
    [
        ("lstm", {"nonlinearity": "tanh"}),
        ("gru", {"nonlinearity": "relu"}),
        ("lstm", {"reset_after": True}),
        ("rnn", {"reset_after": False}),
        ("rnn", {"nonlinearity": "softmax"}),
        ("gru", {"reset_after": "no"}),
        ("gate_recurrent gru", {"reset_after": True}),
        ("rnn", {"output_nonlinearity": "tanh"}),
    ],
)
def test_an_option_without_effect_is_refused(cell: str, option: dict[str, Any]) -> None:
    *gates, cell = cell.split(" ")
    more = dict.fromkeys(gates, True)
    layer = make_recurrent(np.random.default_rng(0), cell, 3, 4, **more)
    with pytest.raises(OptionError, match=next(iter(option))):
        read(named(layer), **option)


def test_several_modules_are_listed_to_choose_from() -> None:
    gru = make_recurrent(np.random.default_rng(1), "gru", 5, 2)
    tensors = {**named(LSTM, "encoder.lstm."), **named(gru, "decoder.")}
    with pytest.raises(OptionError, match=r"several .*prefix= 'encoder\.lstm\.', 'decoder\.'"):
        read(tensors)
    with pytest.raises(OptionError, match=r"prefix='lstm': .* 'encoder\.lstm\.', 'decoder\.'"):
        read(tensors, prefix="lstm")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for prefix in ("encoder.lstm.", "encoder.lstm"):
            assert md.describe(read(tensors, prefix=prefix)) == md.describe(LSTM)
        assert md.describe(read(tensors, prefix="decoder")) == md.describe(gru)


def test_a_prefix_may_be_what_holds_the_module_and_no_other() -> None:
    gru = make_recurrent(np.random.default_rng(1), "gru", 5, 2)
    tensors = {**named(LSTM, "model.encoder.lstm."), **named(gru, "model.decoder.")}
    for prefix in ("model.encoder", "model.encoder.", "model.encoder.lstm"):
        assert md.describe(read(tensors, prefix=prefix)) == md.describe(LSTM)
    listed = r"prefix= 'model\.encoder\.lstm\.', 'model\.decoder\.'"
    for prefix in ("model", "model."):
        with pytest.raises(OptionError, match=f"several .*{listed}"):
            read(tensors, prefix=prefix)
    for prefix in ("", "mod", "model.enc", "encoder", "model.encoder.lstm.weight"):
        with pytest.raises(
            OptionError, match=f"no recurrent module there; there are .*{listed[8:]}"
        ):
            read(tensors, prefix=prefix)


def test_what_is_left_out_is_said_unless_the_module_was_chosen() -> None:
    tensors = {**named(LSTM, "lstm."), "fc.weight": np.ones((2, 4), np.float32)}
    with pytest.warns(UserWarning, match=r"only .* 'lstm\.' is read; left out: fc\.weight"):
        assert md.describe(read(tensors)) == md.describe(LSTM)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(tensors, prefix="lstm.")
        read(named(LSTM, "lstm."))


@pytest.mark.parametrize("prefix", ["", "lstm."])
@given(layer=recurrents(general=False, initial=False), data=st.data())
def test_any_tensor_missing_is_refused_by_name(
    prefix: str, layer: Recurrent, data: st.DataObject
) -> None:
    tensors = named(layer, prefix)
    gone = data.draw(st.sampled_from(list(tensors)))
    del tensors[gone]
    # The only projection gone, the module has none; then its shapes are those of no cell.
    alone = layer.num_layers * layer.num_directions == 1
    message = rf"missing .*{gone.removeprefix(prefix)}(,|;)"
    if alone and "weight_hr" in gone:
        message = "expected 1 .RNN."
    elif alone and layer.gate_recurrent and "bias_ih" in gone:
        assert not read(tensors).bias  # the only bias gone, the module has none
        return
    elif alone and layer.gate_recurrent and layer.cell == "gru" and "weight_gh" in gone:
        message = "bias_hh_l0" if layer.bias else "weight_ih_l0"  # what an RNN lacks, or has else
    with pytest.raises(FormatError, match=message):
        read(tensors, **invisible(layer))


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("lstm.weights_hh_l0", "weight_hh_l0"),
        ("lstm.bias_hh_0", "bias_hh_l0"),
        ("lstm.w_ih_l0", "weight_ih_l0"),
        ("lsmt.bias_ih_l0_", "bias_ih_l0"),
    ],
)
def test_a_misspelt_name_is_suggested(wrong: str, right: str) -> None:
    tensors = named(LSTM, "lstm.")
    tensors[wrong] = tensors.pop(f"lstm.{right}")
    with pytest.raises(FormatError, match=f"is '{re.escape(wrong)}' meant to be {right}"):
        read(tensors)


def test_names_cannot_play_with_a_terminal() -> None:
    with pytest.raises(FormatError) as caught:
        read({"\x1b[2J": ones(2), "b\nc": ones(2)})
    assert str(caught.value).isprintable()


def test_nothing_recurrent_is_said_with_what_came() -> None:
    with pytest.raises(FormatError, match=r"found fc\.weight, fc\.bias"):
        read({"fc.weight": np.ones((2, 2)), "fc.bias": np.ones(2)})
    with pytest.raises(FormatError, match="found none"):
        read({})
    with pytest.raises(FormatError, match=r"is 'rnn\.w_ih_l0' meant to be weight_ih_l0"):
        read({"rnn.w_ih_l0": np.ones((2, 2)), "rnn.w_hh_l0": np.ones((2, 2))})


def changed(**arrays: NDArray[Any] | None) -> Arrays:
    tensors = {**named(LSTM), **arrays}
    return {name: array for name, array in tensors.items() if array is not None}


def ones(*shape: int) -> NDArray[np.float32]:
    return np.ones(shape, np.float32)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (changed(weight_hh_l0=ones(16)), r"weight_hh_l0: expected a matrix, got \(16,\)"),
        (changed(weight_ih_l0=ones(16, 0)), "weight_ih_l0: expected a matrix"),
        (changed(weight_hh_l0=ones(8, 4)), "expected 1 .RNN., 3 .GRU. or 4 .LSTM. times 4"),
        (changed(weight_hh_l0=ones(17, 4)), "expected 1 .RNN., 3 .GRU. or 4 .LSTM. times 4"),
        (changed(weight_hh_l0=ones(12, 4)), r"weight_ih_l0: expected shape \(12, 3\)"),
        (changed(weight_ih_l0=ones(12, 3)), r"weight_ih_l0: expected shape \(16, 3\)"),
        (changed(bias_hh_l0=ones(12)), r"bias_hh_l0: expected shape \(16,\), got \(12,\)"),
        (changed(bias_hh_l0=None), "missing bias_hh_l0"),
        (changed(weight_ci_l0=ones(4)), "missing weight_co_l0, weight_cf_l0"),
        (changed(weight_hr_l0=ones(4)), "weight_hr_l0: expected a matrix"),
        (changed(weight_hr_l0=ones(2, 4)), r"weight_hh_l0: expected shape \(16, 2\)"),
        (changed(weight_hr_l0=ones(4, 4)), "weight_hr_l0: expected fewer rows than"),
        (changed(weight_ih_l1=ones(16, 4)), "missing weight_hh_l1, bias_ih_l1, bias_hh_l1"),
        (changed(weight_ih_l2=ones(16, 4)), "no tensors of layer 1, but some of layer 2"),
        (changed(weight_ih_l0_reverse=ones(16, 3)), "missing weight_hh_l0_reverse"),
        (changed(weight_ih=ones(16, 3)), "'weight_ih_l0' and 'weight_ih' are the same array"),
        (changed(weight_ih_l0=np.ones((16, 3), np.int64)), "weight_ih_l0: expected float32"),
        (changed(weight_gh_l0=ones(16, 4)), "missing weight_ch_l0"),
        (changed(weight_gh_l0=ones(16), weight_ch_l0=ones(16, 4)), "weight_gh_l0: expected a m"),
        (changed(weight_ho=ones(2, 4)), "missing weight_xo, bias_o"),
        (changed(weight_ho=ones(2, 4), weight_xo=ones(2, 3), bias_o=ones(2)), "output_layer: only"),
    ],
)
def test_tensors_that_contradict_each_other_are_refused(tensors: Arrays, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read(tensors)


@pytest.mark.parametrize("cell", ["rnn", "gru"])
@pytest.mark.parametrize("name", ["weight_ci_l0", "weight_cf_l0", "weight_co_l0"])
def test_peepholes_of_another_cell_are_refused(cell: str, name: str) -> None:
    tensors = named(make_recurrent(np.random.default_rng(0), cell, 3, 4))
    tensors |= {f"weight_c{gate}_l0": ones(4) for gate in "ifo"}
    with pytest.raises(FormatError, match=f"weight_c._l0 is of an LSTM, but .* '{cell}'"):
        read(tensors)


def test_a_stranger_inside_the_module_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"unexpected lstm\.scale"):
        read({**named(LSTM, "lstm."), "lstm.scale": ones(4)}, prefix="lstm")


def test_a_file_of_safetensors_without_a_description_is_read_so() -> None:
    data = b"".join(pack(named(LSTM, "lstm."), {"format": "pt"}))
    (layer,) = loads(data, cell="lstm", prefix="lstm").layers
    assert md.describe(layer) == md.describe(LSTM)
