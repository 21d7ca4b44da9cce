"""``mask_value``: where a call states no lengths, the input's masked steps tell them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strategies
from agreement import DTYPES, AnyArray, assert_same_bits, assert_same_state
from hypothesis import given
from hypothesis import strategies as st

import rnn_native as rn
from rnn_native.formats import metadata as md
from rnn_native.spec import ModelSpec

LENGTHS = [6, 0, 1, 4]


def features(mask_value: float, dtype: str = "float32", **options: Any) -> tuple[Any, AnyArray]:
    """A model and x [6, 4, 3] whose rows have LENGTHS steps, then masked ones; valid steps hold
    the value too, but not in all features."""
    rng = np.random.default_rng(81)
    spec = strategies.make_spec(rng, "gru", 3, 5, **options)
    x = rng.standard_normal((6, 4, 3)).astype(dtype)
    x[:, :, 1] = mask_value
    for row, length in enumerate(LENGTHS):
        x[length:, row] = mask_value
    return ModelSpec(spec.layers, mask_value), x


def indices() -> tuple[ModelSpec, AnyArray]:
    rng = np.random.default_rng(82)
    spec = strategies.make_spec(rng, "lstm", 4, 5, num_embeddings=9, direction="bidirectional")
    x = rng.integers(1, 9, (6, 4))
    for row, length in enumerate(LENGTHS):
        x[length:, row] = 0
    return ModelSpec(spec.layers, 0), x


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("x_dtype", DTYPES)
@pytest.mark.parametrize("mask_value", [0.0, -1.0, 0.1, -10])
def test_masked_steps_are_padding(mask_value: float, x_dtype: str, dtype: str) -> None:
    """0.1 is another number in float32 and float64: compared is in the type that x has."""
    spec, x = features(mask_value, x_dtype)
    model = rn.Model(spec, dtype=dtype, matmul="packed")
    y, final = model(x)
    want, want_final = model(x, lengths=LENGTHS)
    assert_same_bits(y, want)
    assert_same_state(final, want_final)
    assert not np.any(y[4:, 3])
    np.testing.assert_equal(rn.reference.run(spec, x), rn.reference.run(spec, x, lengths=LENGTHS))


@pytest.mark.parametrize("kind", ["i8", "i4", "u2"])
def test_so_are_masked_indices(kind: str) -> None:
    spec, x = indices()
    model = rn.Model(spec, matmul="packed")
    y, final = model(x.astype(kind))
    want, want_final = model(x, lengths=LENGTHS)
    assert_same_bits(y, want)
    assert_same_state(final, want_final)
    np.testing.assert_equal(rn.reference.run(spec, x), rn.reference.run(spec, x, lengths=LENGTHS))


def test_batch_first_and_a_last_state_alone() -> None:
    spec, x = features(0.0, return_sequences=False)
    y, _ = rn.Model(spec, matmul="packed")(x)
    model = rn.Model(spec, batch_first=True, matmul="packed")
    assert_same_bits(model(np.swapaxes(x, 0, 1))[0], y)
    assert_same_bits(model(np.swapaxes(x, 0, 1), lengths=LENGTHS)[0], y)


@given(
    lengths=st.lists(st.integers(0, 5), max_size=4),
    time=st.integers(5, 7),
    batch_first=st.booleans(),
    indexed=st.booleans(),
)
def test_model_and_reference_find_the_same_lengths(
    lengths: list[int], time: int, batch_first: bool, indexed: bool
) -> None:
    rng = np.random.default_rng(83)
    spec = strategies.make_spec(
        rng, "rnn", 2, 3, num_embeddings=4 if indexed else 0, return_sequences=False
    )
    spec = ModelSpec(spec.layers, 2)
    x: AnyArray = rng.standard_normal((time, len(lengths), 2))
    if indexed:
        x = rng.choice([0, 1, 3], (time, len(lengths)))
    for row, length in enumerate(lengths):
        x[length:, row] = 2
    model = rn.Model(spec, batch_first=batch_first, matmul="packed")
    y, _ = model(np.swapaxes(x, 0, 1) if batch_first else x)
    assert_same_bits(y, rn.Model(ModelSpec(spec.layers), matmul="packed")(x, lengths=lengths)[0])
    np.testing.assert_equal(
        rn.reference.run(spec, x)[0], rn.reference.run(spec, x, None, lengths)[0]
    )


def test_stated_lengths_win() -> None:
    spec, x = features(0.0)
    plain = rn.Model(ModelSpec(spec.layers), matmul="packed")
    for lengths in ([6, 6, 6, 6], [0, 1, 2, 3]):
        y, _ = rn.Model(spec, matmul="packed")(x, lengths=lengths)
        assert_same_bits(y, plain(x, lengths=lengths)[0])
    want = rn.reference.run(ModelSpec(spec.layers), x, lengths=[6] * 4)
    np.testing.assert_equal(rn.reference.run(spec, x, lengths=[6] * 4), want)


def test_without_a_mask_value_every_step_counts() -> None:
    spec, x = features(0.0)
    y, _ = rn.Model(ModelSpec(spec.layers))(x)
    assert np.all(np.any(y != 0, axis=-1))


def test_a_masked_step_before_a_valid_one_is_refused_by_row_and_step() -> None:
    for spec, x in (features(0.0), indices()):
        x = x.copy()
        x[1, 3] = 0
        for call in (
            lambda spec=spec, x=x: rn.Model(spec)(x),
            lambda spec=spec, x=x: rn.Model(spec, batch_first=True)(np.swapaxes(x, 0, 1)),
            lambda spec=spec, x=x: rn.Model(spec).trace(x),
            lambda spec=spec, x=x: rn.reference.run(spec, x),
        ):
            with pytest.raises(rn.ShapeError, match=r"x: row 3, step 1 is masked"):
                call()
        rn.Model(spec)(x, lengths=[6] * 4)


def test_traces_too_end_where_the_mask_begins() -> None:
    spec, x = features(0.0)
    model = rn.Model(spec)
    for name, array in model.trace(x).items():
        assert_same_bits(array, model.trace(x, lengths=LENGTHS)[name])
        assert not np.any(array[4:, 3])


def test_a_stream_refuses_a_masked_step_and_keeps_its_state() -> None:
    spec, x = features(0.0)
    stream = rn.Model(spec, matmul="packed").stream(batch=4)
    x[0, 1] = 1
    stream.step(x[0])
    before = stream.state
    with pytest.raises(rn.ShapeError, match=r"x: row 1 is masked .*stream has none"):
        stream.step(x[1])
    assert_same_state(stream.state, before)
    rng = np.random.default_rng(84)
    embedded = strategies.make_spec(rng, "gru", 4, 5, num_embeddings=9)
    stream = rn.Model(ModelSpec(embedded.layers, 3)).stream(batch=2)
    stream.step(np.array([1, 2]))
    with pytest.raises(rn.ShapeError, match=r"x: row 1 is masked \(its index is 3\)"):
        stream.step(np.array([1, 3]))


def test_a_message_has_every_digit_of_the_mask_value() -> None:
    spec, x = features(0.0)
    stream = rn.Model(ModelSpec(spec.layers, -0.123456789)).stream(batch=x.shape[1])
    with pytest.raises(rn.ShapeError, match=r"every feature is -0\.123456789"):
        stream.step(np.full(x.shape[1:], -0.123456789))
    many = strategies.make_spec(np.random.default_rng(85), "rnn", 1, 1, num_embeddings=1_234_568)
    stream = rn.Model(ModelSpec(many.layers, 1_234_567)).stream()
    with pytest.raises(rn.ShapeError, match=r"its index is 1234567\)"):
        stream.step(np.array([1_234_567]))


@pytest.mark.filterwarnings("error")
def test_a_mask_value_past_the_type_of_x_masks_no_number() -> None:
    spec, x = features(0.0)
    plain, masked = ModelSpec(spec.layers), ModelSpec(spec.layers, 1e300)
    assert_same_bits(
        rn.Model(masked, matmul="packed")(x)[0], rn.Model(plain, matmul="packed")(x)[0]
    )


@pytest.mark.parametrize("x", [np.zeros((4, 3), np.float32), np.zeros((2, 2, 3), int), [[1], []]])
def test_what_is_no_input_is_refused_as_without_a_mask(x: Any) -> None:
    spec, _ = features(0.0)
    refusals = []
    for model in (rn.Model(spec), rn.Model(ModelSpec(spec.layers))):
        with pytest.raises((rn.ShapeError, rn.DTypeError)) as caught:
            model(x)
        refusals.append((type(caught.value), str(caught.value)))
    assert refusals[0] == refusals[1]


@pytest.mark.parametrize("value", [np.nan, np.inf, "0", True, 1j, [0.0], 10**400])
def test_a_mask_value_is_a_finite_number(value: Any) -> None:
    spec, _ = features(0.0)
    with pytest.raises(rn.OptionError, match="mask_value: expected a finite number"):
        ModelSpec(spec.layers, value)


@pytest.mark.parametrize("value", [-1, 9, 0.5])
def test_of_indices_it_is_one_of_them(value: float) -> None:
    spec, _ = indices()
    with pytest.raises(rn.OptionError, match="mask_value: expected an index from 0 to 8"):
        ModelSpec(spec.layers, value)


@pytest.mark.parametrize("value", [0.0, -0.0, 0.1, -1e-5, 1e300, 5e-324, np.float32(0.1), 7])
def test_a_file_keeps_it(tmp_path: Path, value: float) -> None:
    spec, _ = features(0.0)
    spec = ModelSpec(spec.layers, value)
    assert spec.mask_value == float(value)
    model = rn.Model(spec)
    for suffix in ("safetensors", "npz"):
        model.save(tmp_path / f"m.{suffix}")
        again = rn.load(tmp_path / f"m.{suffix}").spec.mask_value
        assert again == spec.mask_value
        assert np.signbit(again) == np.signbit(spec.mask_value)
    assert pickle.loads(pickle.dumps(model)).spec.mask_value == spec.mask_value
    assert "rnn_native.mask_value" not in md.to_metadata(ModelSpec(spec.layers))


@pytest.mark.parametrize(
    "text", ["", "nan", "inf", "1_0", " 1", "0x1", "1.", "+1", "01", "1e999", "1" * 65]
)
def test_another_text_in_a_file_is_refused(text: str) -> None:
    spec, _ = features(0.0)
    strings = {**md.to_metadata(spec), "rnn_native.mask_value": text}
    with pytest.raises(rn.FormatError, match="mask_value"):
        md.from_metadata(strings, md.to_arrays(spec))


def test_training_refuses_it_by_name() -> None:
    spec, _ = features(0.0)
    with pytest.raises(rn.UnsupportedError, match="mask_value"):
        rn.train.Network(spec)
