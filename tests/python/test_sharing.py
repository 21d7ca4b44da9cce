"""A model that shares its weights is the same model, in this process and in those that it is sent
to."""

from __future__ import annotations

import copy
import hashlib
import multiprocessing
import os
import pickle
import subprocess
import sys
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import random_graphs
import sharing_workers
import strategies
from agreement import assert_same_bits, assert_same_state, matmuls
from hypothesis import given
from hypothesis import strategies as st

import rnn_native as rn
from rnn_native.formats.safetensors import parts
from rnn_native.spec import ModelSpec

KINDS: dict[str, dict[str, Any]] = {
    "float32": {},
    "float64": {"dtype": "float64"},
    "float16 weights": {"weight_dtype": "float16"},
    "bfloat16 weights": {"weight_dtype": "bfloat16"},
    "int8 weights": {"weight_dtype": "int8"},
    "bfloat16 products": {"compute": "bfloat16"},
    "BLAS": {"matmul": "blas"},
}


def by_reference(model: Any) -> Any:
    """As ``multiprocessing`` sends it."""
    return pickle.loads(bytes(ForkingPickler.dumps(model)))


def made(spec: Any, **options: Any) -> rn.Model:
    if options.get("matmul") == "blas" and "blas" not in matmuls():
        pytest.skip("no BLAS in this process")
    try:
        return rn.Model(spec, **options)
    except rn.UnsupportedError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("kind", KINDS)
@given(spec=strategies.specs(scales=True, convs=True), seed=strategies.seeds())
def test_chains_have_the_same_bits(
    tmp_path_factory: pytest.TempPathFactory, kind: str, spec: ModelSpec, seed: int
) -> None:
    alone = made(spec, **KINDS[kind])
    shared = rn.Model(spec, shared=tmp_path_factory.mktemp("store"), **KINDS[kind])
    x = strategies.random_input(spec, 5, 3, np.random.default_rng(seed))
    y, state = alone(x)
    for model in (shared, by_reference(shared), pickle.loads(pickle.dumps(shared))):
        assert model.is_shared
        got, after = model(x)
        assert_same_bits(got, y)
        assert_same_state(after, state)
    sent = by_reference(shared)
    for before, back in zip(alone.spec.layers, sent.spec.layers, strict=True):
        assert before.options == back.options
        for name, array in before.arrays.items():
            assert_same_bits(back.arrays[name], array)


@given(seed=strategies.seeds(), pools=st.booleans(), static=st.booleans())
def test_graphs_have_the_same_bits(
    tmp_path_factory: pytest.TempPathFactory, seed: int, pools: bool, static: bool
) -> None:
    rng = np.random.default_rng(seed)
    spec = random_graphs.make_graph(rng, pools=pools, static=static)
    alone = rn.Model(spec)
    shared = rn.Model(spec, shared=tmp_path_factory.mktemp("store"))
    x: Any = random_graphs.inputs_of(spec, 6, 2, rng)
    x = x if len(x) > 1 else next(iter(x.values()))
    want = alone(x)
    for model in (shared, by_reference(shared)):
        for got, expected in zip(model(x), want, strict=True):
            both = [e if isinstance(e, dict) else {"": e} for e in (got, expected)]
            assert both[0].keys() == both[1].keys()
            for name in both[1]:
                assert_same_state(both[0][name], both[1][name])


def test_everything_that_a_model_is_goes_with_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    layers = (
        strategies.make_linear(rng, 3, 4),
        strategies.make_recurrent(rng, "gru", 4, 6, initial_state=True),
        strategies.make_linear(rng, 6, 2),
    )
    model = rn.Model(
        ModelSpec(layers, mask_value=-1.0), batch_first=True, matmul="packed", num_threads=3,
        weight_dtype="float16", keep=["0"], shared=tmp_path,
    )  # fmt: skip
    x = rng.standard_normal((2, 5, 3)).astype("float32")
    x[1, 3:] = -1.0
    for sent in (by_reference(model), pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert repr(sent) == repr(model)
        assert (sent.batch_first, sent.num_threads, sent.keep) == (True, 3, ("0",))
        assert sent.spec.mask_value == -1.0
        assert sent.memory == model.memory
        assert sent.shared_memory == model.shared_memory
        assert_same_bits(sent(x)[0], model(x)[0])
        assert not sent(x)[0][1, 3:].any()
        assert sent.trace(x).keys() == model.trace(x).keys()
        assert_same_bits(sent.stream(2).step(x[:, 0]), model.stream(2).step(x[:, 0]))
    saved = tmp_path / "model.safetensors"
    by_reference(model).save(saved)
    assert_same_bits(rn.load(saved, shared=tmp_path)(x)[0], model(x)[0])


def test_a_module_is_sent_by_its_file_once_its_model_shares() -> None:
    lstm = rn.LSTM(64, 96, batch_first=True)
    x = np.ones((2, 3, 64), np.float32)
    y = lstm(x)[0]
    assert not lstm.model.is_shared
    assert lstm.model.share() is lstm.model
    sent = bytes(ForkingPickler.dumps(lstm))
    assert 10 * len(sent) < lstm.model.memory
    for copied in (lstm, pickle.loads(sent)):
        assert copied.model.is_shared
        assert_same_bits(copied(x)[0], y)


def test_streams_of_one_model_go_on_in_any_of_its_forms() -> None:
    """A snapshot knows the model, whether or not that shares its weights, and by its file alone."""
    spec, x = rn.GRU(4, 9).spec, np.ones((1, 4), np.float32)
    models = [rn.Model(spec), rn.Model(spec, shared=True)]
    models.append(by_reference(models[1]))
    pool = rn.StreamPool(models[0], 2)
    pool.step([pool.open()], x)
    kept = pool.snapshot()
    want = pool.step([0], x)
    for model in models:
        other = rn.StreamPool(model, 2)
        other.restore(kept)
        assert other.snapshot() == kept
        assert_same_bits(other.step([0], x), want)
    with pytest.raises(rn.RnnError):
        rn.StreamPool(rn.GRU(4, 9).model.share(), 2).restore(kept)


def test_bytes_are_told_apart() -> None:
    spec = rn.LSTM(256, 256).spec
    alone = rn.Model(spec)
    stream = alone.stream()
    first = stream.step(np.ones((1, 256), np.float32)).copy()
    assert (alone.is_shared, alone.shared_memory) == (False, 0)
    whole = alone.memory
    alone.share()
    again = alone.share()  # as it is
    assert again.is_shared
    numbers = sum(array.nbytes for array in spec.arrays.values()) - 4 * 256 * 4  # both biases: one
    assert numbers <= alone.shared_memory <= numbers + 64 * 8
    assert alone.memory - alone.shared_memory < 4096  # the structs alone
    assert abs(alone.memory - whole) < 4096
    stream.reset()  # of a stream that was there before
    assert_same_bits(stream.step(np.ones((1, 256), np.float32)), first)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_nobody_can_write_to_the_weights() -> None:
    before = sharing_workers.mapped()
    model = rn.LSTM(16, 16).model.share()
    other = by_reference(model)
    assert other.is_shared
    assert sharing_workers.mapped() == [*before, "r--s", "r--s"]
    assert Path(model._file.path).stat().st_mode & 0o77 == 0  # type: ignore[union-attr]
    with pytest.raises(TypeError):
        model._file.weights[0] = 0  # type: ignore[union-attr]


def sent_to(tmp_path: Path, data: bytes, **env: str) -> tuple[str, Any]:
    """What a new process makes of a pickle of a model and its input: its instruction set, and the
    bits and whether it shares, or the error."""
    path = tmp_path / "sent.pickle"
    path.write_bytes(data)
    script = Path(sharing_workers.__file__)
    done = subprocess.run(
        [sys.executable, "-P", str(script), str(path)],
        env={**os.environ, "PYTHONPATH": str(script.parent), **env},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result: tuple[str, Any] = pickle.loads(Path(f"{path}.out").read_bytes())
    return result


MAKE = """
import pickle, sys
import numpy as np
import rnn_native as rn
from multiprocessing.reduction import ForkingPickler
model = rn.LSTM(8, 24).model.share(*sys.argv[3:])
x = np.ones((3, 1, 8), np.float32)
dumps = ForkingPickler.dumps if sys.argv[2] == "reference" else pickle.dumps
open(sys.argv[1], "wb").write(bytes(dumps((model, x))))
open(sys.argv[1] + ".y", "wb").write(model(x)[0].tobytes())
"""


def made_elsewhere(tmp_path: Path, *arguments: str) -> tuple[bytes, bytes]:
    """A pickle out of a process that has ended, and the bits of its model."""
    path = tmp_path / "made.pickle"
    subprocess.run([sys.executable, "-P", "-c", MAKE, str(path), *arguments], check=True)
    return path.read_bytes(), Path(f"{path}.y").read_bytes()


@pytest.mark.parametrize("folder", [False, True])
def test_a_pickle_is_enough_where_the_file_is_not_seen(tmp_path: Path, folder: bool) -> None:
    """The process that made it has ended, so that its file is gone, or its folder."""
    where = tmp_path / "gone"
    data, y = made_elsewhere(tmp_path, "pickle", *[str(where)] * folder)
    if folder:
        for file in where.iterdir():
            file.unlink()
        where.rmdir()
    assert sent_to(tmp_path, data)[1] == (y, True)
    assert not where.exists()
    model, x = pickle.loads(data)
    assert sharing_workers.answer(model, x) == (y, True)


def test_a_reference_to_what_is_gone_says_what_to_do(tmp_path: Path) -> None:
    data, _ = made_elsewhere(tmp_path, "reference")
    with pytest.raises(FileNotFoundError, match=r"pickle\.dumps\(model\) has the weights"):
        pickle.loads(data)


@pytest.mark.parametrize("pickler", ["multiprocessing", "pickle", "cloudpickle"])
def test_another_instruction_set_packs_its_own(tmp_path: Path, pickler: str) -> None:
    """With the bits that a model has there that never was shared."""
    module: Any = pytest.importorskip(pickler)
    dumps = ForkingPickler.dumps if pickler == "multiprocessing" else module.dumps
    rng = np.random.default_rng(8)
    layers = (
        strategies.make_recurrent(rng, "lstm", 5, 19, peephole=True, initial_state=True),
        strategies.make_linear(rng, 19, 3),
    )
    spec = ModelSpec(layers)
    x = rng.standard_normal((6, 2, 5)).astype("float32")
    for options in ({}, {"weight_dtype": "int8"}, {"weight_dtype": "bfloat16"}):
        model = rn.Model(spec, shared=True, **options)  # type: ignore[arg-type]
        data = bytes(dumps((model, x)))
        alone = pickle.dumps((rn.Model(model.spec, **options), x))  # type: ignore[arg-type]
        for isa in ("baseline", rn.show_config(mode="dicts")["isa"]):
            there, got = sent_to(tmp_path, data, RNN_NATIVE_ISA=isa)
            assert there == isa
            assert got == (sent_to(tmp_path, alone, RNN_NATIVE_ISA=isa)[1][0], True)


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_processes_of_this_host_are_sent_little(method: str) -> None:
    if method == "fork" and sys.platform == "darwin":
        pytest.skip("macOS's own libraries do not survive a fork")
    model = rn.GRU(64, 200).model.share()
    assert len(bytes(ForkingPickler.dumps(model))) < 20_000 < model.memory
    x = np.ones((3, 2, 64), np.float32)
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=sharing_workers.send_answer, args=(queue, model, x))
    process.start()
    want = sharing_workers.answer(model, x)
    del model
    assert queue.get(timeout=300) == want
    process.join(300)
    assert process.exitcode == 0


def test_values_of_shared() -> None:
    spec = rn.GRU(2, 3).spec
    assert not rn.Model(spec, shared=False).is_shared
    assert not rn.Model(spec, shared=np.bool_(False)).is_shared  # type: ignore[arg-type]
    for wrong in (None, 3, "", b""):
        with pytest.raises(rn.OptionError, match="shared: expected True, False or a folder, got"):
            rn.Model(spec, shared=wrong)  # type: ignore[arg-type]
    with pytest.raises(rn.OptionError, match="shared: expected"):
        rn.GRU(2, 3).model.share(3)  # type: ignore[arg-type]


def packed_digest(spec: ModelSpec, weight_dtype: int) -> str:
    from rnn_native import _core

    packed = _core.share(parts(spec), 0, 1, weight_dtype)
    return hashlib.sha256(packed[64:]).hexdigest()[:16]  # past what it is stamped with


LANES = {"baseline": 4, "neon": 4, "avx2": 8, "avx512": 16, "avx512_amx": 16}
PACKED = {  # by lanes: float32, float16, bfloat16
    4: ["3470b5101de9f257", "06a7a272aeb65ce6", "70f611a472b5eb0b"],
    8: ["36e46670fcc0f817", "1520e1ba812b7126", "4c0c922143c3c936"],
    16: ["99f5394f116d542e", "e0bf334e72d64e84", "e8038137978553c8"],
}
INT8 = {(4, 2): "fddcd19109a5e08b", (8, 4): "57b088ee4c89adc7", (16, 4): "af36f73a31e76aed"}


@pytest.mark.skipif(sys.byteorder == "big", reason="pinned for little-endian machines")
def test_packing_is_what_the_layout_says() -> None:
    """Where this fails since packing has changed, RNNAT_PACKED_LAYOUT counts up, so that files of
    before are not taken for files of now; then the numbers here change."""
    weights = {
        name: (np.arange(np.prod(shape)) % 127 - 63).reshape(shape).astype(np.float32) / 64
        for name, shape in rn.LSTM(5, 21).spec.weight_shapes()
    }
    table = (np.arange(33) % 127 - 63).reshape(11, 3).astype(np.float32) / 64
    layers = (rn.Linear(table.T), rn.Recurrent("lstm", 3, 21, {
        **weights, "weight_ih_l0": weights["weight_ih_l0"][:, :3]}))  # fmt: skip
    lanes = LANES[rn.show_config(mode="dicts")["isa"]]
    from rnn_native import _core

    assert _core.packed_layout() == 1
    got = [packed_digest(ModelSpec(layers), code) for code in range(4)]
    assert got[:3] == PACKED[lanes]
    key = lanes, _core.int8_at_once()
    if key not in INT8:
        pytest.skip(f"no digest of int8 weights for {key}")
    assert got[3] == INT8[key]
