#!/bin/sh
# torch 2.13.0 (the CPU build is enough), Python 3.11, x86-64
#
# quantize_dynamic(..., dtype=torch.float16) rounds the weights of an LSTM or GRU to float16, and
# torch.save of the result is no smaller than that of the float32 module: the packed weights give
# themselves as float32, and so its state_dict is written. Those of int8 are a quarter.
#
# Guess: half of float32, as int8 is a quarter.
#
# Output seen:
#     LSTM: int8 25%, float16 100% of the size in float32; float16 as bytes allow: 50%
#     GRU: int8 25%, float16 100% of the size in float32; float16 as bytes allow: 50%
#     every saved weight is a number of float16, in 32 bits: True
#     float16 networks are still saved as float32

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
torch.backends.quantized.engine = "fbgemm"


def size(module):
    torch.save(module.state_dict(), "saved.pt")
    with open("saved.pt", "rb") as file:
        return len(file.read())


def reduced(module, dtype):
    return torch.ao.quantization.quantize_dynamic(module, {type(module[0])}, dtype=dtype)


same = wide = True
for kind in (nn.LSTM, nn.GRU):
    module = nn.Sequential(kind(256, 256)).eval()
    plain = size(module)
    int8, float16 = (size(reduced(module, dtype)) / plain for dtype in (torch.qint8, torch.float16))
    half = size(nn.Sequential(kind(256, 256)).half()) / plain
    print(
        f"{kind.__name__}: int8 {int8:.0%}, float16 {float16:.0%} of the size in float32; "
        f"float16 as bytes allow: {half:.0%}"
    )
    same &= int8 < 0.3 and float16 > 0.95 and half < 0.55
    rounded = {name: array.half().float() for name, array in module[0].state_dict().items()}
    given = reduced(module, torch.float16)[0].get_weight()
    wide &= all(torch.equal(weight, rounded[name]) for name, weight in given.items())
print(f"every saved weight is a number of float16, in 32 bits: {wide}")
if same and wide:
    print("float16 networks are still saved as float32")
else:
    sys.exit("this has changed")
EOF
