"""Between real numbers and blocks of codes with shared scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .block import BlockFormat
from .codec import decode, encode
from .codes import Integers, as_array, as_codes, code_dtype
from .formats import FLOAT_OVERFLOWS, ROUNDINGS, Format, ParameterError, block_format, choose

#: Floats of one dtype, float64 or float32.
Reals = NDArray[np.floating[Any]]

#: What becomes of a block with a NaN or an infinity: an error, or a block whose scale is NaN.
NONFINITE = ("error", "nan")
#: Numbers that are encoded at once, so that temporaries stay in the cache.
_CHUNK = 1 << 15
_LARGEST = np.finfo(np.float64).max
_FP32_MAX = np.finfo(np.float32).max


def encode_blocks(
    x: ArrayLike,
    fmt: str | BlockFormat,
    *,
    axis: int = -1,
    scale_rule: str | None = None,
    rounding: str | None = None,
    overflow: str = "saturate",
    symmetric: bool | None = None,
    nonfinite: str = "error",
    tensor_scale: ArrayLike | None = None,
) -> tuple[Integers, ...]:
    """Scales and elements of real numbers: each element is x / scale, exactly, rounded once.

    Scales that are powers of two: the exponent of the scale is floor(log2 amax) - floor(log2 element.max), taken from
    the bits of the block's largest magnitude amax; by "ceil" the least with which amax / scale is at most element.max.
    It is clamped to the scale's range; amax = 0 gives the least scale. With ``zero_scale`` numbers below the value of
    the scale's code 1 are zeros first.

    Rule "amax" computes the scale as NVIDIA's Transformer Engine does, each operation rounded to fp32: with a tensor
    scale S = scale.max · element.max / (amax of x), at most the largest fp32, 1 where that amax is 0 (and S = 1 in a
    format without tensor scale); the block's scale is block_amax · (S · (1 / element.max)), rounded to nearest even
    into ``scale``, saturating. The tensor scale is amax / (scale.max · element.max), again 1 for 0. Elements are
    x / (scale · tensor scale), the exact quotient rounded once (a *choice*: Transformer Engine multiplies by a rounded
    reciprocal); those of a block whose scale is 0 are 0.

    Parameters
    ----------
    x : array_like
        float64, float32, float16, or integers of magnitudes up to 2^53.
    fmt : str or BlockFormat
        The format.
    axis : int
        The axis along which blocks lie; its length is a multiple of ``block_size``.
    scale_rule : str or None
        "floor" or "ceil" in formats whose scales are powers of two. None: the format's.
    rounding : str or None
        Of the elements, one of ROUNDINGS. None: the format's. In terms of the magnitude, ONNX Runtime's half up for
        MSFP is "rna" and truncation is "rtz".
    overflow : str
        "saturate" (OCP MX: clamped to the largest normal), or "ieee" for float elements, see :func:`.codec.encode`.
    symmetric : bool or None
        Whether the most negative two's complement element is replaced by its neighbour. None: the format's.
    nonfinite : str
        "error"; or "nan": a block with NaN or infinity gets the scale NaN and elements 0, and counts for no amax.
    tensor_scale : int or None
        The tensor scale's code; S is then 1 over its value. None: computed.

    Returns
    -------
    scales, elements : ndarray
        Codes in the least unsigned dtypes that hold them. ``elements`` has the shape of ``x``, ``scales`` the same but
        for the axis, which has one scale for each block.
    tensor_scale : ndarray
        Code of the tensor scale, of shape (); only in formats that have one.

    Raises
    ------
    TypeError
        ``x`` is neither floating point nor integer.
    ParameterError
        The axis is no multiple of the block size, ``x`` is not finite, or an option has no meaning in the format.
    """
    fmt = block_format(fmt)
    options = _Options.of(fmt, scale_rule, rounding, overflow, symmetric, nonfinite)
    array = _reals(x)
    axis = _axis(array.shape, axis, fmt, "x")
    moved = np.ascontiguousarray(np.moveaxis(array, axis, -1))
    rows = moved.reshape(-1, fmt.block_size)
    if fmt.tensor_scale is None:
        if tensor_scale is not None:
            raise ParameterError(f"tensor_scale must be None for {fmt}, not {tensor_scale!r}")
        tensor = ()
        encoder = _PowerOfTwo(fmt, options) if fmt.power_of_two else _Quotient(fmt, options, np.float32(1), 1.0)
    else:
        code = (
            _tensor_code(rows, fmt)
            if tensor_scale is None
            else as_codes("tensor_scale", tensor_scale, fmt.tensor_scale)
        )
        encoder = _Quotient(fmt, options, *_tensor_factors(rows, fmt, code, given=tensor_scale is not None))
        tensor = (code.reshape(()),)
    scales = np.empty(len(rows), code_dtype(fmt.scale))
    elements = np.empty(rows.shape, code_dtype(fmt.element))
    step = max(1, _CHUNK // fmt.block_size)
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        amax = _block_amax(rows[part])
        finite = np.isfinite(amax)
        if finite.all():
            scales[part] = encoder.encode(rows[part], amax, elements[part])
            continue
        if nonfinite == "error":
            index = tuple(int(place) for place in np.argwhere(~np.isfinite(array))[0])
            unless = " unless nonfinite='nan'" if fmt.scale.has_nan else ""
            raise ParameterError(f"x must be finite for {fmt}{unless}, not {array[index]} at index {index}")
        clean = np.where(finite[:, None], rows[part], 0)
        codes = encoder.encode(clean, np.where(finite, amax, 0), elements[part])
        scales[part] = np.where(finite, codes, fmt.scale.nan_code or 0)
    shape = moved.shape
    scales = scales.reshape(*shape[:-1], shape[-1] // fmt.block_size)
    return np.moveaxis(scales, -1, axis), np.moveaxis(elements.reshape(shape), -1, axis), *tensor


def decode_blocks(
    scales: ArrayLike,
    elements: ArrayLike,
    fmt: str | BlockFormat,
    tensor_scale: ArrayLike | None = None,
    *,
    axis: int = -1,
) -> NDArray[np.float64]:
    """The real numbers of blocks, element · scale (· tensor scale): exact. A scale that is NaN makes its block NaN.

    ``decode_blocks(*encode_blocks(x, fmt), fmt)`` is right for formats without tensor scale,
    ``fmt.decode(*fmt.encode(x))`` for all.

    Raises
    ------
    TypeError
        Codes are not integers.
    ParameterError
        A code is out of range, the shapes do not belong together, or the tensor scale is missing or out of place.
    """
    fmt = block_format(fmt)
    codes = as_codes("elements", elements, fmt.element)
    scale_codes = as_codes("scales", scales, fmt.scale)
    axis = _axis(codes.shape, axis, fmt, "elements")
    shape = (*codes.shape[:axis], codes.shape[axis] // fmt.block_size, *codes.shape[axis + 1 :])
    if scale_codes.shape != shape:
        raise ParameterError(f"scales must have shape {shape} for elements of {codes.shape}, not {scale_codes.shape}")
    steps = decode(np.moveaxis(scale_codes, axis, -1), fmt.scale)
    if (fmt.tensor_scale is None) != (tensor_scale is None):
        needed = "None" if fmt.tensor_scale is None else f"a code of {fmt.tensor_scale}"
        raise ParameterError(f"tensor_scale must be {needed} for {fmt}, not {tensor_scale!r}")
    if fmt.tensor_scale is not None and tensor_scale is not None:
        steps = steps * decode(tensor_scale, fmt.tensor_scale)
    moved = np.moveaxis(codes, axis, -1)
    if fmt.element.width <= 8:
        values = decode(np.arange(fmt.element.codes, dtype=code_dtype(fmt.element)), fmt.element)[moved]
    else:
        values = decode(moved, fmt.element)
    blocks = values.reshape(*steps.shape, fmt.block_size)
    with np.errstate(invalid="ignore"):  # an infinite element times a scale of 0 is NaN
        blocks *= steps[..., None]
    return np.moveaxis(values, -1, axis)


@dataclass(frozen=True)
class _Options:
    """The policies of one call, checked."""

    scale_rule: str
    rounding: str
    overflow: str
    symmetric: bool

    @classmethod
    def of(
        cls,
        fmt: BlockFormat,
        scale_rule: str | None,
        rounding: str | None,
        overflow: str,
        symmetric: bool | None,
        nonfinite: str,
    ) -> _Options:
        rules = ("floor", "ceil") if fmt.power_of_two else ("amax",)
        rule = choose("scale_rule", fmt.scale_rule if scale_rule is None else scale_rule, rules, f" for {fmt}")
        mode = choose("rounding", fmt.rounding if rounding is None else rounding, ROUNDINGS)
        choose("overflow", overflow, FLOAT_OVERFLOWS if fmt.element.kind == "float" else ("saturate",), f" for {fmt}")
        choose("nonfinite", nonfinite, NONFINITE if fmt.scale.has_nan else NONFINITE[:1], f" for {fmt}")
        if symmetric and not fmt.twos_complement:
            raise ParameterError(f"symmetric must be None or False for {fmt}, not {symmetric!r}")
        return cls(rule, mode, overflow, fmt.symmetric if symmetric is None else bool(symmetric))

    @property
    def directed(self) -> bool:
        """Whether a number may be rounded away from 0 however small it is."""
        return self.rounding in ("rup", "rdn")

    def elements(self, scaled: Reals, numbers: Reals, fmt: BlockFormat, out: Integers) -> None:
        """Write the codes of scaled numbers to ``out``; ``scaled`` is overwritten."""
        if self.directed:
            # The least number stands for one that is not zero and vanished when it was scaled.
            tiny = np.copysign(np.finfo(scaled.dtype).smallest_subnormal, scaled)
            np.copyto(scaled, tiny, where=(scaled == 0) & (numbers != 0))
        codes = encode(scaled, fmt.element, rounding=self.rounding, overflow=self.overflow)
        if self.symmetric:
            codes += codes == fmt.element.sign_mask
        out[...] = codes


class _PowerOfTwo:
    """Encodes blocks whose scale is a power of two."""

    def __init__(self, fmt: BlockFormat, options: _Options) -> None:
        self.fmt = fmt
        self.options = options
        # The largest element as mantissa · 2^exponent, mantissa in [1/2, 1).
        self.mantissa, self.exponent = np.frexp(float(fmt.element.max))
        self.least = 2.0 ** (1 - fmt.scale.bias) if fmt.zero_scale else 0.0
        # Whether a float32 times the reciprocal of its scale is a float32.
        self.narrow = 0 <= fmt.scale.max_exponent <= 149 and fmt.scale.min_exponent >= -127

    def encode(self, rows: Reals, amax: Reals, out: Integers) -> Integers:
        """Write the elements of blocks to ``out`` and return the codes of their scales."""
        scale = self.fmt.scale
        mantissa, exponent = np.frexp(amax)
        code = exponent.astype(np.int64) + (scale.bias - int(self.exponent))
        if self.options.scale_rule == "ceil":
            code += mantissa > self.mantissa
        code = np.clip(code, int(self.fmt.zero_scale), scale.max_code)
        code[(amax < self.least) | (amax == 0)] = 0
        if not self.narrow:
            rows = rows.astype(np.float64)
        # Larger scales make 0 of such numbers anyhow, unless zero is not the nearest that is asked for.
        if self.least and (self.options.directed or code.min(initial=scale.max_code) <= self.fmt.element.width):
            rows = np.where(np.abs(rows) < self.least, np.copysign(np.zeros((), rows.dtype), rows), rows)
        reciprocal = np.ldexp(np.ones((), rows.dtype), (scale.bias - code).astype(np.int32))
        # Exact, but for products too small to be normal, which no rounding to nearest tells from 0.
        with np.errstate(over="ignore"):
            scaled = rows * reciprocal[:, None]
        if not self.narrow:
            np.clip(scaled, -_LARGEST, _LARGEST, out=scaled)
        self.options.elements(scaled, rows, self.fmt, out)
        return code


class _Quotient:
    """Encodes blocks whose scale is a float, by dividing.

    ``factor`` is what a block's amax over the largest element is multiplied by, ``tensor`` the tensor scale's value.
    """

    def __init__(self, fmt: BlockFormat, options: _Options, factor: np.float32, tensor: float) -> None:
        self.fmt = fmt
        self.options = options
        self.factor = factor * (np.float32(1) / np.float32(float(fmt.element.max)))
        self.tensor = tensor

    def encode(self, rows: Reals, amax: Reals, out: Integers) -> Integers:
        """Write the elements of blocks to ``out`` and return the codes of their scales."""
        with np.errstate(over="ignore"):
            real = np.minimum(_fp32(amax) * self.factor, _FP32_MAX)
        code = encode(real, self.fmt.scale, overflow="saturate")
        step = decode(code, self.fmt.scale) * self.tensor
        step = np.where(step == 0, np.inf, step)[:, None]
        # The float64 quotient is on the same side of every tie and of every element, or equal to it, as the exact one.
        # Such a bound t has few bits, so that t · step is a float64; an x beside it differs from it by an ulp or more,
        # and the quotient from t by more than half an ulp of t.
        with np.errstate(over="ignore"):
            scaled = rows / step
        if rows.dtype == np.float64:
            np.clip(scaled, -_LARGEST, _LARGEST, out=scaled)
        self.options.elements(
            scaled, np.where(np.isinf(step), 0, rows) if self.options.directed else rows, self.fmt, out
        )
        return code


def _tensor_code(rows: Reals, fmt: BlockFormat) -> Integers:
    amax = _tensor_amax(rows)
    return encode(amax / _largest(fmt) if amax else np.float32(1), _tensor_format(fmt), overflow="saturate")


def _tensor_factors(rows: Reals, fmt: BlockFormat, code: Integers, *, given: bool) -> tuple[np.float32, float]:
    """What blocks are multiplied by for their scale, and the value of the tensor scale."""
    if code.size != 1:
        raise ParameterError(f"tensor_scale must be one code, not {code.size}")
    value = float(decode(code.reshape(()), _tensor_format(fmt)))
    if not 0 <= value < np.inf:
        raise ParameterError(f"tensor_scale must be the code of a finite positive number, not that of {value}")
    amax = _tensor_amax(rows)
    with np.errstate(over="ignore", divide="ignore"):
        numerator, denominator = (np.float32(1), np.float32(value)) if given else (_largest(fmt), amax)
        factor = numerator / denominator if denominator else np.float32(1)
    return np.minimum(factor, _FP32_MAX), value


def _tensor_format(fmt: BlockFormat) -> Format:
    assert fmt.tensor_scale is not None
    return fmt.tensor_scale


def _largest(fmt: BlockFormat) -> np.float32:
    return np.float32(float(fmt.scale.max * fmt.element.max))


def _tensor_amax(rows: Reals) -> np.float32:
    """The largest finite block's largest magnitude, as fp32."""
    step = max(1, _CHUNK // rows.shape[1])
    greatest = np.zeros((), np.float64)
    for start in range(0, len(rows), step):
        amax = _block_amax(rows[start : start + step])
        greatest = np.maximum(greatest, np.max(amax, where=np.isfinite(amax), initial=0))
    return np.float32(_fp32(greatest))


def _fp32(values: Reals) -> NDArray[np.float32]:
    """Finite magnitudes rounded to fp32, at most the largest."""
    with np.errstate(over="ignore"):
        return np.minimum(values.astype(np.float32), _FP32_MAX)


def _block_amax(rows: Reals) -> Reals:
    # Along the first axis NumPy compares whole vectors: twice as fast, the copy included.
    return np.ascontiguousarray(np.abs(rows).T).max(axis=0)


def _reals(x: ArrayLike) -> Reals:
    array = as_array(x)
    if array.dtype.kind == "f" and array.dtype.itemsize <= 8:
        return array.astype(np.float64 if array.dtype.itemsize == 8 else np.float32, copy=False)
    if array.dtype.kind in "iu":
        real = array.astype(np.float64)
        if not array.size or np.abs(real).max() <= 2**53:
            return real
        raise ParameterError(f"x must hold integers of magnitudes up to 2^53, not {int(np.abs(real).max())}")
    raise TypeError(f"x must be an array of float64, float32, float16 or integers, not of {array.dtype}")


def _axis(shape: tuple[int, ...], axis: int, fmt: BlockFormat, argument: str) -> int:
    """The axis counted from 0."""
    if isinstance(axis, bool) or not isinstance(axis, int):
        raise TypeError(f"axis must be an integer, not {axis!r}")
    if not -len(shape) <= axis < len(shape):
        raise ParameterError(
            f"axis must be in -{len(shape)} … {len(shape) - 1} for {argument} of shape {shape}, not {axis}"
        )
    if shape[axis] % fmt.block_size:
        raise ParameterError(
            f"{argument} must have a multiple of {fmt.block_size} elements along axis {axis} for {fmt}, not {shape[axis]}"
        )
    return axis % len(shape)
