"""tools/compare_bits.py: two builds whose bits are not the same are told apart, and by what."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strategies
from hypothesis import given

import rnn_native as rn
from rnn_native.formats import safetensors

pytest.importorskip("tqdm")
pytest.importorskip("h5py")
pytest.importorskip("onnx")
TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.append(str(TOOLS))

import bits_items  # noqa: E402
import bits_worker  # noqa: E402
import compare_bits  # noqa: E402

DIGEST = "0" * 64


def test_equal_results_do_not_differ() -> None:
    some = {"x": {"model": "made", "outputs": DIGEST}, "y": {"model": "refused"}}
    assert compare_bits.differences(some, {name: dict(parts) for name, parts in some.items()}) == []


def test_every_kind_of_difference_is_found() -> None:
    a = {"bits": {"p": DIGEST, "q": DIGEST}, "read": {"model": "made"}, "only A": {}, "same": {}}
    b = {
        "bits": {"p": DIGEST, "q": "1" * 64},
        "read": {"model": "refused"},
        "same": {},
        "only B": {},
    }
    found = {it.item: it.parts for it in compare_bits.differences(a, b)}
    assert found == {
        "bits": {"q": (DIGEST, "1" * 64)}, "read": {"model": ("made", "refused")},
        "only A": {}, "only B": {},
    }  # fmt: skip


def test_how_far_off_names_the_first_number_of_other_bits() -> None:
    a = {"y": np.array([[1.0, 2.0], [3.0, np.nan]], np.float32), "z": np.zeros(2)}
    b = {name: array.copy() for name, array in a.items()}
    assert compare_bits.how_far(a, b) == ""
    b["z"][1] = -0.0
    assert compare_bits.how_far(a, b).startswith("z: 1 of 2 numbers, first [1]: ")
    b["y"][1, 0] = 3.5
    told = compare_bits.how_far(a, b)
    assert told.startswith("y: 1 of 4 numbers, first [1, 0]: ")
    assert told.endswith("largest difference 0.5")
    assert "(2,)" in compare_bits.how_far({"y": np.zeros(2)}, {"y": np.zeros(3)})


def test_what_only_one_build_has_is_not_asked_of_either() -> None:
    told: list[dict[str, Any]] = [{"features": ["Model", "Merge"]}, {"features": ["Model"]}]
    features, lacking = compare_bits.common(told)
    assert lacking == {"Merge": "B"}
    asked: list[tuple[str, list[str]]] = []

    class Fake:
        def item(self, item: dict[str, Any], left_out: list[str]) -> list[dict[str, str]]:
            asked.append((item["name"], left_out))
            return [{"model": "made"}] * 2

    items = [{"name": "a", "needs": ["Model"]}, {"name": "b", "needs": ["Model", "Merge"]}]
    digests, skipped = compare_bits.compare(Fake(), items, features, "")  # type: ignore[arg-type]
    assert [name for name, _ in asked] == ["a"]
    assert set(asked[0][1]) == {
        "Model.trace", "Model.stream", "train.Network", "train.Network dropout",
    }  # fmt: skip
    assert skipped["Merge"] == 1
    assert [list(found) for found in digests] == [["a"], ["a"]]


@given(strategies.specs(scales=True, convs=True))
def test_a_network_survives_its_way_into_another_process(spec: rn.ModelSpec) -> None:
    arrays: dict[str, Any] = {}
    needs: set[str] = set()
    encoded = bits_items.encode(spec, arrays, needs)
    assert safetensors.dumps(bits_worker.decode(rn, encoded, arrays)) == safetensors.dumps(spec)
    assert needs <= bits_worker.features(rn)


def test_networks_are_the_same_for_a_seed_and_reach_everything(tmp_path: Path) -> None:
    """Of all kinds of layers and options some; of what is compared, most have every part."""
    first = list(bits_items.networks(tmp_path, 100, 5, ()))
    assert [it["spec"] for it in bits_items.networks(tmp_path, 100, 5, ())] == [
        it["spec"] for it in first
    ]
    found = Counter(need for it in first for need in it["needs"])
    for name in ("Recurrent", "Linear", "Embedding", "Merge", "Recurrent.num_layers"):
        assert found[name] > 0, name
    assert {it["model"]["dtype"] for it in first} == {"float32", "float64"}


def test_processes_of_two_builds_tell_other_bits(tmp_path: Path) -> None:
    """Both are this build: an item has the same bits twice, the sign of one weight changes some."""
    rng = np.random.default_rng(0)
    layer = strategies.make_recurrent(rng, "gru", 3, 4)
    weights = {name: array.copy() for name, array in layer.arrays.items()}
    weights["weight_ih_l0"][0, 0] *= -1
    specs = [rn.ModelSpec((one,)) for one in (layer, rn.Recurrent("gru", 3, 4, weights))]
    items = [
        bits_items.network_item(f"network {i}", spec, tmp_path, {}, {})
        for i, spec in enumerate(specs)
    ]
    wrong = tmp_path / "wrong.npz"
    wrong.write_bytes(b"nothing")
    python = Path(sys.executable)
    with compare_bits.Builds([python, python], None, tmp_path) as builds:
        (a, again), (other, _) = (builds.item(item, []) for item in items)
        (refused, _) = builds.item(bits_items.file_item("wrong", wrong, None, {}), [])
    assert compare_bits.differences({"x": a}, {"x": again}) == []
    assert set(compare_bits.differences({"x": a}, {"x": other})[0].parts) >= {
        "safetensors", "npz", "outputs", "Model.stream", "train.Network",
    }  # fmt: skip
    assert refused == {"model": "refused"}


def test_wrong_arguments_are_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for other, told in ((sys.executable, "got one: both"), ("nothing", "got nothing")):
        given = ["compare_bits.py", sys.executable, other, "--out", str(tmp_path)]
        monkeypatch.setattr(sys, "argv", given)
        assert compare_bits.main() == 2
        assert told in capsys.readouterr().err
