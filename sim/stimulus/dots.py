"""Operands of dot products: sums that cancel, that meet far apart, that overflow, and special values."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ... import golden, hdl
from ...golden.codec.codes import code_dtype
from ...golden.formats import Aligned
from ...hdl.sums.accumulator import Accumulator
from ...hdl.units.dot import operand_formats
from ..expected.sums import Codes, sums, to_bus
from .sum_elements import KINDS, Generator, largest, near, negated, powers, wild, zeros

#: Products in a chunk.
CHUNK_PRODUCTS = 1 << 19


def random_dots(unit: hdl.Dot, total: int, seed: int) -> Iterator[dict[str, Codes]]:
    """``total`` sets of operands of a dot product, in chunks: what its ports carry."""
    generator = np.random.default_rng(seed)
    for count in chunks(unit.accumulator, total):
        fields = beats(unit.accumulator, count, generator)
        addend = {"c": addends(unit.accumulator, fields, generator)} if unit.addend else {}
        yield to_ports(unit.accumulator, fields) | addend


def chunks(accumulator: Accumulator, total: int) -> Iterator[int]:
    """The sizes of chunks."""
    step = max(1, CHUNK_PRODUCTS // accumulator.products)
    return (min(step, total - start) for start in range(0, total, step))


def to_ports(accumulator: Accumulator, fields: dict[str, Codes]) -> dict[str, Codes]:
    return {port: to_bus(fields[port], fmt) for port, (fmt, _) in operand_formats(accumulator).items()}


def beats(accumulator: Accumulator, count: int, generator: Generator) -> dict[str, Codes]:
    """Operands of ``count`` beats: codes (count, elements) by port; what the elements of a beat have in common varies."""
    kinds = generator.choice(list(KINDS), count, p=[share for _, share in KINDS.values()])
    fields = {}
    for port, (fmt, elements) in operand_formats(accumulator).items():
        codes = np.zeros((count, elements), code_dtype(fmt))
        for kind, (make, _) in KINDS.items():
            here = kinds == kind
            codes[here] = make(fmt, (int(here.sum()), elements), generator)
        fields[port] = codes
    pairs = kinds == "pairs"
    if not accumulator.sparse:
        # Products 1, 3, … cancel those before them, most of them exactly.
        odd = accumulator.lanes // 2 * 2
        for port in ("a", "b"):
            same = fields[port][pairs, :odd:2]
            fields[port][pairs, 1:odd:2] = same if port == "b" else negated(accumulator.a_element, same)
        noise = (generator.random((int(pairs.sum()), accumulator.lanes)) < 1 / (2 * accumulator.lanes)).astype(
            fields["a"].dtype
        )
        fields["a"][pairs] ^= noise
    return fields


def addends(accumulator: Accumulator, fields: dict[str, Codes], generator: Generator) -> Codes:
    """For each beat a code of the result's format to add: often what nearly cancels, overflows or lies at the edge."""
    out, dtype = accumulator.out, code_dtype(accumulator.out)
    total = sums(accumulator, {port: codes[:, None] for port, codes in fields.items()})
    count = len(total)
    opposite = negated(out, total)
    neighbour = (opposite + dtype.type(1) - dtype.type(2) * generator.integers(0, 2, count).astype(dtype)) & dtype.type(
        out.code_mask
    )
    choices: list[Codes] = [
        wild(out, (count, 1), generator)[:, 0],
        near(out, (count, 1), generator)[:, 0],
        zeros(out, (count, 1), generator)[:, 0],
        powers(out, (count, 1), generator)[:, 0],
        opposite,
        neighbour,
        _apart(accumulator, total, generator) if out.kind == "float" else largest(out, (count, 1), generator)[:, 0],
        _beside(accumulator, total, generator) if out.kind == "float" else largest(out, (count, 1), generator)[:, 0],
    ]
    return np.choose(generator.integers(0, len(choices), count), choices).astype(dtype)


def _beside(accumulator: Accumulator, total: Codes, generator: Generator) -> Codes:
    """Numbers of the sum's sign and of exponents like its largest products', all fraction bits set."""
    out, dtype = accumulator.out, total.dtype.type
    field = (total & dtype(out.code_mask ^ out.sign_mask)) >> dtype(out.frac_bits)
    down = generator.integers(0, accumulator.products.bit_length() + 2, len(total)).astype(total.dtype)
    code = (np.where(field > down, field - down, dtype(0)) << dtype(out.frac_bits)) | dtype((1 << out.frac_bits) - 1)
    return np.minimum(code, dtype(out.max_code)) | (total & dtype(out.sign_mask))


def _apart(accumulator: Accumulator, total: Codes, generator: Generator) -> Codes:
    """Numbers of the result's format as far above or below the sum as bits begin to count or cease to."""
    out = accumulator.out
    distance = generator.choice(edges(accumulator), len(total))
    values = golden.decode(total, out)
    exponent = np.where(np.isfinite(values), np.frexp(np.nan_to_num(values, posinf=0, neginf=0))[1], 0)
    fraction = generator.choice([1.0, 1.5, 1 + 2.0**-out.frac_bits, 2 - 2.0**-out.frac_bits], len(total))
    signs = generator.choice([-1.0, 1.0], len(total))
    reach = np.clip(exponent - 1 + distance, out.min_exponent - out.frac_bits, out.max_exponent)
    return golden.encode(np.ldexp(signs * fraction, reach.astype(np.int32)), out, rounding="rtz", overflow="saturate")


def edges(accumulator: Accumulator) -> list[int]:
    """How many places two terms are apart where bits of the lesser begin to count or cease to, either way."""
    digits = accumulator.a_element.significand_bits + accumulator.b_element.significand_bits
    places = {*range(4), *range(digits, digits + 4)}
    if accumulator.out.kind == "float":
        places |= {*range(accumulator.out.significand_bits, accumulator.out.significand_bits + 3)}
    if isinstance(accumulator.style, Aligned):
        places |= {accumulator.style.frac_bits + step for step in range(-1, 4)}
    return sorted(places | {-place for place in places})
