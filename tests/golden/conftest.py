"""What the golden tests share: seeded random numbers and a scalar rounder that owes nothing to the package's."""

import bisect
import os
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from polymac.golden import Flag, Format


@pytest.fixture
def rng():
    """Random numbers; the seed is printed with a failure and set by the environment variable POLYMAC_SEED."""
    seed = int(os.environ.get("POLYMAC_SEED", "1"))
    print(f"POLYMAC_SEED={seed}")
    return np.random.default_rng(seed)


@cache
def _ladder(fmt: Format) -> list[Fraction]:
    """The magnitudes of a float in code order, and one step more, as if the exponent had no bound."""
    values = [fmt.fraction(code) for code in range(fmt.max_code + 1)]
    ulp = Fraction(2) ** (fmt.max_exponent - fmt.frac_bits)
    return [*values, values[-1] + ulp]


def _nearest_step(fmt: Format, size: Fraction, negative: bool, rounding: str) -> tuple[int, bool]:
    """The index in the ladder of a rounded magnitude (the extra step for all beyond), and whether it is inexact."""
    ladder = _ladder(fmt)
    if size >= ladder[-1]:
        return len(ladder) - 1, True
    low = bisect.bisect_right(ladder, size) - 1
    if ladder[low] == size:
        return low, False
    middle = (ladder[low] + ladder[low + 1]) / 2
    # A significand of one bit is odd in every normal number; IEEE 754 then takes the larger magnitude.
    even_is_up = low % 2 == 1 if fmt.frac_bits else low > 0
    up = {
        "rne": size > middle or (size == middle and even_is_up),
        "rna": size >= middle,
        "rtz": False,
        "rup": not negative,
        "rdn": negative,
    }[rounding]
    return low + up, True


def round_float(
    fmt: Format, negative: bool, size: Fraction, rounding: str, overflow: str, subnormals: str
) -> tuple[int, Flag]:
    """Code and exceptions of ``±size`` in a signed float with a zero, by searching all its values."""
    step, inexact = _nearest_step(fmt, size, negative, rounding)
    flags = Flag.INEXACT if inexact else Flag(0)
    least_normal = Fraction(2) ** fmt.min_exponent
    tiny = False
    if 0 < size < least_normal:
        # The same significand among the normals: up to but not including the least normal's binade's end.
        scaled = size
        while scaled < least_normal:
            scaled *= 2
        rounded = _ladder(fmt)[_nearest_step(fmt, scaled, negative, rounding)[0]]
        tiny = rounded / scaled * size < least_normal
    if tiny and subnormals == "flush":
        step, flags = 0, Flag.INEXACT | Flag.UNDERFLOW
    elif tiny and inexact:
        flags |= Flag.UNDERFLOW
    sign = fmt.sign_mask if negative and (step or fmt.negative_zero == "zero") else 0
    if step <= fmt.max_code:
        return step | sign, flags
    flags = Flag.OVERFLOW | Flag.INEXACT
    stays = rounding == "rtz" or (rounding == "rdn" and not negative) or (rounding == "rup" and negative)
    if overflow == "ieee" and not stays:
        if fmt.inf_code is not None:
            return fmt.inf_code | sign, flags
        if fmt.nan_code is not None:
            return fmt.nan_code, flags
    return fmt.max_code | sign, flags


@pytest.fixture(name="round_float", scope="session")
def round_float_fixture():
    return round_float


def user_format(name: str, width: int, frac_bits: int, bias: int) -> Format:
    """A float of the fnuz family: no infinity, and the code of -0 is the only NaN."""
    return Format(name, "float", width, frac_bits, bias=bias, negative_zero="nan")


#: Formats that only data says, named as ml_dtypes names its types.
FNUZ = {
    "float8_e4m3fnuz": user_format("float8_e4m3fnuz", 8, 3, 8),
    "float8_e5m2fnuz": user_format("float8_e5m2fnuz", 8, 2, 16),
    "float8_e4m3b11fnuz": user_format("float8_e4m3b11fnuz", 8, 3, 11),
}
#: ml_dtypes' name of a type, and ours.
TWINS: dict[str, str | Format] = {
    "bfloat16": "bf16",
    "float8_e5m2": "fp8_e5m2",
    "float8_e4m3fn": "fp8_e4m3",
    "float8_e4m3": "e4m3",
    "float8_e3m4": "e3m4",
    "float6_e3m2fn": "fp6_e3m2",
    "float6_e2m3fn": "fp6_e2m3",
    "float4_e2m1fn": "fp4_e2m1",
    **FNUZ,
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``twin`` runs over ml_dtypes' types, and ``small_twin`` over those of 8 bits and fewer, with their formats."""
    for fixture, twins in (
        ("twin", TWINS),
        ("small_twin", {name: fmt for name, fmt in TWINS.items() if name != "bfloat16"}),
    ):
        if fixture in metafunc.fixturenames:
            metafunc.parametrize(fixture, list(twins.items()), ids=list(twins))
