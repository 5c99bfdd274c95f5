"""NumPy models of every number format and of quantized GEMM: what every bit of the hardware must be."""

from .accumulate import Aligned, Exact, Rounded
from .arithmetic import add, fma, multiply
from .array import OutputStationary, Trace
from .binary import pack_bits, xnor_gemm
from .block_gemm import block_dot, block_gemm
from .calibrate import Calibration, Entropy, MeanSquareError, MeanStd, MinMax, MovingAverage, Percentile
from .codec import decode, encode
from .codes import code_dtype, from_int, to_int
from .dot import dot
from .exact import exact_product, exact_sum, unpacked_product
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
from .gemm import exact_depth, gemm
from .network import FloatLayer, FloatMlp, QuantizedLayer, QuantizedMlp, forward, forward_float, quantize_mlp
from .presets import PRESETS, Preset, preset
from .quantize import Quantization, dequantize, qgemm, quantize
from .requantize import float_scale, quantize_multiplier, requantize, rescale, rescale_float
from .sparse import Sparse, compress, sparse_gemm
from .unpacked import UnpackedProduct, multiply_unpacked
from .weight_stationary import WeightStationary

__all__ = [
    "BLOCK_FORMATS",
    "FORMATS",
    "PRESETS",
    "Aligned",
    "BlockFormat",
    "Calibration",
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
    "dequantize",
    "dot",
    "encode",
    "exact_depth",
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
    "to_int",
    "unpacked_product",
    "xnor_gemm",
]
