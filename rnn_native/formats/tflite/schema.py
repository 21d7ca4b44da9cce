"""Numbers of the schema of TensorFlow Lite's files: fields of tables, codes of operators and types.

They are those of tensorflow/compiler/mlir/lite/schema/schema.fbs, version 3, named as there.
"""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType
from typing import Final

IDENTIFIER: Final = b"TFL3"


class Model(IntEnum):
    VERSION, OPERATOR_CODES, SUBGRAPHS, DESCRIPTION, BUFFERS, _, METADATA, SIGNATURE_DEFS = range(8)


class OperatorCode(IntEnum):
    DEPRECATED_BUILTIN_CODE, CUSTOM_CODE, VERSION, BUILTIN_CODE = range(4)


class SubGraph(IntEnum):
    TENSORS, INPUTS, OUTPUTS, OPERATORS, NAME = range(5)


class Tensor(IntEnum):
    SHAPE, TYPE, BUFFER, NAME, QUANTIZATION, IS_VARIABLE, SPARSITY, SHAPE_SIGNATURE = range(8)


class Quantization(IntEnum):
    MIN, MAX, SCALE, ZERO_POINT, DETAILS_TYPE, DETAILS, QUANTIZED_DIMENSION = range(7)


class Operator(IntEnum):
    OPCODE_INDEX, INPUTS, OUTPUTS, _OPTIONS_TYPE, BUILTIN_OPTIONS = range(5)


class Buffer(IntEnum):
    DATA, OFFSET, SIZE = range(3)


class Metadata(IntEnum):
    NAME, BUFFER = range(2)


class Signature(IntEnum):
    INPUTS, OUTPUTS, SIGNATURE_KEY = range(3)


class TensorMap(IntEnum):
    NAME, TENSOR_INDEX = range(2)


TYPES: Final = (
    "FLOAT", "FLOAT16", "INT32", "UINT8", "INT64", "STRING", "BOOL", "INT16", "COMPLEX64", "INT8",
    "DOUBLE", "COMPLEX128", "UINT64", "RESOURCE", "VARIANT", "UINT32", "UINT16", "INT4", "BFLOAT16",
    "INT2", "UINT4", "FLOAT8E4M3FN", "FLOAT8E5M2",
)  # fmt: skip
"""Types of elements by their code, called as ONNX calls them."""

DTYPES: Final = MappingProxyType(
    {
        "FLOAT": "f4", "FLOAT16": "f2", "DOUBLE": "f8", "BOOL": "?", "INT8": "i1", "INT16": "i2",
        "INT32": "i4", "INT64": "i8", "UINT8": "u1", "UINT16": "u2", "UINT32": "u4", "UINT64": "u8",
    }
)  # fmt: skip
"""Those of numbers, as NumPy calls them."""

ACTIVATIONS: Final = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
"""Of ``fused_activation_function``, by their code."""

PLACEHOLDER: Final = 127
"""A code that says that ``BUILTIN_CODE`` has the operator's."""

OPERATORS: Final = (
    "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE",
    "DEQUANTIZE", "EMBEDDING_LOOKUP", "FLOOR", "FULLY_CONNECTED", "HASHTABLE_LOOKUP",
    "L2_NORMALIZATION", "L2_POOL_2D", "LOCAL_RESPONSE_NORMALIZATION", "LOGISTIC", "LSH_PROJECTION",
    "LSTM", "MAX_POOL_2D", "MUL", "RELU", "RELU_N1_TO_1", "RELU6", "RESHAPE", "RESIZE_BILINEAR",
    "RNN", "SOFTMAX", "SPACE_TO_DEPTH", "SVDF", "TANH", "CONCAT_EMBEDDINGS", "SKIP_GRAM", "CALL",
    "CUSTOM", "EMBEDDING_LOOKUP_SPARSE", "PAD", "UNIDIRECTIONAL_SEQUENCE_RNN", "GATHER",
    "BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND", "TRANSPOSE", "MEAN", "SUB", "DIV", "SQUEEZE",
    "UNIDIRECTIONAL_SEQUENCE_LSTM", "STRIDED_SLICE", "BIDIRECTIONAL_SEQUENCE_RNN", "EXP", "TOPK_V2",
    "SPLIT", "LOG_SOFTMAX", "DELEGATE", "BIDIRECTIONAL_SEQUENCE_LSTM", "CAST", "PRELU", "MAXIMUM",
    "ARG_MAX", "MINIMUM", "LESS", "NEG", "PADV2", "GREATER", "GREATER_EQUAL", "LESS_EQUAL",
    "SELECT", "SLICE", "SIN", "TRANSPOSE_CONV", "SPARSE_TO_DENSE", "TILE", "EXPAND_DIMS", "EQUAL",
    "NOT_EQUAL", "LOG", "SUM", "SQRT", "RSQRT", "SHAPE", "POW", "ARG_MIN", "FAKE_QUANT",
    "REDUCE_PROD", "REDUCE_MAX", "PACK", "LOGICAL_OR", "ONE_HOT", "LOGICAL_AND", "LOGICAL_NOT",
    "UNPACK", "REDUCE_MIN", "FLOOR_DIV", "REDUCE_ANY", "SQUARE", "ZEROS_LIKE", "FILL", "FLOOR_MOD",
    "RANGE", "RESIZE_NEAREST_NEIGHBOR", "LEAKY_RELU", "SQUARED_DIFFERENCE", "MIRROR_PAD", "ABS",
    "SPLIT_V", "UNIQUE", "CEIL", "REVERSE_V2", "ADD_N", "GATHER_ND", "COS", "WHERE", "RANK", "ELU",
    "REVERSE_SEQUENCE", "MATRIX_DIAG", "QUANTIZE", "MATRIX_SET_DIAG", "ROUND", "HARD_SWISH", "IF",
    "WHILE", "NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5", "SCATTER_ND", "SELECT_V2",
    "DENSIFY", "SEGMENT_SUM", "BATCH_MATMUL", "PLACEHOLDER_FOR_GREATER_OP_CODES", "CUMSUM",
    "CALL_ONCE", "BROADCAST_TO", "RFFT2D", "CONV_3D", "IMAG", "REAL", "COMPLEX_ABS", "HASHTABLE",
    "HASHTABLE_FIND", "HASHTABLE_IMPORT", "HASHTABLE_SIZE", "REDUCE_ALL", "CONV_3D_TRANSPOSE",
    "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "BROADCAST_ARGS", "RANDOM_STANDARD_NORMAL",
    "BUCKETIZE", "RANDOM_UNIFORM", "MULTINOMIAL", "GELU", "DYNAMIC_UPDATE_SLICE", "RELU_0_TO_1",
    "UNSORTED_SEGMENT_PROD", "UNSORTED_SEGMENT_MAX", "UNSORTED_SEGMENT_SUM", "ATAN2",
    "UNSORTED_SEGMENT_MIN", "SIGN", "BITCAST", "BITWISE_XOR", "RIGHT_SHIFT",
)  # fmt: skip
"""Operators by their code."""


class Activation(IntEnum):
    """Options of ADD, MUL, SUB, DIV and RNN."""

    FUSED_ACTIVATION_FUNCTION = 0


class BatchMatMul(IntEnum):
    ADJ_X, ADJ_Y = range(2)


class Cast(IntEnum):
    IN_DATA_TYPE, OUT_DATA_TYPE = range(2)


class Concatenation(IntEnum):
    AXIS, FUSED_ACTIVATION_FUNCTION = range(2)


class Conv2D(IntEnum):
    PADDING, STRIDE_W, STRIDE_H, FUSED_ACTIVATION_FUNCTION, DILATION_W, DILATION_H = range(6)


class DepthwiseConv2D(IntEnum):
    PADDING, STRIDE_W, STRIDE_H, _, FUSED_ACTIVATION_FUNCTION, DILATION_W, DILATION_H = range(7)


class FullyConnected(IntEnum):
    FUSED_ACTIVATION_FUNCTION, WEIGHTS_FORMAT, KEEP_NUM_DIMS = range(3)


class Gather(IntEnum):
    AXIS, BATCH_DIMS = range(2)


class Gelu(IntEnum):
    APPROXIMATE = 0


class LeakyRelu(IntEnum):
    ALPHA = 0


class Lstm(IntEnum):
    FUSED_ACTIVATION_FUNCTION, CELL_CLIP, PROJ_CLIP, KERNEL_TYPE = range(4)


class BidirectionalLstm(IntEnum):
    FUSED_ACTIVATION_FUNCTION, CELL_CLIP, PROJ_CLIP, MERGE_OUTPUTS, TIME_MAJOR = range(5)


class UnidirectionalLstm(IntEnum):
    FUSED_ACTIVATION_FUNCTION, CELL_CLIP, PROJ_CLIP, TIME_MAJOR, _ASYMMETRIC, DIAGONAL = range(6)


class MirrorPad(IntEnum):
    MODE = 0


class Pack(IntEnum):
    VALUES_COUNT, AXIS = range(2)


class Pool2D(IntEnum):
    (
        PADDING, STRIDE_W, STRIDE_H, FILTER_WIDTH, FILTER_HEIGHT, FUSED_ACTIVATION_FUNCTION,
    ) = range(6)  # fmt: skip


class Reducer(IntEnum):
    KEEP_DIMS = 0


class Reshape(IntEnum):
    NEW_SHAPE = 0


class ReverseSequence(IntEnum):
    SEQ_DIM, BATCH_DIM = range(2)


class SequenceRnn(IntEnum):
    TIME_MAJOR, FUSED_ACTIVATION_FUNCTION = range(2)


class BidirectionalRnn(IntEnum):
    TIME_MAJOR, FUSED_ACTIVATION_FUNCTION, MERGE_OUTPUTS = range(3)


class Softmax(IntEnum):
    BETA = 0


class Split(IntEnum):
    NUM_SPLITS = 0


class Squeeze(IntEnum):
    SQUEEZE_DIMS = 0


class StridedSlice(IntEnum):
    BEGIN_MASK, END_MASK, ELLIPSIS_MASK, NEW_AXIS_MASK, SHRINK_AXIS_MASK, OFFSET = range(6)


class Unpack(IntEnum):
    NUM, AXIS = range(2)


class While(IntEnum):
    COND_SUBGRAPH_INDEX, BODY_SUBGRAPH_INDEX = range(2)
