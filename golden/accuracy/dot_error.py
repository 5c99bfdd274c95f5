"""Errors of dot products that an accumulator rounds, cuts off, wraps or adds exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import ParameterError, check_choice, check_int
from ..codec.block import decode_blocks, encode_blocks
from ..codec.scalar import decode
from ..formats import BlockFormat, Format, any_format, format
from ..formats.accumulation import Accumulation, Exact, style, style_name
from ..sums.block import block_dot
from ..sums.dot import dot
from .noise import mean_and_spread
from .scaling import scaled
from .tensors import draw

Reals = NDArray[np.float64]

#: What an error is measured against: the exact dot product of the codes, or that of the numbers before they were quantized.
REFERENCES = ("codes", "reals")
#: Dot products for each seed.
VECTORS, SEEDS = 64, (0, 1, 2)
#: Bits that a float64 holds exactly.
_FLOAT64_BITS = 53


@dataclass(frozen=True)
class DotError:
    """The error of dot products of one length in one accumulation.

    Attributes
    ----------
    a, b, accumulation, out, distribution, against : str
        What was computed, see :func:`dot_error`.
    k : int
        Products in a sum.
    error, spread : float
        Relative root mean square error, √(Σ (d - e)² / Σ e²) over the dot products of a seed, d being the result and e the
        exact one: mean and standard deviation over the seeds. Infinite where a result is no number.
    vectors : int
        Dot products for each seed.
    seeds : tuple of int
        The seeds.

    Examples
    --------
    >>> found = golden.dot_error("mxfp4", k=32, vectors=4, seeds=[0])
    >>> found.accumulation, found.out, found.error
    ('exact', 'fp32', 0.0)
    """

    a: str
    b: str
    accumulation: str
    out: str
    k: int
    distribution: str
    against: str
    error: float
    spread: float
    vectors: int
    seeds: tuple[int, ...]


def dot_error(
    a: str | Format | BlockFormat,
    b: str | Format | BlockFormat | None = None,
    *,
    k: int,
    acc: str | Accumulation = "exact",
    out: str | Format | None = None,
    distribution: str = "gaussian",
    scaling: str = "rms",
    against: str = "codes",
    vectors: int = VECTORS,
    seeds: Sequence[int] = SEEDS,
) -> DotError:
    """The relative root mean square error of Σ_k a·b, by :func:`.dot.dot` or :func:`.sums.block.block_dot`.

    Both operands are drawn for each dot product, and quantized as tensors of (vectors, k) numbers.

    Parameters
    ----------
    a, b : str or Format or BlockFormat
        The operands' formats, both scalar or both of blocks; ``b`` by default that of ``a``. Fixed-point ones have a sign.
    k : int
        Products in a sum; of block formats the last block is filled up with zeros.
    acc : str or Accumulation
        A style or its name ("exact", "fp32", "fp16", "aligned:16:13", see :func:`.accumulation.style`); or the name of a
        fixed-point format for sums that wrap in it, as out does with ``Exact(overflow="wrap")``.
    out : str or Format or None
        Format of the result, as in :func:`.dot.dot`.
    distribution : str
        A key of :data:`.tensors.DISTRIBUTIONS`.
    scaling : str
        As in :func:`.scaling.quantized`: by default floats are not scaled beyond a root mean square of 1, so that sums stay
        within the range of a narrow accumulator.
    against : str
        "codes": the error of the accumulation alone; "reals": that of quantization too.
    vectors : int
        Dot products for each seed.
    seeds : sequence of int
        Of the operands.

    Raises
    ------
    TypeError, ParameterError
        Formats, a style or an option that there is not, or that do not go together.

    Examples
    --------
    >>> golden.dot_error("int8", k=64, acc="int32", vectors=8).error
    0.0
    >>> golden.dot_error("fp8_e4m3", k=64, acc="fp16", vectors=8).error < 1e-2
    True
    """
    fa, fb = any_format(a), any_format(a if b is None else b)
    check_int("k", k, 1)
    check_int("vectors", vectors, 1)
    check_choice("against", against, REFERENCES)
    if not len(seeds):
        raise ParameterError("seeds must hold at least one seed, not none")
    for name, fmt in (("a", fa), ("b", fb)):
        if isinstance(fmt, BlockFormat) != isinstance(fa, BlockFormat):
            raise ParameterError(f"b must be a {'block' if isinstance(fa, BlockFormat) else 'scalar'} format, not {fb}")
        if isinstance(fmt, Format) and fmt.kind != "binary" and not fmt.signed:
            raise ParameterError(f"{name} must be a format with a sign, not {fmt}")
    how, result, name = _accumulation(acc, out)
    errors = []
    for seed in seeds:
        # Seeds of the two operands that no other seed has.
        x, y = (draw(distribution, vectors * k, 2 * seed + side).reshape(vectors, k) for side in (0, 1))
        left, right = _Operand.of(x, fa, scaling), _Operand.of(y, fb, scaling)
        if isinstance(fa, BlockFormat) and isinstance(fb, BlockFormat):
            codes = block_dot(left.codes, right.codes, fa, fb, acc=how, out=result)
        else:
            codes = dot(left.codes, right.codes, _scalar(fa), _scalar(fb), acc=how, out=result)
        unit = left.unit * right.unit
        found = decode(codes, result) * unit
        exact = _exact(left.values, right.values) * unit if against == "codes" else _exact(x, y)
        errors.append(_relative(found, exact))
    mean, spread = mean_and_spread(errors)
    return DotError(fa.name, fb.name, name, result.name, k, distribution, against, mean, spread, vectors, tuple(seeds))


def dot_error_table(
    formats: Sequence[str | Format | BlockFormat],
    accumulations: Sequence[str | Accumulation],
    *,
    lengths: Sequence[int] = (16, 64, 256, 1024, 4096, 16384, 65536),
    **options: Any,
) -> list[DotError]:
    """:func:`dot_error` of each format with itself, in each accumulation that it has, at each length.

    An accumulation that means nothing for a format (aligned sums are for scalar floats) has no row.

    Examples
    --------
    >>> table = golden.dot_error_table(["int8", "fp4_e2m1"], ["exact", "int32"], lengths=[32], vectors=4)
    >>> [(row.a, row.accumulation, row.error) for row in table]
    [('int8', 'exact', 0.0), ('int8', 'int32', 0.0), ('fp4_e2m1', 'exact', 0.0)]
    """
    rows = []
    for fmt in formats:
        for acc in accumulations:
            if _means_something(any_format(fmt), acc):
                rows += [dot_error(fmt, k=k, acc=acc, **options) for k in lengths]
    return rows


def _means_something(fmt: Format | BlockFormat, acc: str | Accumulation) -> bool:
    how, result, _ = _accumulation(acc, None)
    aligned = not isinstance(how, Exact) and not hasattr(how, "rounding")
    if aligned:
        return isinstance(fmt, Format) and fmt.kind == "float"
    if result.is_integral:
        return isinstance(fmt, Format) and fmt.is_integral and 2 * fmt.frac_bits == result.frac_bits
    return True


def _accumulation(acc: str | Accumulation, out: str | Format | None) -> tuple[Accumulation, Format, str]:
    """The style, the format of the result and the name: that of a fixed-point format stands for sums that wrap in it."""
    if isinstance(acc, str) and out is None and ":" not in acc and acc != "exact":
        fmt = format(acc)
        if fmt.is_integral:
            return Exact(overflow="wrap"), fmt, fmt.name
    how = style(acc)
    result = format(getattr(how, "format", "fp32") if out is None else out)
    return how, result, style_name(how)


def _scalar(fmt: Format | BlockFormat) -> Format:
    assert isinstance(fmt, Format)
    return fmt


@dataclass(frozen=True)
class _Operand:
    """Codes, the numbers that they stand for in the arithmetic, and what those are multiplied by to give the tensor's."""

    codes: Any
    values: Reals
    unit: float

    @classmethod
    def of(cls, x: Reals, fmt: Format | BlockFormat, scaling: str) -> _Operand:
        if isinstance(fmt, BlockFormat):
            blocks = encode_blocks(np.pad(x, ((0, 0), (0, -x.shape[-1] % fmt.block_size))), fmt)
            return cls(blocks, decode_blocks(blocks, fmt), 1.0)
        given = scaled(x, fmt, scaling=scaling)
        # The fraction bits of fixed point play a part in the sum, not in the scale.
        unit = given.scale * 2.0**fmt.frac_bits if fmt.kind == "fixed" else given.scale
        return cls(given.codes, decode(given.codes, fmt), unit)


def _exact(x: Reals, y: Reals) -> Reals:
    """Σ x·y along the last axis, rounded once to float64."""
    with np.errstate(over="ignore", under="ignore"):
        products = x * y
    if max(_significant_bits(x) + _significant_bits(y), 0) <= _FLOAT64_BITS:
        return np.array([math.fsum(row) for row in products.tolist()])
    sums = [
        sum((Fraction(p) * Fraction(q) for p, q in zip(left, right, strict=True)), Fraction(0))
        for left, right in zip(x.tolist(), y.tolist(), strict=True)
    ]
    return np.array([float(total) for total in sums])


def _significant_bits(x: Reals) -> int:
    """The most significant bits that a number has; 0 where all are zero."""
    mantissa = np.abs(np.ldexp(np.frexp(x)[0], _FLOAT64_BITS)).astype(np.int64)
    trailing = (mantissa & -mantissa).astype(np.uint64)
    least = int(trailing[trailing > 0].min(initial=np.uint64(1 << _FLOAT64_BITS)))
    return max(_FLOAT64_BITS - (least.bit_length() - 1), 0)


def _relative(found: Reals, exact: Reals) -> float:
    if not np.isfinite(found).all():
        return math.inf
    largest = float(np.abs(exact).max())
    if not largest:
        raise ParameterError("the exact dot products must not all be zero")
    return float(np.sqrt((((found - exact) / largest) ** 2).sum() / ((exact / largest) ** 2).sum()))
