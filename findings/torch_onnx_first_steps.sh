#!/bin/sh
# torch 2.13.0 (the CPU build is enough), onnx 1.23.2, onnxscript 0.7.2, onnxruntime 1.32.0,
# Python 3.11
#
# torch.onnx.export (dynamo, its default) of an nn.RNN, time asked for as Dim.AUTO: the file says
# that time is dynamic, and has one copy of the cell for each of the example's 5 steps instead of
# an RNN node. Given 9 steps it returns 5, without a word: the state is that after step 5. nn.LSTM
# and nn.GRU become one node with a Reshape to 5 steps behind it, and say dynamic too; another
# length than 5 stops at that Reshape. dynamo=False gives one node and any length, of all three.
#
# Guess: one RNN, LSTM or GRU node, and time dynamic in all three, or refused by the exporter.
#
# Output seen:
#     RNN: says time is 's31', 5 Tanh, 0 RNN nodes
#     RNN with 9 steps: output (5, 2, 4), h_n that of step 5: True
#     LSTM: says time is 's31', 1 LSTM node; 9 steps: Fail
#     GRU: says time is 's31', 1 GRU node; 9 steps: Fail
#     RNN with dynamo=False, 9 steps: output (9, 2, 4)
#     steps after the example's are still dropped

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -qq --disable-pip-version-check --no-deps \
    torch==2.13.0 filelock==4.3.1 fsspec==2026.9.0 jinja2==3.1.6 markupsafe==3.0.4 \
    mpmath==1.3.0 networkx==3.6.1 numpy==2.4.6 sympy==1.14.0 typing-extensions==4.16.0 \
    onnx==1.23.2 ml-dtypes==0.6.0 protobuf==7.36.2 onnxscript==0.7.2 onnx-ir==1.1.0 \
    packaging==26.4 onnxruntime==1.32.0 flatbuffers==25.12.19 || exit 2
cd "$dir"
"$dir/venv/bin/python" - <<'EOF'
import io, logging, sys, warnings

import onnx
import onnxruntime
import torch
from torch import nn

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
torch.manual_seed(0)
example, longer = torch.randn(5, 2, 3), torch.randn(9, 2, 3)
options = onnxruntime.SessionOptions()
options.log_severity_level = 4


def run(model, x):
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return session.run(None, {session.get_inputs()[0].name: x.numpy()})


same = True
for kind in (nn.RNN, nn.LSTM, nn.GRU):
    name, module = kind.__name__, kind(3, 4).eval()
    time = ({0: torch.export.Dim.AUTO},)
    program = torch.onnx.export(
        module, (example,), dynamo=True, verbose=False, dynamic_shapes=time
    )
    model = program.model_proto
    says = model.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    ops = [node.op_type for node in model.graph.node]
    same &= bool(says)
    if kind is nn.RNN:
        print(f"{name}: says time is {says!r}, {ops.count('Tanh')} Tanh,", end=" ")
        print(f"{ops.count(name)} RNN nodes")
        y, h_n = run(model, longer)
        with torch.no_grad():
            fifth = module(longer[:5])[1].numpy()
        early = abs(h_n - fifth).max() < 1e-5
        print(f"{name} with 9 steps: output {y.shape}, h_n that of step 5: {early}")
        same &= y.shape == (5, 2, 4) and bool(early) and ops.count(name) == 0
        continue
    try:
        result = run(model, longer)[0].shape
    except Exception as error:
        result = type(error).__name__
    print(f"{name}: says time is {says!r}, {ops.count(name)} {name} node; 9 steps: {result}")
    same &= ops.count(name) == 1 and isinstance(result, str)

file = io.BytesIO()
torch.onnx.export(
    nn.RNN(3, 4).eval(), (example,), file, dynamo=False, input_names=["x"],
    dynamic_axes={"x": {0: "T"}},
)
shape = run(onnx.load_from_string(file.getvalue()), longer)[0].shape
print(f"RNN with dynamo=False, 9 steps: output {shape}")
if same and shape[0] == 9:
    print("steps after the example's are still dropped")
else:
    sys.exit("this has changed")
EOF
