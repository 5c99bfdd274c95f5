"""A multilayer perceptron whose weights and activations are cast to a format, and whose matrix products any GEMM forms.

The products' sums are decoded; bias, ReLU and scales are float64. For integers that a :class:`hdl.Requantizer` takes
there is :func:`polymac.golden.quantize_mlp`, in which these are integers as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import golden
from ...golden.formats import BlockFormat, Format

Reals = NDArray[np.float64]
#: Codes, or for a block format (scales, elements).
Operand = Any
#: Operands (M, K) and (K, N) to the sums of products, as real numbers.
Gemm = Callable[[Operand, Operand], Reals]

#: Exponent of the largest magnitude after scaling, at most: far from overflow in formats with a wide range.
_TARGET_EXPONENT = 4
#: Bits of the largest magnitude of wide integers, at most: sums of 64 products of them fit 64 bits.
_INTEGER_BITS = 28


@dataclass(frozen=True)
class Affine:
    """x ≈ offset + scale · value, scale a number or one for each column."""

    scale: Reals
    offset: float = 0.0


@dataclass(frozen=True)
class CastLayer:
    """A layer: the operands that stand for its weights, whose products are added with these factors, and its bias.

    ``weights`` holds one matrix or, in a format without negative numbers, two: the positive and the negative
    weights. ``columns`` are the sums of each matrix' columns, for the offset of the activations.
    """

    weights: list[tuple[float, Operand]]
    weight: Affine
    columns: Reals
    input: Affine
    bias: Reals


@dataclass(frozen=True)
class CastMlp:
    """Layers with ReLU between them, in one format."""

    fmt: Format | BlockFormat
    layers: list[CastLayer]


def cast_mlp(mlp: golden.FloatMlp, calibration: Reals, fmt: Format | BlockFormat) -> CastMlp:
    """Cast a network, with scales of activations from the calibration inputs.

    Floats: a power of two per tensor, so that the largest magnitude has the exponent of the largest number, or 2^4 where
    that is less. Fixed point: the largest magnitude becomes the largest number. One bit: signs of what lies above and
    below the activations' mean, and of the weights, whose scale is one per column (XNOR-Net). Block formats scale
    themselves, along K.
    """
    layers, x = [], calibration
    for layer in mlp.layers:
        activation = _affine(x, fmt)
        weight = _affine(layer.weight, fmt, columns=True)
        parts = [(1.0, layer.weight)]
        if not _signed(fmt):
            parts = [(1.0, np.maximum(layer.weight, 0)), (-1.0, np.maximum(-layer.weight, 0))]
        weights = [(sign, _encode(part, fmt, weight, axis=0)) for sign, part in parts]
        columns = sum((sign * _decode(part, fmt, axis=0).sum(axis=0) for sign, part in weights), np.zeros(1))
        layers.append(CastLayer(weights, weight, columns, activation, layer.bias))
        x = np.maximum(x @ layer.weight + layer.bias, 0)
    return CastMlp(fmt, layers)


def forward(mlp: CastMlp, x: Reals, gemm: Gemm) -> Reals:
    """Logits (M, N) of inputs (M, K)."""
    for index, layer in enumerate(mlp.layers):
        codes = _encode(x, mlp.fmt, layer.input, axis=1)
        products = sum((sign * gemm(codes, weight) for sign, weight in layer.weights), np.zeros(1))
        x = layer.weight.scale * (layer.input.scale * products + layer.input.offset * layer.columns) + layer.bias
        if index < len(mlp.layers) - 1:
            x = np.maximum(x, 0)
    return x


def decoded_gemm(fmt: Format | BlockFormat) -> Gemm:
    """The products of operands in a format, decoded and summed in float64: what an accumulator without error gives."""
    return lambda a, b: _decode(a, fmt, axis=1) @ _decode(b, fmt, axis=0)


def _signed(fmt: Format | BlockFormat) -> bool:
    element = fmt.element if isinstance(fmt, BlockFormat) else fmt
    return element.signed or element.kind == "binary"


def _affine(x: Reals, fmt: Format | BlockFormat, columns: bool = False) -> Affine:
    """The scale of a tensor; for one bit with an offset, or the scale of each column where ``columns``."""
    largest = float(np.abs(x).max())
    if isinstance(fmt, BlockFormat):
        if fmt.tensor_scale is None:
            return Affine(np.ones(1))
        # The scale of the tensor, of which the array knows nothing: the same for all inputs.
        code = golden.encode_blocks(_padded(x, fmt, 1), fmt, axis=1)[2]
        return Affine(np.asarray(golden.decode(code, fmt.tensor_scale)))
    if fmt.kind == "binary":
        if columns:
            return Affine(np.abs(x).mean(axis=0))
        return Affine(np.asarray(np.abs(x - x.mean()).mean()), float(x.mean()))
    if fmt.kind == "fixed":
        return Affine(np.asarray(largest / min(float(fmt.max), float(1 << _INTEGER_BITS) / 2.0**fmt.frac_bits)))
    exponent = np.floor(np.log2(largest)) - min(fmt.max_exponent, _TARGET_EXPONENT)
    return Affine(np.asarray(2.0**exponent))


def _encode(x: Reals, fmt: Format | BlockFormat, scaling: Affine, axis: int) -> Operand:
    """The operand of an array that stands for ``x``, K along ``axis``."""
    if isinstance(fmt, BlockFormat):
        x = _padded(x, fmt, axis)
        if fmt.tensor_scale is None:
            return golden.encode_blocks(x, fmt, axis=axis)
        return golden.encode_blocks(x, fmt, axis=axis, tensor_scale=golden.encode(scaling.scale, fmt.tensor_scale))[:2]
    if fmt.kind == "binary":
        return (x > scaling.offset).astype(golden.code_dtype(fmt))
    scaled = (x - scaling.offset) / scaling.scale
    if not fmt.has_zero:
        scaled = np.maximum(scaled, float(fmt.min_positive))
    return golden.encode(scaled, fmt, overflow="saturate")


def _decode(operand: Operand, fmt: Format | BlockFormat, axis: int) -> Reals:
    if not isinstance(fmt, BlockFormat):
        return golden.decode(operand, fmt)
    tensor_scale = () if fmt.tensor_scale is None else (golden.encode(1.0, fmt.tensor_scale),)
    return golden.decode_blocks((*operand, *tensor_scale), fmt, axis=axis)


def _padded(x: Reals, fmt: BlockFormat, axis: int) -> Reals:
    """Zero-padded to whole blocks."""
    missing = -x.shape[axis] % fmt.block_size
    return np.pad(x, [(0, missing if here == axis else 0) for here in (0, 1)])
