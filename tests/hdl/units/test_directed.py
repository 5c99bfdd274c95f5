"""Floats too large to walk, in five modes with flags: special values as IEEE 754 states them, corner operands as Berkeley
TestFloat takes them, all pairs, and operands next to rounding boundaries; against golden and against Berkeley SoftFloat."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest

from polymac import golden, hdl, sim
from polymac.golden.formats import ROUNDINGS, Flag, Format
from polymac.sim.stimulus.boundary import boundary_operands

FORMATS = ("fp16", "bf16", "tf32", "fp32", "fp64")
SOFTFLOAT_MODES = {
    "rne": "NEAR_EVEN",
    "rtz": "MIN_MAG",
    "rdn": "MIN",
    "rup": "MAX",
    "rna": "NEAR_MAX_MAG",
}
NX, UF, OF, NV = Flag.INEXACT, Flag.UNDERFLOW, Flag.OVERFLOW, Flag.INVALID

Codes = np.ndarray[Any, Any]


@pytest.fixture(name="model", scope="module")
def model_fixture() -> sim.Model:
    """All formats in one model, rounding by port."""
    return sim.Model.build(
        hdl.generate_all({name: hdl.Multiplier(a=name, b=name, rounding="port") for name in FORMATS})
    )


def multiply(model: sim.Model, name: str, a: Codes, b: Codes, mode: str) -> tuple[Codes, Codes]:
    """The hardware's products and flags."""
    modes = np.full(len(a), ROUNDINGS.index(mode), np.uint8)
    outputs = model.evaluate_all({name: {"a": a, "b": b, "rounding_mode": modes}})[name]
    return outputs["y"], outputs["flags"]


def check(model: sim.Model, name: str, a: Codes, b: Codes, modes: tuple[str, ...] = ROUNDINGS) -> None:
    fmt = golden.format(name)
    for mode in modes:
        expected = golden.multiply(a, b, fmt, fmt, rounding=mode, flags=True)
        for got, want in zip(multiply(model, name, a, b, mode), expected, strict=True):
            np.testing.assert_array_equal(got, want, f"{name} {mode}")


def softfloat(sf: Any, name: str, a: Codes, b: Codes, mode: str) -> tuple[Codes, Codes]:
    """Products and flags of SoftFloat, one by one; tininess after rounding, any NaN as the format's default one."""
    fmt = golden.format(name)
    number, call = getattr(sf, f"Float{fmt.width}"), getattr(sf, f"f{fmt.width}_mul")
    sf.set_rounding_mode(sf.RoundingMode[SOFTFLOAT_MODES[mode]])
    sf.set_tininess_mode(sf.TininessMode.AFTER_ROUNDING)
    codes, flags = [], []
    for terms in zip(a.tolist(), b.tolist(), strict=True):
        sf.set_exception_flags(0)
        result = call(*(number.from_bytes(code.to_bytes(fmt.width // 8, "big")) for code in terms))
        code = int.from_bytes(result.to_bytes(), "big")
        codes.append(fmt.nan_code if code & fmt.magnitude_mask > fmt.max_code + 1 else code)
        flags.append(int(sf.get_exception_flags()))
    return np.array(codes), np.array(flags)


# Values by name, as codes of any IEEE-like format; "-" in front is the other sign.


def code(fmt: Format, name: str) -> int:
    least, one, infinity = 1 << fmt.frac_bits, fmt.bias << fmt.frac_bits, fmt.max_code + 1
    values = {
        "0": 0,
        "least": 1,  # the least subnormal
        "half of normal": least >> 1,
        "greatest subnormal": least - 1,
        "normal": least,  # the least normal
        "next normal": least + 1,
        "half": one - least,
        "below one": one - 1,
        "one": one,
        "above one": one + 1,
        "one and a half": one + least // 2,
        "two": one + least,
        "below two": one + least - 1,
        "max": fmt.max_code,
        "below max": fmt.max_code - 1,
        "half of max": fmt.max_code - least,
        "inf": infinity,
        "signaling": infinity + 1,
        "quiet": infinity + least // 2,
        "quiet with payload": infinity + least // 2 + 1,
    }
    return values[name.removeprefix("-")] | (fmt.sign_mask if name.startswith("-") else 0)


#: IEEE 754-2019: 6.1 (infinities), 6.2 (NaNs), 6.3 (signs), 7.2 (invalid), 7.4 (overflow by mode), 7.5 (underflow; tiny
#: after rounding). Operands, modes ("" is all), result, flags.
SPECIAL_VALUES = [
    ("0", "0", "", "0", 0),
    ("-0", "0", "", "-0", 0),
    ("-0", "-0", "", "0", 0),
    ("0", "-max", "", "-0", 0),
    ("inf", "inf", "", "inf", 0),
    ("inf", "-least", "", "-inf", 0),
    ("-inf", "-max", "", "inf", 0),
    ("inf", "0", "", "quiet", NV),
    ("-0", "inf", "", "quiet", NV),
    ("quiet", "one", "", "quiet", 0),
    ("-quiet with payload", "quiet", "", "quiet", 0),
    ("quiet", "0", "", "quiet", 0),
    ("inf", "quiet", "", "quiet", 0),
    ("signaling", "one", "", "quiet", NV),
    ("inf", "-signaling", "", "quiet", NV),
    ("quiet", "signaling", "", "quiet", NV),
    ("one", "max", "", "max", 0),
    ("-one", "least", "", "-least", 0),
    ("two", "half of max", "", "max", 0),
    ("half", "normal", "", "half of normal", 0),
    ("two", "max", "rne rna rup", "inf", OF | NX),
    ("two", "max", "rtz rdn", "max", OF | NX),
    ("two", "-max", "rne rna rdn", "-inf", OF | NX),
    ("two", "-max", "rtz rup", "-max", OF | NX),
    ("above one", "max", "rne rna rup", "inf", OF | NX),
    ("below one", "max", "rup", "max", NX),
    ("below one", "max", "rne rna rtz rdn", "below max", NX),
    ("max", "max", "rtz rdn", "max", OF | NX),
    ("least", "least", "rne rna rtz rdn", "0", UF | NX),
    ("least", "least", "rup", "least", UF | NX),
    ("-least", "least", "rdn", "-least", UF | NX),
    ("-least", "least", "rup", "-0", UF | NX),
    ("least", "half", "rne rtz rdn", "0", UF | NX),
    ("least", "half", "rna rup", "least", UF | NX),
    ("least", "one and a half", "rtz rdn", "least", UF | NX),
    ("normal", "below one", "rne rna rup", "normal", UF | NX),
    ("normal", "below one", "rtz rdn", "greatest subnormal", UF | NX),
    ("next normal", "below one", "rup", "next normal", NX),
    ("next normal", "below one", "rne rna rtz rdn", "normal", NX),
    ("greatest subnormal", "above one", "rtz rdn", "greatest subnormal", UF | NX),
    ("greatest subnormal", "above one", "rne rna rup", "normal", NX),
]


def special_rows(fmt: Format) -> list[tuple[int, int, str, int, int]]:
    """The table with codes, a row for each mode."""
    rows = []
    for a, b, modes, y, flags in SPECIAL_VALUES:
        rows += [(code(fmt, a), code(fmt, b), mode, code(fmt, y), int(flags)) for mode in modes.split() or ROUNDINGS]
    return rows


@pytest.mark.parametrize("name", FORMATS)
def test_special_values(model: sim.Model, name: str) -> None:
    fmt = golden.format(name)
    rows = special_rows(fmt)
    assert len(rows) > 100
    for mode in ROUNDINGS:
        chosen = [row for row in rows if row[2] == mode]
        a, b, y, flags = (np.array([row[k] for row in chosen], np.uint64) for k in (0, 1, 3, 4))
        dtype = golden.code_dtype(fmt)
        for x, z in ((a, b), (b, a)):
            got = multiply(model, name, x.astype(dtype), z.astype(dtype), mode)
            np.testing.assert_array_equal(got[0], y, mode)
            np.testing.assert_array_equal(got[1], flags, mode)


@pytest.mark.parametrize("name", ["fp16", "fp32", "fp64"])
def test_special_values_are_softfloats(name: str) -> None:
    sf = pytest.importorskip("softfloatpy", reason="softfloatpy, of the extra 'test', is not installed")
    for a, b, mode, y, flags in special_rows(golden.format(name)):
        got = softfloat(sf, name, np.array([a], np.uint64), np.array([b], np.uint64), mode)
        assert (int(got[0][0]), int(got[1][0])) == (y, flags), (a, b, mode)


# Berkeley TestFloat 3e, genCases_f16.c, genCases_f32.c and genCases_f64.c: the operands of two-operand functions are all
# pairs of an exponent of one set with a fraction of another; level 1 has 4 fractions, level 2 the long set.


def corner_exponents(fmt: Format) -> list[int]:
    """Subnormal, least normal, 2^-p, 2^-2 … 2^2, 2^p, the largest two, infinity or NaN; p is the significand's width."""
    p, top = fmt.significand_bits, (1 << fmt.exp_bits) - 1
    around = [-p, -2, -1, 0, 1, 2, p]
    return sorted({0, 1, *(fmt.bias + step for step in around), top - 2, top - 1, top})


def corner_fractions(fmt: Format, level: int) -> list[int]:
    """Level 1: the least two and the greatest two. Level 2: none, one, or all but one bit set, or a run from one end."""
    bits, mask = fmt.frac_bits, (1 << fmt.frac_bits) - 1
    if level == 1:
        return [0, 1, mask, mask - 1]
    found = {0, mask}
    for k in range(bits):
        found |= {1 << k, mask ^ 1 << k, mask >> k, mask ^ mask >> k}
    return sorted(found)


def corner_pairs(fmt: Format, *levels: int) -> tuple[Codes, Codes]:
    """All pairs of the corner values of one level with those of another."""

    def codes(level: int) -> Codes:
        fields = itertools.product((0, fmt.sign_mask), corner_exponents(fmt), corner_fractions(fmt, level))
        found = [sign | field << fmt.frac_bits | fraction for sign, field, fraction in fields]
        return np.array(found, golden.code_dtype(fmt))

    a, b = np.meshgrid(*map(codes, levels))
    return a.ravel(), b.ravel()


def test_the_sets_are_as_long_as_testfloats() -> None:
    """f16NumP2 and so on; of the two largest exponents TestFloat has only one for each sign, or just the largest."""
    for name, count in (("fp16", 36), ("fp32", 88), ("fp64", 204)):
        fmt = golden.format(name)
        assert len(corner_fractions(fmt, 2)) == count
        assert len(corner_exponents(fmt)) == 12
    exponents = corner_exponents(golden.format("fp16"))
    wanted = (0, 0x0400, 0x1000, 0x3400, 0x3800, 0x3C00, 0x4000, 0x4400, 0x6800, 0x7800, 0x7C00)
    assert {code >> 10 for code in wanted} == set(exponents) - {29}


@pytest.mark.parametrize("name", FORMATS)
def test_corners_by_corners(model: sim.Model, name: str) -> None:
    a, b = corner_pairs(golden.format(name), 1, 1)
    assert len(a) >= (2 * 11 * 4) ** 2
    check(model, name, a, b)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_corners_by_corners_of_level_2(model: sim.Model, name: str) -> None:
    """Of fp64, whose 24 million pairs take the golden model a minute, level 1 by level 2."""
    check(model, name, *corner_pairs(golden.format(name), 1 if name == "fp64" else 2, 2))


@pytest.mark.parametrize(("name", "count"), [("fp16", 50_000), ("tf32", 100_000), ("fp32", 100_000), ("fp64", 20_000)])
def test_rounding_boundaries(model: sim.Model, name: str, count: int) -> None:
    check(model, name, *boundary_operands(golden.format(name), count, np.random.default_rng(1)))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "count"), [("tf32", 10_000_000), ("fp32", 10_000_000), ("fp64", 1_000_000)])
def test_many_rounding_boundaries(model: sim.Model, name: str, count: int) -> None:
    """`python tests/campaigns/exhaustive.py --unit fp64` takes 10^8."""
    check(model, name, *boundary_operands(golden.format(name), count, np.random.default_rng(2)))


@pytest.mark.parametrize(
    ("name", "count"),
    [(name, 2_000) for name in ("fp16", "fp32", "fp64")]
    + [pytest.param(name, 200_000, marks=pytest.mark.slow) for name in ("fp16", "fp32", "fp64")],
)
def test_rounding_boundaries_as_softfloat_has_them(model: sim.Model, name: str, count: int) -> None:
    sf = pytest.importorskip("softfloatpy", reason="softfloatpy, of the extra 'test', is not installed")
    a, b = boundary_operands(golden.format(name), count, np.random.default_rng(3))
    for mode in ROUNDINGS:
        expected = softfloat(sf, name, a, b, mode)
        for got, want in zip(multiply(model, name, a, b, mode), expected, strict=True):
            np.testing.assert_array_equal(got, want, f"{name} {mode}")


@pytest.mark.parametrize("wire", ["sticky", "increment"])
def test_a_broken_rounder_is_seen(wire: str) -> None:
    """By the boundary operands and by the special values."""
    name = "fp32"
    design = hdl.generate(hdl.Multiplier(a=name, b=name, rounding="port"), name)
    broken, count = re.subn(rf"(?m)^(  wire {wire} =) [^;]*;", r"\1 1'b0;", design.verilog)
    assert count == 1
    model = sim.Model.build([hdl.Design(design.name, broken, design.metadata)])
    with pytest.raises(AssertionError):
        check(model, name, *boundary_operands(golden.format(name), 700, np.random.default_rng(1)))
    with pytest.raises(AssertionError):
        test_special_values(model, name)
