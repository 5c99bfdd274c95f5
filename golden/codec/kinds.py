"""Every kind of format, unpacked to exact numbers and packed from them: a new kind is one entry in :data:`CODECS`.

What no faster path knows ends here: encoding, conversion and arithmetic hand over an exact :class:`~.codes.Unpacked` and
get codes and IEEE 754 exceptions back, rounded once. The faster paths of :mod:`.fast` must give the same codes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..formats import Format, ParameterError
from .codebook import pack_codebook, unpack_codebook
from .codes import Integers, Unpacked, code_dtype
from .fixed import pack_binary, pack_fixed, unpack_integral
from .floating import pack_float, unpack_float
from .posit import pack_posit, unpack_posit
from .rounding import Target
from .stochastic import RandomWords


@dataclass(frozen=True)
class Codec:
    """How codes of one kind of format are unpacked, and packed; ``pack`` is None where they are operands only."""

    unpack: Callable[[Integers, Format, str], Unpacked]
    pack: Callable[[Unpacked, Target, RandomWords | None], tuple[Integers, Integers]] | None


#: The codec of each kind.
CODECS: dict[str, Codec] = {
    "float": Codec(unpack_float, pack_float),
    "fixed": Codec(unpack_integral, pack_fixed),
    "binary": Codec(unpack_integral, pack_binary),
    "posit": Codec(unpack_posit, pack_posit),
    "codebook": Codec(unpack_codebook, pack_codebook),
}


def unpack(codes: Integers, fmt: Format, subnormals: str = "full") -> Unpacked:
    """Sign, integer magnitude and exponent of codes; with ``subnormals="flush"`` a subnormal is a zero of its sign.

    ``codes`` are checked codes with at least one dimension: NumPy would turn a lone Python integer into a scalar.
    """
    return CODECS[fmt.kind].unpack(codes, fmt, subnormals)


def pack(
    argument: str,
    value: Unpacked,
    target: Target,
    random: RandomWords | None = None,
    start: int = 0,
) -> tuple[Integers, Integers]:
    """Round exact numbers to codes of ``target.out``, once; return them and the exceptions (uint8 bits of Flag).

    Float results: tininess is detected after rounding. With ``subnormals="full"`` underflow means tiny and inexact;
    with "flush" a tiny result that is not zero becomes a zero of its sign, with underflow and inexact. Overflow (always
    with inexact) means that the rounded result, were there no largest exponent, exceeds the largest value; "ieee" then
    gives infinity (NaN where there is no infinity, the largest value where there is neither) or, in a mode that rounds
    toward zero on that side, the largest value; "saturate" always gives the largest value.

    Choices, where the standards are silent: an infinite operand's infinity is exact and raises nothing, yet becomes the
    largest value under "saturate" (OFP8's rule for e5m2) and where there is no infinity the same substitute as an
    overflow. NaN is the format's ``nan_code``. In formats without zero or sign a zero or negative result is NaN under
    "ieee", the least value (of its sign) otherwise. Ties between significands of one bit go to the larger magnitude
    (IEEE 754-2019). Stochastic rounding overflows as rounding to nearest does, and decides on tininess with the same
    random word.

    Fixed-point results: inexact is rounding, overflow (with inexact) a rounded result out of range, which saturates or
    keeps its low bits ("wrap"). Binary results are the sign, +1 for zero.

    Parameters
    ----------
    argument : str
        What error messages call the numbers.
    value : Unpacked
        The numbers, of at least one dimension.
    target : Target
        Format and policy.
    random : RandomWords or None
        One word for each number, for stochastic rounding only.
    start : int
        Index of the first of the numbers in what the caller was given, for error messages.

    Raises
    ------
    ParameterError
        NaN where the format has none, or an infinity that would have to wrap.
    """
    _check_specials(argument, value, target, start)
    rounded = CODECS[target.out.kind].pack
    assert rounded is not None, f"{target.out} is no format of results"
    codes, flags = rounded(value, target, random)
    return codes.astype(code_dtype(target.out)), flags


def _check_specials(argument: str, value: Unpacked, target: Target, start: int) -> None:
    fmt = target.out
    if not fmt.has_nan and value.nan.any():
        index = start + int(value.nan.argmax())
        raise ParameterError(f"{argument} must be free of NaN for {fmt}, not nan at index {index}")
    if target.policy.overflow == "wrap" and value.inf.any():
        index = start + int(value.inf.argmax())
        raise ParameterError(f"{argument} must be finite to wrap in {fmt}, not infinite at index {index}")
