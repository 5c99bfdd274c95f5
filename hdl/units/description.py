"""What a multiplier or an adder does where formats leave a choice, in words for the header of its Verilog."""

from __future__ import annotations

from ...golden.formats import Format, RoundingMode
from ..rounding.encoders import Path, has_path
from ..rounding.modes import PORT, STOCHASTIC, UNASSIGNED, rounds_toward_zero_on_a_side
from .multiplier_options import Formats


def describe(
    formats: Formats, rounding: str | None, random_bits: int, overflow: str | None, subnormals: str, flags: bool
) -> list[str]:
    """One sentence each on rounding, overflow, subnormals, NaN and flags, as far as there is something to say.

    The parameters are those of :class:`.multiplier.Multiplier` or :class:`.adder.Adder`, checked and completed.
    """
    operands = {*formats.a, *formats.b}
    lines = [f"Rounding: {_rounding(rounding, random_bits, formats.operation)}."]
    outs = tuple(dict.fromkeys(formats.out))
    for out in outs if overflow is not None and rounding is not None else ():
        lines.append(f"Overflow{_to(out, outs)}: {_overflow(out, overflow, rounding)}.")
    if subnormals:
        lines.append(f"Subnormals: {_subnormals(subnormals, rounds=rounding is not None)}.")
    if formats.is_unpacked:
        return [*lines, "Classes: where zero, inf or nan is set, exponent and significand mean nothing."]
    invalid = "infinity times zero" if formats.operation == "product" else "opposite infinities"
    for out in outs if any(item.has_specials for item in operands) else ():
        if out.nan_code is not None:
            lines.append(f"NaN{_to(out, outs)}: always {out.nan_code:#x}; of a NaN operand, and of {invalid}.")
    lines += ["Flags: bit 4 invalid, 2 overflow, 1 underflow (tiny after rounding), 0 inexact."] if flags else []
    return lines


def _to(out: Format, outs: tuple[Format, ...]) -> str:
    return f" to {out}" if len(outs) > 1 else ""


def _rounding(rounding: str | None, random_bits: int, operation: str) -> str:
    random = f"the magnitude up where the first {random_bits} bits that are cut off, plus random, carry"
    if rounding is None:
        return f"none, the {operation} is exact"
    if rounding == STOCHASTIC:
        return random
    if rounding != PORT:
        return RoundingMode(rounding).definition
    texts = {mode: mode.definition for mode in RoundingMode} | {RoundingMode.STOCHASTIC: random}
    modes = [mode for mode in RoundingMode if random_bits or mode is not RoundingMode.STOCHASTIC]
    codes = [f"{mode.port_code} {texts[mode]}" for mode in modes]
    return f"by rounding_mode: {'; '.join(codes)}; others {UNASSIGNED.definition}"


def _overflow(out: Format, overflow: str, rounding: str) -> str:
    if has_path(out, Path.FIXED_POINT):
        return "the low bits of the result" if overflow == "wrap" else "the nearest number of the format"
    if overflow == "saturate":
        return "the largest number, for infinite operands as well"
    if not out.has_specials:
        return "the largest number"
    text = f"infinity ({out.inf_code:#x})" if out.has_inf else f"NaN ({out.nan_code:#x}), as there is no infinity"
    directed = rounding == PORT or rounds_toward_zero_on_a_side(rounding)
    return f"{text}; the largest number where rounded toward zero" if directed else text


def _subnormals(subnormals: str, rounds: bool) -> str:
    if subnormals == "full":
        return "read and made" if rounds else "read"
    zeros = "read as zeros of their sign"
    return f"{zeros}, and results below the least normal number become such zeros" if rounds else zeros
