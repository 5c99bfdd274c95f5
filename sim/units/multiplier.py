"""Multipliers under verification: operands, and the products that the golden model gives."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ... import golden, hdl
from ...golden.formats import Format
from ...hdl.integer.architecture import TARGETS
from ...hdl.rounding.modes import PORT, STOCHASTIC
from ..engine.packing import operand_pairs
from ..expected.rounding import modes_by_code
from ..stimulus.operands import operands, port_dtype
from .entry import Option, UnitEntry
from .operands import CHUNK, Codes, draw, operand_names, ports_of, random_valid


def all_inputs(unit: hdl.Multiplier) -> Iterator[dict[str, Codes]]:
    """Every pair of a and b with every code of all other operands, in chunks: codes by port."""
    ports = ports_of(unit)
    others = [name for name in operand_names(unit) if name not in ("a", "b")]
    generator = np.random.default_rng(0)
    for codes in itertools.product(*(range(1 << ports[name].width) for name in others)):
        for a, b in operand_pairs(ports["a"].width, ports["b"].width, CHUNK):
            chunk = {"a": a, "b": b}
            for name, code in zip(others, codes, strict=True):
                chunk[name] = np.full(len(a), code, port_dtype(ports[name].width))
            yield chunk | random_valid(unit, len(a), generator)


def random_inputs(unit: hdl.Multiplier, total: int, seed: int) -> Iterator[dict[str, Codes]]:
    """``total`` sets of operands in chunks; with several formats, a and b are drawn in the format that is selected."""
    generator = np.random.default_rng(seed)
    for start in range(0, total, CHUNK):
        count = min(CHUNK, total - start)
        chunk = draw(unit, count, generator)
        if unit.is_selected:
            for here, fmt in _selections(unit, chunk["select"]):
                for name in ("a", "b"):
                    chunk[name][here] = operands(fmt, fmt.width, int(here.sum()), generator)
        yield chunk | random_valid(unit, count, generator)


def _selections(unit: hdl.Multiplier, select: Codes) -> Iterator[tuple[NDArray[np.bool_], Format]]:
    """Where each of the formats is chosen: the last one by greater numbers, too."""
    last = len(unit.choices.a) - 1
    for index, fmt in enumerate(unit.choices.a):
        yield np.minimum(select, last) == index, fmt


def reference(unit: hdl.Multiplier, inputs: dict[str, Codes]) -> dict[str, Codes]:
    """Codes by output port, from :func:`golden.multiply` for each mode and format, or :func:`golden.multiply_unpacked`."""
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
        for rounding, chosen in asked_roundings(unit, inputs, here):
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


def asked_roundings(
    unit: hdl.Multiplier | hdl.Adder, inputs: dict[str, Codes], here: NDArray[np.bool_]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Each rounding mode, and where it is asked for."""
    if unit.rounding != PORT:
        yield unit.rounding or "rne", here
        return
    modes = modes_by_code(stochastic=unit.random_bits > 0)
    for code in np.unique(inputs["rounding_mode"][here]).tolist():
        yield modes[code], here & (inputs["rounding_mode"] == code)


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


def _partial_products(unit: hdl.Multiplier) -> int:
    return unit.a_format.significand_bits * unit.b_format.significand_bits


MULTIPLIER = UnitEntry(
    hdl.Multiplier,
    reference,
    random_inputs=random_inputs,
    all_inputs=all_inputs,
    # With valid, a reset shows: the products of operands from before it do not come.
    resets_show=lambda unit: unit.with_valid,
    partial_products=_partial_products,
    options={
        "formats": Option("Formats among which the port select chooses, in place of a and b.", "A,B,…"),
        "valid": Option("Ports valid and y_valid, which mark the operands and results that count.", is_flag=True),
        "random_bits": Option("Random bits of stochastic rounding.  [default: as many as are cut off, 8 … 32]", "N"),
        "subnormals": Option("Subnormal floats: kept, or flushed to zero.  [default: full]", "full|flush"),
        "target": Option("What --architecture auto selects for.  [default: nangate45]", "|".join(TARGETS)),
    },
)
