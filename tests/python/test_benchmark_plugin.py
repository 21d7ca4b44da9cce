"""The fixture ``benchmark_model``: a table of a model beside its peers, of right answers alone."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnn_native as rn

pytest.importorskip("pytest_benchmark", reason="pytest-benchmark is not installed")
pytest_plugins = ["pytester"]

QUICK = ("--benchmark-max-time=0.001", "--benchmark-min-rounds=1", "--benchmark-warmup=off")
PLUGIN = ("-p", "rnn_native.benchmark.pytest_plugin", "-p", "no:cacheprovider")
THERE = ["rnn_native", *(n for n in ("torch", "onnxruntime") if importlib.util.find_spec(n))]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest-benchmark measures nothing in what a worker of pytest-xdist has started."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)


def run(pytester: pytest.Pytester, text: str, *options: str) -> tuple[Any, list[dict[str, Any]]]:
    """What pytest says of a file with this text, and pytest-benchmark's rows."""
    pytester.makepyfile(text)
    result = pytester.runpytest_subprocess(
        *PLUGIN, *QUICK, "-rs", "--benchmark-json=rows.json", *options
    )
    rows = Path(pytester.path / "rows.json")
    found = rows.read_text() if rows.is_file() else ""
    return result, json.loads(found)["benchmarks"] if found else []


def names(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(row["extra_info"]["runtime"] for row in rows)


def test_rows_of_one_case_are_one_group(pytester: pytest.Pytester) -> None:
    result, rows = run(pytester, """
        import numpy as np, pytest
        import rnn_native as rn

        @pytest.mark.parametrize("batch", [1, 3])
        def test_gru(benchmark_model, batch):
            model = rn.Model([rn.GRU(3, 4), rn.Linear(np.ones((2, 4)))], batch_first=True)
            x = np.ones((batch, 5, 3))
            y = benchmark_model(model, x, peers=["torch"])
            np.testing.assert_allclose(y.swapaxes(0, 1), model(x)[0], atol=1e-5)
    """)  # fmt: skip
    result.assert_outcomes(passed=2 * len(set(THERE) - {"onnxruntime"}),
                           skipped=2 * ("onnxruntime" in THERE))  # fmt: skip
    for batch in (1, 3):
        group = [row for row in rows if row["group"] == f"test_gru, batch={batch}"]
        assert names(group) == sorted(set(THERE) - {"onnxruntime"})
        assert all(row["extra_info"]["error"] <= 1e-4 for row in group)


def test_lengths_reach_whoever_knows_them(pytester: pytest.Pytester) -> None:
    result, rows = run(pytester, """
        import numpy as np
        import rnn_native as rn

        def test_lengths(benchmark_model):
            head = rn.Linear(np.ones((2, 8)), np.ones(2))
            model = rn.Model([rn.LSTM(3, 4, bidirectional=True), head])
            x = np.random.default_rng(0).standard_normal((5, 3, 3), dtype="float32")
            y = benchmark_model(model, x, lengths=[2, 5, 1])
            np.testing.assert_allclose(y, model(x, lengths=[2, 5, 1])[0], atol=1e-5)
    """)  # fmt: skip
    assert {"rnn_native", *(set(THERE) & {"torch"})} <= set(names(rows))
    assert "failed" not in result.parseoutcomes()


def test_a_file_is_read_and_a_peer_that_lacks_it_is_left_out_by_name(
    pytester: pytest.Pytester,
) -> None:
    rn.LSTM(3, 4, peephole=True).model.save(pytester.path / "model.safetensors")
    result, rows = run(pytester, """
        import numpy as np

        def test_file(benchmark_model):
            benchmark_model("model.safetensors", np.ones((5, 1, 3)), peers=("torch",), threads=2)
    """)  # fmt: skip
    assert names(rows) == ["rnn_native"]
    if "torch" in THERE:
        result.stdout.fnmatch_lines("*torch: torch.nn has no LSTM with peepholes*")


def test_what_cannot_be_measured_is_an_error(pytester: pytest.Pytester) -> None:
    result, rows = run(pytester, """
        import numpy as np
        import rnn_native as rn

        def test_peers(benchmark_model):
            benchmark_model(rn.GRU(3, 4).model, np.ones((5, 1, 3)), peers=("keras",))

        def test_dtype(benchmark_model):
            benchmark_model(rn.GRU(3, 4, dtype="float64").model, np.ones((5, 1, 3)))
    """, "-k", "rnn_native")  # fmt: skip
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines("*peers: expected some of torch, onnxruntime; got 'keras'*")
    result.stdout.fnmatch_lines("*expected a float32 model*")
    assert rows == []


def test_without_pytest_benchmark_the_error_says_what_is_missing(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile("def test_it(benchmark_model): pass")
    result = pytester.runpytest_subprocess(*PLUGIN, "-p", "no:benchmark")
    assert result.ret != 0
    result.stdout.fnmatch_lines("*benchmark_model: needs pytest-benchmark*pip install*")


def test_torch_is_left_as_it_was(pytester: pytest.Pytester) -> None:
    """Other tests of the same process calculate gradients."""
    pytest.importorskip("torch")
    result, _ = run(pytester, """
        import numpy as np, torch
        import rnn_native as rn

        torch.set_num_threads(2)

        def test_measured(benchmark_model):
            benchmark_model(rn.GRU(3, 4).model, np.ones((5, 1, 3)), peers=("torch",))

        def test_gradients():
            assert torch.get_num_threads() == 2
            assert not torch.is_inference_mode_enabled()
            torch.nn.GRU(3, 4)(torch.ones(5, 1, 3))[0].sum().backward()
    """)  # fmt: skip
    assert "failed" not in result.parseoutcomes()


def test_the_table_of_the_grid_has_cells_and_runtimes_by_case(pytester: pytest.Pytester) -> None:
    bench = Path(__file__).parents[2] / "bench"
    if not bench.is_dir():
        pytest.skip("needs the folder bench")
    result = pytester.runpytest_subprocess(
        str(bench), *QUICK, "--benchmark-json=rows.json", "-k", "H8T1B1 or (H16T100B1 and not 2)",
        "-c", str(bench.parent / "pyproject.toml"), "-p", "no:cacheprovider",
    )  # fmt: skip
    assert "failed" not in result.parseoutcomes(), result.stdout.str()
    rows = json.loads((pytester.path / "rows.json").read_text())["benchmarks"]
    assert {row["group"] for row in rows} >= {"H8T1B1, one step"}
    for row in rows:
        assert row["params"]["cell"] in ("lstm", "gru", "rnn")
        assert row["params"]["runtime"] == row["extra_info"]["runtime"]
    for cell in ("lstm", "gru", "rnn"):
        mine = [r for r in rows if r["params"]["cell"] == cell and r["group"].startswith("H8T1")]
        assert "rnn_native" in names(mine)
        assert set(THERE) & {"torch"} <= set(names(mine))
    assert np.isfinite([row["stats"]["min"] for row in rows]).all()
