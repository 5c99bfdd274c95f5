"""NumPy models of every number format and of quantized GEMM: what every bit of the hardware must be."""

from .arithmetic import multiply
from .array import OutputStationary, Trace
from .codec import decode, encode
from .codes import code_dtype, from_int, to_int
from .formats import FORMATS, Flag, Format, ParameterError, format
from .gemm import exact_depth, gemm
from .network import FloatLayer, FloatMlp, QuantizedLayer, QuantizedMlp, forward, forward_float, quantize_mlp
from .quantize import MinMax, Quantization, dequantize, quantize
from .requantize import quantize_multiplier, requantize, rescale

__all__ = [
    "FORMATS",
    "Flag",
    "FloatLayer",
    "FloatMlp",
    "Format",
    "MinMax",
    "OutputStationary",
    "ParameterError",
    "Quantization",
    "QuantizedLayer",
    "QuantizedMlp",
    "Trace",
    "code_dtype",
    "decode",
    "dequantize",
    "encode",
    "exact_depth",
    "format",
    "forward",
    "forward_float",
    "from_int",
    "gemm",
    "multiply",
    "quantize",
    "quantize_mlp",
    "quantize_multiplier",
    "requantize",
    "rescale",
    "to_int",
]
