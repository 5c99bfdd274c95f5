"""Arithmetic on codes: exact inside, rounded once."""

from __future__ import annotations

from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike

from .codes import FAST_BITS, Integers, Unpacked, as_codes, max_magnitude, unpack
from .formats import Flag, Format, ParameterError, format, product_format
from .rounding import check_policies, pack


@overload
def multiply(
    a: ArrayLike,
    b: ArrayLike,
    fa: str | Format,
    fb: str | Format,
    *,
    out: str | Format | None = None,
    rounding: str = "rne",
    subnormals: str = "full",
    overflow: str | None = None,
    flags: Literal[False] = False,
) -> Integers: ...


@overload
def multiply(
    a: ArrayLike,
    b: ArrayLike,
    fa: str | Format,
    fb: str | Format,
    *,
    out: str | Format | None = None,
    rounding: str = "rne",
    subnormals: str = "full",
    overflow: str | None = None,
    flags: Literal[True],
) -> tuple[Integers, Integers]: ...


def multiply(
    a: ArrayLike,
    b: ArrayLike,
    fa: str | Format,
    fb: str | Format,
    *,
    out: str | Format | None = None,
    rounding: str = "rne",
    subnormals: str = "full",
    overflow: str | None = None,
    flags: bool = False,
) -> Integers | tuple[Integers, Integers]:
    """y = round(a · b): the exact product of two codes, rounded once.

    NaN operands, and infinity times zero, give the NaN of ``out``; infinity times a number is an exact infinity. The
    sign is the exclusive or of the operands' signs. Exceptions and the fate of results out of range are those of
    :func:`.rounding.pack`; invalid is infinity times zero or a signaling NaN operand. With ``subnormals="flush"``
    subnormal operands are zeros of their sign, which raises nothing.

    Parameters
    ----------
    a, b : array_like of int
        Codes of ``fa`` and ``fb``; their shapes broadcast.
    fa, fb : str or Format
        Formats of the operands, of any kind and mix.
    out : str or Format or None
        Format of the product. None: for two fixed-point formats that of the exact product
        (:func:`.formats.product_format`), for two equal float or binary formats the same.
    rounding, overflow, subnormals : str
        As in :func:`.codec.encode`, for the format ``out``.
    flags : bool
        Also return the exceptions.

    Returns
    -------
    codes : ndarray
        Codes of ``out``, in the least unsigned dtype that holds them.
    flags : ndarray of uint8
        Bits of :class:`.formats.Flag` for each product; only with ``flags=True``.

    Raises
    ------
    TypeError
        ``a`` or ``b`` are not integers.
    ParameterError
        A code out of range, shapes that do not broadcast, an ``out`` that is missing or has no zero or sign, a policy
        that has no meaning in ``out``, a NaN product where ``out`` has no NaN, or an infinite one that would wrap.
    """
    fa, fb = format(fa), format(fb)
    out = _product_out(fa, fb, out)
    overflow = check_policies(out, rounding, overflow, subnormals)
    codes_a, codes_b = as_codes("a", a, fa), as_codes("b", b, fb)
    try:
        shape = np.broadcast_shapes(codes_a.shape, codes_b.shape)
    except ValueError:
        raise ParameterError(
            f"a and b must have shapes that broadcast, not {codes_a.shape} and {codes_b.shape}"
        ) from None
    operands = (
        unpack(np.broadcast_to(codes, shape).reshape(-1), fmt, subnormals)
        for codes, fmt in ((codes_a, fa), (codes_b, fb))
    )
    product, invalid = _product(*operands, wide=bool(max_magnitude(fa) * max_magnitude(fb) >> FAST_BITS))
    codes, raised = pack("a * b", product, out, rounding, overflow, subnormals)
    codes = codes.reshape(shape)
    if not flags:
        return codes
    return codes, (raised | invalid * np.uint8(Flag.INVALID)).reshape(shape)


def _product_out(fa: Format, fb: Format, out: str | Format | None) -> Format:
    if out is None:
        if fa.kind == fb.kind == "fixed":
            return product_format(fa, fb)
        if fa != fb:
            raise ParameterError(f"out must be a format where the operands are {fa} and {fb}, not None")
        out = fa
    out = format(out)
    if out.kind == "float" and not (out.signed and out.has_zero):
        raise ParameterError(f"out must be a format with a sign and a zero, not {out}")
    return out


def _product(a: Unpacked, b: Unpacked, wide: bool) -> tuple[Unpacked, Integers]:
    """The exact product, and where the operation is invalid."""
    invalid = a.signaling | b.signaling | (a.inf & b.zero) | (a.zero & b.inf)
    nan = a.nan | b.nan | invalid
    magnitude = a.magnitude.astype(object) if wide else a.magnitude
    product = Unpacked(
        a.negative ^ b.negative,
        magnitude * b.magnitude,
        a.exponent + b.exponent,
        inf=a.inf | b.inf,
        nan=nan,
        signaling=np.zeros(1, bool),
    )
    return product, invalid
