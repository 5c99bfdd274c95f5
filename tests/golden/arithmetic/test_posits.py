"""Operations and sums of posits and codebooks: against fractions, and the fast paths of long arrays against the general."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from polymac import golden
from polymac.golden.formats import PositFormat, format

from ..codec.posits import posit_code

#: Elements from which on look-up tables are used.
LONG = 5000


def value(code: int, fmt: str) -> Fraction | None:
    known = format(fmt)
    return None if code == known.nan_code else known.fraction(code)


def codes(fmt: str, shape: Any, rng: np.random.Generator) -> Any:
    return rng.integers(0, format(fmt).code_count, shape, dtype=np.uint64)


@pytest.mark.parametrize(
    ("a", "b", "out"),
    [("posit8", "posit8", "posit8"), ("nf4", "posit8", "posit8"), ("posit16", "posit8", "posit16")],
)
def test_products_and_sums_are_the_exact_ones_rounded_once(a, b, out, rng):
    x, y = codes(a, 600, rng), codes(b, 600, rng)
    n = format(out).width
    pairs = [(value(int(p), a), value(int(q), b)) for p, q in zip(x, y, strict=True)]
    products = [None if p is None or q is None else p * q for p, q in pairs]
    sums = [None if p is None or q is None else p + q for p, q in pairs]
    assert golden.multiply(x, y, a, b, out=out).tolist() == [posit_code(p, n, 2) for p in products]
    assert golden.add(x, y, a, b, out=out).tolist() == [posit_code(p, n, 2) for p in sums]


@pytest.mark.parametrize("out", ["posit8", "posit16", "posit8_0", "posit7_4", "fp32", "bf16", "fp8_e5m2"])
@pytest.mark.parametrize("operation", [golden.multiply, golden.add])
@pytest.mark.parametrize(("a", "b"), [("posit8", "posit8"), ("nf4", "posit16"), ("fp16", "posit8")])
def test_long_arrays_are_as_short_ones(a, b, out, operation, rng):
    x, y = codes(a, LONG, rng), codes(b, LONG, rng)
    parts = [operation(x[i : i + 500], y[i : i + 500], a, b, out=out) for i in range(0, LONG, 500)]
    assert np.array_equal(operation(x, y, a, b, out=out), np.concatenate(parts))


@pytest.mark.parametrize("fmt", ["posit8", "posit16", "posit32", "posit8_0", "posit5_4", "nf4"])
def test_decoding_and_encoding_of_long_arrays(fmt, rng):
    known = format(fmt)
    code = codes(fmt, LONG, rng)
    real = golden.decode(code, fmt)
    exact = [value(int(c), fmt) for c in code[:300]]
    assert [None if np.isnan(x) else Fraction(x) for x in real[:300].tolist()] == exact
    assert np.array_equal(real[:300], golden.decode(code[:300], fmt), equal_nan=True)
    here = ~np.isnan(real)
    assert np.array_equal(golden.decode(golden.encode(real[here], fmt), fmt), real[here])
    x = rng.standard_normal(LONG) * 2.0 ** rng.integers(-40, 40, LONG)
    for numbers in (x, x.astype(np.float32)):
        found = golden.encode(numbers, fmt)
        parts = [golden.encode(numbers[i : i + 500], fmt) for i in range(0, LONG, 500)]
        assert np.array_equal(found, np.concatenate(parts))
        if isinstance(known, PositFormat) and known.width <= 16:
            want = [posit_code(Fraction(float(v)), known.width, known.es) for v in numbers[:200]]
            assert found[:200].tolist() == want


@pytest.mark.parametrize(("a", "b"), [("posit8", "posit8"), ("nf4", "posit16"), ("posit16_1", "nf4")])
def test_exact_sums(a, b, rng):
    x, y = codes(a, (3, 40), rng), codes(b, (40, 2), rng)
    for given, fmt in ((x, a), (y, b)):
        given[given == (format(fmt).nan_code if format(fmt).has_nan else -1)] = 1
    x[2, 5] = format(a).nan_code or 0
    want = []
    for row in range(3):
        for column in range(2):
            terms = [(value(int(p), a), value(int(q), b)) for p, q in zip(x[row], y[:, column], strict=True)]
            nar = any(p is None or q is None for p, q in terms)
            total = None if nar else sum((p * q for p, q in terms if p is not None and q is not None), Fraction(0))
            want.append(posit_code(total, 16, 2))
    found = golden.gemm(x, y, a, b, acc=golden.Exact(), out="posit16")
    assert found.ravel().tolist() == want
    dots = [golden.dot(x[r], y[:, c], a, b, acc=golden.Exact(), out="posit16") for r in (0, 1, 2) for c in (0, 1)]
    assert [int(code) for code in dots] == want


def test_sparse_keeps_the_largest_magnitudes():
    kept = golden.compress([[0x01, 0x80, 0x7F, 0x40]], "posit8", keep="largest")
    assert kept.codes.tolist() == [[0x80, 0x7F]]
    kept = golden.compress([[0x40, 0xC1, 0xBF, 0x41]], "posit8", keep="largest")  # 1, -0.9…, -1.1…, 1.1…
    assert kept.codes.tolist() == [[0xBF, 0x41]]
    kept = golden.compress([[7, 0, 8, 7]], "nf4")
    assert kept.codes.tolist() == [[0, 8]]
    assert kept.expand().tolist() == [[7, 0, 8, 7]]


@pytest.mark.parametrize(
    ("out", "rounding", "message"),
    [
        ("nf4", "rne", "out must be a format that results can be rounded to, not nf4"),
        ("posit8", "rtz", "rounding must be one of rne for posit8, not 'rtz'"),
    ],
)
def test_errors(out, rounding, message):
    with pytest.raises(golden.ParameterError) as error:
        golden.multiply([1], [1], "posit8", "posit8", out=out, rounding=rounding)
    assert str(error.value) == message
