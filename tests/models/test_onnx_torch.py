"""What both of PyTorch's exporters write, against the PyTorch module itself.

Most graphs are exported with the sizes of an example and then compared at others: the sizes an
exporter wrote into a graph are not part of the model.
"""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")  # of the newer exporter
sys.path.insert(0, str(Path(__file__).parent))

from onnx_graphs import ATOL  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence  # noqa: E402

from rnn_native import formats, reference  # noqa: E402
from rnn_native.errors import FormatError, UnsupportedError  # noqa: E402

pytestmark = [pytest.mark.oracle, pytest.mark.slow]

T, B, IN, H = 5, 2, 3, 4
EXPORTERS = {
    "script": {"dynamo": False},
    "script-old": {"dynamo": False, "opset_version": 9},
    "script-unfolded": {"dynamo": False, "opset_version": 13, "do_constant_folding": False},
    "dynamo": {"dynamo": True, "external_data": False, "verbose": False},
}


def export(module: Any, example: tuple[Any, ...], path: Path, **options: Any) -> Path:
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        # Else the newer exporter keeps a free time at the first export of a process alone:
        # findings/torch_onnx_second_export.sh.
        for name in ("lstm", "gru"):
            getattr(torch.ops.aten, name).input._dispatch_cache.clear()
        torch.onnx.export(module.eval(), example, path, **options)
    return path


class Tagger(nn.Module):
    """[Embedding or Linear,] a recurrent module, [a head]; gives the sequence alone."""

    def __init__(self, rnn: Any, head: Any = None, first: Any = None) -> None:
        super().__init__()
        self.rnn, self.head, self.first = rnn, head, first

    def forward(self, x: Any) -> Any:
        y, _ = self.rnn(x if self.first is None else self.first(x))
        return y if self.head is None else self.head(y)


class Streaming(nn.Module):
    """One step of a whole batch, with the state in and out."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.rnn, self.head = nn.Linear(IN, IN), nn.GRU(IN, H), nn.Linear(H, 2)

    def forward(self, x: Any, h: Any) -> Any:
        y, h = self.rnn(torch.relu(self.first(x)).unsqueeze(0), h)
        return torch.sigmoid(self.head(y.squeeze(0))), h


class Packed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(IN, H, 2, bidirectional=True)

    def forward(self, x: Any, lengths: Any) -> Any:
        y, _ = self.rnn(pack_padded_sequence(x, lengths))
        return pad_packed_sequence(y)[0]


class States(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(IN, H, 2, batch_first=True)

    def forward(self, x: Any, h: Any, c: Any) -> Any:
        y, (h, c) = self.rnn(x, (h, c))
        return y, h, c


class Flat(nn.Module):
    """A head on time and batch merged in one."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.GRU(IN, H), nn.Linear(H, 2)

    def forward(self, x: Any) -> Any:
        y, _ = self.rnn(x)
        return self.head(y.reshape(-1, H)).reshape(x.shape[0], x.shape[1], 2)


def head(features: int) -> Any:
    return nn.Sequential(
        nn.Dropout(0.5), nn.Linear(features, 5), nn.ReLU(), nn.Linear(5, 2), nn.LogSoftmax(-1)
    )


MODULES: dict[str, Any] = {
    "gru": lambda: Tagger(nn.GRU(IN, H)),
    "gru-2-bidirectional-batch-first": lambda: Tagger(
        nn.GRU(IN, H, 2, bidirectional=True, batch_first=True), head(2 * H)
    ),
    "lstm-2-no-bias": lambda: Tagger(nn.LSTM(IN, H, 2, bias=False, dropout=0.5), head(H)),
    "lstm-bidirectional": lambda: Tagger(nn.LSTM(IN, H, bidirectional=True)),
    "linear-lstm": lambda: Tagger(
        nn.LSTM(6, H), nn.Linear(H, 2), nn.Sequential(nn.Linear(IN, 6), nn.Tanh())
    ),
    "embedding-lstm": lambda: Tagger(nn.LSTM(6, H, batch_first=True), head(H), nn.Embedding(10, 6)),
    "flat": Flat,
    "double": lambda: Tagger(nn.GRU(IN, H), nn.Linear(H, 2)).double(),
}


def example(module: Any, time: int, batch: int) -> Any:
    torch.manual_seed(1)
    if isinstance(getattr(module, "first", None), nn.Embedding):
        return torch.randint(0, 10, (batch, time))
    sizes = (batch, time) if module.rnn.batch_first else (time, batch)
    return torch.randn(*sizes, module.rnn.input_size if not getattr(module, "first", 0) else IN)


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        *((name, (T, B)) for name in MODULES),
        ("gru-2-bidirectional-batch-first", (1, 1)),
        ("lstm-bidirectional", (T, 1)),
        ("flat", (1, B)),
    ],
    ids=str,
)
def test_an_export_of_fixed_size_is_read_for_any(
    name: str, exporter: str, sizes: tuple[int, int], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    module = MODULES[name]()
    double = name == "double"
    x = example(module, *sizes)
    x = x.double() if double else x
    path = export(module, (x,), tmp_path / "model.onnx", **EXPORTERS[exporter])
    spec = formats.read(path)
    for time, batch in (sizes, (7, 3)):
        x = example(module, time, batch)
        x = x.double() if double else x
        with torch.no_grad():
            want = module(x).numpy()
        if module.rnn.batch_first:
            x, want = x.swapaxes(0, 1), want.swapaxes(0, 1)
        y, _ = reference.run(spec, x.numpy())
        # float64: the noise of 2**-53 instead of 2**-24, and activations as exact.
        np.testing.assert_allclose(y, want, rtol=0, atol=1e-13 if double else ATOL)


@pytest.mark.parametrize(
    ("name", "axes"),
    [
        ("gru", {0: "time", 1: "batch"}),
        ("gru-2-bidirectional-batch-first", {0: "batch", 1: "time"}),
        ("embedding-lstm", {0: "batch", 1: "time"}),
        ("flat", {0: "time", 1: "batch"}),
    ],
)
def test_an_export_of_free_sizes(name: str, axes: dict[int, str], tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = MODULES[name]()
    options = {"dynamo": False, "input_names": ["x"], "dynamic_axes": {"x": axes}}
    path = export(module, (example(module, T, B),), tmp_path / "model.onnx", **options)
    x = example(module, 7, 3)
    with torch.no_grad():
        want = module(x).numpy()
    if module.rnn.batch_first:
        x, want = x.swapaxes(0, 1), want.swapaxes(0, 1)
    y, _ = reference.run(formats.read(path), x.numpy())
    np.testing.assert_allclose(y, want, rtol=0, atol=ATOL)


def test_the_newer_exporter_writes_the_length_of_its_example(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = MODULES["lstm-2-no-bias"]()
    free = {"dynamic_shapes": {"x": {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}}}
    path, x = tmp_path / "model.onnx", example(module, T, B)
    try:
        export(module, (x,), path, **free, **EXPORTERS["dynamo"])
    except torch.onnx.OnnxExporterError as error:
        pytest.skip(f"the exporter refuses free sizes: {error!r:.100}")
    x = example(module, 7, 3)
    with torch.no_grad():
        want = module(x).numpy()
    y, _ = reference.run(formats.read(path), x.numpy())
    np.testing.assert_allclose(y, want, rtol=0, atol=ATOL)


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_a_step_at_a_time(exporter: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Streaming()
    x, h = torch.randn(7, B, IN), torch.randn(1, B, H)
    path = export(module, (x[0], h), tmp_path / "model.onnx", **EXPORTERS[exporter])
    y, final = reference.run(formats.read(path), x.numpy(), h.numpy())
    with torch.no_grad():
        for t in range(len(x)):
            want, h = module(x[t], h)
            np.testing.assert_allclose(y[t], want, rtol=0, atol=ATOL)
    np.testing.assert_allclose(final, h, rtol=0, atol=ATOL)


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_states_in_and_out(exporter: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = States()
    x, h, c = torch.randn(B, T, IN), torch.randn(2, B, H), torch.randn(2, B, H)
    path = export(module, (x, h, c), tmp_path / "model.onnx", **EXPORTERS[exporter])
    with torch.no_grad():
        want, *finals = module(x, h, c)
    state = tuple((h[i : i + 1].numpy(), c[i : i + 1].numpy()) for i in range(2))
    y, final = reference.run(formats.read(path), x.swapaxes(0, 1).numpy(), state)
    np.testing.assert_allclose(y.swapaxes(0, 1), want, rtol=0, atol=ATOL)
    for i, wanted in enumerate(finals):
        ours = np.concatenate([layer[i] for layer in final])
        np.testing.assert_allclose(ours, wanted, rtol=0, atol=ATOL)


class Classifier(nn.Module):
    """A head on the last state, in the ways that people write it."""

    def __init__(self, how: str, rnn: Any) -> None:
        super().__init__()
        self.how, self.rnn = how, rnn
        self.head = nn.Linear(H * (2 if rnn.bidirectional else 1), 2)

    def forward(self, x: Any) -> Any:
        y, h = self.rnn(x)
        h = h[0] if isinstance(h, tuple) else h
        if self.how == "head(y)[-1]":
            return self.head(y)[:, -1]
        return self.head(
            {
                "y[:, -1]": lambda: y[:, -1],
                "y[:, -1, :]": lambda: y[:, -1, :],
                "h[-1]": lambda: h[-1],
                "squeeze": lambda: h.squeeze(0),
                "cat": lambda: torch.cat([h[-2], h[-1]], 1),
                "turned": lambda: h.swapaxes(0, 1).reshape(-1, 2 * H),
            }[self.how]()
        )


CLASSIFIERS: list[tuple[str, Any]] = [
    ("y[:, -1]", lambda: nn.LSTM(IN, H, batch_first=True)),
    ("y[:, -1, :]", lambda: nn.GRU(IN, H, 2, batch_first=True)),
    ("head(y)[-1]", lambda: nn.GRU(IN, H, batch_first=True)),
    ("h[-1]", lambda: nn.GRU(IN, H, batch_first=True)),
    ("h[-1]", lambda: nn.LSTM(IN, H, 2, batch_first=True)),
    ("squeeze", lambda: nn.LSTM(IN, H, batch_first=True)),
    ("cat", lambda: nn.LSTM(IN, H, batch_first=True, bidirectional=True)),
    ("cat", lambda: nn.GRU(IN, H, 2, batch_first=True, bidirectional=True)),
    ("turned", lambda: nn.GRU(IN, H, batch_first=True, bidirectional=True)),
]


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize(("how", "make"), CLASSIFIERS)
def test_a_last_state_goes_on(how: str, make: Any, exporter: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Classifier(how, make())
    path = export(module, (torch.randn(B, T, IN),), tmp_path / "m.onnx", **EXPORTERS[exporter])
    if (how, exporter) == ("cat", "script-old"):  # cuts rows out of the states one by one
        with pytest.raises(UnsupportedError, match="only the h of one layer can be"):
            formats.read(path)
        return
    spec = formats.read(path)
    assert not spec.return_sequences
    x = torch.randn(3, 7, IN)
    with torch.no_grad():
        want = module(x)
    y, _ = reference.run(spec, x.swapaxes(0, 1).numpy())
    np.testing.assert_allclose(y, want, rtol=0, atol=ATOL)


@pytest.mark.parametrize("exporter", [name for name in EXPORTERS if name != "dynamo"])
def test_packed_sequences_are_lengths(exporter: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Packed()
    x, lengths = torch.randn(T, 3, IN), torch.tensor([5, 3, 2])
    path = export(module, (x, lengths), tmp_path / "model.onnx", **EXPORTERS[exporter])
    with torch.no_grad():
        want = module(x, lengths)
    y, _ = reference.run(formats.read(path), x.numpy(), None, lengths.numpy())
    np.testing.assert_allclose(y, want, rtol=0, atol=ATOL)


def test_a_projection_that_the_newer_exporter_drops_is_noticed(tmp_path: Path) -> None:
    """It writes an LSTM of the size of the projection, with part of the weights."""
    module = Tagger(nn.LSTM(IN, H, proj_size=2))
    path = export(module, (torch.randn(T, B, IN),), tmp_path / "m.onnx", **EXPORTERS["dynamo"])
    with pytest.raises(FormatError, match=r"initial_c: expected shape \(1, batch, 2\), got"):
        formats.read(path)


class Odd(nn.Module):
    """Modules that are no chain of layers over a sequence, or hardly, each by its name."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.rnn, self.head = nn.GRU(IN, H, bidirectional=True), nn.Linear(2 * H, 2)
        self.across = nn.GRU(2 * H, H)

    def forward(self, x: Any) -> Any:
        y, h = self.rnn(x)
        if self.how == "last":
            return self.head(y[-1])
        if self.how == "one direction":
            return self.across(h[-1:].repeat(1, 1, 2))[0]
        if self.how == "residual":
            return self.head(y) + x[..., :2]
        if self.how == "relu":
            return self.head(torch.relu(y))
        if self.how == "sine":
            return self.head(torch.sin(y))
        if self.how == "swapped":
            return self.head(torch.cat([y[..., H:], y[..., :H]], -1))
        if self.how == "across":
            return self.across(y.swapaxes(0, 1))[0]
        return self.across(y.reshape(x.shape[1], x.shape[0], 2 * H))[0]  # "mixed"


@pytest.mark.parametrize("exporter", ["script", "dynamo"])
@pytest.mark.parametrize("how", ["one direction", "sine", "across", "mixed"])
def test_what_is_no_model_of_a_sequence_is_refused(how: str, exporter: str, tmp_path: Path) -> None:
    path = export(Odd(how), (torch.randn(T, B, IN),), tmp_path / "m.onnx", **EXPORTERS[exporter])
    with pytest.raises(UnsupportedError, match=r"node '.+' \(\w+\): "):
        formats.read(path)


@pytest.mark.parametrize("exporter", ["script", "dynamo"])
@pytest.mark.parametrize("how", ["last", "relu", "residual", "swapped"])
def test_what_is_done_between_layers_is_layers(how: str, exporter: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Odd(how)
    x = torch.randn(T, B, IN)
    path = export(module, (x,), tmp_path / "m.onnx", **EXPORTERS[exporter])
    with torch.no_grad():
        want = module(x)
    y, _ = reference.run(formats.read(path), x.numpy())
    np.testing.assert_allclose(y, want, rtol=0, atol=ATOL)
