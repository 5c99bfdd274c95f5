"""Operands of dot products and MACs: sums that cancel, that meet far apart, that overflow, and special values."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from .. import golden, hdl
from ..golden.codes import code_dtype
from ..golden.formats import Aligned, Format
from ..hdl.dot import operand_formats
from ..hdl.exact_sum import ExactSum
from ..hdl.summation import Summation
from .packing import port_format
from .stimulus import operands
from .sums import Codes, met, sums, to_bus

Generator = np.random.Generator
Shape = tuple[int, int]

#: Products that are checked at a time.
CHUNK_PRODUCTS = 1 << 19
#: Of the cycles of a MAC, this share brings operands that count.
VALID_SHARE = 0.8
#: Steps of one sum of a MAC: the mean, another one for each so many steps, and the most.
_MEAN_STEPS, _SPELL, _MOST_STEPS = (3, 6, 24), 64, 24
#: Of the sums of a MAC, the share whose products have one sign; of those the share of the largest products, and the share
#: of steps in these that bring the least.
_ONE_SIGN, _EXTREME, _LEAST = 0.5, 0.5, 0.3
#: Exponents of elements that are near each other differ from that of their set by one of these at most.
_SPREADS = (0, 1, 2, 4, 8, 16, 64)
#: Operands beyond this magnitude are wild: they make sums infinite or NaN.
_WILD = 2.0**30


def all_dots(widths: dict[str, int]) -> Iterator[dict[str, Codes]]:
    """Every set of operands of a unit whose input ports have those widths, in chunks: what the ports carry."""
    total = 1 << sum(widths.values())
    for start in range(0, total, CHUNK_PRODUCTS):
        index = np.arange(start, min(start + CHUNK_PRODUCTS, total), dtype=np.uint64)
        chunk = {}
        for port, width in widths.items():
            chunk[port] = (index & np.uint64((1 << width) - 1)).astype(code_dtype(port_format(width)))
            index = index >> np.uint64(width)
        yield chunk


def random_dots(unit: hdl.Dot, total: int, seed: int) -> Iterator[dict[str, Codes]]:
    """``total`` sets of operands of a dot product, in chunks: what its ports carry."""
    generator = np.random.default_rng(seed)
    for count in _chunks(unit.how, total):
        fields = beats(unit.how, count, generator)
        addend = {"c": addends(unit.how, fields, generator)} if unit.addend else {}
        yield _to_ports(unit.how, fields) | addend


def random_steps(unit: hdl.Mac, total: int, seed: int) -> Iterator[dict[str, Codes]]:
    """``total`` steps of a MAC, in chunks that each begin after a reset: what its ports carry but for ``en``."""
    generator = np.random.default_rng(seed)
    return (steps(unit, count, generator) for count in _chunks(unit.how, total))


def steps(unit: hdl.Mac, count: int, generator: Generator) -> dict[str, Codes]:
    """``count`` steps of a MAC after a reset."""
    valid = generator.random(count) < VALID_SHARE
    clear = _clear(unit, valid, generator)
    fields = beats(unit.how, count, generator)
    _cancel_steps(unit, fields, generator)
    _drift(unit.how, fields, _sum_numbers(unit, valid & clear), generator)
    flags = {"valid": valid, "clear": clear}
    return _to_ports(unit.how, fields) | {name: flag.astype(np.uint8) for name, flag in flags.items()}


def _chunks(how: Summation, total: int) -> Iterator[int]:
    """The sizes of chunks."""
    step = max(1, CHUNK_PRODUCTS // how.products)
    return (min(step, total - start) for start in range(0, total, step))


def _to_ports(how: Summation, fields: dict[str, Codes]) -> dict[str, Codes]:
    return {port: to_bus(fields[port], fmt) for port, (fmt, _) in operand_formats(how).items()}


def beats(how: Summation, count: int, generator: Generator) -> dict[str, Codes]:
    """Operands of ``count`` beats: codes (count, elements) by port; what the elements of a beat have in common varies."""
    kinds = generator.choice(list(_KINDS), count, p=[share for _, share in _KINDS.values()])
    fields = {}
    for port, (fmt, elements) in operand_formats(how).items():
        codes = np.zeros((count, elements), code_dtype(fmt))
        for kind, (make, _) in _KINDS.items():
            here = kinds == kind
            codes[here] = make(fmt, (int(here.sum()), elements), generator)
        fields[port] = codes
    pairs = kinds == "pairs"
    if not how.sparse:
        # Products 1, 3, … cancel those before them, most of them exactly.
        odd = how.lanes // 2 * 2
        for port in ("a", "b"):
            same = fields[port][pairs, :odd:2]
            fields[port][pairs, 1:odd:2] = same if port == "b" else negated(how.a_element, same)
        noise = (generator.random((int(pairs.sum()), how.lanes)) < 1 / (2 * how.lanes)).astype(fields["a"].dtype)
        fields["a"][pairs] ^= noise
    return fields


def negated(fmt: Format, codes: Codes) -> Codes:
    """Codes of the numbers' negatives, or of what comes nearest; as they are where there are none."""
    if fmt.kind == "fixed" and fmt.signed:
        return (~codes + codes.dtype.type(1)) & codes.dtype.type(fmt.code_mask)
    flip = 1 if fmt.kind == "binary" else fmt.sign_mask if fmt.kind == "float" and fmt.signed else 0
    return codes ^ codes.dtype.type(flip)


def _near(fmt: Format, shape: Shape, generator: Generator) -> Codes:
    """Numbers whose exponents are near each other; of fixed point of like lengths."""
    dtype = code_dtype(fmt)
    if fmt.kind != "float":
        codes = operands(None, fmt.width, shape[0] * shape[1], generator).reshape(shape)
        if fmt.kind == "binary":
            return codes.astype(dtype)
        length = generator.integers(1, fmt.width + 1, (shape[0], 1))
        low = codes & ((np.uint64(1) << length.astype(np.uint64)) - np.uint64(1)).astype(codes.dtype)
        return np.where(generator.random(shape) < 0.5, low, negated(fmt, low.astype(dtype))).astype(dtype)
    greatest = fmt.max_code >> fmt.frac_bits
    # Mostly around 1, so that products with the other operand and with scales stay in range.
    middle = np.clip(fmt.bias + generator.integers(-8, 9, shape[0]), 0, greatest)
    centre = np.where(generator.random(shape[0]) < 0.7, middle, generator.integers(0, greatest + 1, shape[0]))
    spread = np.array(_SPREADS)[generator.integers(0, len(_SPREADS), shape[0])]
    offset = generator.integers(-spread[:, None], spread[:, None] + 1, shape)
    field = np.clip(centre[:, None] + offset, 0, greatest).astype(np.uint64)
    fraction = generator.integers(0, 1 << fmt.frac_bits, shape, dtype=np.uint64)
    magnitude = np.minimum((field << np.uint64(fmt.frac_bits)) | fraction, np.uint64(fmt.max_code))
    return magnitude.astype(dtype) | _signs(fmt, shape, generator)


def _signs(fmt: Format, shape: Shape, generator: Generator) -> Codes:
    """The sign bits of random signs, where the format has any."""
    dtype = code_dtype(fmt)
    mask = fmt.sign_mask if fmt.kind == "float" and fmt.signed else 0
    return generator.integers(0, 2, shape).astype(dtype) * dtype.type(mask)


def _wild(fmt: Format, shape: Shape, generator: Generator) -> Codes:
    """Any codes, many of them corners of the format."""
    return operands(fmt, fmt.width, shape[0] * shape[1], generator).reshape(shape)


def _tame(fmt: Format, shape: Shape, generator: Generator) -> Codes:
    """Any codes but those that would decide the sum."""
    codes = _wild(fmt, shape, generator)
    if fmt.kind != "float":
        return codes
    return np.where(np.abs(golden.decode(codes, fmt)) <= _WILD, codes, _near(fmt, shape, generator))


def _one_wild(fmt: Format, shape: Shape, generator: Generator) -> Codes:
    """Any code in one lane."""
    return np.where(_one_lane(shape, generator), _wild(fmt, shape, generator), _near(fmt, shape, generator))


def _one_lane(shape: Shape, generator: Generator) -> NDArray[np.bool_]:
    """One lane of each beat."""
    return generator.integers(0, shape[1], (shape[0], 1)) == np.arange(shape[1])


def _zeros(fmt: Format, shape: Shape, generator: Generator) -> Codes:
    """Zeros of both signs, few other numbers, often none."""
    if not fmt.has_zero:
        return _near(fmt, shape, generator)
    zeros = _signs(fmt, shape, generator)
    if fmt.kind == "float" and fmt.negative_zero != "zero":
        zeros[:] = 0
    others = generator.random(shape) < generator.choice([0, 0.3], (shape[0], 1))
    return np.where(others, _near(fmt, shape, generator), zeros)


def _powers(fmt: Format, shape: Shape, generator: Generator) -> Codes:
    """Numbers of one bit: sums of them are ties. Of floats some codes of one bit, most of them subnormals."""
    codes = _near(fmt, shape, generator)
    if fmt.kind == "float":
        bit = np.uint64(1) << generator.integers(0, fmt.max_code.bit_length(), shape, dtype=np.uint64)
        single = np.minimum(bit, np.uint64(fmt.max_code)).astype(codes.dtype) | _signs(fmt, shape, generator)
        return np.where(
            generator.random((shape[0], 1)) < 0.3, single, codes & ~codes.dtype.type((1 << fmt.frac_bits) - 1)
        )
    return (np.uint64(1) << generator.integers(0, fmt.width, shape, dtype=np.uint64)).astype(codes.dtype)


def _largest(fmt: Format, shape: Shape, generator: Generator) -> Codes:
    """The largest magnitudes, of one sign or of both: sums overflow."""
    dtype = code_dtype(fmt)
    if fmt.kind == "float":
        signs = np.where(generator.random((shape[0], 1)) < 0.5, _signs(fmt, shape, generator), dtype.type(0))
        return signs | dtype.type(fmt.max_code)
    ends = np.array([fmt.code_mask >> int(fmt.signed), (fmt.code_mask >> 1) + 1 if fmt.signed else 0], dtype)
    return ends[generator.integers(0, 2, shape) * (generator.random((shape[0], 1)) < 0.5)]


def _next_to_largest(fmt: Format, shape: Shape, generator: Generator) -> Codes:
    """The largest magnitudes, some of them one code less."""
    codes = _largest(fmt, shape, generator)
    return (codes - (generator.random(shape) < 0.2).astype(codes.dtype)) & codes.dtype.type(fmt.code_mask)


def _full(fmt: Format, shape: Shape, generator: Generator) -> Codes:
    """Numbers of one exponent with all fraction bits set, all of one sign or not: their sums carry as far as any do."""
    codes = _near(fmt, shape, generator)
    if fmt.kind != "float":
        return _largest(fmt, shape, generator)
    fraction = codes.dtype.type((1 << fmt.frac_bits) - 1)
    # Below the largest exponent, in which not every fraction need be a number.
    first = codes[:, :1] & codes.dtype.type(max((fmt.max_code >> fmt.frac_bits) - 1, 0) << fmt.frac_bits)
    signs = np.where(
        generator.random((shape[0], 1)) < 0.5, _signs(fmt, (shape[0], 1), generator), _signs(fmt, shape, generator)
    )
    return first | np.minimum(fraction, codes.dtype.type(fmt.max_code)) | signs


def _least(fmt: Format, shape: Shape, generator: Generator) -> Codes:
    """The least magnitudes, of both signs."""
    codes = np.ones(shape, code_dtype(fmt))
    return np.where(generator.random(shape) < 0.5, negated(fmt, codes), codes)


#: What elements have in common: how they are made, and the share of beats.
_KINDS: dict[str, tuple[Callable[[Format, Shape, Generator], Codes], float]] = {
    "near": (_near, 0.25),
    "tame": (_tame, 0.15),
    "one wild": (_one_wild, 0.1),
    "wild": (_wild, 0.1),
    "zeros": (_zeros, 0.1),
    "powers": (_powers, 0.1),
    "largest": (_largest, 0.05),
    "full": (_full, 0.05),
    "pairs": (_near, 0.1),
}


def addends(how: Summation, fields: dict[str, Codes], generator: Generator) -> Codes:
    """For each beat a code of the result's format to add: often what nearly cancels, overflows or lies at the edge."""
    out, dtype = how.out, code_dtype(how.out)
    total = sums(how, {port: codes[:, None] for port, codes in fields.items()})
    count = len(total)
    opposite = negated(out, total)
    neighbour = (opposite + dtype.type(1) - dtype.type(2) * generator.integers(0, 2, count).astype(dtype)) & dtype.type(
        out.code_mask
    )
    choices: list[Codes] = [
        _wild(out, (count, 1), generator)[:, 0],
        _near(out, (count, 1), generator)[:, 0],
        _zeros(out, (count, 1), generator)[:, 0],
        _powers(out, (count, 1), generator)[:, 0],
        opposite,
        neighbour,
        _apart(how, total, generator) if out.kind == "float" else _largest(out, (count, 1), generator)[:, 0],
        _beside(how, total, generator) if out.kind == "float" else _largest(out, (count, 1), generator)[:, 0],
    ]
    return np.choose(generator.integers(0, len(choices), count), choices).astype(dtype)


def _beside(how: Summation, total: Codes, generator: Generator) -> Codes:
    """Numbers of the sum's sign and of exponents like its largest products', all fraction bits set."""
    out, dtype = how.out, total.dtype.type
    field = (total & dtype(out.code_mask ^ out.sign_mask)) >> dtype(out.frac_bits)
    down = generator.integers(0, how.products.bit_length() + 2, len(total)).astype(total.dtype)
    code = (np.where(field > down, field - down, dtype(0)) << dtype(out.frac_bits)) | dtype((1 << out.frac_bits) - 1)
    return np.minimum(code, dtype(out.max_code)) | (total & dtype(out.sign_mask))


def _apart(how: Summation, total: Codes, generator: Generator) -> Codes:
    """Numbers of the result's format as far above or below the sum as bits begin to count or cease to."""
    out = how.out
    edges = {0, 1, 2, out.significand_bits, out.significand_bits + 1, out.significand_bits + 2}
    edges |= {how.a_element.significand_bits + how.b_element.significand_bits + step for step in range(4)}
    if isinstance(how.style, Aligned):
        edges |= {how.style.frac_bits + step for step in range(-1, 4)}
    distance = np.array([*edges, *(-edge for edge in edges)])[generator.integers(0, 2 * len(edges), len(total))]
    values = golden.decode(total, out)
    exponent = np.where(np.isfinite(values), np.frexp(np.nan_to_num(values, posinf=0, neginf=0))[1], 0)
    fraction = generator.choice([1.0, 1.5, 1 + 2.0**-out.frac_bits, 2 - 2.0**-out.frac_bits], len(total))
    signs = generator.choice([-1.0, 1.0], len(total))
    reach = np.clip(exponent - 1 + distance, out.min_exponent - out.frac_bits, out.max_exponent)
    return golden.encode(np.ldexp(signs * fraction, reach.astype(np.int32)), out, rounding="rtz", overflow="saturate")


def _cancel_steps(unit: hdl.Mac, fields: dict[str, Codes], generator: Generator) -> None:
    """Make some steps the negatives of those before them in their sum."""
    again = generator.random(len(fields["a"])) < 0.15
    again[: unit.interleave] = False
    (steps,) = np.nonzero(again)
    for port, codes in fields.items():
        before = codes[steps - unit.interleave]
        codes[steps] = negated(unit.how.a_element, before) if port == "a" else before


def _clear(unit: hdl.Mac, valid: NDArray[np.bool_], generator: Generator) -> NDArray[np.bool_]:
    """Where sums begin anew, none longer than what it is made for; without ``valid`` that means nothing."""
    mean = generator.choice(_MEAN_STEPS, len(valid) // _SPELL + 1).repeat(_SPELL)[: len(valid)]
    clear = generator.random(len(valid)) < 1 / mean
    most = _MOST_STEPS
    if isinstance(unit.how, ExactSum):
        most = min(most, unit.how.max_k // unit.how.products)
    for slot in range(unit.interleave):
        length = 0
        for step in range(slot, len(valid), unit.interleave):
            if valid[step]:
                length = 1 if clear[step] else length + 1
                if length > most:
                    clear[step], length = True, 1
    return clear


def _sum_numbers(unit: hdl.Mac, begins: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The number of the sum that each step belongs to."""
    numbers = np.zeros(len(begins), np.int64)
    for slot in range(unit.interleave):
        numbers[slot :: unit.interleave] = np.cumsum(begins[slot :: unit.interleave]) * unit.interleave + slot
    return numbers


def _drift(how: Summation, fields: dict[str, Codes], numbers: NDArray[np.int64], generator: Generator) -> None:
    """Give the products of some sums one sign, and make some of these as large as can be: those sums overflow.

    Without that sums wander around 0, and of a wide accumulator the ends are never seen. Some steps there add the least
    that can be added, so that a sum at its end goes beyond it by that or comes back.
    """
    count = int(numbers.max(initial=-1)) + 1
    sign = generator.choice([-1, 0, 1], count, p=[_ONE_SIGN / 2, 1 - _ONE_SIGN, _ONE_SIGN / 2])
    extreme = (sign != 0) & (generator.random(count) < _EXTREME)
    sign, extreme = sign[numbers, None], extreme[numbers]
    least = extreme & (generator.random(len(numbers)) < _LEAST)
    sign[least] = 0
    for port, fmt in (("a", how.a_element), ("b", how.b_element)):
        for here, make in ((extreme, _next_to_largest), (least, _least)):
            fields[port][here] = make(fmt, fields[port][here].shape, generator)
    fields["a"][least] *= _one_lane(fields["a"][least].shape, generator)
    # The operand that has a sign makes that of the product.
    side = "a" if how.a_element.signed else "b"
    fmt = how.a_element if side == "a" else how.b_element
    negative = golden.decode(fields[side], fmt) < 0
    if side == "a":
        negative ^= golden.decode(met(how, fields)["b"], how.b_element) < 0
    wrong = np.where(negative, sign > 0, sign < 0)
    fields[side] = np.where(wrong, negated(fmt, fields[side]), fields[side])
