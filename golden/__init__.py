"""NumPy models of every number format and of quantized GEMM: what every bit of the hardware must be."""

from .accuracy.dot_error import DotError, dot_error, dot_error_table
from .accuracy.noise import Noise, noise_table, sqnr_db
from .accuracy.tensors import draw
from .arithmetic.operations import add, fma, multiply
from .arithmetic.unpacked import UnpackedProduct, multiply_unpacked
from .arrays.output_stationary import OutputStationary, Trace
from .arrays.weight_stationary import WeightStationary
from .codec.block import decode_blocks, encode_blocks
from .codec.codes import code_dtype, from_int, to_int
from .codec.scalar import decode, encode
from .formats import (
    BLOCK_FORMATS,
    FORMATS,
    BlockFormat,
    Flag,
    Format,
    ParameterError,
    any_format,
    block_format,
    format,
    load_formats,
    register,
)
from .formats.accelerators import PRESETS, Preset, preset
from .formats.accumulation import Aligned, Exact, Rounded
from .formats.derived import exact_product, exact_sum, unpacked_product
from .quantization.affine import Quantization, dequantize, qgemm, quantize
from .quantization.calibration import Calibration
from .quantization.histogram_calibration import Entropy, MeanSquareError, Percentile
from .quantization.mlp import FloatLayer, FloatMlp, QuantizedLayer, QuantizedMlp, forward, forward_float, quantize_mlp
from .quantization.range_calibration import MeanStd, MinMax, MovingAverage
from .quantization.requantize import float_scale, quantize_multiplier, requantize, rescale, rescale_float
from .sums.block import block_dot, block_gemm
from .sums.dot import dot
from .sums.gemm import exact_k, gemm
from .sums.sparse import Sparse, compress, sparse_gemm
from .sums.xnor import pack_bits, xnor_gemm

#: What :func:`exact_k` was called up to version 0.2.

__all__ = [
    "BLOCK_FORMATS",
    "FORMATS",
    "PRESETS",
    "Aligned",
    "BlockFormat",
    "Calibration",
    "DotError",
    "Entropy",
    "Exact",
    "Flag",
    "FloatLayer",
    "FloatMlp",
    "Format",
    "MeanSquareError",
    "MeanStd",
    "MinMax",
    "MovingAverage",
    "Noise",
    "OutputStationary",
    "ParameterError",
    "Percentile",
    "Preset",
    "Quantization",
    "QuantizedLayer",
    "QuantizedMlp",
    "Rounded",
    "Sparse",
    "Trace",
    "UnpackedProduct",
    "WeightStationary",
    "add",
    "any_format",
    "block_dot",
    "block_format",
    "block_gemm",
    "code_dtype",
    "compress",
    "decode",
    "decode_blocks",
    "dequantize",
    "dot",
    "dot_error",
    "dot_error_table",
    "draw",
    "encode",
    "encode_blocks",
    "exact_k",
    "exact_product",
    "exact_sum",
    "float_scale",
    "fma",
    "format",
    "forward",
    "forward_float",
    "from_int",
    "gemm",
    "load_formats",
    "multiply",
    "multiply_unpacked",
    "noise_table",
    "pack_bits",
    "preset",
    "qgemm",
    "quantize",
    "quantize_mlp",
    "quantize_multiplier",
    "register",
    "requantize",
    "rescale",
    "rescale_float",
    "sparse_gemm",
    "sqnr_db",
    "to_int",
    "unpacked_product",
    "xnor_gemm",
]
