#!/bin/sh
# torch 2.13.0 (the CPU build is enough), Python 3.11
#
# load_state_dict(strict=True) of a dynamically quantized recurrent module takes weights of any
# sizes, and of other layers: the two stacked layers of one nn.GRU are the two directions of
# another. "All keys matched"; the module runs, and its numbers are of neither network. The names
# in the state_dict, _all_weight_values.0.param and so on, count packed layers, and sizes are not
# compared. So whoever rebuilds a quantized network from its state_dict with one option wrong
# learns nothing of it.
#
# Guess: an error that names the keys or the sizes, as of the modules before they were quantized.
#
# Output seen (the distance is of the seed):
#     float32: RuntimeError
#     quantized: <All keys matched successfully>
#     forward half off by 1.2
#     quantized, other sizes: <All keys matched successfully>
#     a strict load still compares nothing

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -qq --disable-pip-version-check --no-deps \
    torch==2.13.0 filelock==4.3.1 fsspec==2026.9.0 jinja2==3.1.6 markupsafe==3.0.4 \
    mpmath==1.3.0 networkx==3.6.1 numpy==2.4.6 sympy==1.14.0 typing-extensions==4.16.0 || exit 2
cd "$dir"
"$dir/venv/bin/python" -W ignore - <<'EOF'
import sys

import torch
from torch import nn

torch.manual_seed(0)


def quantized(module):
    kinds = {type(module)}
    return torch.ao.quantization.quantize_dynamic(nn.Sequential(module), kinds, dtype=torch.qint8)


def strict(module, other):
    try:
        return str(module.load_state_dict(other.state_dict(), strict=True))
    except RuntimeError:
        return "RuntimeError"


stacked, both = nn.GRU(8, 8, num_layers=2), nn.GRU(8, 8, bidirectional=True)
plain = strict(both, stacked)
print("float32:", plain)
stacked, both = quantized(stacked), quantized(both)
loaded = strict(both, stacked)
print("quantized:", loaded)
x = torch.randn(4, 1, 8)
distance = (both(x)[0][..., :8] - stacked(x)[0]).abs().max().item()
print(f"forward half off by {distance:.1f}")
sizes = strict(quantized(nn.GRU(7, 9)), quantized(nn.GRU(5, 8)))
print("quantized, other sizes:", sizes)
matched = "<All keys matched successfully>"
if plain == "RuntimeError" and loaded == sizes == matched and distance > 0.1:
    print("a strict load still compares nothing")
else:
    sys.exit("this has changed")
EOF
