#!/bin/sh
# torch 2.13.0 (the CPU build is enough), Python 3.11
#
# On a CPU, torch.utils.flop_counter counts 0 for a float32 nn.LSTM, with and without gradients.
# nn.GRU, nn.RNN, the same LSTM in float64, of packed sequences, on the meta device or without
# oneDNN are counted: 2 operations for each weight, row and step. A float32 LSTM of padded input
# is one call of oneDNN (mkldnn_rnn_layer), which the counter does not know and does not warn
# about.
#
# Guess: 2 * T * B * 4H * (I + H) of every LSTM, as the products of a step are.
#
# Output seen:
#     by the formula                 2240
#     LSTM, float32                     0
#     LSTM, float32, no gradients       0
#     LSTM, float64                  2240
#     LSTM, float32 without oneDNN   2240
#     LSTM, meta device              2240
#     LSTM, packed, lengths 5 and 3  1792
#     GRU, float32                   1680
#     the LSTM is still counted as nothing

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -qq --disable-pip-version-check --no-deps \
    torch==2.13.0 filelock==4.3.1 fsspec==2026.9.0 jinja2==3.1.6 markupsafe==3.0.4 \
    mpmath==1.3.0 networkx==3.6.1 numpy==2.4.6 sympy==1.14.0 typing-extensions==4.16.0 || exit 2
cd "$dir"
"$dir/venv/bin/python" - <<'EOF'
import contextlib, sys, warnings

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

warnings.simplefilter("ignore")
T, B, I, H = 5, 2, 3, 4


def flops(module, x, around=contextlib.nullcontext()):
    with around, FlopCounterMode(display=False) as counter:
        module(x)
    return counter.get_total_flops()


x, lstm = torch.randn(T, B, I), nn.LSTM(I, H)
formula = 2 * T * B * 4 * H * (I + H)
packed = nn.utils.rnn.pack_sequence([x[:, 0], x[:3, 1]])
seen = {
    "by the formula": formula,
    "LSTM, float32": flops(lstm, x),
    "LSTM, float32, no gradients": flops(lstm, x, torch.no_grad()),
    "LSTM, float64": flops(nn.LSTM(I, H).double(), x.double()),
    "LSTM, float32 without oneDNN": flops(lstm, x, torch.backends.mkldnn.flags(enabled=False)),
    "LSTM, meta device": flops(nn.LSTM(I, H, device="meta"), x.to("meta")),
    "LSTM, packed, lengths 5 and 3": flops(lstm, packed),
    "GRU, float32": flops(nn.GRU(I, H), x),
}
for name, count in seen.items():
    print(f"{name:30}{count:5}")
expected = [formula, 0, 0, formula, formula, formula, formula * 8 // 10, formula * 3 // 4]
if list(seen.values()) == expected:
    print("the LSTM is still counted as nothing")
else:
    sys.exit("this has changed")
EOF
