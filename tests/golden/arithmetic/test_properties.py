"""Properties of encoding and arithmetic, with Hypothesis: round trip, order, symmetry, error bounds."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from polymac import golden
from polymac.golden.arithmetic.operations import add, fma, multiply
from polymac.golden.formats import ROUNDINGS
from polymac.golden.formats.derived import exact_product

hypothesis = pytest.importorskip("hypothesis", reason="hypothesis, of the extra 'test', is not installed")
st = hypothesis.strategies

FLOATS = (
    "fp32",
    "tf32",
    "fp16",
    "bf16",
    "fp8_e5m2",
    "fp8_e4m3",
    "fp6_e3m2",
    "fp6_e2m3",
    "fp4_e2m1",
    "e4m0",
    "e6m12",
    "e0m7",
)
FORMATS = (*FLOATS, "int8", "uint8", "q4.12", "uq2.6", "int32")
#: The sign of the numbers on which the mode does what the other does on their opposites.
MIRRORED = {"rne": "rne", "rtz": "rtz", "rna": "rna", "rup": "rdn", "rdn": "rup"}

settings = hypothesis.settings(deadline=None, derandomize=True, max_examples=150, database=None)
reals = st.floats(allow_nan=False, allow_infinity=False) | st.floats(-600, 600)


@st.composite
def finite_codes(draw, names, count):
    """A format, and codes of finite numbers of it."""
    fmt = golden.format(draw(st.sampled_from(names)))
    top = fmt.max_code
    codes = [draw(st.integers(0, top)) | draw(st.sampled_from((0, fmt.sign_mask))) for _ in range(count)]
    return fmt, codes


@settings
@hypothesis.given(finite_codes(FORMATS, 1), st.sampled_from(ROUNDINGS))
def test_round_trip(case, rounding):
    fmt, codes = case
    assert golden.encode(golden.decode(codes, fmt), fmt, rounding=rounding).tolist() == codes


@settings
@hypothesis.given(st.sampled_from(FORMATS), st.lists(reals, min_size=2, max_size=6), st.sampled_from(ROUNDINGS))
def test_encoding_is_monotonic(name, numbers, rounding):
    found = golden.decode(golden.encode(np.sort(numbers), name, rounding=rounding, overflow="saturate"), name)
    assert (np.diff(found) >= 0).all()


@settings
@hypothesis.given(st.sampled_from(FLOATS), reals, st.sampled_from(ROUNDINGS))
def test_encoding_is_symmetric(name, x, rounding):
    fmt = golden.format(name)
    code, mirrored = golden.encode(x, fmt, rounding=rounding), golden.encode(-x, fmt, rounding=MIRRORED[rounding])
    assert int(code) ^ int(mirrored) in (fmt.sign_mask, *(() if fmt.has_inf else (0,)))


@settings
@hypothesis.given(
    st.sampled_from(FORMATS), reals, st.sampled_from((*ROUNDINGS, "stochastic")), st.integers(0, 2**32 - 1)
)
def test_error_bound_of_each_rounding(name, x, rounding, word):
    fmt = golden.format(name)
    size = abs(Fraction(x))
    hypothesis.assume(size <= fmt.max and (fmt.signed or x >= 0))
    random = np.array(word) if rounding == "stochastic" else None
    found = fmt.fraction(int(golden.encode(x, fmt, rounding=rounding, overflow="saturate", random=random)))
    exact = Fraction(x)
    ulp = Fraction(1, 1 << fmt.frac_bits)
    if fmt.kind == "float":
        exponent = int(np.frexp(x)[1]) - 1 if x else fmt.min_exponent
        ulp *= Fraction(2) ** max(exponent, fmt.min_exponent)
    error = found - exact
    if rounding in ("rne", "rna"):
        assert abs(error) <= ulp / 2
    else:
        assert abs(error) < ulp
    assert rounding != "rtz" or abs(found) <= size
    assert rounding != "rup" or error >= 0
    assert rounding != "rdn" or error <= 0


@settings
@hypothesis.given(finite_codes(FLOATS, 3), st.sampled_from(ROUNDINGS))
def test_operations_commute(case, rounding):
    fmt, (a, b, c) = case
    options: dict[str, Any] = {"rounding": rounding, "flags": True}
    assert [*map(int, multiply(a, b, fmt, fmt, **options))] == [*map(int, multiply(b, a, fmt, fmt, **options))]
    assert [*map(int, add(a, b, fmt, fmt, **options))] == [*map(int, add(b, a, fmt, fmt, **options))]
    found = [[*map(int, fma(x, y, c, fmt, fmt, fmt, **options))] for x, y in ((a, b), (b, a))]
    assert found[0] == found[1]


@settings
@hypothesis.given(finite_codes(FLOATS, 2), st.sampled_from(ROUNDINGS))
def test_signs_of_operations(case, rounding):
    fmt, (a, b) = case
    sign = fmt.sign_mask
    mirrored: dict[str, Any] = {"rounding": MIRRORED[rounding], "overflow": "saturate"}
    straight: dict[str, Any] = {"rounding": rounding, "overflow": "saturate"}
    assert int(multiply(a, b, fmt, fmt, **straight)) == int(multiply(a ^ sign, b, fmt, fmt, **mirrored)) ^ sign
    total = fmt.fraction(a) + fmt.fraction(b)
    opposite = int(add(a ^ sign, b ^ sign, fmt, fmt, **mirrored))
    # The zero of x + -x is +0 on both sides, but -0 under "rdn".
    assert int(add(a, b, fmt, fmt, **straight)) == opposite ^ (
        sign if total or rounding in ("rup", "rdn") or a == b else 0
    )


@settings
@hypothesis.given(finite_codes(FLOATS, 2))
def test_exact_results(case):
    fmt, (a, b) = case
    out = exact_product(fmt, fmt)
    code, flags = multiply(a, b, fmt, fmt, out=out, flags=True)
    assert (int(flags), out.fraction(int(code))) == (0, fmt.fraction(a) * fmt.fraction(b))
    # What a product in range loses when it is rounded, a fused multiply-add into the exact format finds again.
    hypothesis.assume(abs(fmt.fraction(a) * fmt.fraction(b)) <= fmt.max)
    rounded = int(multiply(a, b, fmt, fmt, overflow="saturate"))
    loss = fma(a, b, rounded ^ fmt.sign_mask, fmt, fmt, fmt, out=out)
    assert out.fraction(int(loss)) == fmt.fraction(a) * fmt.fraction(b) - fmt.fraction(rounded)


@settings
@hypothesis.given(finite_codes(FLOATS, 3), st.sampled_from(ROUNDINGS))
def test_operations_are_monotonic(case, rounding):
    fmt, (a, b, c) = case
    low, high = sorted((a, b), key=fmt.fraction)
    found = [fmt.fraction(int(add(x, c, fmt, fmt, rounding=rounding, overflow="saturate"))) for x in (low, high)]
    assert found[0] <= found[1]
    factor = c & ~fmt.sign_mask
    found = [
        fmt.fraction(int(multiply(x, factor, fmt, fmt, rounding=rounding, overflow="saturate"))) for x in (low, high)
    ]
    assert found[0] <= found[1]
