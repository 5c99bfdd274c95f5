"""Steps of MACs: sums that cancel, wander, overflow and start over."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ... import golden, hdl
from ...golden.formats import Format
from ...hdl.sums.accumulator import Accumulator
from ...hdl.sums.exact import ExactSum
from ...hdl.units.dot import operand_formats
from ..expected.sums import Codes, mac_reference, met
from .dots import beats, chunks, edges, to_ports
from .sum_elements import SPREADS, Generator, Ints, around, least, negated, next_to_largest, one_lane, single_bits

#: Of the cycles of a MAC, this share brings operands that count.
_VALID_SHARE = 0.8
#: Steps of one sum of a MAC: the mean, the number of steps after which another mean is drawn, and the most.
_MEAN_STEPS, _SPELL, _MOST_STEPS = (3, 6, 24), 64, 24
#: Of the sums of a MAC, the share whose products have exponents near each other; of their operands, the share of those
#: about the least exponent, whose products have few digits; of the sums the share of those of powers of two.
_LEVEL, _SUBNORMAL, _SINGLE = 0.4, 0.25, 0.15
#: Of the steps of a MAC, the share that takes back one of the three before it, or nearly so.
_AGAIN = 0.2
#: Of the steps of a MAC, the share whose first product nearly cancels the sum so far.
_OPPOSED = 0.1
#: Of the sums of a MAC, the share whose products have one sign; of those the share of the largest products, and the share
#: of steps in these that bring the least.
_ONE_SIGN, _EXTREME, _LEAST = 0.5, 0.5, 0.3


def random_steps(unit: hdl.Mac, total: int, seed: int) -> Iterator[dict[str, Codes]]:
    """``total`` steps of a MAC, in chunks that each begin after a reset: the values of all its ports except ``en``."""
    generator = np.random.default_rng(seed)
    return (steps(unit, count, generator) for count in chunks(unit.accumulator, total))


def steps(unit: hdl.Mac, count: int, generator: Generator) -> dict[str, Codes]:
    """``count`` steps of a MAC after a reset."""
    valid = generator.random(count) < _VALID_SHARE
    clear = _clear(unit, valid, generator)
    fields = beats(unit.accumulator, count, generator)
    numbers = _sum_numbers(unit, valid & clear)
    _level(unit.accumulator, fields, numbers, generator)
    _cancel_steps(unit, fields, generator)
    _drift(unit.accumulator, fields, numbers, generator)
    flags = {name: flag.astype(np.uint8) for name, flag in (("valid", valid), ("clear", clear))}
    if _opposable(unit.accumulator):
        before = mac_reference(unit, to_ports(unit.accumulator, fields) | flags).before
        _oppose(unit.accumulator, fields, before, generator)
    return to_ports(unit.accumulator, fields) | flags


def _clear(unit: hdl.Mac, valid: NDArray[np.bool_], generator: Generator) -> NDArray[np.bool_]:
    """Where sums start over, so that none has more steps than the unit allows; it has no effect without ``valid``."""
    mean = generator.choice(_MEAN_STEPS, len(valid) // _SPELL + 1).repeat(_SPELL)[: len(valid)]
    clear = generator.random(len(valid)) < 1 / mean
    most = _MOST_STEPS
    if isinstance(unit.accumulator, ExactSum):
        most = min(most, unit.accumulator.max_k // unit.accumulator.products)
    for slot in range(unit.interleave):
        length = 0
        for step in range(slot, len(valid), unit.interleave):
            if valid[step]:
                length = 1 if clear[step] else length + 1
                if length > most:
                    clear[step], length = True, 1
    return clear


def _sum_numbers(unit: hdl.Mac, begins: NDArray[np.bool_]) -> Ints:
    """The number of the sum that each step belongs to."""
    numbers = np.zeros(len(begins), np.int64)
    for slot in range(unit.interleave):
        numbers[slot :: unit.interleave] = np.cumsum(begins[slot :: unit.interleave]) * unit.interleave + slot
    return numbers


def _level(accumulator: Accumulator, fields: dict[str, Codes], numbers: Ints, generator: Generator) -> None:
    """Give the products of some sums exponents near each other, anywhere in the range: no later one hides what was lost.

    Without that sums whose products are all among the least, so that their last bits count, are never seen. Other sums are
    of powers of two: such a sum has few bits, which meet the bit that is rounded away, or lie beneath it, at any distance.
    """
    count = int(numbers.max(initial=-1)) + 1
    kind = generator.random(count)
    here, single = (kind < _LEVEL)[numbers], (kind > 1 - _SINGLE)[numbers]
    spread = generator.choice(SPREADS[:4], count)
    for port, fmt in (("a", accumulator.a_element), ("b", accumulator.b_element)):
        if fmt.kind == "float":
            centre = _any_exponent(fmt, count, generator)
            rows = numbers[here]
            fields[port][here] = around(fmt, centre[rows], spread[rows], fields[port][here].shape, generator)
            fields[port][single] = single_bits(fmt, fields[port][single].shape, generator)


def _any_exponent(fmt: Format, count: int, generator: Generator) -> Ints:
    """Exponents' fields anywhere in the range, many of them the least."""
    field = generator.integers(0, (fmt.max_code >> fmt.frac_bits) + 1, count)
    return field * (generator.random(count) >= _SUBNORMAL)


def _cancel_steps(unit: hdl.Mac, fields: dict[str, Codes], generator: Generator) -> None:
    """Make some steps the negatives of others shortly before in their sum, and half of these other powers of two."""
    accumulator = unit.accumulator
    (steps,) = np.nonzero(generator.random(len(fields["a"])) < _AGAIN)
    first = steps - unit.interleave * generator.integers(1, 4, len(steps))
    steps, first = steps[first >= 0], first[first >= 0]
    for port, codes in fields.items():
        before = codes[first]
        codes[steps] = negated(accumulator.a_element, before) if port == "a" else before
    distance = generator.choice([0, 1], len(steps)) * generator.choice(edges(accumulator), len(steps))
    part = generator.integers(0, np.abs(distance) + 1) * np.sign(distance)
    for port, fmt, by in (("a", accumulator.a_element, part), ("b", accumulator.b_element, distance - part)):
        fields[port][steps] = _scaled(fmt, fields[port][steps], by[:, None])


def _scaled(fmt: Format, codes: Codes, exponent: Ints) -> Codes:
    """Numbers times 2**exponent, as far as the exponent's field goes; those that are no floats remain."""
    if fmt.kind != "float":
        return codes
    sign = codes & codes.dtype.type(fmt.sign_mask if fmt.signed else 0)
    magnitude = (codes ^ sign).astype(np.int64)
    moved = magnitude + (exponent << fmt.frac_bits)
    here = (moved >= 0) & (moved <= fmt.max_code) & (magnitude <= fmt.max_code)
    return np.where(here, moved.astype(codes.dtype) | sign, codes)


def _opposable(accumulator: Accumulator) -> bool:
    """Whether operands are floats that meet without scales or positions."""
    return (
        set(operand_formats(accumulator)) == {"a", "b"}
        and accumulator.a_element.kind == "float"
        and accumulator.out.kind == "float"
    )


def _oppose(accumulator: Accumulator, fields: dict[str, Codes], before: Codes, generator: Generator) -> None:
    """Let the first products of some steps be near the sum so far times a power of two, mostly of the other sign.

    Often only the last bits of such a sum remain, some of which come from earlier products.
    """
    totals, fmt = golden.decode(before, accumulator.out), accumulator.b_element
    (rows,) = np.nonzero((generator.random(len(before)) < _OPPOSED) & np.isfinite(totals) & (totals != 0))
    if fmt.kind == "float":
        centre = _any_exponent(fmt, len(rows), generator)
        fields["b"][rows, :1] = around(fmt, centre, np.zeros_like(centre), (len(rows), 1), generator)
    b = golden.decode(fields["b"][rows, 0], fmt)
    divisor = np.isfinite(b) & (b != 0)
    rows, b = rows[divisor], b[divisor]
    sign = generator.choice([-1.0, 1.0], len(rows), p=[0.8, 0.2])
    distance = np.where(
        generator.random(len(rows)) < 0.7,
        generator.integers(-1, 3, len(rows)),
        generator.choice(edges(accumulator), len(rows)),
    )
    with np.errstate(over="ignore"):
        quotient = totals[rows] / b * np.ldexp(sign, distance)
    quotient = np.nan_to_num(quotient)  # infinite where a sum is divided by very little
    fields["a"][rows, 0] = golden.encode(quotient, accumulator.a_element, rounding="rtz", overflow="saturate")
    if accumulator.a_element.has_zero:
        fields["a"][rows, 1:] *= generator.integers(0, 2, (len(rows), 1)).astype(fields["a"].dtype)


def _drift(accumulator: Accumulator, fields: dict[str, Codes], numbers: Ints, generator: Generator) -> None:
    """Give the products of some sums one sign, and make some of these as large as can be: those sums overflow.

    Without that sums wander around 0, and of a wide accumulator the ends are never seen. Some steps there add the least
    that can be added, so that a sum at its end goes beyond it by that or comes back.
    """
    count = int(numbers.max(initial=-1)) + 1
    sign = generator.choice([-1, 0, 1], count, p=[_ONE_SIGN / 2, 1 - _ONE_SIGN, _ONE_SIGN / 2])
    extreme = (sign != 0) & (generator.random(count) < _EXTREME)
    sign, extreme = sign[numbers, None], extreme[numbers]
    tiny = extreme & (generator.random(len(numbers)) < _LEAST)
    sign[tiny] = 0
    for port, fmt in (("a", accumulator.a_element), ("b", accumulator.b_element)):
        for here, make in ((extreme, next_to_largest), (tiny, least)):
            fields[port][here] = make(fmt, fields[port][here].shape, generator)
    fields["a"][tiny] *= one_lane(fields["a"][tiny].shape, generator)
    # The operand that has a sign decides the product's.
    side = "a" if accumulator.a_element.signed else "b"
    fmt = accumulator.a_element if side == "a" else accumulator.b_element
    negative = golden.decode(fields[side], fmt) < 0
    if side == "a":
        negative ^= golden.decode(met(accumulator, fields)["b"], accumulator.b_element) < 0
    wrong = np.where(negative, sign > 0, sign < 0)
    fields[side] = np.where(wrong, negated(fmt, fields[side]), fields[side])
