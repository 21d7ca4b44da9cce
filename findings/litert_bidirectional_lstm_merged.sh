#!/bin/sh
# ai-edge-litert 2.3.0 (TensorFlow Lite's interpreter), Python 3.11, on a CPU
#
# BIDIRECTIONAL_SEQUENCE_LSTM with merge_outputs and the batch first: from the second row of a batch
# on, the merged output has other numbers than the same weights give with an output for each
# direction; they can differ from one interpreter to the next, on one input. One row, time_major,
# and outputs that are not merged are right.
#
# Guess: the merged output is both outputs side by side, whatever the batch.
#
# Output seen:
#     batch 1, batch first: merged is both outputs
#     batch 2, time first: merged is both outputs
#     batch 2, batch first: row 0 is right, row 1 is not
#     a merged output has other numbers from its second row on

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -qq --disable-pip-version-check --no-deps \
    ai-edge-litert==2.3.0 flatbuffers==25.12.19 numpy==2.4.6 || exit 2
cd "$dir"
"$dir/venv/bin/python" - 2>/dev/null <<'EOF'
import sys

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as s
from ai_edge_litert.interpreter import Interpreter, OpResolverType

STEPS, INPUTS, UNITS = 5, 3, 4


def model(batch, merged, time_major):
    rng = np.random.default_rng(0)
    buffers, tensors = [s.BufferT()], []

    def tensor(*shape, data=None, variable=False):
        one = s.TensorT()
        one.shape, one.name, one.isVariable = list(shape), f"t{len(tensors)}", variable
        if data is not None:
            buffer = s.BufferT()
            buffer.data = np.frombuffer(data.astype("f4").tobytes(), np.uint8)
            buffers.append(buffer)
            one.buffer = len(buffers) - 1
        tensors.append(one)
        return len(tensors) - 1

    def weights():
        shapes = [(UNITS, INPUTS)] * 4 + [(UNITS, UNITS)] * 4 + [None] * 3 + [(UNITS,)] * 4
        shapes += [None] * 2  # no peepholes, no projection
        return [-1 if n is None else tensor(*n, data=rng.normal(0, 0.5, n)) for n in shapes]

    sizes = (STEPS, batch) if time_major else (batch, STEPS)
    x = tensor(*sizes, INPUTS)
    inputs = [x, *weights(), *weights()]
    inputs += [tensor(batch, UNITS, variable=True) for _ in range(4)] + [-1] * 9
    outputs = [tensor(*sizes, UNITS * (1 + merged)) for _ in range(2 - merged)]
    options = s.BidirectionalSequenceLSTMOptionsT()
    options.fusedActivationFunction = s.ActivationFunctionType.TANH
    options.mergeOutputs, options.timeMajor = merged, time_major
    operator, graph, code = s.OperatorT(), s.SubGraphT(), s.OperatorCodeT()
    operator.inputs, operator.outputs = inputs, outputs
    operator.builtinOptionsType = s.BuiltinOptions.BidirectionalSequenceLSTMOptions
    operator.builtinOptions = options
    graph.tensors, graph.inputs, graph.outputs, graph.operators = tensors, [x], outputs, [operator]
    code.builtinCode = code.deprecatedBuiltinCode = s.BuiltinOperator.BIDIRECTIONAL_SEQUENCE_LSTM
    whole = s.ModelT()
    whole.version, whole.subgraphs, whole.buffers = 3, [graph], buffers
    whole.operatorCodes = [code]
    builder = flatbuffers.Builder(0)
    builder.Finish(whole.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def run(content, x):
    kind = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=kind)
    interpreter.allocate_tensors()
    interpreter.reset_all_variables()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    found = [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]
    return np.concatenate(found, axis=-1)


def rows(batch, time_major):
    """Of each row, whether the merged output is both outputs side by side, in each of ten runs."""
    shape = (STEPS, batch, INPUTS) if time_major else (batch, STEPS, INPUTS)
    x = np.random.default_rng(1).normal(0, 1, shape).astype("f4")
    apart = run(model(batch, False, time_major), x)
    equal = np.ones(batch, bool)
    for _ in range(10):
        same = np.isclose(run(model(batch, True, time_major), x), apart, atol=1e-5)
        equal &= same.all(axis=(0, 2) if time_major else (1, 2))
    return equal.tolist()


one, time_first, batch_first = rows(1, False), rows(2, True), rows(2, False)
print(f"batch 1, batch first: merged is {'both outputs' if all(one) else 'something else'}")
print(f"batch 2, time first: merged is {'both outputs' if all(time_first) else 'something else'}")
words = ", ".join(f"row {i} is {'right' if ok else 'not'}" for i, ok in enumerate(batch_first))
print(f"batch 2, batch first: {words}")
if all(one) and all(time_first) and batch_first == [True, False]:
    print("a merged output has other numbers from its second row on")
else:
    print("a merged output is right, or wrong in another way")
    sys.exit(1)
EOF
