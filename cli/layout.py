"""How the codes of a scalar format are written for people: fields, formula, special codes."""

from __future__ import annotations

from decimal import Decimal

from ..golden.formats import Format

#: Formats of up to this many codes are listed whole.
MAX_LISTED = 256


def _fields(fmt: Format) -> list[tuple[str, int]]:
    """Names and widths of a code's fields, from the most significant bit."""
    if fmt.kind == "float":
        magnitude = "fraction" if fmt.exp_bits else "magnitude"
        fields = [("sign", int(fmt.signed)), ("exponent", fmt.exp_bits), (magnitude, fmt.frac_bits)]
    elif fmt.kind == "fixed":
        integer = "two's complement integer part" if fmt.signed else "integer part"
        fields = [(integer, max(fmt.width - fmt.frac_bits, 0)), ("fraction", min(fmt.frac_bits, fmt.width))]
    else:
        fields = [("sign", 1)]
    return [(name, width) for name, width in fields if width]


def bit_fields(fmt: Format) -> str:
    """The fields of a code by their bits, such as ``bit 7 sign, bits 6…3 exponent, bits 2…0 fraction``."""
    parts, top = [], fmt.width - 1
    for name, width in _fields(fmt):
        parts.append(f"bit {top} {name}" if width == 1 else f"bits {top}…{top - width + 1} {name}")
        top -= width
    return ", ".join(parts)


def bit_text(fmt: Format, code: int) -> str:
    """A code's bits, a point between fields, as the standards print them."""
    bits, parts = f"{code:0{fmt.width}b}", []
    for _, width in _fields(fmt):
        parts.append(bits[:width])
        bits = bits[width:]
    return ".".join(parts)


def code_text(fmt: Format, code: int) -> str:
    """A code in hexadecimal, with as many digits as the format's codes have."""
    return f"0x{code:0{-(-fmt.width // 4)}x}"


def short_text(fmt: Format, code: int) -> str:
    """A code's value, exact where that is short, else to seven digits."""
    text = fmt.text(code)
    return text if len(text) <= 11 else f"{Decimal(text):.7g}"


def value_formula(fmt: Format) -> str:
    """What a finite code is worth: s, e and f are the fields, i the code as an integer."""
    if fmt.kind == "binary":
        return "-1 for code 0, +1 for code 1"
    if fmt.kind == "fixed":
        return f"i · 2^-{fmt.frac_bits}" if fmt.frac_bits else "i"
    sign = "(-1)^s · " if fmt.signed else ""
    normal = f"{sign}2^(e - {fmt.bias})" + (f" · (1 + f/2^{fmt.frac_bits})" if fmt.frac_bits else "")
    if not fmt.subnormals:
        return normal
    subnormal = f"{sign}2^{fmt.min_exponent} · f/2^{fmt.frac_bits}" if fmt.frac_bits else f"{sign}0"
    return f"{normal}; where e = 0 {subnormal}" if fmt.exp_bits else f"{sign}f · 2^{fmt.min_exponent - fmt.frac_bits}"


def special_codes(fmt: Format) -> list[tuple[str, int]]:
    """Codes that mark the ends of a format's ranges, and all that are no finite numbers (runs by their ends)."""
    if fmt.kind != "float":
        greatest = fmt.max_int if fmt.kind == "fixed" else 1
        ends = [("greatest", greatest), ("least", fmt.min_int & fmt.code_mask if fmt.kind == "fixed" else 0)]
        return [("zero", 0), ("least positive", 1), *ends] if fmt.has_zero else ends
    found: list[tuple[str, int | None]] = [("zero", 0 if fmt.has_zero else None)]
    if fmt.signed and fmt.has_zero and fmt.negative_zero == "zero":
        found.append(("negative zero", fmt.sign_mask))
    if fmt.exp_bits and fmt.subnormals and fmt.frac_bits:
        found += [("least subnormal", 1), ("largest subnormal", (1 << fmt.frac_bits) - 1)]
    normal = (1 << fmt.frac_bits if fmt.subnormals else 0) if fmt.exp_bits else 1
    found += [("least normal" if fmt.exp_bits else "least positive", normal), ("largest", fmt.max_code)]
    found.append(("least", fmt.max_code | fmt.sign_mask if fmt.signed else None))
    found.append(("infinity", fmt.inf_code))
    if fmt.inf_code is not None and fmt.signed:
        found.append(("negative infinity", fmt.inf_code | fmt.sign_mask))
    for sign in (0, fmt.sign_mask) if fmt.signed else (0,):
        if fmt.nan_codes:
            found.append(("NaN" if not fmt.nan_codes[1:] else "first NaN", fmt.nan_codes[0] | sign))
        if fmt.nan_codes[1:]:
            found.append(("last NaN", fmt.nan_codes[-1] | sign))
    if fmt.negative_zero == "nan":
        found.append(("NaN", fmt.sign_mask))
    if fmt.nan_codes[1:]:
        found.append(("NaN of operations", fmt.nan_code))
    return [(name, code) for name, code in found if code is not None]
