"""What an exact sum must satisfy, whatever the numbers: no order, no grouping, no scale changes it."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from polymac import golden
from polymac.golden.formats.accumulation import Exact
from polymac.golden.sums.dot import dot

FORMATS = ("fp8_e4m3", "fp8_e5m2", "fp16", "bf16", "fp32", "fp64", "int8", "q4.12")


@st.composite
def operands(draw, formats=FORMATS):
    """A format and two vectors of finite codes."""
    fmt = golden.format(draw(st.sampled_from(formats)))
    if fmt.kind == "float":
        magnitude, sign = st.integers(0, fmt.max_code), st.sampled_from([0, fmt.sign_mask])
        code = st.builds(int.__or__, magnitude, sign)
    else:
        code = st.integers(0, fmt.code_mask)
    depth = draw(st.integers(1, 12))
    vectors = [np.array(draw(st.lists(code, min_size=depth, max_size=depth)), np.uint64) for _ in range(2)]
    return fmt, *vectors


outputs = st.sampled_from(["fp16", "fp32", "fp64", "bf16"])
roundings = st.sampled_from(["rne", "rtz", "rup", "rdn", "rna"])


def value(fmt: golden.Format, a: np.ndarray, b: np.ndarray) -> Fraction:
    terms = (fmt.fraction(int(x)) * fmt.fraction(int(y)) for x, y in zip(a, b, strict=True))
    return sum(terms, Fraction(0))


@settings(deadline=None, max_examples=60)
@given(operands(), outputs, roundings, st.randoms())
def test_order_does_not_matter(case, out, rounding, random):
    fmt, a, b = case
    order = list(range(len(a)))
    random.shuffle(order)
    first = dot(a, b, fmt, fmt, acc=Exact(rounding), out=out)
    assert first == dot(a[order], b[order], fmt, fmt, acc=Exact(rounding), out=out)
    assert first == dot(b, a, fmt, fmt, acc=Exact(rounding), out=out)


@settings(deadline=None, max_examples=60)
@given(operands(), outputs)
def test_neighbours_enclose_the_exact_sum(case, out):
    fmt, a, b = case
    exact, result = value(fmt, a, b), golden.format(out)
    bounds = [dot(a, b, fmt, fmt, acc=Exact(rounding), out=out) for rounding in ("rdn", "rup")]
    below, above = (float(golden.decode(code, result)) for code in bounds)
    assert (below == -np.inf or Fraction(below) <= exact) and (above == np.inf or exact <= Fraction(above))
    if np.isfinite(below) and np.isfinite(above):
        # Next to each other, or both the sum itself.
        assert (below == above) == (Fraction(below) == exact)
        codes = [int(code) & result.magnitude_mask for code in bounds]
        assert abs(codes[0] - codes[1]) <= 1
    nearest = float(golden.decode(dot(a, b, fmt, fmt, out=out), result))
    if np.isfinite(nearest) and np.isfinite(below) and np.isfinite(above):
        assert abs(Fraction(nearest) - exact) == min(exact - Fraction(below), Fraction(above) - exact)


@settings(deadline=None, max_examples=60)
@given(operands(), outputs)
def test_a_sum_and_its_opposite_are_zero(case, out):
    fmt, a, b = case
    assume(fmt.kind == "float")
    both = np.concatenate([a, a ^ np.uint64(fmt.sign_mask)]), np.concatenate([b, b])
    assert dot(*both, fmt, fmt, out=out) == 0
    if golden.format(out).sign_mask:
        assert dot(*both, fmt, fmt, acc=Exact("rdn"), out=out) == golden.format(out).sign_mask
    # And one product more is what is left.
    more = dot(np.append(both[0], a[0]), np.append(both[1], b[0]), fmt, fmt, out=out)
    alone = golden.multiply(a[:1], b[:1], fmt, fmt, out=out)[0]
    assert (more ^ alone) & golden.format(out).magnitude_mask == 0


@settings(deadline=None, max_examples=60)
@given(operands(("fp8_e4m3", "fp16", "int8")), st.integers(-40, 40))
def test_powers_of_two_scale_it(case, shift):
    fmt, a, b = case
    x, y = (golden.encode(golden.decode(codes, fmt), "fp64") for codes in (a, b))
    scaled = golden.encode(np.ldexp(golden.decode(a, fmt), shift), "fp64")
    # From -48 - 40 to 34 + 40: no subnormals of fp32, no overflow.
    found, base = dot(scaled, y, "fp64", "fp64"), dot(x, y, "fp64", "fp64")
    assert golden.decode(found, "fp32") == np.ldexp(golden.decode(base, "fp32"), shift)


@pytest.mark.parametrize("rounding", ["rne", "rtz", "rup", "rdn", "rna"])
def test_sticky_at_every_distance(rounding, round_float):
    # 1 + 2^-12 is a tie in e5m11; a third term, far below, decides, whatever limb it is in and whatever its sign.
    out, fp64 = golden.format("e5m11"), golden.format("fp64")
    cases = [(distance, sign) for distance in range(13, 260) for sign in (1, -1)]
    a = golden.encode([[1.0, 2.0**-12, sign * 2.0**-distance] for distance, sign in cases], fp64)
    b = golden.encode([1.0, 1.0, 1.0], fp64)
    expected = [
        round_float(out, False, 1 + Fraction(1, 1 << 12) + Fraction(sign, 1 << distance), rounding, "ieee", "full")[0]
        for distance, sign in cases
    ]
    # All at once, and some alone: the limbs of one sum are then no more than it needs.
    assert dot(a, b, fp64, fp64, acc=Exact(rounding), out=out).tolist() == expected
    for index in range(0, len(cases), 20):
        assert dot(a[index], b, fp64, fp64, acc=Exact(rounding), out=out) == expected[index]


def test_long_user_formats_are_python_integers():
    # A significand of 80 bits, and an exponent range of 2^14 bits: beyond what limbs are for.
    for fmt in (
        golden.Format("long", "float", 96, 80, bias=(1 << 14) - 1),
        golden.Format("far", "float", 32, 16, bias=(1 << 14) - 1),
    ):
        one = fmt.bias << fmt.frac_bits
        far = fmt.min_normal
        least = 1 << fmt.frac_bits
        a = np.array([one, one + 1, least], object)
        b = np.array([one, one | fmt.sign_mask, least], object)
        # 1 - (1 + ulp) + tiny² = -ulp, from above.
        exact = value(fmt, a, b)
        assert -fmt.fraction(one + 1) + 1 < exact < 0 and far > 0
        found = dot(a, b, fmt, fmt, acc=Exact("rtz"), out="fp64")
        assert found.view(np.float64) == -np.nextafter(2.0**-fmt.frac_bits, 0)
        assert dot(a, b, fmt, fmt, out="fp64").view(np.float64) == -(2.0**-fmt.frac_bits)
        assert dot(a[:0], b[:0], fmt, fmt, 5) == 5
