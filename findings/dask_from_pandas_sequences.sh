#!/bin/sh
# dask 2026.8.0, pandas 3.1.1, pyarrow 26.0.1, Python 3.11
#
# dask.dataframe.from_pandas makes text of a column of sequences, without a word: each NumPy array
# becomes what str() says of it, so that of a long one most numbers are gone. The column's type is
# string, and a model in map_partitions is given "[0. 1. 2. ... 1997. 1998. 1999.]". The control,
# the same frame written to Parquet and read by dask.dataframe.read_parquet, has arrays. So has
# from_pandas with dataframe.convert-string set to False, or a column of pandas.ArrowDtype.
#
# Guess: the arrays, as read_parquet has them; text is what columns of Python's str become.
#
# Output seen:
#     from_pandas: string, '[0.000e+00 1.000e+00 2.000e+00 ... 1.997e+03 1.998e+03 1.999e+03]'
#     read_parquet: object, ndarray of 2000
#     from_pandas still makes text of sequences

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -qq --disable-pip-version-check --no-deps \
    dask==2026.8.0 click==8.5.1 cloudpickle==3.1.3 fsspec==2026.9.0 importlib_metadata==10.2.0 \
    lazy-importer==0.1.0 locket==1.0.0 numpy==2.4.6 packaging==26.4 pandas==3.1.1 partd==1.4.2 \
    pyarrow==26.0.1 python-dateutil==4.0.0 pyyaml==6.0.4 toolz==1.2.0 typing-extensions==4.16.0 \
    tzdata==2026.6 zipp==4.1.2 || exit 2
cd "$dir"
"$dir/venv/bin/python" - <<'EOP'
import sys

import dask.dataframe as dd
import numpy as np
import pandas as pd

frame = pd.DataFrame({"x": [np.arange(2000, dtype=np.float32), np.zeros(3, np.float32)]})
frame.to_parquet("x.parquet")
made = dd.from_pandas(frame, npartitions=1)
read = dd.read_parquet("x.parquet")
text, array = made.compute()["x"].iloc[0], read.compute()["x"].iloc[0]
print(f"from_pandas: {made.dtypes['x'].name}, {text!r}")
print(f"read_parquet: {read.dtypes['x']}, {type(array).__name__} of {len(array)}")
if isinstance(text, str) and "..." in text and isinstance(array, np.ndarray):
    print("from_pandas still makes text of sequences")
else:
    sys.exit("this has changed")
EOP
