"""Public networks of PyTorch's with recurrent modules inside, out of ordinary packages.

Of a package only the file that defines the network is read: its classes are made from its text, so
that nothing else that the package imports is wanted. ``tests/models`` has them give equal outputs
under ``rn.accelerate``, ``bench/accelerate.py`` measures them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Final

import torch

IMPORTED: Final = {"math", "numpy", "pathlib", "random", "time", "torch", "typing"}


@dataclass(frozen=True)
class Network:
    """``make`` gives a module in ``eval()`` mode and a call of it with one input."""

    package: str
    what: str
    make: Callable[[], tuple[torch.nn.Module, Callable[[], Any]]]


def package_file(package: str, path: str) -> Path:
    """``PackageNotFoundError`` where it is not installed."""
    return Path(str(distribution(package).locate_file(path)))


def classes(package: str, path: str, *names: str, **known: Any) -> list[Any]:
    """Classes of a package's file, made from its text; ``known`` is what it imports of others."""
    tree = ast.parse(package_file(package, path).read_text())
    kept = [
        node
        for node in tree.body
        if (isinstance(node, ast.ClassDef) and node.name in names)
        or (isinstance(node, ast.Import) and _root(node.names[0].name) in IMPORTED)
        or (isinstance(node, ast.ImportFrom) and not node.level and _root(node.module) in IMPORTED)
    ]
    space: dict[str, Any] = dict(known)
    exec(compile(ast.Module(kept, []), path, "exec"), space)
    return [space[name] for name in names]


def _root(module: str | None) -> str:
    return (module or "").partition(".")[0]


def _loaded(package: str, path: str) -> Any:
    return torch.load(package_file(package, path), map_location="cpu", weights_only=True)


def _numbers(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _resemblyzer() -> tuple[torch.nn.Module, Callable[[], Any]]:
    """A voice, 160 frames of 40 mel bands, as a vector: three LSTMs of 256, the last state."""
    settings: dict[str, Any] = {}
    exec(package_file("Resemblyzer", "resemblyzer/hparams.py").read_text(), settings)
    (encoder,) = classes("Resemblyzer", "resemblyzer/voice_encoder.py", "VoiceEncoder", **settings)
    weights = package_file("Resemblyzer", "resemblyzer/pretrained.pt")
    net = encoder("cpu", verbose=False, weights_fpath=weights).eval()
    mels = _numbers(0, 2, 160, 40).abs()
    return net, lambda: net(mels)


def _uzmorph() -> tuple[torch.nn.Module, Callable[[], Any]]:
    """Letters to tags: Embedding, two bidirectional LSTMs of 64, a head."""
    (tagger,) = classes("uzmorph-nn", "uzmorph_nn/model.py", "MorphBiLSTM")
    weights = _loaded("uzmorph-nn", "uzmorph_nn/data/morph_bilstm.pth")
    net = tagger(len(weights["char_embeddings.weight"]), len(weights["hidden2tag.weight"]))
    net.load_state_dict(weights)
    net.eval()
    known = len(weights["char_embeddings.weight"])
    letters = torch.randint(known, (1, 30), generator=torch.Generator().manual_seed(1))
    return net, lambda: net(letters)


def _g2p_fa() -> tuple[torch.nn.Module, Callable[[], Any]]:
    """Letters to phonemes: two LSTMs of 256 as encoder, two as decoder, which is called for each
    phoneme with the state of the call before."""
    encoder, decoder, both = classes("g2p-fa", "g2p_fa/model.py", "Encoder", "Decoder", "Seq2Seq")
    settings: dict[str, Any] = {}
    exec(package_file("g2p-fa", "g2p_fa/hparams.py").read_text(), settings)
    own = settings["hparams"]
    rest = own["HID_DIM"], own["N_LAYERS"]
    net = both(
        encoder(own["INPUT_DIM"], own["ENC_EMB_DIM"], *rest, own["ENC_DROPOUT"]),
        decoder(own["OUTPUT_DIM"], own["DEC_EMB_DIM"], *rest, own["DEC_DROPOUT"]),
        torch.device("cpu"),
    )
    net.load_state_dict(_loaded("g2p-fa", "g2p_fa/data/weights"))
    net.eval()
    letters = torch.randint(1, 41, (12, 1), generator=torch.Generator().manual_seed(2))
    begin = torch.ones(20, 1, dtype=torch.int64)
    return net, lambda: net(letters, begin, teacher_forcing_ratio=0)


def _openunmix() -> tuple[torch.nn.Module, Callable[[], Any]]:
    """A spectrogram with one instrument left in it: three bidirectional LSTMs of 256 between
    linear layers. Random weights."""
    torch.manual_seed(3)
    (unmix,) = classes("openunmix", "openunmix/model.py", "OpenUnmix")
    net = unmix(nb_bins=1025, nb_channels=1).eval()
    spectrogram = _numbers(3, 1, 1, 1025, 255).abs()
    return net, lambda: net(spectrogram)


def _kokoro() -> tuple[torch.nn.Module, Callable[[], Any]]:
    """How long phonemes last: three bidirectional LSTMs of 256 on packed sequences, each with a
    norm behind it. Random weights."""
    torch.manual_seed(4)
    names = "DurationEncoder", "AdaLayerNorm"
    net = classes("kokoro", "kokoro/modules.py", *names)[0](128, 512, 3).eval()
    lengths = torch.tensor([31, 60, 45])
    padding = torch.arange(60) >= lengths[:, None]
    x, style = _numbers(4, 3, 512, 60), _numbers(5, 3, 128)
    return net, lambda: net(x.clone(), style, lengths, padding)


NETWORKS: Final[Mapping[str, Network]] = {
    "resemblyzer": Network("Resemblyzer", "LSTM 40→256, 3 layers, last state", _resemblyzer),
    "uzmorph": Network("uzmorph-nn", "Embedding, LSTM 64→64, 2 layers, both ways", _uzmorph),
    "g2p-fa": Network("g2p-fa", "LSTM 40→256, 2 layers, encoder and decoder", _g2p_fa),
    "openunmix": Network("openunmix", "LSTM 512→256, 3 layers, both ways", _openunmix),
    "kokoro": Network("kokoro", "LSTM 640→256, both ways, 3 times, packed", _kokoro),
}
