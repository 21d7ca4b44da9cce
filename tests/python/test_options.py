"""Every option has an effect, and what a Model says of itself is true.

Also: saving, the process-wide number of threads, and the environment variables.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strategies
from agreement import AnyArray, assert_same_bits, assert_same_state
from hypothesis import given
from strategies import Case

import rnn_native as rn
from rnn_native.spec import ACTIVATIONS, Embedding, Linear, ModelSpec, Recurrent

X = np.random.default_rng(80).standard_normal((6, 6, 5)).astype(np.float32)  # T = B on purpose


def recurrent(cell: str, seed: int = 81, **options: Any) -> ModelSpec:
    return strategies.make_spec(np.random.default_rng(seed), cell, 5, 7, **options)


def output(spec: ModelSpec, **options: Any) -> AnyArray:
    y, _ = rn.Model(spec, **options)(X)
    return np.asarray(y)


def changed(spec: ModelSpec, **options: Any) -> ModelSpec:
    """The same weights under other options."""
    return ModelSpec((replace(spec.recurrents[0], **options), *spec.layers[1:]))


def assert_differ(a: AnyArray, b: AnyArray) -> None:
    """By more than any rounding: these are numbers of order 1."""
    assert a.shape == b.shape
    assert np.max(np.abs(a - b)) > 1e-3


# One test per option


def test_cell() -> None:
    """Of the three cells, and not by their weights' number alone: all gates see equal weights."""
    one = recurrent("rnn").recurrents[0]
    ys = []
    for cell, gates in (("rnn", 1), ("gru", 3), ("lstm", 4)):
        weights = {name: np.concatenate([a] * gates) for name, a in one.arrays.items()}
        ys.append(output(ModelSpec((Recurrent(cell, 5, 7, weights),))))
    for k in range(3):
        assert_differ(ys[k], ys[k - 1])


def test_nonlinearity() -> None:
    spec = recurrent("rnn")
    assert_differ(output(spec), output(changed(spec, nonlinearity="relu")))
    assert_differ(output(spec), output(changed(spec, nonlinearity="sigmoid")))


def test_gate_recurrent() -> None:
    """Where the weights have the shapes of both, gates recur on gates and not on h."""
    for cell in ("gru", "lstm"):
        gates = recurrent(cell, gate_recurrent=True)
        w = gates.recurrents[0].arrays
        rest = [w["weight_hh_l0"]] if cell == "gru" else []
        other = {
            "weight_ih_l0": w["weight_ih_l0"],
            "weight_hh_l0": np.concatenate([w["weight_gh_l0"], *rest]),
        }
        plain = changed(gates, gate_recurrent=False, bias=False, weights=other)
        without = {name: a for name, a in w.items() if "bias" not in name}
        assert_differ(output(changed(gates, bias=False, weights=without)), output(plain))


def test_output_layer() -> None:
    spec = recurrent("rnn", output_layer=3)
    layer = spec.recurrents[0]
    assert output(spec).shape[-1] == 3
    h = output(changed(spec, output_layer=0, weights=dict(list(layer.arrays.items())[:4])))
    w = layer.arrays
    a = h @ w["weight_ho"].T + X @ w["weight_xo"].T + w["bias_o"]
    np.testing.assert_allclose(output(spec), 1 / (1 + np.exp(-a)), atol=1e-5)
    for name in ("weight_ho", "weight_xo", "bias_o"):  # each of the three counts
        less = dict(w) | {name: np.zeros_like(w[name])}
        assert_differ(output(spec), output(changed(spec, weights=less)))


def test_output_nonlinearity() -> None:
    ys = [output(recurrent("rnn", output_layer=3, output_nonlinearity=k)) for k in ACTIVATIONS]
    for a, b in combinations(ys, 2):
        assert_differ(a, b)


def test_reset_after() -> None:
    spec = recurrent("gru")
    assert_differ(output(spec), output(changed(spec, reset_after=False)))


def test_peephole() -> None:
    spec = recurrent("lstm", peephole=True)
    layer = spec.recurrents[0]
    plain = {name: a for name, a in layer.arrays.items() if not name.startswith("weight_c")}
    without = output(changed(spec, peephole=False, weights=plain))
    assert_differ(output(spec), without)
    for gate in "ifo":  # each of the three counts
        less = dict(layer.arrays) | {f"weight_c{gate}_l0": np.zeros(7, np.float32)}
        assert_differ(output(spec), output(changed(spec, weights=less)))


def test_proj_size() -> None:
    assert output(recurrent("lstm", proj_size=3)).shape[-1] == 3
    assert output(recurrent("lstm")).shape[-1] == 7


def test_direction() -> None:
    forward = recurrent("gru")
    reverse_weights = {f"{k}_reverse": a for k, a in forward.recurrents[0].arrays.items()}
    reverse = changed(forward, direction="reverse", weights=reverse_weights)
    both = changed(
        forward,
        direction="bidirectional",
        weights=dict(forward.recurrents[0].arrays) | reverse_weights,
    )
    a, b, c = output(forward), output(reverse), output(both)
    assert_differ(a, b)
    np.testing.assert_allclose(c, np.concatenate([a, b], axis=-1), atol=1e-6)


def test_bias() -> None:
    for cell in ("rnn", "gru", "lstm"):
        spec = recurrent(cell)
        weights = {k: a for k, a in spec.recurrents[0].arrays.items() if k.startswith("weight")}
        assert_differ(output(spec), output(changed(spec, bias=False, weights=weights)))


def test_num_layers() -> None:
    two = recurrent("gru", num_layers=2)
    one = {k: a for k, a in two.recurrents[0].arrays.items() if k.endswith("_l0")}
    assert_differ(output(two), output(changed(two, num_layers=1, weights=one)))


def test_activation_of_a_linear_layer() -> None:
    linear = strategies.make_linear(np.random.default_rng(82), 5, 4)
    ys = [output(ModelSpec((replace(linear, activation=kind),))) for kind in ACTIVATIONS]
    for a, b in combinations(ys, 2):
        assert_differ(a, b)


def test_bias_of_a_linear_layer() -> None:
    linear = strategies.make_linear(np.random.default_rng(83), 5, 4)
    assert_differ(output(ModelSpec((linear,))), output(ModelSpec((replace(linear, bias=None),))))


def test_batch_first() -> None:
    spec = recurrent("gru")
    assert_differ(output(spec), output(spec, batch_first=True))
    y, final = rn.Model(spec, batch_first=True, matmul="packed")(np.swapaxes(X[:4], 0, 1))
    expected, expected_final = rn.Model(spec, matmul="packed")(X[:4])
    assert_same_bits(np.swapaxes(y, 0, 1), expected)
    assert_same_state(final, expected_final)


def test_dtype() -> None:
    spec = recurrent("lstm")
    single, double = output(spec), output(spec, dtype="float64")
    assert single.dtype == np.float32
    assert double.dtype == np.float64
    assert np.any(double != double.astype(np.float32))  # float32 digits would not do


def test_matmul_is_checked_and_none_changes_the_result() -> None:
    spec = recurrent("lstm")
    ys = [output(spec, matmul=kind) for kind in ("auto", "packed")]
    np.testing.assert_allclose(ys[0], ys[1], atol=1e-5)
    if rn.show_config(mode="dicts")["blas"]:
        np.testing.assert_allclose(output(spec, matmul="blas"), ys[1], atol=1e-5)
    else:
        with pytest.raises(rn.UnsupportedError, match="blas"):
            rn.Model(spec, matmul="blas")


@pytest.mark.parametrize(
    ("cell", "gate_recurrent"),
    [("rnn", False), ("gru", False), ("lstm", False), ("gru", True), ("lstm", True)],
)
def test_state(cell: str, gate_recurrent: bool) -> None:
    """Every array counts, but the h of a gate-recurrent LSTM, which nothing recurs on."""
    spec = recurrent(cell, **({"gate_recurrent": True} if gate_recurrent else {}))
    model = rn.Model(spec)
    zero = strategies.zero_state(spec, 6)
    arrays = zero if isinstance(zero, tuple) else (zero,)
    for k in range(len(arrays)):
        parts = [a + np.float32(0.5 * (j == k)) for j, a in enumerate(arrays)]
        state = tuple(parts) if len(parts) > 1 else parts[0]
        if gate_recurrent and cell == "lstm" and k == 0:
            assert_same_bits(model(X)[0], model(X, state)[0])
        else:
            assert_differ(model(X)[0], model(X, state)[0])


def test_lengths() -> None:
    model = rn.Model(recurrent("gru"))
    y, final = model(X)
    short, short_final = model(X, None, [3] * 6)
    assert not np.any(short[3:])
    assert_differ(y, short)
    assert_differ(final, short_final)


# What a Model says of itself


@given(strategies.specs())
def test_properties(spec: ModelSpec) -> None:
    model = rn.Model(spec)
    assert model.input_size == spec.input_size
    assert model.output_size == spec.output_size
    assert model.num_parameters == sum(
        a.size for layer in spec.layers for a in layer.arrays.values()
    )
    assert_same_spec(model.spec, spec)


def assert_same_spec(a: ModelSpec, b: ModelSpec) -> None:
    assert [type(layer) for layer in a.layers] == [type(layer) for layer in b.layers]
    for one, other in zip(a.layers, b.layers, strict=True):
        assert list(one.arrays) == list(other.arrays)
        for name, array in one.arrays.items():
            assert_same_bits(array, other.arrays[name])
        if isinstance(one, Linear):
            assert isinstance(other, Linear)
            assert one.activation == other.activation
        if isinstance(one, Recurrent):
            assert one.options == other.options


def test_properties_are_read_only() -> None:
    model = rn.Model(recurrent("gru"))
    for name in ("spec", "input_size", "output_size", "num_parameters"):
        with pytest.raises(AttributeError):
            setattr(model, name, None)


@given(case=strategies.cases())
def test_save_and_load(case: Case) -> None:
    """The loaded model is the saved one, bit by bit."""
    model = rn.Model(case.spec)
    with tempfile.TemporaryDirectory() as folder:
        for path in (Path(folder) / "model.safetensors", f"{folder}/again.safetensors"):
            model.save(path)
            loaded = rn.load(path)
            assert_same_spec(loaded.spec, case.spec)
            y, final = model(case.x, case.state, case.lengths)
            again, again_final = loaded(case.x, case.state, case.lengths)
            assert_same_bits(again, y)
            assert_same_state(again_final, final)


def test_load_takes_the_options_of_a_model(tmp_path: Path) -> None:
    spec = recurrent("lstm")
    path = tmp_path / "model.safetensors"
    rn.Model(spec).save(path)
    for options in ({"batch_first": True}, {"dtype": "float64"}, {"matmul": "packed"},
                    {"num_threads": 1}, {"format": "safetensors"}):  # fmt: skip
        own = {k: v for k, v in options.items() if k != "format"}
        y, _ = rn.load(path, **options)(X)
        assert_same_bits(y, output(spec, **own))


def test_float64_weights_survive_saving(tmp_path: Path) -> None:
    layer = strategies.make_embedding(np.random.default_rng(84), 5, 3, dtype=np.float64)
    path = tmp_path / "model.safetensors"
    rn.Model(ModelSpec((layer,)), dtype="float64").save(path)
    loaded = rn.load(path, dtype="float64").spec.layers[0]
    assert isinstance(loaded, Embedding)
    assert_same_bits(loaded.weight, layer.weight)


# The process


@pytest.fixture
def threads() -> Iterator[None]:
    before = rn.get_num_threads()
    yield
    rn.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_set_and_get_num_threads() -> None:
    expected = output(recurrent("lstm"), matmul="packed")
    for count in (1, 2, 3):
        rn.set_num_threads(count)
        assert rn.get_num_threads() == count
        assert rn.show_config(mode="dicts")["num_threads"] == count
        assert_same_bits(output(recurrent("lstm"), matmul="packed"), expected)


def test_show_config(capsys: pytest.CaptureFixture[str]) -> None:
    config = rn.show_config(mode="dicts")
    assert capsys.readouterr().out == ""
    keys = {"version", "isa", "isas_compiled", "isas_available", "blas", "num_threads", "openmp"}
    assert keys <= set(config)
    assert config["isa"] in config["isas_available"]
    assert set(config["isas_available"]) <= set(config["isas_compiled"])
    assert set(config["isas_compiled"]) <= {"baseline", "avx2", "avx512", "avx512_amx", "neon"}
    assert "baseline" in config["isas_available"]
    assert config["num_threads"] == rn.get_num_threads()
    assert rn.show_config() is None
    printed = capsys.readouterr().out
    assert config["version"] in printed
    assert config["isa"] in printed


USE = """
import numpy as np
import rnn_native as rn
rn.LSTM(2, 3)(np.zeros((4, 1, 2), np.float32))
config = rn.show_config(mode="dicts")
print(config["isa"], config["num_threads"], rn.get_num_threads())
"""


def python(code: str, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@pytest.mark.parametrize("count", ["1", "2", "3"])
def test_environment_sets_the_number_of_threads(count: str) -> None:
    done = python(USE, RNN_NATIVE_NUM_THREADS=count)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1:] == [count, count]


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", "1e3", "99999999999999999999"])
def test_environment_refuses_an_impossible_number_of_threads(value: str) -> None:
    done = python(USE, RNN_NATIVE_NUM_THREADS=value)
    assert done.returncode != 0
    assert "OptionError" in done.stderr
    for word in ("RNN_NATIVE_NUM_THREADS", "expected", value):
        assert word in done.stderr


@pytest.mark.parametrize("value", ["sse9", "AVX2", "avx2,baseline"])
def test_environment_refuses_an_unknown_isa(value: str) -> None:
    done = python(USE, RNN_NATIVE_ISA=value)
    assert done.returncode != 0
    assert "OptionError" in done.stderr
    available = rn.show_config(mode="dicts")["isas_available"]
    for word in ("RNN_NATIVE_ISA", "expected", value, *available):
        assert word in done.stderr


FORK = """
import os, sys, time
import numpy as np
import rnn_native as rn

model = rn.GRU(64, 128, num_layers=2, bidirectional=True)
x = np.ones((40, 32, 64), np.float32)
y, h = model(x, num_threads=2)
pid = os.fork()
if pid == 0:
    again, _ = model(x, num_threads=2)
    stream = rn.Model(rn.spec.ModelSpec((rn.spec.Linear(np.ones((2, 3), np.float32)),))).stream()
    stream.step(np.ones((1, 3), np.float32))
    os._exit(0 if again.tobytes() == y.tobytes() else 3)
for _ in range(600):
    done, status = os.waitpid(pid, os.WNOHANG)
    if done:
        again, _ = model(x, num_threads=2)  # the parent goes on too
        sys.exit(os.waitstatus_to_exitcode(status) or again.tobytes() != y.tobytes())
    time.sleep(0.1)
os.kill(pid, 9)
os.waitpid(pid, 0)
sys.exit("the child hangs")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_fork_after_use_with_threads() -> None:
    done = python(FORK)
    assert done.returncode == 0, done.stderr
