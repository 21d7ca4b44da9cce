"""TensorFlow.js's layers models, written as its converter lays them out: ``model.json`` and shards.

A quantised array is q * scale + min; of float16 each number is rounded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

Array = Any


def write(
    folder: Path,
    config: Mapping[str, Any],
    weights: Mapping[str, Array],
    packed: str = "",
    version: str = "2.4.0",
    shards: int = 2,
) -> tuple[Path, dict[str, Array]]:
    """The path of ``model.json``, and the arrays as a reader finds them."""
    entries, data, found = [], b"", {}
    for name, array in weights.items():
        array = np.asarray(array, np.float32)
        entry: dict[str, Any] = {"name": name, "shape": list(array.shape), "dtype": "float32"}
        if packed == "float16":
            stored = array.astype("<f2")
            entry["quantization"] = {"dtype": packed, "original_dtype": "float32"}
            found[name] = stored.astype(np.float32)
        elif packed:
            most = np.iinfo(packed).max
            least, scale = float(array.min()), float(array.max() - array.min()) / most or 1.0
            stored = np.round((array - least) / scale).astype(np.dtype(packed).newbyteorder("<"))
            entry["quantization"] = {"dtype": packed, "min": least, "scale": scale}
            found[name] = (stored * np.float64(scale) + least).astype(np.float32)
        else:
            stored = found[name] = array
        entries.append(entry)
        data += stored.astype(stored.dtype.newbyteorder("<")).tobytes()
    size = -(-len(data) // shards)
    paths = [f"group1-shard{k + 1}of{shards}.bin" for k in range(shards)]
    for k, path in enumerate(paths):
        (folder / path).write_bytes(data[k * size : (k + 1) * size])
    value = {
        "format": "layers-model",
        "generatedBy": f"keras v{version}",
        "convertedBy": "TensorFlow.js Converter v4.22.0",
        "modelTopology": {"keras_version": version, "model_config": config},
        "weightsManifest": [{"paths": paths, "weights": entries}],
    }
    path = folder / "model.json"
    path.write_text(json.dumps(value))
    return path, found
