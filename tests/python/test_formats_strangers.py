"""A module that holds more than a cell's arrays is another cell: whatever is added to one, in any
format, is refused or changes the result."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import make_recurrent, recurrents
from torch_files import CONTAINERS, state_dict

import rnn_native as rn
from rnn_native import formats
from rnn_native.formats import plain
from rnn_native.formats.array_names import modules_of
from rnn_native.formats.calculated import Calculated
from rnn_native.formats.safetensors import pack
from rnn_native.spec import Recurrent

Arrays = dict[str, NDArray[Any]]
RNG = np.random.default_rng(5)


def npz(path: Path, arrays: Arrays) -> None:
    np.savez(path, **arrays)  # type: ignore[arg-type]


def safetensors(path: Path, arrays: Arrays) -> None:
    path.write_bytes(b"".join(pack(arrays, {})))


def pickled(path: Path, arrays: Arrays) -> None:
    path.write_bytes(pickle.dumps(arrays))


def torch_zip(path: Path, arrays: Arrays) -> None:
    path.write_bytes(CONTAINERS["zip"](state_dict(arrays)))


WRITERS: dict[str, Callable[[Path, Arrays], None]] = {
    "npz": npz, "safetensors": safetensors, "pkl": pickled, "pt": torch_zip,
}  # fmt: skip
OWN = ["weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr", "weight_ci", "weight_ch", "h"]
NAMES = st.one_of(
    st.sampled_from([
        "bias", "bias_n", "scale", "layernorm_h.weight", "ln.bias", "weight", "zoneout", "h0",
        "module.weight_hh_l0", "parametrizations.weight_hh_l0.original", "mask", "weight_ho",
        "parametrizations.weight_hh_l0.original0", "parametrizations.bias_hh_l0.0._u", "alpha_l0",
    ]),
    st.builds(
        "{}{}{}".format,
        st.sampled_from(OWN),
        st.sampled_from(["", "_l0", "_l1", "_l0_reverse", "_l7"]),
        st.sampled_from(["_g", "_v", "_u", "_orig", "_mask", "_raw", "_bar", "_x", "", ".scale"]),
    ),
    st.from_regex(r"[a-z_][a-z_0-9]{0,8}(\.[a-z0-9]{1,4}){0,2}", fullmatch=True),
)  # fmt: skip
SHAPES = st.sampled_from([(), (4,), (12,), (16,), (16, 4), (16, 1), (4, 4), (3,)])


@pytest.mark.parametrize("suffix", WRITERS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    layer=recurrents(general=False, initial=False),
    prefix=st.sampled_from(["", "lstm.", "a.b.0.cell.", "enc_", "x.rnn_"]),
    stranger=NAMES,
    shape=SHAPES,
    chosen=st.booleans(),
    is_cell=st.booleans(),
)
def test_a_stranger_is_refused_or_has_an_effect(
    suffix: str,
    layer: Recurrent,
    prefix: str,
    stranger: str,
    shape: tuple[int, ...],
    chosen: bool,
    is_cell: bool,
    tmp_path: Path,
) -> None:
    own = dict(layer.arrays)
    if is_cell and layer.num_layers == 1 and layer.direction == "forward":
        own = {name.removesuffix("_l0"): array for name, array in own.items()}
    arrays = {f"{prefix}{name}": array for name, array in own.items()}
    path, options = tmp_path / f"net.{suffix}", {"prefix": prefix} if chosen else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is left out
        WRITERS[suffix](path, arrays)
        (before,) = formats.read(path, **options).layers
        added = f"{prefix}{stranger}"
        if added in arrays:
            return
        dtype = next(iter(arrays.values())).dtype
        WRITERS[suffix](path, {**arrays, added: RNG.normal(size=shape).astype(dtype)})
        try:
            (after,) = formats.read(path, **options).layers
        except rn.RnnError:
            return
        if prefix and not prefix.endswith(".") and len(modules_of([*arrays, added])) > 1:
            return  # enc_2_weight_hh_l0 is of another module than enc_weight_hh_l0
    changed = [n for n, a in after.arrays.items() if not np.array_equal(a, before.arrays.get(n))]
    assert changed or after.options != before.options


CELL = {"weight_ih": (12, 3), "weight_hh": (12, 4), "bias": (12,), "bias_n": (4,)}


def arrays_of(shapes: dict[str, tuple[int, ...]]) -> Arrays:
    return {name: RNG.normal(size=shape).astype("f4") for name, shape in shapes.items()}


def flax_cell(input_gates: str, hidden_gates: str, biases: str) -> Arrays:
    kernels = {f"i{g}/kernel": (3, 4) for g in input_gates}
    kernels |= {f"h{g}/kernel": (4, 4) for g in hidden_gates}
    return arrays_of(kernels | {f"{part}/bias": (4,) for part in biases.split()})


OTHERS: dict[str, Arrays] = {
    "Equinox's GRUCell": arrays_of(CELL),
    "Equinox's LSTMCell": arrays_of({"weight_ih": (16, 3), "weight_hh": (16, 4), "bias": (16,)}),
    "Flax's GRUCell": flax_cell("rzn", "rzn", "ir iz in hn"),
    "Flax's LSTMCell": flax_cell("ifgo", "ifgo", "hi hf hg ho"),
    "Flax's cell": arrays_of(
        {"dense_i/kernel": (3, 12), "dense_h/kernel": (4, 12), "dense_i/bias": (12,)}
    ),
}


@pytest.mark.parametrize("cell", OTHERS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(prefix=st.sampled_from(["", "a.b."]), stranger=NAMES, shape=SHAPES, chosen=st.booleans())
def test_so_is_one_beside_the_arrays_of_cells_of_others(
    cell: str, prefix: str, stranger: str, shape: tuple[int, ...], chosen: bool
) -> None:
    arrays = {f"{prefix}{name}": array for name, array in OTHERS[cell].items()}
    if "/" in next(iter(OTHERS[cell])):
        arrays = {name.replace(".", "/"): array for name, array in arrays.items()}
        added = f"{prefix}{stranger}".replace(".", "/")
    else:
        added = f"{prefix}{stranger}"
    options = {"prefix": prefix} if chosen else {}
    (before,) = plain.from_state_dict(Calculated(arrays), **options).layers
    if added in arrays:
        return
    more = {**arrays, added: RNG.normal(size=shape).astype("f4")}
    try:
        (after,) = plain.from_state_dict(Calculated(more), **options).layers
    except rn.RnnError:
        return
    changed = [n for n, a in after.arrays.items() if not np.array_equal(a, before.arrays.get(n))]
    assert changed or after.options != before.options


@pytest.mark.parametrize("root", ["", "enc.", "layers.0.cell."])
@pytest.mark.parametrize("chosen", [False, True])
@pytest.mark.parametrize("stranger", ["layernorm_i.weight", "bias_z", "a.b.c"])
def test_at_any_depth_and_at_the_root(root: str, chosen: bool, stranger: str) -> None:
    gru = make_recurrent(RNG, "gru", 3, 4)
    arrays = {f"{root}{n.removesuffix('_l0')}": a for n, a in gru.arrays.items()}
    arrays[f"{root}{stranger}"] = RNG.normal(size=4)
    options = {"prefix": root} if chosen else {}
    with pytest.raises(rn.UnsupportedError, match=f"unexpected {re.escape(root + stranger)}"):
        plain.from_state_dict(arrays, **options)


def test_what_lies_beside_the_module_is_left_out() -> None:
    gru = make_recurrent(RNG, "gru", 3, 4)
    arrays = {f"net.gru.{n}": a for n, a in gru.arrays.items()}
    arrays |= {"net.h0": np.ones(4), "net.gru2.weight": np.ones(3), "fc.bias": np.ones(2)}
    assert (
        plain.from_state_dict(arrays, prefix="net.gru").layers[0].arrays.keys() == gru.arrays.keys()
    )
    with pytest.warns(UserWarning, match=r"left out: net\.h0, net\.gru2\.weight, fc\.bias"):
        plain.from_state_dict(arrays)


@pytest.mark.parametrize("bias", [(5,), (12,), (16, 1), ()])
def test_one_bias_is_an_lstms_or_refused(bias: tuple[int, ...]) -> None:
    arrays = arrays_of({"weight_ih": (16, 3), "weight_hh": (16, 4), "bias": bias})
    with pytest.raises(rn.UnsupportedError, match="one bias is known as Equinox's LSTMCell"):
        plain.from_state_dict(Calculated(arrays))


def test_a_gru_of_equinox_is_that_of_its_loop() -> None:
    """h' = n + z (h - n), n = tanh(W_in x + b_in + r (W_hn h + b_n)): in NumPy, step by step."""
    arrays = arrays_of(CELL)
    x, h = RNG.normal(size=(6, 3)), np.zeros(4)
    want = []
    for step in x:
        gi = arrays["weight_ih"] @ step + arrays["bias"]
        gh = arrays["weight_hh"] @ h
        r, z = (1 / (1 + np.exp(-(gi[at : at + 4] + gh[at : at + 4]))) for at in (0, 4))
        n = np.tanh(gi[8:] + r * (gh[8:] + arrays["bias_n"]))
        h = n + z * (h - n)
        want.append(h)
    model = rn.Model(plain.from_state_dict(Calculated(arrays)), dtype="float64")
    np.testing.assert_allclose(model(x[:, None])[0][:, 0], want, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("names", "word"),
    [
        (["weight_hh_l0_g", "weight_hh_l0_w"], "parametrization"),
        (["parametrizations.weight_hh_l0.original"], "parametrization"),
        (["parametrizations.weight_hh_l0.original0"], "parametrization"),
        (["weight_hh_l0_orig"], "pruning or a spectral norm"),
        (["weight_hh_l0_orig", "weight_hh_l0_mask", "weight_hh_l0_u"], "pruning or a spectral"),
        (["weight_hh_l0_mask"], "pruning, but without"),
    ],
)
def test_parts_that_are_not_understood_are_named_and_no_hint_is_given(
    names: list[str], word: str
) -> None:
    lstm = make_recurrent(RNG, "lstm", 3, 4)
    arrays = {f"lstm.{n}": a for n, a in lstm.arrays.items()}
    original = arrays.pop("lstm.weight_hh_l0")
    for name in names:
        arrays[f"lstm.{name}"] = original
    with pytest.raises(rn.UnsupportedError, match=word) as caught:
        plain.from_state_dict(Calculated(arrays), prefix="lstm")
    assert "meant to be" not in str(caught.value)


def test_a_network_without_recurrent_modules_is_told_to_rename_nothing() -> None:
    names = ["conv.weight_g", "conv.weight_u", "conv.bias_n", "conv.weight", "head.bias", "w_i"]
    with pytest.raises(rn.FormatError, match="expected tensors named as in") as caught:
        plain.from_state_dict(dict.fromkeys(names, np.ones((2, 2))))
    assert "meant to be" not in str(caught.value)


@pytest.mark.parametrize("inside", ["", "module."])
def test_the_raw_weights_of_a_weight_drop_are_the_weights(inside: str) -> None:
    """Whatever a training step left in the place of the dropped ones."""
    lstm = make_recurrent(RNG, "lstm", 3, 4)
    arrays: Arrays = {f"rnn.{inside}{n}": a for n, a in lstm.arrays.items()}
    for left in (True, False):
        raw = {**arrays, "rnn.weight_hh_l0_raw": lstm.arrays["weight_hh_l0"]}
        raw[f"rnn.{inside}weight_hh_l0"] = np.zeros((16, 4), "f4")
        if not left:
            del raw[f"rnn.{inside}weight_hh_l0"]
        tensors = Calculated(raw)
        (layer,) = plain.from_state_dict(tensors, prefix=f"rnn.{inside}").layers
        assert layer.arrays["weight_hh_l0"].tobytes() == lstm.arrays["weight_hh_l0"].tobytes()
        assert tensors.notes == {f"rnn.{inside}weight_hh_l0": "weight drop of rnn.weight_hh_l0_raw"}


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        ({"_g": (4, 1), "_v": (16, 4)}, rn.FormatError, r"one axis; got lengths of shape \(4, 1\)"),
        ({"_g": (16, 4), "_v": (16, 4)}, rn.FormatError, "a length for each index of one axis"),
        ({"_orig": (16, 4), "_mask": (4, 4)}, rn.FormatError, "a mask of shape"),
        ({"_orig": (16, 4), "_u": (4,), "_v": (4,)}, rn.FormatError, "has vectors for one axis"),
        ({"_orig": (4, 4), "_u": (4,), "_v": (4,)}, rn.UnsupportedError, "of which axis"),
    ],
)
def test_parts_that_do_not_fit_are_refused(
    parts: dict[str, tuple[int, ...]], error: type[Exception], message: str
) -> None:
    arrays = {f"weight_hh_l0{word}": np.ones(shape, "f4") for word, shape in parts.items()}
    if "of which axis" in message:  # u is the image of v by neither axis
        arrays["weight_hh_l0_orig"] = np.eye(4, dtype="f4")
        arrays["weight_hh_l0_u"] = np.array([1, -1, 1, -1], "f4")
    with pytest.raises(error, match=message):
        Calculated(arrays)["weight_hh_l0"]


def test_info_tells_what_was_calculated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from rnn_native.cli import main

    npz(tmp_path / "cell.npz", arrays_of(CELL))
    assert main(["info", str(tmp_path / "cell.npz")]) == 0
    assert "calculated bias_hh: Equinox's GRUCell of bias_n" in capsys.readouterr().out
