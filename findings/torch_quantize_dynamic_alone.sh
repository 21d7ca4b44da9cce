#!/bin/sh
# torch 2.13.0 (the CPU build is enough), Python 3.11
#
# quantize_dynamic of a model that is an nn.LSTM or nn.GRU itself gives it back in float32: no
# error, no warning, the numbers of before to the bit. It exchanges modules inside of the one that
# it is given. The same LSTM in a Sequential becomes int8.
#
# Guess: an int8 LSTM; the function is said to replace "specified modules" of the model.
#
# Output seen:
#     LSTM alone: float32, the same bits: True
#     LSTM in a Sequential: int8, the same bits: False
#     GRU alone: float32, the same bits: True
#     GRU in a Sequential: int8, the same bits: False
#     a recurrent layer that is the whole model is still left in float32 without a word

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -qq --disable-pip-version-check --no-deps \
    torch==2.13.0 filelock==4.3.1 fsspec==2026.9.0 jinja2==3.1.6 markupsafe==3.0.4 \
    mpmath==1.3.0 networkx==3.6.1 numpy==2.4.6 sympy==1.14.0 typing-extensions==4.16.0 || exit 2
cd "$dir"
"$dir/venv/bin/python" - <<'EOF'
import sys
import warnings

import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(7, 2, 16)
same = True
for kind in (nn.LSTM, nn.GRU):
    for where, model in (
        ("alone", kind(16, 32).eval()),
        ("in a Sequential", nn.Sequential(kind(16, 32)).eval()),
    ):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            int8 = torch.ao.quantization.quantize_dynamic(model, {kind}, dtype=torch.qint8)
        recurrent = int8 if where == "alone" else int8[0]
        quantized = not isinstance(recurrent, kind)
        with torch.no_grad():
            equal = torch.equal(model(x)[0], int8(x)[0])
        name = "int8" if quantized else "float32"
        print(f"{kind.__name__} {where}: {name}, the same bits: {equal}")
        same &= quantized == (not equal) == (where != "alone")
        same &= quantized or all("deprecated" in str(warning.message) for warning in said)
if same:
    print("a recurrent layer that is the whole model is still left in float32 without a word")
else:
    sys.exit("this has changed")
EOF
