#!/bin/sh
# flax 0.12.8 (linen) on jax 0.10.2, Python 3.11, on a CPU
#
# nn.RNN over a cell with dtype=bfloat16, fed with bfloat16: LSTMCell, OptimizedLSTMCell, GRUCell
# and MGUCell return float32, outputs and carry, since the carry begins as float32 and wins.
# SimpleCell cannot run at all: its new carry is bfloat16, and jax.lax.scan refuses a carry that
# changes its type. With dtype=float32 all five run.
#
# Guess: bfloat16 outputs of all five, the carry bfloat16 or float32.
#
# Output seen:
#     LSTMCell: outputs float32, carry float32
#     OptimizedLSTMCell: outputs float32, carry float32
#     GRUCell: outputs float32, carry float32
#     MGUCell: outputs float32, carry float32
#     SimpleCell: TypeError
#     SimpleCell with dtype=float32: outputs float32, carry float32
#     dtype=bfloat16 still gives float32, or an error

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -qq --disable-pip-version-check --no-deps \
    flax==0.12.8 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6 opt-einsum==3.4.0 scipy==1.17.1 \
    ml-dtypes==0.6.0 msgpack==1.2.4 optax==0.2.8 orbax-checkpoint==0.12.8 etils==1.15.0 \
    pyyaml==6.0.4 rich==15.0.0 markdown-it-py==4.3.0 mdurl==0.1.2 pygments==2.21.0 \
    tensorstore==0.1.86 treescope==0.1.10 typing-extensions==4.16.0 absl-py==2.5.1 \
    aiofiles==25.1.0 humanize==4.17.0 protobuf==7.36.2 || exit 2
cd "$dir"
JAX_PLATFORMS=cpu "$dir/venv/bin/python" - <<'EOF'
import sys

import flax.linen as nn
import jax
import jax.numpy as jnp

x = jax.random.normal(jax.random.key(0), (2, 5, 3))


def types(cell, dtype):
    layer = nn.RNN(cell(4, dtype=dtype), return_carry=True)
    try:
        (carry, y), _ = layer.init_with_output(jax.random.key(1), x.astype(dtype))
    except TypeError:
        return "TypeError"
    kinds = {str(c.dtype) for c in jax.tree_util.tree_leaves(carry)}
    return f"outputs {y.dtype}, carry {' and '.join(sorted(kinds))}"


same = True
for cell in (nn.LSTMCell, nn.OptimizedLSTMCell, nn.GRUCell, nn.MGUCell, nn.SimpleCell):
    seen = types(cell, jnp.bfloat16)
    print(f"{cell.__name__}: {seen}")
    same &= seen == ("TypeError" if cell is nn.SimpleCell else "outputs float32, carry float32")
seen = types(nn.SimpleCell, jnp.float32)
print(f"SimpleCell with dtype=float32: {seen}")
if same and seen == "outputs float32, carry float32":
    print("dtype=bfloat16 still gives float32, or an error")
else:
    sys.exit("this has changed")
EOF
