#!/bin/sh
# ray 2.60.0, pyarrow 26.0.1, Python 3.11
#
# A function of Ray Data's map_batches that gives an array [steps, features] for each row, as a
# recurrent model does, has its column written to Parquet by write_parquet in one of two types: a
# struct of numbers and a shape or, where the sequences of a file happen to have equally many steps,
# a list of all numbers of a row. A folder with files of both types is read by neither pyarrow nor
# pandas: the job succeeds, and what it wrote cannot be loaded. The control, the same results as
# lists of pyarrow's (batch_format="pyarrow"), is lists of lists in every file.
#
# Guess: lists of lists of numbers in every file, as the input had.
#
# Output seen:
#     steps 3 and 5: struct<data: large_list<element: float>, shape: list<element: int64>>
#     steps 4 and 4: large_list<element: float>
#     the folder: Unsupported cast from struct<data: ...> to large_list ... (or the reverse)
#     as lists of pyarrow's: list<element: list<element: float>>
#     the type still depends on whether sequences have equally many steps

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -qq --disable-pip-version-check --no-deps \
    ray==2.60.0 attrs==26.1.0 certifi==2026.10.19.post1 charset-normalizer==3.5.3 click==8.5.1 \
    filelock==4.3.1 fsspec==2026.9.0 idna==3.20 jsonschema==4.26.0 \
    jsonschema-specifications==2025.9.1 msgpack==1.2.4 numpy==2.4.6 packaging==26.4 pandas==3.1.1 \
    protobuf==7.36.2 pyarrow==26.0.1 python-dateutil==4.0.0 pyyaml==6.0.4 referencing==0.37.0 \
    requests==2.34.2 rpds-py==2026.9.1 typing-extensions==4.16.0 tzdata==2026.6 \
    urllib3==2.8.0 || exit 2
cd "$dir"
cat > job.py <<'EOP'
import numpy as np
import pyarrow as pa
import ray

ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)


def as_arrays(batch):
    y = np.empty(len(batch["steps"]), object)
    for row, steps in enumerate(batch["steps"]):
        y[row] = np.ones((steps, 2), np.float32)
    return {"y": y}


def as_lists(batch):
    lists = [[[1.0, 1.0]] * steps for steps in batch.column("steps").to_pylist()]
    return pa.table({"y": pa.array(lists, pa.list_(pa.list_(pa.float32())))})


for steps in ([3, 5], [4, 4]):
    rows = ray.data.from_items([{"steps": n} for n in steps], override_num_blocks=1)
    rows.map_batches(as_arrays, batch_format="numpy").write_parquet("arrays")
    rows.map_batches(as_lists, batch_format="pyarrow").write_parquet("lists")
EOP
RAY_USAGE_STATS_ENABLED=0 RAY_DATA_DISABLE_PROGRESS_BARS=1 "$dir/venv/bin/python" job.py \
    >job.log 2>&1 || { cat job.log; exit 1; }
"$dir/venv/bin/python" - <<'EOP' # without Ray, which knows the types as its own
import sys
from pathlib import Path

import pyarrow.parquet as pq

types = [pq.read_schema(file).field("y").type for file in Path("arrays").glob("*.parquet")]
struct = [str(kind) for kind in types if str(kind).startswith("struct")]
lists = [str(kind) for kind in types if not str(kind).startswith("struct")]
print("steps 3 and 5:", *struct)
print("steps 4 and 4:", *lists)
try:
    pq.read_table("arrays")
    readable = True
except Exception as error:
    readable = False
    print("the folder:", error)
control = {str(pq.read_schema(file).field("y").type) for file in Path("lists").glob("*.parquet")}
print("as lists of pyarrow's:", *control)
if len(struct) == len(lists) == len(control) == 1 and not readable:
    print("the type still depends on whether sequences have equally many steps")
else:
    sys.exit("this has changed")
EOP
