#!/bin/sh
# torch 2.13.0 (the CPU build is enough), onnx 1.23.2, onnxscript 0.7.2, Python 3.11
#
# torch.onnx.export(dynamo=True) with a named Dim for the time keeps it free for an nn.LSTM or nn.GRU
# at the first export of a process. The same call again writes the example's length into the file,
# without an error or a warning, and so for every later network with that cell. The batch
# stays free each time.
#
# Guess: the same call on the same network gives the same file; where the time cannot be free, a
# named Dim is an error, as torch.export makes it.
#
# Output seen:
#     LSTM: first ['batch', 'time', 3], second ['batch', 5, 3]
#     GRU: first ['batch', 'time', 3], second ['batch', 5, 3]
#     the second export still has a fixed time

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -qq --disable-pip-version-check --no-deps \
    torch==2.13.0 filelock==4.3.1 fsspec==2026.9.0 jinja2==3.1.6 markupsafe==3.0.4 \
    mpmath==1.3.0 networkx==3.6.1 numpy==2.4.6 sympy==1.14.0 typing-extensions==4.16.0 \
    onnx==1.23.2 ml-dtypes==0.6.0 protobuf==7.36.2 onnxscript==0.7.2 onnx-ir==1.1.0 packaging==26.4 || exit 2
cd "$dir"
"$dir/venv/bin/python" - 2>log <<'EOF' || { cat log >&2; exit 1; }
import sys, warnings

import torch
from torch import nn

warnings.simplefilter("ignore")
Dim, same = torch.export.Dim, True


def shape(module):
    free = ({0: Dim("batch", max=64), 1: Dim("time", max=64)},)
    program = torch.onnx.export(
        module, (torch.randn(2, 5, 3),), dynamo=True, verbose=False, dynamic_shapes=free
    )
    sizes = map(str, program.model.graph.inputs[0].shape)
    return [int(size) if size.isdecimal() else size for size in sizes]


for kind in (nn.LSTM, nn.GRU):
    module = kind(3, 4, batch_first=True).eval()
    first, second = shape(module), shape(module)
    print(f"{kind.__name__}: first {first}, second {second}")
    same &= first == ["batch", "time", 3] and second == ["batch", 5, 3]
if same:
    print("the second export still has a fixed time")
else:
    print("this has changed")
    sys.exit(1)
EOF
