"""What goes into a unit without streams under verification, and what the golden model says must come out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import golden, hdl
from ..golden.formats import ROUNDINGS, Format, ParameterError
from ..hdl.rounding import PORT, STOCHASTIC
from ..hdl.unit import Port
from .fused import fused_reference, is_fused
from .packing import operand_pairs
from .step_stimulus import random_steps
from .stimulus import operands, port_dtype
from .sum_stimulus import all_dots, random_dots
from .sums import dot_reference, mac_reference

Codes = NDArray[Any]

#: Operand sets at a time.
CHUNK = 1 << 18
#: Of all operands of a unit with valid, this share counts.
_VALID_SHARE = 0.7


def ports_of(unit: hdl.Unit) -> dict[str, Port]:
    """The ports of a unit by name."""
    return {port.name: port for port in unit.ports}


def operand_names(unit: hdl.Unit) -> list[str]:
    """The input ports that take operands: all but clock, reset, enable and valid."""
    return [port.name for port in unit.ports if port.direction == "input" and port.role in ("data", "control")]


def operand_bits(unit: hdl.Unit) -> int:
    """Bits of one set of operands."""
    ports = ports_of(unit)
    return sum(ports[name].width for name in operand_names(unit))


def products_of(unit: hdl.Unit) -> int:
    """Products that a unit without streams forms in a cycle."""
    return unit.how.products if isinstance(unit, (hdl.Dot, hdl.Mac)) else 1


def operands_text(unit: hdl.Unit) -> str:
    """What sets of operands are called: pairs where there are but two, steps where their order counts."""
    if isinstance(unit, hdl.Mac):
        return "steps"
    return "pairs" if operand_names(unit) == ["a", "b"] else "operand sets"


def all_inputs(unit: hdl.Multiplier | hdl.Dot) -> Iterator[dict[str, Codes]]:
    """Every pair of operands, with every code of all other operands, in chunks: codes by port."""
    ports = ports_of(unit)
    if isinstance(unit, hdl.Dot):
        yield from all_dots({name: ports[name].width for name in operand_names(unit)})
        return
    others = [name for name in operand_names(unit) if name not in ("a", "b")]
    generator = np.random.default_rng(0)
    for codes in itertools.product(*(range(1 << ports[name].width) for name in others)):
        for a, b in operand_pairs(ports["a"].width, ports["b"].width, CHUNK):
            chunk = {"a": a, "b": b}
            for name, code in zip(others, codes, strict=True):
                chunk[name] = np.full(len(a), code, port_dtype(ports[name].width))
            yield chunk | _valid(unit, len(a), generator)


def random_inputs(unit: hdl.Unit, total: int, seed: int) -> Iterator[dict[str, Codes]]:
    """``total`` sets of operands, in chunks: codes by port."""
    if isinstance(unit, hdl.Dot):
        yield from random_dots(unit, total, seed)
        return
    if isinstance(unit, hdl.Mac):
        yield from random_steps(unit, total, seed)
        return
    ports = ports_of(unit)
    generator = np.random.default_rng(seed)
    for start in range(0, total, CHUNK):
        count = min(CHUNK, total - start)
        chunk = {
            name: operands(ports[name].format, ports[name].width, count, generator) for name in operand_names(unit)
        }
        if isinstance(unit, hdl.Requantizer):  # a shift of 0 is none, and a shift so small only saturates
            chunk["shift"] = generator.integers(1, 64, count).astype(np.uint8)
        if isinstance(unit, hdl.Multiplier) and unit.is_selected:
            for here, fmt in _selections(unit, chunk["select"]):
                for name in ("a", "b"):
                    chunk[name][here] = operands(fmt, fmt.width, int(here.sum()), generator)
        yield chunk | _valid(unit, count, generator)


def _valid(unit: hdl.Unit, count: int, generator: np.random.Generator) -> dict[str, Codes]:
    """Of a multiplier with valid: which operands count."""
    if not isinstance(unit, hdl.Multiplier) or not unit.with_valid:
        return {}
    return {"valid": (generator.random(count) < _VALID_SHARE).astype(np.uint8)}


def _selections(unit: hdl.Multiplier, select: Codes) -> Iterator[tuple[NDArray[np.bool_], Format]]:
    """Where each of the formats is chosen: the last one by greater numbers, too."""
    last = len(unit.choices.a) - 1
    for index, fmt in enumerate(unit.choices.a):
        yield np.minimum(select, last) == index, fmt


def reference(unit: hdl.Unit, inputs: dict[str, Codes]) -> dict[str, Codes]:
    """What a unit without streams must answer, from the golden model: codes by output port, masked where any will do.

    Raises
    ------
    ParameterError
        It is another unit.
    """
    if isinstance(unit, hdl.Multiplier):
        return _multiplier_reference(unit, inputs)
    if isinstance(unit, hdl.Dot):
        return fused_reference(unit, inputs) if is_fused(unit) else dot_reference(unit, inputs)
    if isinstance(unit, hdl.Mac):
        return {"acc": mac_reference(unit, inputs).after}
    if isinstance(unit, hdl.Requantizer):
        acc, bias = (golden.to_int(inputs[name], unit.acc_format) for name in ("acc", "bias"))
        zero_point = golden.to_int(inputs["zero_point"], unit.out_format)
        multiplier, shift = (inputs[name].astype(np.int64) for name in ("multiplier", "shift"))
        # From 64 bits on their sum is beyond int64.
        total = np.asarray(acc.astype(object) + bias if unit.acc_format.width > 62 else acc + bias)
        return {"y": golden.rescale(total, multiplier, shift, zero_point, unit.out_format, relu=unit.relu)}
    raise ParameterError(f"unit must be a multiplier, a dot product, a MAC or a requantizer, not {unit.kind}")


def _multiplier_reference(unit: hdl.Multiplier, inputs: dict[str, Codes]) -> dict[str, Codes]:
    a, b = inputs["a"], inputs["b"]
    expected: dict[str, Codes] = {"y_valid": inputs["valid"]} if unit.with_valid else {}
    if unit.is_unpacked:
        return expected | _unpacked_reference(unit, a, b)
    y = np.zeros(len(a), port_dtype(ports_of(unit)["y"].width))
    flags = np.zeros(len(a), np.uint8)
    everywhere = np.ones(len(a), bool)
    if unit.is_selected:
        parts = [
            (here, unit.choices.out[unit.choices.a.index(fmt)]) for here, fmt in _selections(unit, inputs["select"])
        ]
    else:
        parts = [(everywhere, unit.out_format)]
    for (here, out), fa, fb in zip(parts, unit.choices.a, unit.choices.b, strict=True):
        x, z = (
            codes & codes.dtype.type(fmt.code_mask) if unit.is_selected else codes for codes, fmt in ((a, fa), (b, fb))
        )
        for rounding, chosen in _roundings(unit, inputs, here):
            random = (
                {"random": inputs["random"][chosen], "random_bits": unit.random_bits} if rounding == STOCHASTIC else {}
            )
            y[chosen], flags[chosen] = golden.multiply(
                x[chosen],
                z[chosen],
                fa,
                fb,
                out=out,
                rounding=rounding,
                overflow=unit.overflow,
                subnormals=unit.subnormals or "full",
                flags=True,
                **random,
            )
    return expected | {"y": y} | ({"flags": flags} if unit.with_flags else {})


def _roundings(
    unit: hdl.Multiplier, inputs: dict[str, Codes], here: NDArray[np.bool_]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Each rounding, and where it is asked for; with a port, the codes that stand for no mode round toward zero."""
    if unit.rounding != PORT:
        yield unit.rounding or "rne", here
        return
    names = [*ROUNDINGS, *([STOCHASTIC] if unit.random_bits else [])]
    for code in np.unique(inputs["rounding_mode"][here]):
        name = names[code] if code < len(names) else "rtz"
        yield name, here & (inputs["rounding_mode"] == code)


def _unpacked_reference(unit: hdl.Multiplier, a: Codes, b: Codes) -> dict[str, Codes]:
    """Codes by port; masked where they mean nothing."""
    product = golden.multiply_unpacked(a, b, unit.a_format, unit.b_format, subnormals=unit.subnormals)
    mask = product.meaningless
    exponent = np.where(mask, 0, product.exponent).astype(np.uint64)
    expected: dict[str, Codes] = {
        "sign": product.sign.astype(np.uint8),
        "exponent": np.ma.masked_array(exponent, mask),
        "significand": np.ma.masked_array(product.significand, mask),
    }
    ports = ports_of(unit)
    return expected | {
        name: getattr(product, name).astype(np.uint8) for name in ("zero", "inf", "nan") if name in ports
    }
