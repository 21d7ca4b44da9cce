"""Keras files from strangers: whatever the bytes, a model or an error, in bounded memory."""

from __future__ import annotations

import copy
import struct
import tracemalloc
import warnings
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras_files as kf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnn_native import formats
from rnn_native.errors import FormatError, RnnError, UnsupportedError
from rnn_native.formats.keras.config import MAX_CONFIG, Layer

LSTM = kf.lstm(3, 4)
BOTH = {
    f"{side}_a/{name}": array for side in ("forward", "backward") for name, array in LSTM.items()
}
GROUPS = {"layers/lstm/cell": list(LSTM.values())}
SIMPLE = kf.sequential(kf.recurrent("LSTM", "a", 4))
FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def everything() -> Any:
    """A configuration with all that is read of one."""
    inner = kf.sequential(kf.layer("Dense", "c", units=2, activation="relu"), name="inner")
    cells = [kf.layer("LSTMCell", "x", units=4, recurrent_activation="sigmoid")]
    stack = {"class_name": "StackedRNNCells", "config": {"name": "s", "cells": cells}}
    wide = kf.layer("Bidirectional", "a", "m", layer=kf.recurrent("LSTM", "x", 4), merge_mode="sum")
    layers = [
        kf.start("in"),
        kf.layer("Masking", "m", "in", mask_value=0.5),
        wide,
        kf.layer("RNN", "b", "a", cell=stack, return_sequences=True, go_backwards=True),
        inner | {"name": "inner", "inbound_nodes": [[["b", 0, 0, {}]]]},
    ]
    return kf.functional(layers, ["in"], ["inner"])


WEIGHTS: dict[str, Any] = {
    "a": BOTH,
    "b": {f"x/{name}": array for name, array in kf.lstm(4, 4).items()},
    "inner": {f"c/{name}": array for name, array in kf.dense(4, 2).items()},
}


def attempt(path: Path) -> str:
    """Reads a file that may be anything; the name of the error, or nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            formats.read(path)
        except RnnError as error:
            assert isinstance(error, (FormatError, UnsupportedError)), error  # noqa: PT017
            return type(error).__name__
    return ""


def changed(path: Path, data: bytes) -> Path:
    other = path.with_stem("changed")
    other.write_bytes(data)
    return other


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("keras")
    return {
        ".h5": kf.write_h5(folder / "m.h5", everything(), WEIGHTS),
        ".hdf5": kf.write_h5(folder / "m.hdf5", None, {"a": LSTM}, "2.3.0"),
        "newer": kf.write_h5(folder / "newer.h5", everything(), WEIGHTS, libver="latest"),
        "first": kf.write_h5(folder / "first.h5", *kf.of_keras_1(), "1.2.2", own=kf.KERAS_1),
        ".keras": kf.write_keras(folder / "m.keras", SIMPLE, GROUPS),
    }


SUFFIXES = (".h5", ".hdf5", "newer", "first", ".keras")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_files_that_are_broken_below_are_whole(suffix: str, files: dict[str, Path]) -> None:
    assert attempt(files[suffix]) == ""


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_truncated_files_are_refused(suffix: str, files: dict[str, Path]) -> None:
    data = files[suffix].read_bytes()
    for size in [*range(0, 200, 7), *range(200, len(data), 501), len(data) - 1]:
        assert attempt(changed(files[suffix], data[:size])) == "FormatError"


@pytest.mark.parametrize("suffix", SUFFIXES)
@FUZZ
@given(data=st.data())
def test_files_with_wrong_bytes(suffix: str, files: dict[str, Path], data: st.DataObject) -> None:
    broken = bytearray(files[suffix].read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    attempt(changed(files[suffix], bytes(broken)))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a configuration."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, item in inside:
        found.append((*path, key))
        if isinstance(item, (dict, list)):
            found += places(item, (*path, key))
    return found


ODD: tuple[Any, ...] = (
    None, True, 0, -1, 3, 2**70, 1e308, float("nan"), "", "LSTM", "a", [], {}, [[]], ["a", 0, 0],
    {"class_name": "LSTM", "config": {}}, {"class_name": "__keras_tensor__", "config": 3},
)  # fmt: skip


@FUZZ
@given(data=st.data())
def test_configurations_with_something_else_in_a_place(
    files: dict[str, Path], data: st.DataObject
) -> None:
    config = copy.deepcopy(everything())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(places(config)))
        owner = config
        for key in place[:-1]:
            owner = owner[key]
        owner[place[-1]] = copy.deepcopy(data.draw(st.sampled_from(ODD)))
    attempt(kf.write_h5(files[".h5"].with_stem("odd"), config, WEIGHTS))


@FUZZ
@given(data=st.data())
def test_configurations_of_keras_1_with_something_else_in_a_place(
    files: dict[str, Path], data: st.DataObject
) -> None:
    config, weights = kf.of_keras_1()
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(places(config)))
        owner = config
        for key in place[:-1]:
            owner = owner[key]
        owner[place[-1]] = copy.deepcopy(data.draw(st.sampled_from(ODD)))
    path = files["first"].with_stem("odd")
    attempt(kf.write_h5(path, config, weights, "1.2.2", own=kf.KERAS_1))


@FUZZ
@given(value=st.recursive(st.sampled_from(ODD), lambda inner: st.lists(inner), max_leaves=5))
def test_arguments_of_any_kind(files: dict[str, Path], value: Any) -> None:
    config = everything()
    config["config"]["layers"][2]["inbound_nodes"] = [{"args": value, "kwargs": {"mask": value}}]
    attempt(kf.write_h5(files[".h5"].with_stem("odd"), config, WEIGHTS))


def peak_of(path: Path) -> int:
    tracemalloc.start()
    try:
        assert attempt(path) == "FormatError"
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


ALLOWANCE = 2**20  # what reading any file takes, besides a multiple of its size


LISTS = b'{"a":[' + b"[]," * (2**23 // 3 - 20) + b"[]]}"  # a configuration of 2.8 million lists


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.weights.h5", bytes(2**28)),
        ("config.json", bytes(2**28)),
        ("config.json", LISTS),
        ("metadata.json", LISTS),
    ],
)
def test_zip_bombs_take_little_memory(name: str, content: bytes, tmp_path: Path) -> None:
    whole = kf.write_keras(tmp_path / "whole.keras", SIMPLE, GROUPS)
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            new.writestr(member, content if member == name else old.read(member))
    size = path.stat().st_size
    assert len(content) > 100 * size
    assert peak_of(path) < 20 * size + ALLOWANCE


def test_weights_that_were_compressed_a_little_are_read(tmp_path: Path) -> None:
    path = kf.write_keras(tmp_path / "m.keras", SIMPLE, GROUPS, compression=zipfile.ZIP_DEFLATED)
    assert attempt(path) == ""


def test_other_compressions_are_refused(tmp_path: Path) -> None:
    path = kf.write_keras(tmp_path / "m.keras", SIMPLE, GROUPS, compression=zipfile.ZIP_BZIP2)
    with pytest.raises(UnsupportedError, match="compressed by method 12"):
        formats.read(path)


@pytest.mark.parametrize("name", ["config.json", "metadata.json", "model.weights.h5"])
def test_archives_without_a_part_or_with_two(name: str, tmp_path: Path) -> None:
    whole = kf.write_keras(tmp_path / "m.keras", SIMPLE, GROUPS)
    with zipfile.ZipFile(whole) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "less.keras", "w") as archive:
        for one, data in members.items():
            if one != name:
                archive.writestr(one, data)
    with pytest.raises(FormatError, match=f"expected one file {name} in the archive, found 0"):
        formats.read(tmp_path / "less.keras")
    with zipfile.ZipFile(whole, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(name, members[name])
    with pytest.raises(FormatError, match="found 2"):
        formats.read(whole)


def test_a_configuration_that_is_too_large(tmp_path: Path) -> None:
    path = kf.write_keras(tmp_path / "m.keras", b" " * (MAX_CONFIG + 1), GROUPS)
    with pytest.raises(FormatError, match=r"config\.json: more than"):
        formats.read(path)


@pytest.mark.parametrize(
    "text", [b"[" * 10**6, b'{"a":' * 10**5, b"{", b"[]", b"\xff", b"1" * 5000]
)
def test_a_configuration_that_is_nested_too_deeply_or_none(text: bytes, tmp_path: Path) -> None:
    path = kf.write_keras(tmp_path / "m.keras", text, GROUPS)
    with pytest.raises(FormatError, match=r"config\.json: "):
        formats.read(path)


def nested(depth: int, calls: int) -> Any:
    """Models inside of each other, each of which calls the next one so many times."""
    inner = [kf.start("x")]
    if depth:
        model = nested(depth - 1, calls) | {"name": "m"}
        model["inbound_nodes"] = [
            [["x" if n == 0 else "m", max(n - 1, 0), 0, {}]] for n in range(calls)
        ]
        inner.append(model)
    end = ("m", calls - 1, 0) if depth else ("x", 0, 0)
    return kf.functional(inner, ["x"], [end], name="m")


@pytest.mark.parametrize(
    ("depth", "calls", "message"),
    [(12, 8, "more than 20000 layers, in models"), (40, 1, "more than 16 deep")],
)
def test_models_that_multiply(depth: int, calls: int, message: str, tmp_path: Path) -> None:
    path = kf.write_keras(tmp_path / "m.keras", nested(depth, calls), GROUPS)
    with pytest.raises(FormatError, match=message):
        formats.read(path)


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_missing_weights_are_refused_by_name(suffix: str, tmp_path: Path) -> None:
    config = kf.sequential(kf.recurrent("LSTM", "a", 4), kf.recurrent("LSTM", "b", 4))
    square = kf.lstm(4, 4)
    if suffix == ".h5":
        path = kf.write_h5(tmp_path / "m.h5", config, {"a": LSTM})
        message = "'b'.*the file has no weights of 'model_weights/b'"
    else:
        groups = {"layers/lstm_1/cell": list(square.values())}
        path = kf.write_keras(tmp_path / "m.keras", config, groups)
        message = r"'a'.*expected 3 arrays \(kernel, recurrent_kernel, bias\) in the group"
    with pytest.raises(FormatError, match=message):
        formats.read(path)


@pytest.mark.parametrize("name", ["//kernel:0", "/"])
def test_names_with_nothing_between_slashes_are_names(name: str, tmp_path: Path) -> None:
    """The empty part of such a name is not the whole list of names, which would grow for ever."""
    path = kf.write_h5(tmp_path / "m.h5", SIMPLE, {"a": LSTM})
    with h5py.File(path, "a") as file:
        group = file["model_weights/a"]
        rest = [str(other).encode() for other in group.attrs["weight_names"][1:]]
        group.attrs["weight_names"] = [name.encode(), *rest]
    with pytest.raises(FormatError):
        formats.read(path)


def test_more_weights_than_a_layer_has_are_refused(tmp_path: Path) -> None:
    groups = {"layers/lstm/cell": [*LSTM.values(), np.zeros(3, "f4")]}
    with pytest.raises(FormatError, match="expected 3 arrays"):
        formats.read(kf.write_keras(tmp_path / "m.keras", SIMPLE, groups))


def test_arrays_in_other_files_are_not_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(struct.pack("<48f", *range(48)))
    path = kf.write_h5(tmp_path / "m.h5", SIMPLE, {"a": LSTM})
    with h5py.File(path, "a") as file:
        group = file["model_weights/a/a"]
        del group["kernel:0"]
        group.create_dataset("kernel:0", (3, 16), "f4", external=[(str(secret), 0, 192)])
    with pytest.raises(UnsupportedError, match="data in other files"):
        formats.read(path)


def test_wrong_elements_are_refused(tmp_path: Path) -> None:
    for dtype in ("i4", "c8", "S4", "?"):
        weights = {"a": LSTM | {"kernel": np.zeros((3, 16), dtype)}}
        with pytest.raises(FormatError, match="kernel:0': expected floats"):
            formats.read(kf.write_h5(tmp_path / "m.h5", SIMPLE, weights))


def test_bytes_that_may_be_bfloat16_are_refused_with_the_reason(tmp_path: Path) -> None:
    """As Keras writes a bfloat16 model to .h5: findings/keras_bfloat16_h5.sh."""
    weights = {"a": LSTM | {"kernel": np.zeros((3, 16), "V2")}}
    path = kf.write_h5(tmp_path / "m.h5", SIMPLE, weights)
    with pytest.raises(FormatError, match=r"two bytes an element.* bfloat16 .*save it as \.keras"):
        formats.read(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400])
@pytest.mark.parametrize(
    ("kind", "key"), [("Masking", "mask_value"), ("LeakyReLU", "negative_slope")]
)
def test_numbers_that_are_not_finite_are_the_files_fault(kind: str, key: str, value: Any) -> None:
    layer = Layer(kind, ("a",), (), {key: value}, 3)
    with pytest.raises(FormatError, match=f"layer 'a' .{kind}.: {key}: expected a finite number"):
        layer.option(key, float)
