"""Decoders and encoders of posits and codebooks: all codes, and all numbers around them, against golden and fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from polymac import hdl, sim
from polymac.golden.codec.codebook import unpack_codebook
from polymac.golden.codec.codes import Unpacked
from polymac.golden.formats import FORMATS, CodebookFormat, posit
from polymac.hdl.core.unit import PortSpec, Unit
from polymac.hdl.operand.codebook_unpack import CodebookUnpack
from polymac.hdl.operand.posit_unpack import PositUnpack
from polymac.hdl.rounding.modes import Policy
from polymac.hdl.rounding.posit_round import PositRound
from polymac.sim.engine.packing import byte_rows, packed_bytes

from ...golden.codec.posits import pack_posit, unpack_posit

SMALL = [(n, es) for n in range(3, 9) for es in range(5)]
LARGE = [(16, 1), (16, 2), (32, 2), (32, 4), (24, 0), (31, 3)]
NEVER = np.zeros(1, bool)


def evaluate(units: dict[str, Unit], inputs: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The outputs of several units, simulated as one model."""
    for unit in units.values():
        # Parts of units, whose wires have no role, as units of their own.
        unit._declared = {
            name: PortSpec(member, "enable" if name == "en" else "data")
            for name, member in unit.signature.members.items()
        }
    ports = {name: {port.name: port.width for port in unit.ports} for name, unit in units.items()}
    bits = {name: {port: as_bits(values, ports[name][port]) for port, values in inputs[name].items()} for name in units}
    return sim.Model.build(hdl.generate_all(units)).evaluate_all(bits)


def as_bits(values: Any, width: int) -> Any:
    """Integers in two's complement of that many bits; as bytes where there are more than 64."""
    if width > 64:
        return byte_rows(values, packed_bytes(1, width))
    return (values.astype(np.int64) & ((1 << width) - 1)).astype(np.uint64)


def codes_of(n: int, rng: np.random.Generator) -> Any:
    """All codes of up to 16 bits, else random ones with runs of any length."""
    if n <= 16:
        return np.arange(1 << n, dtype=np.uint64)
    words = rng.integers(0, 1 << n, 20_000, np.uint64) >> rng.integers(0, n, 20_000).astype(np.uint64)
    ends = np.array([0, 1, 2, (1 << (n - 1)) - 1, 1 << (n - 1), (1 << (n - 1)) + 1, (1 << n) - 1], np.uint64)
    return np.concatenate([words, ~words & np.uint64((1 << n) - 1), ends])


@pytest.mark.parametrize(
    "cases", [[*SMALL[::5], (16, 2)], pytest.param([*SMALL, *LARGE], marks=pytest.mark.slow)], ids=["some", "all"]
)
def test_decoders(cases: list[tuple[int, int]]) -> None:
    rng = np.random.default_rng(1)
    units = {f"u_{n}_{es}": PositUnpack(fmt=posit(n, es)) for n, es in cases}
    inputs = {name: {"code": codes_of(unit.fmt.width, rng)} for name, unit in units.items()}
    for name, out in evaluate(units, inputs).items():
        n, es = units[name].fmt.width, units[name].es
        want = unpack_posit(inputs[name]["code"], n, es)
        number = ~(want.zero | want.nan)
        assert np.array_equal(out["zero"] == 1, want.zero), name
        assert np.array_equal(out["nan"] == 1, want.nan), name
        assert np.array_equal(out["sign"][number] == 1, want.negative[number]), name
        # The same number with its significand moved to the top.
        bits, bias = units[name].raw.width, units[name].raw.bias
        significand = out["significand"].astype(np.uint64)
        assert not significand[~number].any() and not out["exponent"][~number].any()
        assert np.all(significand[number] >> np.uint64(bits - 1) == 1)
        exponent = out["exponent"].astype(np.int64) - bias - (bits - 1)
        up = (want.exponent - exponent)[number]
        assert np.array_equal(significand[number], want.magnitude[number] << up.astype(np.uint64)), name
        assert np.all(np.abs(out["exponent"].astype(np.int64)[number] - bias) <= bias)


def around(unit: PositRound, rng: np.random.Generator, count: int) -> dict[str, Any]:
    """Significands and exponents in and beyond the range, many of them near ties, all leading zeros that there may be."""
    width = len(unit.significand)
    extra = unit.most_zeros + unit.slack
    zeros = rng.integers(0, min(extra, width - 1) + 1, count)
    told = np.minimum(zeros, unit.most_zeros)
    if unit.slack and unit.most_zeros:
        told = np.maximum(told - rng.integers(0, 2, count), np.maximum(zeros - 1, 0))
    length = width - zeros
    kind = rng.integers(0, 4, count)
    word = rng.integers(0, 1 << 63, count, np.uint64) >> np.uint64(1)
    significand = []
    for index in range(count):
        bits = int(length[index])
        value = 1 << (bits - 1)
        if kind[index] == 0:
            value |= int(word[index]) & (value - 1)
        elif kind[index] == 1:  # few bits at the top
            value |= (int(word[index]) & 15) << (bits - 5) if bits > 5 else 0
        elif kind[index] == 2:  # two of them far apart
            value |= 1 << (int(word[index]) % bits) | 1 << (int(word[index] >> np.uint64(20)) % bits)
        else:  # ones down to somewhere
            value = (1 << bits) - (1 << (int(word[index]) % bits))
        significand.append(value)
    exponent = rng.integers(unit.min_exponent, unit.max_exponent + 1, count)
    classes = rng.integers(0, 40, count)
    inputs = {
        "significand": np.array(significand, np.uint64 if width <= 64 else object),
        "exponent": exponent,
        "sign": rng.integers(0, 2, count),
        "zero": classes == 0,
        "inf": classes == 1,
        "nan": classes == 2,
    }
    return inputs | ({"leading_zeros": told} if unit.most_zeros else {})


def expected(unit: PositRound, inputs: dict[str, Any]) -> Any:
    width, bias = len(unit.significand), posit(unit.n, unit.es).max_exponent
    special = inputs["zero"] | inputs["inf"] | inputs["nan"]
    magnitude = np.where(special, 0, inputs["significand"])
    value = Unpacked(
        inputs["sign"] == 1,
        magnitude if width > 62 else magnitude.astype(np.uint64),
        inputs["exponent"] - bias - (width - 2),
        inf=inputs["inf"],
        nan=inputs["nan"],
        signaling=NEVER,
    )
    return pack_posit(value, unit.n, unit.es)


def rounder_of(n: int, es: int, **options: Any) -> PositRound:
    fmt = posit(n, es)
    return PositRound(fmts=(fmt,), policy=Policy("rne", "saturate", "full"), flags=False, **options)


def encoder(n: int, es: int, width: int, most_zeros: int, slack: bool, stages: Any = 0) -> PositRound:
    limit = 2 * posit(n, es).max_exponent
    reach = (5 << es) + most_zeros
    shape = {"significand_bits": width, "most_zeros": most_zeros, "slack": slack}
    return rounder_of(n, es, min_exponent=-reach, max_exponent=limit + reach, stages=stages, **shape)


def compare(units: dict[str, PositRound], count: int) -> None:
    rng = np.random.default_rng(2)
    inputs = {name: around(unit, rng, count) for name, unit in units.items()}
    for name, out in evaluate(dict(units), inputs).items():
        want = expected(units[name], inputs[name])
        wrong = np.flatnonzero(out["y"] != want)
        first = {port: values[wrong[0]] for port, values in inputs[name].items()} if len(wrong) else {}
        assert not len(wrong), (units[name].parameters, len(wrong), first, out["y"][wrong[0]], want[wrong[0]])


@pytest.mark.slow
def test_encoders_of_all_small_posits() -> None:
    shapes = [(14, 0, True), (1, 0, False), (40, 39, False), (9, 3, True), (2, 0, True)]
    units = {}
    for index, (n, es) in enumerate(SMALL):
        for width, most_zeros, slack in (shapes[index % 5], shapes[(index + 2) % 5]):
            units[f"r_{n}_{es}_{width}"] = encoder(n, es, width, most_zeros, slack)
    compare(units, 3_000)


@pytest.mark.slow
def test_encoders_of_large_posits() -> None:
    units = {
        f"r_{n}_{es}_{slack}": encoder(n, es, 56, 0 if slack else 55, slack) for n, es in LARGE for slack in (0, 1)
    }
    units["quire"] = encoder(16, 2, 250, 249, False)
    compare(units, 4_000)


@pytest.mark.parametrize("es", [pytest.param(0, marks=pytest.mark.slow), 2])
def test_every_product_of_two_small_posits_is_encoded_right(es: int) -> None:
    """Decoder, product and encoder together: all pairs of posits of 6 bits, against fractions."""
    n = 6
    unpack, bits = PositUnpack(fmt=posit(n, es)), max(n - 3 - es, 0) + 1
    limit = posit(n, es).max_exponent
    shape: dict[str, Any] = {"min_exponent": -limit, "max_exponent": 3 * limit, "most_zeros": 0, "slack": True}
    rounder = rounder_of(n, es, significand_bits=2 * bits, **shape)
    code = np.arange(1 << n)
    fields = evaluate({"unpack": unpack}, {"unpack": {"code": code}})["unpack"]
    x, y = (index.ravel() for index in np.meshgrid(code, code))
    a, b = ({port: values[codes].astype(np.int64) for port, values in fields.items()} for codes in (x, y))
    nan = (a["nan"] | b["nan"]) == 1
    zero = ((a["zero"] | b["zero"]) == 1) & ~nan
    inputs = {
        "sign": a["sign"] ^ b["sign"],
        "significand": a["significand"] * b["significand"],
        "exponent": np.where(zero | nan, 0, a["exponent"] + b["exponent"] - limit),
        "zero": zero,
        "nan": nan,
        "inf": np.zeros(len(x), bool),
    }
    got = evaluate({"round": rounder}, {"round": inputs})["round"]["y"]
    product = unpack_posit(x, n, es), unpack_posit(y, n, es)
    exact = Unpacked(
        product[0].negative ^ product[1].negative,
        np.where(nan, np.uint64(0), product[0].magnitude * product[1].magnitude),
        product[0].exponent + product[1].exponent,
        inf=NEVER,
        nan=nan,
        signaling=NEVER,
    )
    assert np.array_equal(got, pack_posit(exact, n, es))


@pytest.mark.parametrize(
    "stages",
    [
        *(pytest.param(count, marks=pytest.mark.slow) for count in (1, 3)),
        (1, 0, 0, 0, 0, 0),
        (0, 1, 1, 0, 2, 1),
        (1, 1, 1, 1, 1, 1),
    ],
)
def test_encoders_with_registers(stages: Any) -> None:
    compare({"r": encoder(16, 2, 40, 39, False, stages), "s": encoder(8, 2, 12, 0, True, stages)}, 2_000)


def test_codebooks() -> None:
    rng = np.random.default_rng(3)
    words = np.ldexp(rng.integers(-(1 << 23), 1 << 23, 64), rng.integers(-60, 60, 64))
    wide = CodebookFormat("wide", "codebook", 6, values=tuple(Fraction(float(x)) for x in words))
    books = {
        "nf4": FORMATS["nf4"],
        "wide": wide,
        "ternary": CodebookFormat("ternary", "codebook", 2, values=tuple(map(Fraction, (0, 1, -1, 0)))),
        "zeros": CodebookFormat("zeros", "codebook", 1, values=(Fraction(0), Fraction(0))),
        "powers": CodebookFormat("powers", "codebook", 3, values=tuple(Fraction(2) ** i for i in range(-4, 4))),
    }
    units = {name: CodebookUnpack(fmt=book) for name, book in books.items()}
    inputs = {name: {"code": np.arange(len(book.values))} for name, book in books.items()}
    for name, out in evaluate(dict(units), inputs).items():
        unit = units[name]
        shift = unit.raw.lsb
        found = [
            (-1) ** int(sign) * int(significand) * Fraction(2) ** (int(exponent) + shift)
            for sign, significand, exponent in zip(out["sign"], out["significand"], out["exponent"], strict=True)
        ]
        assert tuple(found) == books[name].values
        assert (out["zero"] == 1).tolist() == [value == 0 for value in books[name].values]
        number = out["zero"] == 0
        assert np.all(out["significand"][number].astype(np.uint64) >> np.uint64(unit.raw.width - 1) == 1)
        want = unpack_codebook(np.arange(len(found)), books[name], "full")
        assert want.magnitude.max(initial=0) < 1 << books[name].significand_bits


@pytest.mark.slow
def test_every_number_between_small_posits_is_encoded_right() -> None:
    """All posits of three bits more (codes, ties, and numbers on either side), and the exponents beyond both ends."""
    units, inputs = {}, {}
    for n, es in SMALL:
        value, limit = unpack_posit(np.arange(1 << (n + 3)), n + 3, es), posit(n, es).max_exponent
        bits = max(n - es, 0) + 2
        length = np.frexp(value.magnitude.astype(np.float64))[1]
        beyond = limit + (4 << es)
        name = f"r_{n}_{es}"
        units[name] = rounder_of(
            n,
            es,
            min_exponent=limit - beyond - 1,
            max_exponent=limit + beyond - 1,
            significand_bits=bits,
            most_zeros=0,
            slack=False,
        )
        inputs[name] = {
            "sign": value.negative,
            "significand": value.magnitude << (bits - length).astype(np.uint64),
            "exponent": np.where(value.magnitude == 0, 0, value.exponent + length - 2 + limit),
            "zero": value.zero,
            "nan": value.nan,
            "inf": np.zeros(len(length), bool),
        }
    for name, out in evaluate(dict(units), inputs).items():
        assert np.array_equal(out["y"], expected(units[name], inputs[name])), name
