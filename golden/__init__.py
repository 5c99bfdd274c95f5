"""NumPy models of every number format and of quantized GEMM: what every bit of the hardware must be."""

from .arithmetic import multiply
from .array import OutputStationary, Trace
from .calibrate import (
    Calibration,
    Entropy,
    MeanSquareError,
    MeanStd,
    MinMax,
    MovingAverage,
    Percentile,
)
from .codec import decode, encode
from .codes import code_dtype, from_int, to_int
from .formats import FORMATS, Flag, Format, ParameterError, format
from .gemm import exact_depth, gemm
from .network import FloatLayer, FloatMlp, QuantizedLayer, QuantizedMlp, forward, forward_float, quantize_mlp
from .quantize import Quantization, dequantize, qgemm, quantize
from .requantize import float_scale, quantize_multiplier, requantize, rescale, rescale_float

__all__ = [
    "FORMATS",
    "Calibration",
    "Entropy",
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
    "Quantization",
    "QuantizedLayer",
    "QuantizedMlp",
    "Trace",
    "code_dtype",
    "decode",
    "dequantize",
    "encode",
    "exact_depth",
    "float_scale",
    "format",
    "forward",
    "forward_float",
    "from_int",
    "gemm",
    "multiply",
    "qgemm",
    "quantize",
    "quantize_mlp",
    "quantize_multiplier",
    "requantize",
    "rescale",
    "rescale_float",
    "to_int",
]
