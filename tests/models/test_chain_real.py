"""Public networks whose ``state_dict`` is put together by ``chain=``: whole, against their code.

PyTorch with the modules that the packages' classes have is the oracle, of g2pM its own NumPy loop.
"""

from __future__ import annotations

import os
import pickle
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rnn_native as rn
from rnn_native.formats import torch as torch_files

sys.path.insert(0, str(Path(__file__).parent))
torch = pytest.importorskip("torch", reason="see tests/models/requirements-torch.txt")
torch_networks = pytest.importorskip("torch_networks")
pytestmark = pytest.mark.models

# ---- uzmorph-nn: Uzbek words to tags of their letters ----

UZBEK = (
    "kitob", "kitoblar", "kitoblarimizdan", "maktab", "maktabga", "bola", "bolalarning", "yaxshi",
    "yaxshiroq", "o'qidi", "yozilgan", "ko'rdim", "keladi", "borayotgan", "shahar", "suv",
)  # fmt: skip
LATIN = " '()+-.3:AEFGLOQSTU`abcdefghijklmnopqrstuvxyz{}"  # letter n is index n + 2


def test_uzmorph_whole(package_file: Any, run: Any) -> None:
    """The package pads every word to 30 letters, and its network reads the padding."""
    path = package_file("uzmorph-nn", "uzmorph_nn/data/morph_bilstm.pth")
    weights = torch.load(path, weights_only=True, map_location="cpu")
    (tagger,) = torch_networks.classes("uzmorph-nn", "uzmorph_nn/model.py", "MorphBiLSTM")
    net = tagger(len(weights["char_embeddings.weight"]), len(weights["hidden2tag.weight"])).eval()
    net.load_state_dict(weights)
    letters = np.zeros((len(UZBEK), 30), np.int64)
    for row, word in enumerate(UZBEK):
        letters[row, : len(word)] = [LATIN.index(letter) + 2 for letter in word]
    with torch.no_grad():
        expected = net(torch.from_numpy(letters)).numpy()
    spec = rn.load(path, chain=["char_embeddings", "lstm", "hidden2tag"]).spec
    y, _ = run(spec, letters.T)
    run.assert_close(y.swapaxes(0, 1), expected)
    tags = expected.argmax(axis=-1)
    np.testing.assert_array_equal(y.swapaxes(0, 1).argmax(axis=-1), tags)
    assert len({tuple(row) for row in tags}) > 10  # words are told apart


# ---- g2p-fa: Persian words to phonemes, one greedy step after the other ----

PERSIAN = (
    "سلام", "کتاب", "مدرسه", "ایران", "تهران", "دانشگاه", "خانه", "آب", "نان", "دوست",
    "زبان", "فارسی", "خورشید", "ماه", "ستاره", "باران", "گل", "درخت", "پنجره", "صندلی",
    "دختر", "پسر", "مادر", "پدر", "برادر", "خواهر", "شهر", "روستا", "کوه", "دریا",
    "جنگل", "بیابان",
)  # fmt: skip
FARSI = "ءآئابتثجحخدذرزسشصضطظعغفقلمنهوُِپچژکگی"  # letter n is index n + 3
PAD, START, END, LONGEST = 0, 1, 2, 30


def test_g2p_fa_gives_the_same_phonemes(package_file: Any, run: Any) -> None:
    """Two chains of one file, encoder and decoder, which begins with the encoder's state."""
    path = package_file("g2p-fa", "g2p_fa/data/weights")
    net, _ = torch_networks.NETWORKS["g2p-fa"].make()
    letters = np.full((LONGEST, len(PERSIAN)), PAD)
    for row, word in enumerate(PERSIAN):
        text = [START, *(FARSI.index(letter) + 3 for letter in word), END]
        letters[: len(text), row] = text
    begin = torch.full((LONGEST, len(PERSIAN)), START)
    with torch.no_grad():
        expected = net(torch.from_numpy(letters), begin, teacher_forcing_ratio=0).numpy()[1:]

    parts = {
        part: rn.load(path, "torch", prefix=part, chain=chain).spec
        for part, chain in (
            ("encoder", ["embedding", "rnn"]),
            ("decoder", ["embedding", "rnn", "fc_out"]),
        )
    }
    _, state = run(parts["encoder"], letters)
    symbols, outputs = np.full((1, len(PERSIAN)), START), []
    for _ in range(LONGEST - 1):
        y, state = run(parts["decoder"], symbols, state)
        outputs.append(y[0])
        symbols = y.argmax(axis=-1)
    chosen = expected.argmax(axis=-1)
    ends = np.argmax(chosen == END, axis=0)
    assert (chosen == END).any(axis=0).all()
    assert len({tuple(chosen[:end, row]) for row, end in enumerate(ends)}) == len(PERSIAN)
    for row, end in enumerate(ends):  # what follows the end is nobody's
        np.testing.assert_array_equal(
            np.stack(outputs)[: end + 1, row].argmax(-1), chosen[: end + 1, row]
        )
        run.assert_close(np.stack(outputs)[: end + 1, row], expected[: end + 1, row])


# ---- g2pM: which of its readings a Chinese character has; its weights are a pickle of arrays ----

CHINESE = (
    "他行走在银行门口", "我们要重新重视这个问题", "长大以后头发很长", "音乐使人快乐",
    "他觉得应该睡一觉", "这件事情还没有还清", "校长正在校对文章", "数一数有多少数字",
)  # fmt: skip


def test_g2pm_gives_the_same_readings(package_file: Any, run: Any) -> None:
    source = package_file("g2pM", "g2pM/g2pM.py")
    names: dict[str, Any] = {"__file__": str(source), "np": np, "os": os, "pickle": pickle}
    exec(compile(source.read_text(encoding="utf-8"), str(source), "exec"), names)
    calls: list[tuple[NDArray[Any], list[int], NDArray[Any]]] = []

    class Oracle(names["G2pM"]):  # type: ignore[misc]
        """The package's, which keeps what its network is asked and answers."""

        def fc_layer(self, inputs: Any) -> Any:
            self.logits = super().fc_layer(inputs)
            return self.logits

        def predict(self, inputs: Any, target_idx: Any) -> Any:
            found = super().predict(inputs, target_idx)
            calls.append((inputs, target_idx, self.logits))
            return found

    oracle = Oracle()
    readings = [oracle(sentence) for sentence in CHINESE]
    assert len(calls) == len(CHINESE)
    assert len({tuple(r) for r in readings}) == len(CHINESE)
    path = source.with_name("np_ckpt.pkl")
    spec = rn.load(path, chain=["embedding", "lstm", "logit_layer.0:relu", "logit_layer.2"]).spec
    for inputs, targets, logits in calls:
        y, _ = run(spec, inputs.T)
        run.assert_close(y[targets, 0], logits)
        np.testing.assert_array_equal(y[targets, 0].argmax(-1), logits.argmax(-1))


# ---- medaka: reads of a genome to its letters, in .tar.gz files inside the package ----


def pileup(positions: int, batch: int) -> NDArray[np.float32]:
    """Parts of letters and gaps [positions, batch, 10] in 40 reads of each strand, 3 % of them
    wrong; a tenth of the positions are gaps, what some reads have too much."""
    rng = np.random.default_rng(5)
    gaps = rng.random((positions, batch)) < 0.1
    truth = np.where(gaps, 4, rng.integers(0, 4, (positions, batch)))
    counts = np.zeros((2, 5, positions, batch), np.float32)
    for strand in counts:
        for _ in range(40):
            wrong = rng.random((positions, batch)) < 0.03
            seen = np.where(wrong, rng.integers(0, 5, (positions, batch)), truth)
            strand += np.arange(5)[:, None, None] == seen
    letters, gap = counts[:, :4].reshape(8, positions, batch), counts[:, 4]
    return np.moveaxis(np.concatenate([letters, gap]), 0, -1) / 80


@pytest.mark.parametrize(
    "name", ["hac_v6.0.0", "hac_variant_v5.0.0", "sup_v5.2.0", "sup_variant_v5.0.0"]
)
def test_medaka_whole(package_file: Any, run: Any, tmp_path: Path, name: str) -> None:
    archive = package_file("medaka", f"medaka/data/r1041_e82_400bps_{name}_model_pt.tar.gz")
    path = tmp_path / "weights.pt"
    with tarfile.open(archive) as files:
        member = files.extractfile("model/weights.pt")
        assert member is not None
        path.write_bytes(member.read())
    weights = torch.load(path, weights_only=True, map_location="cpu")
    size = weights["gru.weight_hh_l0"].shape[1]
    gru = torch.nn.GRU(10, size, num_layers=2, bidirectional=True)
    linear = torch.nn.Linear(2 * size, 5)
    for module, own in ((gru, "gru."), (linear, "linear.")):
        module.load_state_dict(
            {n.removeprefix(own): w for n, w in weights.items() if n.startswith(own)}
        )
    x = pileup(200, 3)
    with torch.no_grad():
        expected = torch.softmax(linear(gru(torch.from_numpy(x))[0]), dim=-1).numpy()
    y, _ = run(rn.load(path, chain=["gru", "linear:softmax"]).spec, x)
    run.assert_close(y, expected)
    assert set(expected.argmax(-1).flat) == set(range(5))  # all letters, and gaps


# ---- metapredict: disorder in proteins, and how sure AlphaFold is of them ----

NETWORKS = (
    "networks/metaDisorder.pt", "networks/meta_predict_disorder_100e_v1.pt",
    "networks/metameta_2_7_22_nl2_hs20_b32_V3.pt", "networks/non_bin_PAE_hs40_nl2.pt",
    "networks/metapredict_network_v2_200epochs_nl1_hs20.pt",
    "networks/metapredict_network_v3_200epochs_nl2_hs20.pt",
    "networks/smoothed_v3_real_plddt_re.pt",
    "ppLDDT/networks/alpha_fold_networkV7_hs100_nL2_200e_all_prot.pt",
)  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_metapredict_whole(package_file: Any, run: Any, name: str) -> None:
    """Proteins of several lengths as one batch, each by itself under PyTorch."""
    path = package_file("metapredict", f"metapredict/backend/{name}")
    weights = torch.load(path, weights_only=True, map_location="cpu")
    prefix = "module" if any(n.startswith("module.") for n in weights) else ""
    weights = {n.removeprefix("module."): w for n, w in weights.items()}
    layers = 1 + ("lstm.weight_ih_l1" in weights)
    (network,) = torch_networks.classes(
        "metapredict", "metapredict/backend/architectures.py", "BRNN_MtM"
    )
    net = network(20, weights["lstm.weight_hh_l0"].shape[1], layers, 1, "cpu").eval()
    net.load_state_dict(weights)
    lengths = [120, 31, 77]
    acids = np.random.default_rng(6).integers(0, 20, (max(lengths), len(lengths)))
    x = np.eye(20, dtype=np.float32)[acids]
    y, _ = run(rn.load(path, prefix=prefix, chain=["lstm", "fc"]).spec, x, None, lengths)
    with torch.no_grad():
        for row, length in enumerate(lengths):
            expected = net(torch.from_numpy(x[None, :length, row])).numpy()[0]
            run.assert_close(y[:length, row], expected)
            assert np.ptp(expected) > 0.05


VERSION_3 = (
    ("networks/epoch099_val_loss1107.08.ckpt", "linear_layers.0"),
    ("networks/epoch023_val_loss1529.48.ckpt", "fc"),
    ("ppLDDT/networks/epoch019_val_loss1477.45.ckpt", "linear_layers.0"),
)


@pytest.mark.parametrize(("name", "head"), VERSION_3)
def test_metapredict_3_whole(package_file: Any, run: Any, name: str, head: str) -> None:
    """Checkpoints with settings, callbacks and types beside the weights; a LayerNorm."""
    path = package_file("metapredict", f"metapredict/backend/{name}")
    prefix, chain = "state_dict", ["lstm", "layer_norm:LayerNorm(eps=1e-05)", head]
    spec = rn.load(path, "torch", prefix=prefix, chain=chain).spec
    weights = {
        n.removeprefix("state_dict."): torch.tensor(np.array(a))
        for n, a in torch_files.unpack(path.read_bytes())[1].items()
        if n.startswith("state_dict.")
    }
    size = weights["lstm.weight_hh_l0"].shape[1]
    layers = 1 + ("lstm.weight_ih_l1" in weights)
    lstm = torch.nn.LSTM(20, size, layers, batch_first=True, bidirectional=True)
    norm, linear = torch.nn.LayerNorm(2 * size), torch.nn.Linear(2 * size, 1)
    net = torch.nn.ModuleDict({"lstm": lstm, "layer_norm": norm, "head": linear}).eval()
    net.load_state_dict({n.replace(f"{head}.", "head."): w for n, w in weights.items()})
    acids = np.random.default_rng(6).integers(0, 20, (80, 2))
    x = np.eye(20, dtype=np.float32)[acids]
    with torch.no_grad():
        expected = linear(norm(lstm(torch.from_numpy(x.swapaxes(0, 1)))[0])).numpy()
    y, _ = run(spec, x)
    run.assert_close(y.swapaxes(0, 1), expected)
    assert np.ptp(expected) > 0.05


# ---- legere: lines of print, 32 pixels high, to letters; and whether there are any ----


class Separable(torch.nn.Module):  # type: ignore[misc, name-defined]
    """A convolution of each channel, and one of a pixel."""

    def __init__(self, channels: int, out: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.depthwise = torch.nn.Conv2d(
            channels, channels, 3, stride, 1, groups=channels, bias=False
        )
        self.bn1, self.bn2 = torch.nn.BatchNorm2d(channels), torch.nn.BatchNorm2d(out)
        self.pointwise = torch.nn.Conv2d(channels, out, 1, bias=False)

    def forward(self, x: Any) -> Any:
        return torch.relu(self.bn2(self.pointwise(torch.relu(self.bn1(self.depthwise(x))))))


def legere(weights: Any, strides: list[tuple[int, int]]) -> tuple[Any, list[Any]]:
    """The convolutions of a network, and the beginning of a chain."""
    net = torch.nn.Module()
    first = len(weights["stem.0.weight"])
    net.stem = torch.nn.Sequential(
        torch.nn.Conv2d(1, first, 3, 2, 1, bias=False), torch.nn.BatchNorm2d(first),
        torch.nn.ReLU(),
    )  # fmt: skip
    net.blocks = torch.nn.Sequential()
    chain = ["Input(1, 32, time)", f"stem.0:{net.stem[0]!r}", f"stem.1:{net.stem[1]!r}:relu"]
    for index, stride in enumerate(strides):
        out, channels = weights[f"blocks.{index}.pointwise.weight"].shape[:2]
        block = Separable(channels, out, stride)
        net.blocks.append(block)
        for name in ("depthwise", "bn1", "pointwise", "bn2"):
            text = f"blocks.{index}.{name}:{getattr(block, name)!r}"
            chain.append(f"{text}:relu" if name.startswith("bn") else text)
    return net, chain


def test_legere_whole(package_file: Any, run: Any) -> None:
    path = package_file("legere", "legere/data/model.pt")
    weights = torch.load(path, weights_only=True, map_location="cpu")["model"]
    net, chain = legere(weights, [(2, 2), (1, 1), (2, 1), (1, 1), (2, 1), (2, 1)])
    net.rnn = torch.nn.GRU(192, 128, batch_first=True, bidirectional=True)
    net.head = torch.nn.Linear(256, len(weights["head.weight"]))
    net.eval().load_state_dict(weights)
    x = torch.randn(2, 1, 32, 90, generator=torch.Generator().manual_seed(9))
    with torch.no_grad():
        y = net.blocks(net.stem(x)).squeeze(2).permute(0, 2, 1)
        expected = net.head(net.rnn(y)[0]).numpy()
    spec = rn.load(path, prefix="model", chain=[*chain, "rnn", "head"]).spec
    y, _ = run(spec, x[:, 0].permute(2, 0, 1).numpy())
    run.assert_close(y.swapaxes(0, 1), expected)


def test_legere_lines_whole(package_file: Any, run: Any) -> None:
    """All of a picture is one: a mean over its rows and its columns."""
    path = package_file("legere", "legere/data/lineclf.pt")
    weights = torch.load(path, weights_only=True, map_location="cpu")
    prefix = next((name for name, value in weights.items() if isinstance(value, dict)), "")
    weights = weights[prefix] if prefix else weights
    net, chain = legere(weights, [(2, 2)] * 3)
    net.head = torch.nn.Linear(64, 1)
    net.eval().load_state_dict(weights)
    x = torch.randn(3, 1, 32, 70, generator=torch.Generator().manual_seed(8))
    with torch.no_grad():
        expected = net.head(net.blocks(net.stem(x)).mean(dim=(2, 3))).numpy()
    spec = rn.load(path, prefix=prefix, chain=[*chain, "AdaptiveAvgPool2d(1)", "head"]).spec
    y, _ = run(spec, x[:, 0].permute(2, 0, 1).numpy())
    run.assert_close(y, expected)
