#!/bin/sh
# torch 2.13.0 (the CPU build is enough), Python 3.11
#
# torch.export fixes the number of time steps of nn.LSTM, nn.GRU and nn.RNN to the example's,
# though the graph has one node aten.lstm, which runs any number. Dim.AUTO gives way without a
# word: batch becomes dynamic, time stays 5, and another length is refused when the program runs.
# A named Dim is an error, which advises `T = 5`.
#
# Guess: time is as dynamic as batch, since nothing in the graph depends on it.
#
# Output seen (once each for LSTM, GRU, RNN):
#     LSTM: 1 node of aten.lstm.input, input (5, s81, 3) for (5, 2, 3)
#     LSTM: batch 7 gives (5, 7, 4); 9 steps: AssertionError
#     LSTM with Dim("T"): UserError
#     time is still fixed

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -qq --disable-pip-version-check --no-deps \
    torch==2.13.0 filelock==4.3.1 fsspec==2026.9.0 jinja2==3.1.6 markupsafe==3.0.4 \
    mpmath==1.3.0 networkx==3.6.1 numpy==2.4.6 sympy==1.14.0 typing-extensions==4.16.0 || exit 2
cd "$dir"
"$dir/venv/bin/python" - <<'EOF'
import sys, warnings

import torch
from torch import nn

warnings.simplefilter("ignore")
Dim, x, same = torch.export.Dim, torch.randn(5, 2, 3), True
for kind in (nn.LSTM, nn.GRU, nn.RNN):
    name, module = kind.__name__, kind(3, 4).eval()
    program = torch.export.export(module, (x,), dynamic_shapes=({0: Dim.AUTO, 1: Dim.AUTO},))
    nodes = [str(n.target) for n in program.graph.nodes if n.op == "call_function"]
    nodes = [n for n in nodes if n.startswith(("aten.lstm", "aten.gru", "aten.rnn"))]
    (size,) = [n.meta["val"].shape for n in program.graph.nodes if n.name == "input"]
    print(f"{name}: {len(nodes)} node of {nodes[0]}, input {tuple(size)} for {tuple(x.shape)}")
    wider = tuple(program.module()(torch.randn(5, 7, 3))[0].shape)
    try:
        program.module()(torch.randn(9, 2, 3))
        longer = "runs"
    except Exception as error:
        longer = type(error).__name__
    print(f"{name}: batch 7 gives {wider}; 9 steps: {longer}")
    try:
        torch.export.export(module, (x,), dynamic_shapes=({0: Dim("T", min=1, max=99)},))
        named = "exported"
    except Exception as error:
        named = type(error).__name__
    print(f'{name} with Dim("T"): {named}')
    same &= len(nodes) == 1 and size[0] == 5 and not isinstance(size[1], int)
    same &= wider == (5, 7, 4) and longer != "runs" and named == "UserError"
if same:
    print("time is still fixed")
else:
    sys.exit("this has changed")
EOF
