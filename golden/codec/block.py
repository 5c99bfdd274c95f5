"""Between real numbers and blocks of codes with shared scales."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..formats import Format, ParameterError, block_format
from ..formats.block import BlockFormat
from .block_scaling import FP32_MAX, Options, PowerOfTwo, Quotient, Reals, fp32
from .codes import Integers, as_array, as_codes, code_dtype
from .scalar import decode, encode
from .stochastic import Random, random_words

#: Numbers that are encoded at once: their temporaries stay in the cache, and the time of the calls is small beside them.
_CHUNK = 1 << 17


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
    random: Random | None = None,
    random_bits: int = 32,
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
    reciprocal); elements of a block whose scale is 0 are 0.

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
        Of the elements, one of ROUNDINGS or "stochastic". None: the format's. In terms of the magnitude, ONNX
        Runtime's half up for MSFP is "rna" and truncation is "rtz".
    overflow : str
        "saturate" (OCP MX: clamped to the largest normal), or "ieee" for float elements, see :func:`.scalar.encode`.
    symmetric : bool or None
        Whether the most negative two's complement element is replaced by its neighbour. None: the format's.
    nonfinite : str
        "error"; or "nan": a block with NaN or infinity gets the scale NaN and elements 0, and counts for no amax.
    tensor_scale : int or None
        The tensor scale's code; S is then 1 over its value. None: computed.
    random, random_bits
        For stochastic rounding of the elements, as in :func:`.scalar.encode`: a word for each number, for its element's
        magnitude. Where scales are not powers of two, the word and an element's significand have at most 53 bits together.

    Returns
    -------
    scales, elements : ndarray
        Codes in the least unsigned dtypes that hold them. ``elements`` has the shape of ``x``; so has ``scales``,
        except that the axis has one scale for each block.
    tensor_scale : ndarray
        Code of the tensor scale, of shape (); only in formats that have one.

    Raises
    ------
    TypeError
        ``x`` is neither floating point nor integer, or ``random`` of a wrong kind.
    ParameterError
        The axis is no multiple of the block size, ``x`` is not finite, ``random`` is missing or out of place, or an
        option has no meaning in the format.

    Examples
    --------
    >>> scales, elements = golden.encode_blocks(np.linspace(-3.0, 3.0, 32), "mxfp4")
    >>> scales, elements.shape
    (array([126], dtype=uint8), (32,))
    """
    fmt = block_format(fmt)
    options = Options.of(fmt, scale_rule, rounding, overflow, symmetric, nonfinite, random_bits)
    array = _reals(x)
    axis = _axis(array.shape, axis, fmt, "x")
    drawn = random_words(options.rounding, random, random_bits, array.shape)
    moved = np.ascontiguousarray(np.moveaxis(array, axis, -1))
    rows = moved.reshape(-1, fmt.block_size)
    words = None if drawn is None else np.moveaxis(drawn.words.reshape(array.shape), axis, -1).reshape(rows.shape)
    if fmt.tensor_scale is None:
        if tensor_scale is not None:
            raise ParameterError(f"tensor_scale must be None for {fmt}, not {tensor_scale!r}")
        tensor = ()
        encoder = PowerOfTwo(fmt, options) if fmt.power_of_two else Quotient(fmt, options, np.float32(1), 1.0)
    else:
        code = (
            _tensor_code(rows, fmt)
            if tensor_scale is None
            else as_codes("tensor_scale", tensor_scale, fmt.tensor_scale)
        )
        encoder = Quotient(fmt, options, *_tensor_factors(rows, fmt, code, given=tensor_scale is not None))
        tensor = (code.reshape(()),)
    scales = np.empty(len(rows), code_dtype(fmt.scale))
    elements = np.empty(rows.shape, code_dtype(fmt.element))
    step = max(1, _CHUNK // fmt.block_size)
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        word = None if words is None else words[part]
        codes = encoder.encode_in_loop(rows[part], word, elements[part])
        if codes is not None:
            scales[part] = codes
            continue
        amax = _block_amax(rows[part])
        finite = np.isfinite(amax)
        if finite.all():
            scales[part] = encoder.encode(rows[part], amax, word, elements[part])
            continue
        if nonfinite == "error":
            index = tuple(int(place) for place in np.argwhere(~np.isfinite(array))[0])
            unless = " unless nonfinite='nan'" if fmt.scale.has_nan else ""
            raise ParameterError(f"x must be finite for {fmt}{unless}, not {array[index]} at index {index}")
        clean = np.where(finite[:, None], rows[part], 0)
        codes = encoder.encode(clean, np.where(finite, amax, 0), word, elements[part])
        scales[part] = np.where(finite, codes, fmt.scale.nan_code or 0)
    shape = moved.shape
    scales = scales.reshape(*shape[:-1], shape[-1] // fmt.block_size)
    return np.moveaxis(scales, -1, axis), np.moveaxis(elements.reshape(shape), -1, axis), *tensor


def decode_blocks(
    blocks: Sequence[ArrayLike],
    fmt: str | BlockFormat,
    *,
    axis: int = -1,
) -> NDArray[np.float64]:
    """The real numbers of blocks, element · scale (· tensor scale): exact. A scale that is NaN makes its block NaN.

    Parameters
    ----------
    blocks : sequence of arrays of int
        (scales, elements), with a tensor scale (scales, elements, tensor scale), as :func:`encode_blocks` gives them.
    fmt : str or BlockFormat
        Their format.
    axis : int
        The axis of the elements along which blocks run.

    Raises
    ------
    TypeError
        Codes are not integers.
    ParameterError
        A code is out of range, the shapes do not match, or a part is missing or out of place.

    Examples
    --------
    >>> # The scale 2^1 and the element 1.5.
    >>> golden.decode_blocks(([128], [3] * 32), "mxfp4")[0].item()
    3.0
    """
    fmt = block_format(fmt)
    scales, elements, *tensor_scale = check_parts("blocks", blocks, fmt)
    codes = as_codes("elements", elements, fmt.element)
    scale_codes = as_codes("scales", scales, fmt.scale)
    axis = _axis(codes.shape, axis, fmt, "elements")
    shape = (*codes.shape[:axis], codes.shape[axis] // fmt.block_size, *codes.shape[axis + 1 :])
    if scale_codes.shape != shape:
        raise ParameterError(f"scales must have shape {shape} for elements of {codes.shape}, not {scale_codes.shape}")
    steps = decode(np.moveaxis(scale_codes, axis, -1), fmt.scale)
    if fmt.tensor_scale is not None:
        steps = steps * decode(tensor_scale[0], fmt.tensor_scale)
    moved = np.moveaxis(codes, axis, -1)
    if fmt.element.width <= 8:
        values = decode(np.arange(fmt.element.code_count, dtype=code_dtype(fmt.element)), fmt.element)[moved]
    else:
        values = decode(moved, fmt.element)
    rows = values.reshape(*steps.shape, fmt.block_size)
    with np.errstate(invalid="ignore"):  # an infinite element times a scale of 0 is NaN
        rows *= steps[..., None]
    return np.moveaxis(values, -1, axis)


def check_parts(argument: str, blocks: Sequence[ArrayLike], fmt: BlockFormat) -> Sequence[ArrayLike]:
    """Return ``blocks`` if it has as many arrays as the format has factors.

    Raises
    ------
    ParameterError
        It has more or fewer.
    """
    if len(blocks) != len(fmt.factors):
        names = "(scales, elements)" if fmt.tensor_scale is None else "(scales, elements, tensor scale)"
        raise ParameterError(f"{argument} must be {names} for {fmt}, not {len(blocks)} arrays")
    return blocks


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
    return np.minimum(factor, FP32_MAX), value


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
    return np.float32(fp32(greatest))


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
