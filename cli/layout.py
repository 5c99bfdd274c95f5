"""How the codes of a scalar format are written for people: fields, formula, special codes."""

from __future__ import annotations

from decimal import Decimal

from ..golden.formats import Format

#: Formats of up to this many codes are listed whole.
MAX_LISTED = 256


def _fields(fmt: Format) -> list[tuple[str, int]]:
    """Names and widths of a code's fields, from the most significant bit."""
    return [(name, width) for name, width in fmt.fields if width]


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
