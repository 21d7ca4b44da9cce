"""nh3pred, ammonia emission from fields: an Elman ReLU network 119 -> 512 in a PyTorch checkpoint.

We read it without PyTorch. The oracle is torch.load and torch.nn: RNN, then the two Linear of its
head. ReLU bounds nothing, so the tolerance is relative to the largest value.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rnn_native as rn
from rnn_native.formats.torch import unpack
from rnn_native.spec import Linear, ModelSpec, Recurrent

torch = pytest.importorskip("torch", reason="see tests/models/requirements-torch.txt")
pytestmark = pytest.mark.models

HOURS, FIELDS, CATEGORIES = 168, 3, 11


@pytest.fixture(scope="module")
def path(package_file: Any) -> Any:
    return package_file("nh3pred", "nh3pred/data/model.pth")


@pytest.fixture(scope="module")
def checkpoint(path: Any) -> Any:
    return torch.load(path, weights_only=True, map_location="cpu")  # it was saved on a GPU


@pytest.fixture(scope="module")
def x(checkpoint: Any) -> NDArray[np.float32]:
    """What the network sees of a week by the hour on three fields, [time, batch, 119].

    31 numbers of mean 0 and deviation 1, as its normalisation makes them, half of which have a
    day's rhythm and half of which stay (a soil, a rate of spreading); 11 embeddings of categories.
    """
    rng = np.random.default_rng(3)
    hours = np.arange(HOURS)[:, None, None]
    phase, level = rng.uniform(0, 2 * np.pi, (2, 1, FIELDS, 31))
    day = np.sqrt(2) * np.sin(2 * np.pi * hours / 24 + phase)
    fixed = np.broadcast_to((level - np.pi) / (np.pi / np.sqrt(3)), day.shape)
    numbers = np.where(np.arange(31) % 2, day, fixed) + 0.1 * rng.standard_normal(day.shape)
    tables = [checkpoint[f"embeddings.{k}.weight"].numpy() for k in range(CATEGORIES)]
    chosen = [table[rng.integers(0, len(table), FIELDS)] for table in tables]
    embedded = np.broadcast_to(np.concatenate(chosen, axis=-1), (HOURS, FIELDS, 88))
    return np.concatenate([numbers, embedded], axis=-1).astype(np.float32)


@pytest.fixture(scope="module")
def rnn(path: Any) -> Recurrent:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # for a module that is chosen, none is due
        return rn.load(path, prefix="rnn.", nonlinearity="relu").spec.recurrents[0]


@pytest.fixture(scope="module")
def head(path: Any) -> tuple[Linear, Linear]:
    _, tensors = unpack(path.read_bytes())
    fc1, fc2 = ((tensors[f"{name}.weight"], tensors[f"{name}.bias"]) for name in ("fc1", "fc2"))
    return Linear(*fc1, activation="relu"), Linear(*fc2)


def test_every_tensor_is_read_bit_for_bit(path: Any, checkpoint: Any) -> None:
    metadata, tensors = unpack(path.read_bytes())
    assert metadata == {}
    assert list(tensors) == list(checkpoint)
    for name, tensor in checkpoint.items():
        np.testing.assert_array_equal(tensors[name], tensor.numpy(), strict=True)


def test_the_one_recurrent_module_is_found(path: Any, rnn: Recurrent) -> None:
    with pytest.warns(UserWarning, match=r"only the recurrent module 'rnn\.' is read; left out"):
        model = rn.load(path)
    assert model.spec.recurrents[0].options == {**rnn.options, "nonlinearity": "tanh"}
    assert (rnn.cell, rnn.input_size, rnn.hidden_size, rnn.num_layers) == ("rnn", 119, 512, 1)


@pytest.fixture(scope="module")
def oracle(checkpoint: Any, x: NDArray[np.float32]) -> tuple[Any, Any, Any]:
    """Outputs of the RNN [time, batch, 512], its final state, outputs of the head."""
    rnn = torch.nn.RNN(119, 512, nonlinearity="relu")
    rnn.load_state_dict(
        {name[4:]: array for name, array in checkpoint.items() if name.startswith("rnn.")}
    )
    with torch.no_grad():
        y, h_n = rnn(torch.from_numpy(x))
        hidden = torch.relu(
            torch.nn.functional.linear(y, checkpoint["fc1.weight"], checkpoint["fc1.bias"])
        )
        out = torch.nn.functional.linear(hidden, checkpoint["fc2.weight"], checkpoint["fc2.bias"])
    return y.numpy(), h_n.numpy(), out.numpy()


def test_rnn_equals_torch(rnn: Any, x: Any, oracle: Any, run: Any) -> None:
    spec = ModelSpec((rnn,))
    y, h_n = run(spec, x)
    run.assert_close(y, oracle[0])
    run.assert_close(h_n, oracle[1])
    assert np.abs(oracle[0]).max() > 1  # past what tanh could give: it is the ReLU that is tested


def test_network_equals_torch(rnn: Any, head: Any, x: Any, oracle: Any, run: Any) -> None:
    spec = ModelSpec((rnn, *head))
    y, _ = run(spec, x)
    run.assert_close(y, oracle[2])


def test_ragged_batch_equals_torch_on_each_row(rnn: Any, x: Any, oracle: Any, run: Any) -> None:
    spec = ModelSpec((rnn,))
    lengths = [HOURS, 1, 77]
    padded = np.where(np.arange(HOURS)[:, None, None] < np.array(lengths)[:, None], x, np.nan)
    y, h_n = run(spec, padded.astype(np.float32), None, lengths)
    for row, length in enumerate(lengths):
        run.assert_close(y[:length, row], oracle[0][:length, row])
        run.assert_close(h_n[0, row], oracle[0][length - 1, row])
        assert not y[length:, row].any()


def test_stream_equals_torch(path: Any, x: Any, oracle: Any, compiled: Any) -> None:
    stream = rn.load(path, prefix="rnn", nonlinearity="relu").stream(batch=FIELDS)
    y = np.stack([np.array(stream.step(hour)) for hour in x])
    compiled.assert_close(y, oracle[0])
