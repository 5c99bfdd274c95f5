"""The decoder of each kind of format, and operands made by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

from amaranth.hdl import Cat, Const, Module, Signal, Value

from ...golden.formats import Format
from .binary_unpack import BinaryUnpack
from .codebook_unpack import CodebookUnpack
from .fixed_unpack import FixedUnpack
from .float_unpack import FloatUnpack
from .posit_unpack import PositUnpack
from .raw_float import NEVER, RawFloat, RawShape, chosen
from .unpack import Unpack

#: By ``Format.kind``. A new kind of format needs an entry here and one in :data:`..rounding.encoders.ENCODERS`.
DECODERS: dict[str, Callable[..., Unpack]] = {
    "binary": BinaryUnpack,
    "codebook": CodebookUnpack,
    "fixed": FixedUnpack,
    "float": FloatUnpack,
    "posit": PositUnpack,
}


def decoder(fmt: Format, subnormals: str = "full") -> Unpack:
    """The unit that decodes a format.

    Raises
    ------
    KeyError
        No decoder is registered for its kind.
    """
    return DECODERS[fmt.kind](fmt=fmt, subnormals=subnormals)


@cache
def raw_shape(fmt: Format, subnormals: str = "full") -> RawShape:
    """Widths and bounds of the numbers that the codes of a format stand for."""
    return decoder(fmt, subnormals).raw


def is_sign(fmt: Format) -> bool:
    """Whether a code is a sign alone, of the numbers -1 and +1."""
    return fmt.is_integral and (fmt.min_int, fmt.max_int) == (-1, 1)


def decode(m: Module, platform: object, name: str, code: Value, fmt: Format, subnormals: str = "full") -> RawFloat:
    """The number that a code stands for; the names of its signals begin with ``name``."""
    return decoder(fmt, subnormals).decode(m, platform, name, code)


def decode_selected(
    m: Module,
    platform: object,
    name: str,
    code: Value,
    choices: Sequence[Format],
    subnormals: str,
    select: Value,
) -> RawFloat:
    """The number that a code stands for in the float format at position ``select``, in the code's low bits.

    Significands are aligned at their hidden bits. The exponent keeps the bias of its own format, while ``shape`` is that
    of the first format.
    """
    items = [decode(m, platform, f"{name}_{fmt.name}", code[: fmt.width], fmt, subnormals) for fmt in choices]
    width = max(item.width for item in items)
    values = {
        key: [getattr(item, key) for item in items] for key in ("sign", "exponent", "zero", "inf", "nan", "signaling")
    }
    values["significand"] = [Cat(Const(0, width - item.width), item.significand) for item in items]
    if any(item.subnormal is not None for item in items):
        values["subnormal"] = [NEVER if item.subnormal is None else item.subnormal for item in items]
    wires = {}
    for key, parts in values.items():
        wires[key] = Signal(max(map(len, parts)), name=f"{name}_{key}")
        m.d.comb += wires[key].eq(chosen(select, parts))
    return replace(items[0], name=name, **({"subnormal": None} | wires))
