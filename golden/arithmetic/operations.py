"""Arithmetic on codes: exact inside, rounded once."""

from __future__ import annotations

from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike

from ..codec.codes import CHUNK, Integers, as_codes, code_dtype
from ..codec.rounding import Target
from ..codec.stochastic import Random, random_words
from ..formats import FixedFormat, Format, ParameterError, format
from ..formats.derived import exact_product, exact_sum
from .float_kernels import fastest_kernel


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
    random: Random | None = None,
    random_bits: int = 32,
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
    random: Random | None = None,
    random_bits: int = 32,
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
    random: Random | None = None,
    random_bits: int = 32,
) -> Integers | tuple[Integers, Integers]:
    """y = round(a · b): the exact product of two codes, rounded once.

    NaN operands, and infinity times zero, give the NaN of ``out``; infinity times a number is an exact infinity. The
    sign is the exclusive or of the operands' signs. Exceptions and results out of range are as :func:`.kinds.pack`
    says; invalid is infinity times zero or a signaling NaN operand. With ``subnormals="flush"``
    subnormal operands are zeros of their sign, which raises nothing.

    Parameters
    ----------
    a, b : array_like of int
        Codes of ``fa`` and ``fb``; their shapes broadcast.
    fa, fb : str or Format
        Formats of the operands, of any kind and mix.
    out : str or Format or None
        Format of the product; :func:`.derived.exact_product` gives one that needs no rounding. None: the exact product's
        for two fixed-point formats, the operands' for two equal float or binary formats.
    rounding, overflow, subnormals, random, random_bits
        As in :func:`.scalar.encode`, for the format ``out``.
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
        ``a`` or ``b`` are not integers, or ``random`` is of a wrong kind.
    ParameterError
        A code out of range, shapes that do not broadcast, an ``out`` that is missing or has no zero or sign, a policy
        that has no meaning in ``out``, ``random`` missing or out of place, a NaN product where ``out`` has no NaN, or
        an infinite one that would wrap.

    Examples
    --------
    >>> a, b = golden.encode([1.5, -3.0], "fp8_e4m3")
    >>> product, flags = golden.multiply(a, b, "fp8_e4m3", "fp8_e4m3", flags=True)
    >>> golden.decode(product, "fp8_e4m3").item(), golden.Flag(int(flags))
    (-4.5, <Flag: 0>)
    """
    fa, fb = format(fa), format(fb)
    exact = exact_product(fa, fb) if isinstance(fa, FixedFormat) and isinstance(fb, FixedFormat) else None
    target = Target.of(_result_format((fa, fb), out, exact), rounding, overflow, subnormals)
    return _elementwise("multiply", {"a": (a, fa), "b": (b, fb)}, target, flags, random, random_bits)


@overload
def add(
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
    random: Random | None = None,
    random_bits: int = 32,
) -> Integers: ...


@overload
def add(
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
    random: Random | None = None,
    random_bits: int = 32,
) -> tuple[Integers, Integers]: ...


def add(
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
    random: Random | None = None,
    random_bits: int = 32,
) -> Integers | tuple[Integers, Integers]:
    """y = round(a + b): the exact sum of two codes, rounded once.

    Signed zeros are IEEE 754's: x + -x is +0 (-0 under "rdn") and -0 + -0 is -0; the zero of a fixed-point format is
    +0. A NaN operand, and the sum of opposite infinities, gives the NaN of ``out``; invalid is such a sum or a
    signaling NaN operand. All else is as in :func:`multiply`.

    Parameters
    ----------
    out : str or Format or None
        Format of the sum. None: the exact sum's (:func:`.derived.exact_sum`) for fixed-point and binary formats, the
        operands' for two equal float formats.

    Other parameters, results and errors as in :func:`multiply`.

    Examples
    --------
    >>> golden.decode(golden.add(*golden.encode([1.5, 0.25], "fp8_e4m3"), "fp8_e4m3", "fp8_e4m3"), "fp8_e4m3").item()
    1.75
    """
    fa, fb = format(fa), format(fb)
    exact = exact_sum(fa, fb) if fa.is_integral and fb.is_integral else None
    target = Target.of(_result_format((fa, fb), out, exact), rounding, overflow, subnormals)
    return _elementwise("add", {"a": (a, fa), "b": (b, fb)}, target, flags, random, random_bits)


@overload
def fma(
    a: ArrayLike,
    b: ArrayLike,
    c: ArrayLike,
    fa: str | Format,
    fb: str | Format,
    fc: str | Format,
    *,
    out: str | Format | None = None,
    rounding: str = "rne",
    subnormals: str = "full",
    overflow: str | None = None,
    flags: Literal[False] = False,
    random: Random | None = None,
    random_bits: int = 32,
) -> Integers: ...


@overload
def fma(
    a: ArrayLike,
    b: ArrayLike,
    c: ArrayLike,
    fa: str | Format,
    fb: str | Format,
    fc: str | Format,
    *,
    out: str | Format | None = None,
    rounding: str = "rne",
    subnormals: str = "full",
    overflow: str | None = None,
    flags: Literal[True],
    random: Random | None = None,
    random_bits: int = 32,
) -> tuple[Integers, Integers]: ...


def fma(
    a: ArrayLike,
    b: ArrayLike,
    c: ArrayLike,
    fa: str | Format,
    fb: str | Format,
    fc: str | Format,
    *,
    out: str | Format | None = None,
    rounding: str = "rne",
    subnormals: str = "full",
    overflow: str | None = None,
    flags: bool = False,
    random: Random | None = None,
    random_bits: int = 32,
) -> Integers | tuple[Integers, Integers]:
    """y = round(a · b + c): the exact product of two codes plus a third, rounded once.

    Signs, infinities and NaNs are as in :func:`multiply` followed by :func:`add`. Infinity times zero is invalid
    even where c is a quiet NaN: IEEE 754 leaves that open, and RISC-V, Arm and SoftFloat chose it. With
    ``subnormals="flush"`` subnormal operands are zeros and the product is not flushed.

    Parameters
    ----------
    a, b, c : array_like of int
        Codes of ``fa``, ``fb`` and ``fc``; their shapes broadcast.
    out : str or Format or None
        Format of the result. None: the exact result's (``exact_sum(exact_product(fa, fb), fc)``) for fixed-point and
        binary formats, the operands' for three equal float formats.

    Other parameters, results and errors as in :func:`multiply`.

    Examples
    --------
    >>> a, b, c = golden.encode([3.0, 0.5, 0.25], "fp8_e4m3")
    >>> golden.decode(golden.fma(a, b, c, "fp8_e4m3", "fp8_e4m3", "fp8_e4m3"), "fp8_e4m3").item()
    1.75
    """
    fa, fb, fc = format(fa), format(fb), format(fc)
    exact = exact_sum(exact_product(fa, fb), fc) if fa.is_integral and fb.is_integral and fc.is_integral else None
    target = Target.of(_result_format((fa, fb, fc), out, exact), rounding, overflow, subnormals)
    return _elementwise("fma", {"a": (a, fa), "b": (b, fb), "c": (c, fc)}, target, flags, random, random_bits)


def _result_format(operands: tuple[Format, ...], out: str | Format | None, exact: Format | None) -> Format:
    """The format of a result: ``out`` if given, else the exact result's if there is one, else the operands' common one."""
    if out is None:
        if exact is not None:
            return exact
        if any(fmt != operands[0] for fmt in operands):
            names = [str(fmt) for fmt in operands]
            raise ParameterError(
                f"out must be a format where the operands are {', '.join(names[:-1])} and {names[-1]}, not None"
            )
        out = operands[0]
    out = format(out)
    if out.is_for_operands_only:
        raise ParameterError(f"out must be a format that results can be rounded to, not {out}")
    if not out.is_result:
        raise ParameterError(f"out must be a format with a sign and a zero, not {out}")
    return out


def _elementwise(
    operation: str,
    operands: dict[str, tuple[ArrayLike, Format]],
    target: Target,
    flags: bool,
    random: Random | None,
    random_bits: int,
) -> Integers | tuple[Integers, Integers]:
    """One operation on operands that are checked and broadcast, chunk by chunk."""
    arrays = [as_codes(name, codes, fmt) for name, (codes, fmt) in operands.items()]
    shapes = [array.shape for array in arrays]
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        names = list(operands)
        raise ParameterError(
            f"{', '.join(names[:-1])} and {names[-1]} must have shapes that broadcast, "
            f"not {', '.join(map(str, shapes[:-1]))} and {shapes[-1]}"
        ) from None
    words = random_words(target.policy.rounding, random, random_bits, shape)
    flat = [np.broadcast_to(array, shape).reshape(-1) for array in arrays]
    codes = np.empty(flat[0].size, code_dtype(target.out))
    raised = np.empty(codes.size, np.uint8) if flags else None
    formats = tuple(fmt for _, fmt in operands.values())
    kernel = fastest_kernel(operation, formats, target, 0 if words is None else words.bits, flags, codes.size)
    # Floating-point kernels meet infinities, NaNs and results out of range as a matter of course.
    with np.errstate(all="ignore"):
        for start in range(0, codes.size, CHUNK):
            part = slice(start, start + CHUNK)
            chunks = [array[part] for array in flat]
            codes[part], found = kernel(chunks, None if words is None else words[part], start)
            if raised is not None and found is not None:
                raised[part] = found
    codes = codes.reshape(shape)
    return codes if raised is None else (codes, raised.reshape(shape))
