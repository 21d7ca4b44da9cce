#!/bin/sh
# silero-vad 6.2.3, onnxruntime 1.32.0, Python 3.11
#
# The package has one voice detector, an LSTM, in several files. They are not one network:
# silero_vad_half.onnx and silero_vad_16k.safetensors have weights of their own, those of neither
# silero_vad.onnx nor each other. On the same fifth of a second of buzzing, where silero_vad.onnx
# has 0.10 at most after the first window, silero_vad_half.onnx says 0.70: speech.
#
# Guess: one network in other formats and precisions, apart by the rounding of float16 at most.
#
# Output seen:
#     silero_vad.onnx              0.142 0.096 0.020 0.007 0.004 0.003
#     silero_vad_16k_op15.onnx     0.142 0.096 0.020 0.007 0.004 0.003
#     silero_vad_openvino_16k.onnx 0.142 0.096 0.020 0.007 0.004 0.003
#     silero_vad_op18_ifless.onnx  0.142 0.096 0.020 0.007 0.004 0.003
#     silero_vad_half.onnx         0.690 0.701 0.586 0.367 0.265 0.191
#     last convolution of silero_vad_16k.safetensors is in silero_vad.onnx: False
#     its Fourier transform is: True
#     two of the files are still other networks

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -qq --disable-pip-version-check --no-deps \
    onnxruntime==1.32.0 flatbuffers==25.12.19 numpy==2.4.6 packaging==26.4 protobuf==7.36.2 \
    safetensors==0.8.0 || exit 2
"$dir/venv/bin/pip" install -qq --disable-pip-version-check --no-deps --target "$dir/models" \
    silero-vad==6.2.3 || exit 2
cd "$dir/models/silero_vad/data"
"$dir/venv/bin/python" - <<'EOF'
import sys

import numpy as np
import onnxruntime
from safetensors.numpy import load_file

onnxruntime.set_default_logger_severity(3)
RATE, STEP, BEFORE = 16000, 512, 64 # a window is 512 samples, and the 64 before it
FILES = ("silero_vad.onnx", "silero_vad_16k_op15.onnx", "silero_vad_openvino_16k.onnx",
         "silero_vad_op18_ifless.onnx", "silero_vad_half.onnx")

time = np.arange(RATE) / RATE
phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 3 * time)) / RATE
loud = [np.exp(-(((k * 120 - 600) / 500) ** 2)) / k for k in range(1, 25)] # a formant at 600 Hz
buzz = sum(a * np.sin(k * phase) for k, a in enumerate(loud, 1))
buzz = (0.5 * buzz / abs(buzz).max()).astype("float32")


def chances(path, windows=6):
    """What a file says of each window, from a state of zeros."""
    session = onnxruntime.InferenceSession(path)
    known = {i.name for i in session.get_inputs()}
    state, before = np.zeros((2, 1, 128), "float32"), np.zeros((1, BEFORE), "float32")
    said = []
    for start in range(0, windows * STEP, STEP):
        window = buzz[None, start : start + STEP]
        feeds = {"input": np.concatenate([before, window], axis=1), "state": state, "sr": np.array(RATE)}
        chance, state = session.run(None, {k: v for k, v in feeds.items() if k in known})
        said.append(float(chance.ravel()[0]))
        before = window[:, -BEFORE:]
    return np.array(said)


seen = {path: chances(path) for path in FILES}
for path, said in seen.items():
    print(f"{path:28}", *(f"{chance:.3f}" for chance in said))
apart = {path: abs(said - seen[FILES[0]]).max() for path, said in seen.items()}


def is_in(name, other):
    """Whether the bytes of a tensor of the .safetensors file are somewhere in another file."""
    weight = load_file("silero_vad_16k.safetensors")[name]
    with open(other, "rb") as file:
        return weight.tobytes() in file.read()


own, control = (is_in(name, FILES[0]) for name in ("final_conv.weight", "stft_conv.weight"))
print("last convolution of silero_vad_16k.safetensors is in silero_vad.onnx:", own)
print("its Fourier transform is:", control)
if max(apart[p] for p in FILES[:4]) < 1e-5 and apart[FILES[4]] > 0.1 and not own and control:
    print("two of the files are still other networks")
else:
    sys.exit("this has changed")
EOF
