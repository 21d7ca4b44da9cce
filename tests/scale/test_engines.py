"""Each engine's program gives what one process gives, to the bit and every row once; also where a
worker is killed in the middle, and where it runs again into the same folder.
"""

from __future__ import annotations

import wave
from importlib import metadata
from pathlib import Path
from typing import Any

import dask.array as da
import job
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import rnn_native as rn
from rnn_native.batch import Predictor

ROWS = 1200
SPEECH = Path(__file__).parents[2] / "examples" / "denoise" / "speech.wav"
SILERO = "faster_whisper/assets/silero_vad_v6.onnx"
ENGINES = ["ray_data.py", "dask_sequences.py", "spark_sequences.py"]
LEFT_BY_ENGINES = (".parquet", ".crc", "_SUCCESS")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of sequences, with the model beside it."""
    folder = tmp_path_factory.mktemp("scale") / "in"
    job.make_rows(folder, ROWS)
    job.make_model(folder.with_name("in.safetensors"))
    return folder


@pytest.fixture(scope="module")
def expected(source: Path) -> pa.Table:
    predictor = Predictor(source.with_name("in.safetensors"), inputs="features", outputs="y")
    return predictor(pq.read_table(source)).sort_by("id")


def read(folder: Path, like: pa.Table) -> pa.Table:
    """All that lies in a folder: each file is a whole one, and there are no others."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    others = [path.name for path in files if not path.name.endswith(LEFT_BY_ENGINES)]
    assert others == []
    parts = [pq.read_table(path) for path in files if path.suffix == ".parquet"]
    return pa.concat_tables([part.cast(like.schema) for part in parts]).sort_by("id")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_worker_costs_no_row_and_no_bit(
    engine: str, program: Any, source: Path, expected: pa.Table, tmp_path: Path
) -> None:
    target, marker = tmp_path / "out", tmp_path / "killed"
    program(engine, source, target)
    assert read(target, expected).equals(expected)
    program(engine, source, target, marker=marker)
    assert marker.exists(), "no worker was killed"
    assert read(target, expected).equals(expected)


@pytest.mark.parametrize("killed", [False, True])
def test_predict_batch_udf(
    killed: bool, program: Any, source: Path, expected: pa.Table, tmp_path: Path
) -> None:
    target, marker = tmp_path / "out", tmp_path / "killed"
    program("spark_udf.py", source, target, marker=marker if killed else None)
    assert marker.exists() == killed
    wanted = {row["id"]: row["y"][-1] for row in expected.to_pylist() if row["y"]}
    found = pq.read_table(target).to_pylist()
    assert len(found) == len(wanted)
    assert {row["id"]: row["y"] for row in found} == wanted


@pytest.mark.parametrize("killed", [False, True])
def test_blocks_of_an_array(killed: bool, program: Any, source: Path, tmp_path: Path) -> None:
    model = source.with_name("in.safetensors")
    x = np.random.default_rng(1).standard_normal((96, 50, job.FEATURES), dtype=np.float32)
    da.to_npy_stack(tmp_path / "in", da.from_array(x, chunks=(8, -1, -1)), axis=0)
    marker = tmp_path / "killed"
    program(
        "dask_blocks.py", tmp_path / "in", tmp_path / "out", "--model", model,
        marker=marker if killed else None,
    )  # fmt: skip
    assert marker.exists() == killed
    y = da.from_npy_stack(tmp_path / "out").compute(scheduler="synchronous")
    wanted, _ = rn.load(model, batch_first=True)(x)
    assert y.dtype == np.float32
    assert np.array_equal(y, wanted)


def test_a_real_detector_of_voices(program: Any, tmp_path: Path) -> None:
    """Silero's whole network, as its package ships it, on speech cut where it came."""
    pytest.importorskip("onnx")
    model = Path(str(metadata.distribution("faster-whisper").locate_file(SILERO)))
    with wave.open(str(SPEECH)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    steps = (sound[: len(sound) // 576 * 576].reshape(-1, 576) / 32768).astype(np.float32)
    cuts = np.sort(np.random.default_rng(0).integers(0, len(steps), 40))
    pieces = np.split(steps, cuts)
    features = pa.array([list(piece) for piece in pieces], pa.list_(pa.list_(pa.float32())))
    (tmp_path / "in").mkdir()
    pq.write_table(
        pa.table({"id": range(len(pieces)), "features": features}), tmp_path / "in" / "0.parquet"
    )
    program("dask_sequences.py", tmp_path / "in", tmp_path / "out", "--model", model)
    found = pq.read_table(tmp_path / "out").sort_by("id")["y"].to_pylist()
    silero = rn.load(model)
    for piece, y in zip(pieces, found, strict=True):
        whole, _ = silero(piece[:, np.newaxis])
        assert np.array_equal(np.array(y, np.float32).reshape(-1, 1), whole[:, 0])
