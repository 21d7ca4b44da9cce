"""Golden inputs and outputs: replayed where they hold, refused where anything is not as it was."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agreement import matmuls
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import (
    VARIANT_IDS,
    VARIANTS,
    cases,
    make_recurrent,
    make_spec,
    random_input,
    random_state,
    specs,
)

import rnn_native as rn
from rnn_native import _core, cli, formats, verify
from rnn_native.formats import golden, metadata, npz, safetensors
from rnn_native.spec import ModelSpec, Recurrent

DTYPES = ("float32", "float64")
SUFFIXES = (".safetensors", ".npz")
PREFIX = golden.PREFIX
CONFIG = rn.show_config(mode="dicts")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("golden")


def strings_of(spec: ModelSpec, call: Any = True, **options: Any) -> dict[str, str]:
    return golden.to_strings(verify.make(rn.Model(spec, **options), call))


def replay(spec: ModelSpec, strings: dict[str, str], **options: Any) -> None:
    found = golden.from_strings(strings)
    assert found is not None
    verify.replay(rn.Model(spec, **options), spec, found)


def with_arrays(spec: ModelSpec, **changed: Any) -> ModelSpec:
    arrays = {**metadata.to_arrays(spec), **changed}
    return metadata.from_metadata(metadata.to_metadata(spec), arrays)


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(spec=st.sampled_from([np.float32, np.float64]).flatmap(lambda dtype: specs(dtype=dtype)))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_model_carries_one_and_verifies(suffix: str, spec: ModelSpec, folder: Path) -> None:
    for dtype in DTYPES:
        path = folder / f"model{suffix}"
        rn.Model(spec, dtype=dtype).save(path, golden=True)
        for other in DTYPES:
            rn.load(path, dtype=other, verify=True)
        plain = rn.load(path, dtype=dtype)
        plain.save(folder / f"again{suffix}")
        kept, again = formats.read(path), formats.read(folder / f"again{suffix}")
        assert safetensors.dumps(kept) == safetensors.dumps(again)


@given(case=cases(min_time=1, max_batch=3).filter(lambda case: case.batch > 0))
@settings(max_examples=60)
def test_arguments_of_any_call_are_kept_and_replayed(case: Any) -> None:
    call = {"x": case.x, "state": case.state, "lengths": case.lengths}
    strings = strings_of(case.spec, call)
    for matmul in matmuls():
        for batch_first in (False, True):
            replay(case.spec, strings, matmul=matmul, batch_first=batch_first)
    turned = {**call, "x": np.swapaxes(case.x, 0, 1)}
    assert strings_of(case.spec, turned, batch_first=True) == strings
    found = golden.from_strings(strings)
    assert found is not None
    assert np.array_equal(found.x, case.x)
    assert (found.lengths is None) == (case.lengths is None)
    assert case.lengths is None or found.lengths.tolist() == case.lengths
    assert golden.to_strings(found) == strings


ISA_CHILD = """
import sys
import rnn_native as rn
for path in sys.argv[1:]:
    rn.load(path, verify=True)
print(rn.show_config(mode="dicts")["isa"])
"""


def verify_on(isa: str, paths: Sequence[Path]) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", ISA_CHILD, *map(str, paths)],
        env=os.environ | {"RNN_NATIVE_ISA": isa},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == isa, done.stderr


@pytest.mark.parametrize("isa", CONFIG["isas_available"])
def test_every_instruction_set_gives_what_another_stored(isa: str, tmp_path: Path) -> None:
    """The replay's rounding errors are not those of the golden result, and are allowed."""
    rng = np.random.default_rng(3)
    paths = []
    for (cell, options), name in zip(VARIANTS, VARIANT_IDS, strict=True):
        # Weights of up to 3 / sqrt(48): far out on the activations, and errors grow for some steps.
        recurrent = make_recurrent(rng, cell, 20, 48, gain=3.0, num_layers=2, **options)
        paths.append(tmp_path / f"{name}.safetensors")
        rn.Model(ModelSpec((recurrent,))).save(paths[-1], golden=True)
    verify_on(isa, paths)


SPEC = make_spec(np.random.default_rng(0), "lstm", 3, 5, num_layers=2, out_features=2)
CALL = {
    "x": random_input(SPEC, 6, 2, np.random.default_rng(1)),
    "state": random_state(SPEC, 2, np.random.default_rng(2)),
    "lengths": [6, 3],
}
STRINGS = strings_of(SPEC, CALL)


@pytest.mark.parametrize("name", list(metadata.to_arrays(SPEC)))
def test_a_weight_that_is_not_as_it_was_is_found(name: str) -> None:
    replay(SPEC, STRINGS)
    array = metadata.to_arrays(SPEC)[name]
    # One percent of the largest weight, where rounding is a millionth.
    changed = array + np.float32(0.01) * np.abs(array).max()
    with pytest.raises(
        rn.VerifyError, match=r"golden: (y|final state)\[.*expected .* within .*got"
    ):
        replay(with_arrays(SPEC, **{name: changed}), STRINGS)


def test_an_option_that_is_not_as_it_was_is_found() -> None:
    rng = np.random.default_rng(0)
    gru = make_recurrent(rng, "gru", 3, 5)
    strings = strings_of(ModelSpec((gru,)))
    before = Recurrent(weights=gru.arrays, **{**gru.options, "reset_after": False})
    with pytest.raises(rn.VerifyError):
        replay(ModelSpec((before,)), strings)


@pytest.mark.parametrize("name", ["lengths", "state"])
def test_every_argument_counts(name: str) -> None:
    without = {key: text for key, text in STRINGS.items() if key != PREFIX + name}
    with pytest.raises(rn.VerifyError):
        replay(SPEC, without)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_stacked_or_one_by_one_is_the_same_model(direction: str) -> None:
    """Some formats make layers of a stack, whose states then come in another order."""
    rng = np.random.default_rng(4)
    stack = make_recurrent(rng, "lstm", 3, 5, num_layers=2, direction=direction)
    layers = []
    for level, size in enumerate((3, stack.output_size)):
        own = {
            name.replace(f"_l{level}", "_l0"): array
            for name, array in stack.arrays.items()
            if f"_l{level}" in name
        }
        layers.append(Recurrent("lstm", size, 5, own, direction=direction))
    one, two = ModelSpec((stack,)), ModelSpec(tuple(layers))
    call = {"x": random_input(one, 4, 3, rng), "state": random_state(one, 3, rng)}
    replay(two, strings_of(one, call))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_carries_none_says_so(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"model{suffix}"
    rn.Model(SPEC).save(path)
    assert not set(formats.strings(path)) & golden.KEYS
    with pytest.raises(rn.OptionError, match=rf"{path.name}: verify=True: the file carries no"):
        rn.load(path, verify=True)
    with pytest.raises(rn.OptionError, match="verify: expected True or False, got 'yes'"):
        rn.load(path, verify="yes")  # type: ignore[arg-type]


def test_another_file_s_golden_input_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    npz.write(make_spec(np.random.default_rng(0), "gru", 4, 5), path, STRINGS)
    with pytest.raises(rn.FormatError, match=r"model\.npz: golden: not an input of this model"):
        rn.load(path, verify=True)
    npz.write(make_spec(np.random.default_rng(0), "gru", 3, 5), path, STRINGS)
    with pytest.raises(rn.FormatError, match=r"fewer than its layers|numbers, .* expected"):
        rn.load(path, verify=True)
    rn.load(path)


def float32(name: str, shape: str, count: int) -> dict[str, str]:
    return {name: golden._text(np.ones(count, np.float32)).replace(f" {count} ", f" {shape} ")}


@pytest.mark.parametrize(
    "changes",
    [
        {"y": None},
        {"error": None},
        {"colour": "red"},
        {"y": ""},
        {"y": "float32 2"},
        {"y": "float32 2,2 "},
        {"y": "float32 1,1,1 AAAA"},
        {"y": "float32 1,1,1 AAAAA==="},
        {"y": "float32 1,1,1 AAAAAA=="} | {"y": "float32 1,1,1 AAAA AA="},
        {"y": "float16 1,1,1 AAA="},
        {"y": "float32 -1,1,1 AAAAAA=="},
        {"y": "float32 0,0,0 "},
        {"y": "float32 9999999999,9999999999,9999999999,9999999999 AAAA"},
        {"y": "float32 1,1,1 AADAfw=="},  # NaN
        {"final": "float64 1 AAAAAAAAAAA="},
        {"final": "int32 1 AAAAAA=="},
        {"lengths": "float32 1 AAAAAA=="},
        {"state": "int32 1 AAAAAA=="},
        {"x": "float64 1,1,1 AAAAAAAAAAA="},
        {"x": "int32 1,1,1 AAAAAA=="},
        float32("x", "2,2", 4),
        {"x": "float32 0,1,3 "},
        {"error": "nan"},
        {"error": "-1e-07"},
        {"error": "1e999999"},
        {"error": "1e+999"},
        {"error": "9.78e-04"},  # 2^14 unit roundoffs of float32 are 9.77e-4
        {"error": ""},
        {"error": "\N{ARABIC-INDIC DIGIT ONE}"},
        {"y": "float32 1 " + "A" * golden.MAX_CHARACTERS},
    ],
    ids=lambda changes: ",".join(f"{k}={str(v)[:24]}" for k, v in changes.items()),
)
def test_malformed_strings_are_refused_and_do_no_other_harm(
    changes: dict[str, str | None], tmp_path: Path
) -> None:
    changed = {**STRINGS, **{PREFIX + name: text for name, text in changes.items()}}
    strings = {key: text for key, text in changed.items() if text is not None}
    with pytest.raises(rn.FormatError, match="golden: "):
        golden.from_strings(strings)
    known = {key: text for key, text in strings.items() if key in golden.KEYS}
    if known == strings:
        path = tmp_path / "model.npz"
        npz.write(SPEC, path, strings)
        rn.load(path)
        with pytest.raises(rn.FormatError, match=re.escape(f"{path}: golden: ")):
            rn.load(path, verify=True)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_input_that_is_too_large_is_refused_by_name(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(b"before")
    x = np.zeros((20_000, 1, 3), np.float32)  # 240 000 bytes, 320 000 characters
    with pytest.raises(rn.OptionError, match=r"golden: x \(20000, 1, 3\).*fewer steps or rows"):
        rn.Model(SPEC).save(path, golden=x)
    assert path.read_bytes() == b"before"
    wide = ModelSpec((rn.Linear(np.ones((2, 60_000), np.float32)),))
    with pytest.raises(rn.OptionError, match="characters, at most"):
        rn.Model(wide).save(path, golden=True)
    assert list(tmp_path.iterdir()) == [path]


def test_a_graph_carries_none(tmp_path: Path) -> None:
    layer = rn.GRU(2, 3).spec
    nodes = {"a": (layer, "x"), "b": (rn.Elementwise("tanh"), "a")}
    model = rn.Model(ModelSpec(nodes=nodes, inputs="x", outputs=["a", "b"]))
    path = tmp_path / "model.safetensors"
    with pytest.raises(
        rn.UnsupportedError, match="golden: expected a chain of layers, got a graph"
    ):
        model.save(path, golden=True)
    assert not path.exists()
    strings = golden.to_strings(verify.make(rn.Model([layer]), True))
    formats.write(model.spec, path, strings=strings)
    with pytest.raises(rn.FormatError, match=r"golden: not an input .* a graph of 2 nodes"):
        rn.load(path, verify=True)


REDUCED = [{"weight_dtype": "int8"}] + [{"compute": "bfloat16"}] * _core.has_bf16_dot()


@pytest.mark.parametrize("options", REDUCED, ids=str)
@pytest.mark.parametrize(("cell", "kind"), VARIANTS[::3], ids=str)
def test_a_model_of_rounded_operands_carries_one(
    cell: str, kind: dict[str, Any], options: dict[str, str], tmp_path: Path
) -> None:
    """It is found again, in float32 too, and gates that are exchanged are found out."""
    rng = np.random.default_rng(4)
    path = tmp_path / "model.npz"
    layer = make_recurrent(rng, cell, 20, 48, **kind)
    rn.Model(ModelSpec((layer,)), **options).save(path, golden=True)
    stored = rn.load(path, verify=True)
    assert (stored.weight_dtype, stored.compute) != (None, None)
    rn.load(path, verify=True, dtype="float32")
    strings = formats.strings(path)
    arrays = {name: array.copy() for name, array in layer.arrays.items()}
    arrays["weight_ih_l0"] = arrays["weight_ih_l0"][::-1]
    formats.write(ModelSpec((layer.make(arrays, layer.options),)), path, strings=strings)
    with pytest.raises(rn.VerifyError, match=r"do not give what was stored"):
        rn.load(path, verify=True)


def test_the_command_keeps_it_or_makes_it_anew(tmp_path: Path) -> None:
    """Without the weights' type, which ``--dtype`` leaves out, the result is another."""
    made, kept, plain = (tmp_path / f"{name}.npz" for name in ("made", "kept", "plain"))
    layer = make_recurrent(np.random.default_rng(6), "lstm", 8, 32)
    rn.Model(ModelSpec((layer,)), weight_dtype="int8").save(made, golden=True)
    assert cli.main(["convert", str(made), str(kept), "--verify"]) == 0
    assert cli.main(["convert", str(made), str(plain), "--dtype", "float32", "--verify"]) == 0
    told = {path: formats.strings(path) for path in (made, kept, plain)}
    assert {key: told[kept][key] for key in golden.KEYS & set(told[kept])} == {
        key: told[made][key] for key in golden.KEYS & set(told[made])
    }
    assert rn.load(plain, verify=True).weight_dtype is None
    assert float(told[plain][f"{PREFIX}error"]) < 1e-6 < float(told[made][f"{PREFIX}error"])


@pytest.mark.parametrize("isa", CONFIG["isas_available"])
def test_every_instruction_set_gives_what_another_stored_of_integers(
    isa: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    paths = []
    for (cell, options), name in zip(VARIANTS, VARIANT_IDS, strict=True):
        layer = make_recurrent(rng, cell, 20, 48, gain=2.0, num_layers=2, **options)
        paths.append(tmp_path / f"{name}.safetensors")
        rn.Model(ModelSpec((layer,)), weight_dtype="int8").save(paths[-1], golden=True)
    verify_on(isa, paths)


def test_a_wide_model_gets_fewer_steps(tmp_path: Path) -> None:
    wide = ModelSpec((rn.Linear(np.full((2, 9_000), 1e-3, np.float32)),))
    rn.Model(wide).save(tmp_path / "wide.safetensors", golden=True)
    found = golden.from_strings(formats.strings(tmp_path / "wide.safetensors"))
    assert found is not None
    assert 1 <= len(found.x) < 16
    rn.load(tmp_path / "wide.safetensors", verify=True)


def test_the_c_core_s_limit_of_the_header_is_kept(tmp_path: Path) -> None:
    layers = tuple(rn.Linear(np.ones((1, 1), np.float32)) for _ in range(3000))
    strings = {PREFIX + "x": "A" * 600_000}
    with pytest.raises(rn.FormatError, match=r"more than the 1048576 that the C core reads"):
        safetensors.write(ModelSpec(layers), tmp_path / "model", strings)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (False, "expected True, an input or arguments"),
        ({"x": CALL["x"], "length": [6, 3]}, "expected x and maybe state, lengths; got x, length"),
        ({"state": CALL["state"]}, "expected x and maybe state, lengths; got state"),
        (np.zeros((0, 1, 3), np.float32), "some steps and a finite result"),
        (np.zeros((1, 0, 3), np.float32), "some steps and a finite result"),
        (np.full((1, 1, 3), np.nan, np.float32), "some steps and a finite result"),
    ],
    ids=["False", "unknown", "no x", "no steps", "no rows", "NaN"],
)
def test_what_makes_no_golden_input_is_refused(call: Any, message: str) -> None:
    with pytest.raises(rn.OptionError, match=f"golden: .*{message}"):
        verify.make(rn.Model(SPEC), call)


def test_the_arguments_are_those_of_a_call() -> None:
    with pytest.raises(rn.ShapeError, match="x: expected shape"):
        verify.make(rn.Model(SPEC), np.zeros((2, 1, 4), np.float32))
    with pytest.raises(rn.ShapeError, match="lengths"):
        verify.make(rn.Model(SPEC), {**CALL, "lengths": [7, 1]})


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_result_of_rounding_errors_alone_is_refused(dtype: str) -> None:
    """Sums of hundreds of terms that cancel but for the rounding of the last weight: nothing that
    another order of summation could be held to."""
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((8, 301)).astype(dtype)
    weight[:, -1] = -weight[:, :-1].sum(axis=1)
    model = rn.Model(ModelSpec((rn.Linear(weight),)), dtype=dtype)
    x = np.full((4, 1, 301), 1 / 3, dtype)
    with pytest.raises(rn.OptionError, match="rounding errors grow"):
        verify.make(model, x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_error_that_would_allow_any_weights_is_refused(dtype: str) -> None:
    """What may be stated is what may be saved, to the digit: 2^14 unit roundoffs."""
    strings = strings_of(SPEC, dtype=dtype)
    most = 2.0**14 * float(np.finfo(dtype).eps) / 2
    assert golden.from_strings({**strings, PREFIX + "error": f"{most * 0.99:.3g}"}) is not None
    arrays = metadata.to_arrays(SPEC)
    wrong = with_arrays(SPEC, **{"0.weight_hh_l0": arrays["0.weight_hh_l0"] * -3})
    for error in (most * 1.01, 1.0, 1e300, np.inf):
        with pytest.raises(rn.FormatError, match="golden: error: expected at most"):
            replay(wrong, {**strings, PREFIX + "error": f"{error:.3g}".replace("inf", "1e+999")})


def test_formats_without_a_place_for_strings_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = formats.Format("npz", (".npz",))
    monkeypatch.setattr(formats, "FORMATS", {"npz": plain})
    with pytest.raises(rn.UnsupportedError, match=r"npz has no place for rnn_native\.golden\.x"):
        rn.Model(SPEC).save(tmp_path / "model.npz", golden=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_strings_are_read_without_the_weights(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"model{suffix}"
    formats.write(SPEC, path, strings=STRINGS)
    expected = {**metadata.to_metadata(SPEC), **STRINGS}
    assert formats.strings(path) == expected
    if suffix == ".safetensors":
        content = path.read_bytes()
        size = int.from_bytes(content[:8], "little")
        path.write_bytes(content[: 8 + size])
        assert formats.strings(path) == expected
        path.write_bytes(content[: 7 + size])
    else:
        path.write_bytes(b"PK")
    with pytest.raises(rn.FormatError, match=re.escape(f"{path}: ")):
        formats.strings(path)
