"""What the tests of PyTorch's live modules share: random modules, their states, what is equal.

Tolerances: float64 as in ``test_reference_against_torch``, 1e-12 of the largest value; float32 as
``conftest`` derives it, relative to the largest value where that is above 1.
"""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from torch import nn

KINDS = ("RNN", "GRU", "LSTM")
TOLERANCES = {torch.float64: 1e-12, torch.float32: 2e-5}
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def modules(draw: st.DrawFn, bidirectional: Any = None) -> Any:
    """Any nn.RNN, GRU or LSTM."""
    kind = draw(st.sampled_from(KINDS))
    hidden = draw(st.integers(1, 9))
    options: dict[str, Any] = {
        "num_layers": draw(st.integers(1, 3)),
        "bias": draw(st.booleans()),
        "batch_first": draw(st.booleans()),
        "bidirectional": draw(st.booleans()) if bidirectional is None else bidirectional,
        "dropout": draw(st.sampled_from([0.0, 0.5])),
        "dtype": draw(st.sampled_from([torch.float32, torch.float64])),
    }
    if kind == "RNN":
        options["nonlinearity"] = draw(st.sampled_from(["tanh", "relu"]))
    if kind == "LSTM" and hidden > 1:
        options["proj_size"] = draw(st.integers(0, hidden - 1))
    torch.manual_seed(draw(st.integers(0, 2**16)))
    return getattr(nn, kind)(draw(st.integers(1, 6)), hidden, **options).eval()


def state_of(module: Any, batch: int | None) -> Any:
    rows = module.num_layers * (1 + module.bidirectional)
    sizes = [module.proj_size or module.hidden_size]
    if isinstance(module, nn.LSTM):
        sizes.append(module.hidden_size)
    middle = () if batch is None else (batch,)
    arrays = [torch.randn(rows, *middle, n, dtype=dtype_of(module)) * 0.5 for n in sizes]
    return tuple(arrays) if len(arrays) == 2 else arrays[0]


def dtype_of(module: Any) -> Any:
    return next(module.parameters()).dtype


def assert_close(got: Any, want: Any) -> None:
    if isinstance(want, tuple):
        assert type(got) is type(want)
        for one, other in zip(got, want, strict=True):
            assert_close(one, other)
        return
    if want is None:
        assert got is None
        return
    if not want.is_floating_point():  # of a PackedSequence
        assert torch.equal(got, want)
        return
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    assert not got.requires_grad
    if want.numel():
        scale = max(1.0, float(want.abs().max()))
        assert float((got - want).abs().max()) <= TOLERANCES[want.dtype] * scale
