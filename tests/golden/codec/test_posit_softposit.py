"""Posits against SoftPosit, which nobody here wrote: es = 2 in any width, es = 0 and 1 in its posit8 and posit16."""

import numpy as np
import pytest

from polymac.golden.codec.codes import Unpacked

from .posits import exactly, pack_posit, reals, unpack_posit

softposit = pytest.importorskip("softposit", reason="softposit, of the extra 'oracles', is not installed")
NEVER = np.zeros(1, bool)


def of_code(code, n):
    """SoftPosit keeps an n-bit posit in the upper bits of 32."""
    posit = softposit.posit_2_t()
    posit.v = int(code) << (32 - n)
    return posit


@pytest.mark.parametrize("n", range(3, 17))
def test_every_code(n):
    expected = np.array([softposit.convertPX2ToDouble(of_code(code, n)) for code in range(1 << n)])
    expected[~np.isfinite(expected)] = np.nan  # NaR is an infinity there
    np.testing.assert_array_equal(reals(unpack_posit(np.arange(1 << n), n, 2)), expected)


@pytest.mark.parametrize(("n", "es", "name"), [(8, 0, "P8"), (16, 1, "P16")])
def test_every_code_of_other_exponent_sizes(n, es, name):
    posit, decode = getattr(softposit, f"posit{n}_t")(), getattr(softposit, f"convert{name}ToDouble")
    expected = np.empty(1 << n)
    for code in range(1 << n):
        posit.v = code
        expected[code] = decode(posit)
    expected[~np.isfinite(expected)] = np.nan
    np.testing.assert_array_equal(reals(unpack_posit(np.arange(1 << n), n, es)), expected)


@pytest.mark.parametrize("n", [3, 4, 5, 6, 7, 8, 12, 16, 24, 32])
def test_real_numbers(n, rng):
    x = rng.standard_normal(3000) * 2.0 ** rng.integers(-4 * n - 6, 4 * n + 6, 3000)
    if n <= 8:
        steps = reals(unpack_posit(np.arange(1 << (n + 3)), n + 3, 2))
        steps = steps[np.isfinite(steps)]
        x = np.concatenate([x, steps, steps * (1 + 2.0**-30), steps * (1 - 2.0**-30)])
    expected = [softposit.convertDoubleToPX2(float(value), n).v >> (32 - n) for value in x]
    assert pack_posit(exactly(x), n, 2).tolist() == expected


@pytest.mark.parametrize("n", [5, 8, 16, 32])
def test_products(n, rng):
    if n <= 8:
        a, b = (index.ravel() for index in np.meshgrid(np.arange(1 << n), np.arange(1 << n)))
    else:
        a, b = rng.integers(0, 1 << n, (2, 5000))
    x, y = (unpack_posit(codes, n, 2) for codes in (a, b))
    negative, nan = x.negative ^ y.negative, x.nan | y.nan
    product = Unpacked(negative, x.magnitude * y.magnitude, x.exponent + y.exponent, NEVER, nan, NEVER)
    pairs = zip(a.tolist(), b.tolist(), strict=True)
    expected = [softposit.pX2_mul(of_code(p, n), of_code(q, n), n).v >> (32 - n) for p, q in pairs]
    assert pack_posit(product, n, 2).tolist() == expected
