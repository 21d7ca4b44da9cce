#!/bin/sh
# onnxruntime 1.32.0, onnx 1.23.2, Python 3.11, on a CPU
#
# A Loop with a trip count and no condition, such as a cell that is written out as a body, runs
# for all of the count in ONNX, whose definition says of what the body gives as condition:
# "ignored". onnxruntime stops where that is false, and so makes fewer steps without a word. A
# Loop whose condition is the constant true stops there in both, as it should.
#
# Guess: without a condition the body runs as often as the trip count says.
#
# Output seen:
#     a condition: 1 of 3 steps
#     no condition: 1 of 3 steps
#     a Loop without a condition still stops by the one that its body gives

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -qq --disable-pip-version-check --no-deps \
    onnx==1.23.2 ml-dtypes==0.6.0 protobuf==7.36.2 onnxruntime==1.32.0 flatbuffers==25.12.19 \
    numpy==2.4.6 packaging==26.4 typing-extensions==4.16.0 || exit 2
cd "$dir"
"$dir/venv/bin/python" - <<'EOF'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

options = onnxruntime.SessionOptions()
options.log_severity_level = 4
FLOAT, INT, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
info = helper.make_tensor_value_info


def steps(condition):
    """How often the body runs, each time adding 1, that says false after its first step."""
    body = helper.make_graph(
        [
            helper.make_node("Add", ["h", "one"], ["h_next"]),
            helper.make_node("Less", ["i", "zero"], ["goes_on"]),
        ],
        "body",
        [info("i", INT, []), info("going", BOOL, []), info("h", FLOAT, [1])],
        [info("goes_on", BOOL, []), info("h_next", FLOAT, [1])],
    )
    constants = {"one": np.float32([1]), "zero": np.array(0), "three": np.array(3),
                 "true": np.array(True)}
    graph = helper.make_graph(
        [helper.make_node("Loop", ["three", condition, "h_0"], ["h_n"], body=body)],
        "graph",
        [info("h_0", FLOAT, [1])],
        [info("h_n", FLOAT, [1])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return int(session.run(None, {"h_0": np.float32([0])})[0][0])


stated, left_out = steps("true"), steps("")
print(f"a condition: {stated} of 3 steps")
print(f"no condition: {left_out} of 3 steps")
if (stated, left_out) == (1, 1):
    print("a Loop without a condition still stops by the one that its body gives")
else:
    sys.exit("this has changed")
EOF
