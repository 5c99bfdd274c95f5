"""Posits with any number of exponent bits against titanfp, an emulator of the University of Washington."""

from fractions import Fraction

import numpy as np
import pytest

from .posits import exactly, pack_posit, reals, unpack_posit

posit = pytest.importorskip("titanfp.arithmetic.posit", reason="titanfp, of the extra 'oracles', is not installed")
evalctx = pytest.importorskip("titanfp.arithmetic.evalctx", reason="titanfp, of the extra 'oracles', is not installed")
digital = pytest.importorskip("titanfp.titanic.digital", reason="titanfp, of the extra 'oracles', is not installed")

SIZES = (0, 1, 2, 3, 4)


def real(value):
    return Fraction(-value.c if value.negative else value.c) * Fraction(2) ** value.exp


def rounded(x, context):
    """Their rounding of a float: the value, since ``digital_to_bits`` gives a wrong code where the exponent has grown."""
    mantissa, exponent = np.frexp(x)
    exact = digital.Digital(m=int(mantissa * 2**53), exp=int(exponent) - 53, inexact=False)
    return real(posit.Posit._round_to_context(exact, ctx=context, strict=True))


@pytest.mark.parametrize("es", SIZES)
@pytest.mark.parametrize("n", [3, 4, 5, 6, 7, 8, 10, 12])
def test_every_code(n, es):
    context = evalctx.PositCtx(es=es, nbits=n)
    found = reals(unpack_posit(np.arange(1 << n), n, es)).tolist()
    for code, ours in enumerate(found):
        theirs = posit.bits_to_digital(code, ctx=context)
        assert np.isnan(ours) if theirs.isnan else ours == real(theirs), code


@pytest.mark.parametrize("es", SIZES)
@pytest.mark.parametrize("n", [3, 4, 5, 6, 8, 12, 16, 24, 32])
def test_real_numbers(n, es, rng):
    context = evalctx.PositCtx(es=es, nbits=n)
    span = (n - 2) << es
    x = rng.standard_normal(1000) * 2.0 ** rng.uniform(-span - 3, span + 3, 1000)
    if n <= 8:
        # The values of a wider posit: all numbers where rounding changes, and numbers beside them.
        steps = reals(unpack_posit(np.arange(1 << (n + 2)), n + 2, es))
        steps = steps[np.isfinite(steps) & (steps != 0)]
        x = np.concatenate([x, steps, steps * (1 + 2.0**-30), steps * (1 - 2.0**-30)])
    ours = reals(unpack_posit(pack_posit(exactly(x), n, es), n, es))
    assert [Fraction(value) for value in ours] == [rounded(value, context) for value in x]
