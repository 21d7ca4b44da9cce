"""Write a model as C source for a device: no file system, no heap.

OUTDIR gets NAME.c and NAME.h, the model with its weights as constants and its memory as static
arrays, and rnn_native.c with its headers, the library without what the model does not need. Any C11
compiler takes them. Where OUTDIR has an exported model of another name, this one is added to it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from ..spec.products import COMPUTES
from ..spec.stored import STORED
from .arguments import add_dtype, add_file, count, read_file

EXAMPLES: Final = """\
examples:
  rnn-native export-c model.safetensors firmware/model
  rnn-native export-c vad.onnx firmware/models --name vad --isa baseline --batch 2
  rnn-native export-c tagger.pt out --max-steps 50
  rnn-native export-c model.safetensors out --weights int8 --keep 1
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_file(parser, metavar="MODEL")
    add("outdir", type=Path, metavar="OUTDIR", help="the folder, made where it is not there")
    add("--name", help="how all names begin (default: MODEL's without its suffix)")
    add(
        "--isa", default="scalar", metavar="NAME",
        help="kernels that the weights are packed for: scalar (plain C, the default), baseline "
        "(vectors of GCC and Clang), neon, avx2 or avx512",
    )  # fmt: skip
    add("--batch", type=count, default=1, metavar="N", help="rows side by side (default 1)")
    add(
        "--max-steps", type=count, default=1, metavar="N",
        help="steps at once (default 1); where a layer runs in reverse, the longest sequence",
    )  # fmt: skip
    add_dtype(parser, "what is computed in (default: what MODEL says, else float32)")
    add(
        "--weights", choices=STORED,
        help="what matrices are written as (default: what MODEL says unless --dtype does, else "
        "the type computed in)",
    )  # fmt: skip
    add(
        "--compute", choices=COMPUTES,
        help="what both sides of products are rounded to, of --isa avx512 (default: what MODEL "
        "says unless --dtype or --weights does)",
    )  # fmt: skip
    add(
        "--keep", nargs="+", metavar="NAME",
        help="layers whose matrices stay in the type computed in (default: those that MODEL names)",
    )  # fmt: skip
    add("--force", action="store_true", help="overwrite files that are not of this command")


def run(arguments: argparse.Namespace) -> None:
    from ..export import export_c, names

    name = arguments.name
    spec, said = read_file(arguments)
    weights, compute = arguments.weights, arguments.compute
    if weights is None and compute is None and arguments.dtype is None:
        weights, compute = said.weight_dtype, said.compute
    paths = export_c(
        spec,
        arguments.outdir,
        names.of_file(arguments.file.stem) if name is None else name,
        isa=arguments.isa,
        batch=arguments.batch,
        max_steps=arguments.max_steps,
        dtype=arguments.dtype or said.dtype,
        weight_dtype=weights,
        compute=compute,
        keep=arguments.keep,
        force=arguments.force,
    )
    for path in paths:
        print(path)
