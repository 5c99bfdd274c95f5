"""Generated sums of products against implementations that nobody here wrote: SoftFloat, ml_dtypes, Python's fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from polymac import hdl, sim
from polymac.sim.expected.sums import from_ports
from polymac.sim.units import entry_of

#: Roundings as SoftFloat calls them.
MODES = {"rne": "NEAR_EVEN", "rtz": "MIN_MAG", "rdn": "MIN", "rup": "MAX", "rna": "NEAR_MAX_MAG"}
VECTORS = 2_000
TYPES: dict[str, Any] = {
    "fp32": np.float32,
    "fp16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "fp8_e4m3": ml_dtypes.float8_e4m3fn,
    "fp8_e5m2": ml_dtypes.float8_e5m2,
}

Codes = dict[str, np.ndarray]


def run(units: dict[str, hdl.Dot]) -> dict[str, tuple[Codes, np.ndarray]]:
    """Operand codes by port, and results, of units in one model."""
    model = sim.Model.build(hdl.generate_all(units))
    inputs = {name: next(entry_of(unit).operand_sets(unit, VECTORS, 7)) for name, unit in units.items()}
    outputs = model.evaluate_all(inputs)
    return {
        name: (inputs[name] | from_ports(unit.accumulator, inputs[name]), outputs[name]["d"])
        for name, unit in units.items()
    }


def reals(codes: np.ndarray, fmt: str) -> np.ndarray:
    """The numbers that codes stand for, in fp32."""
    with np.errstate(invalid="ignore"):  # signaling NaN
        return np.ascontiguousarray(codes).view(TYPES[fmt]).astype(np.float32)


def test_chains_like_softfloat() -> None:
    """Two fused multiply-adds of fp32, in every rounding."""
    sf = pytest.importorskip("softfloatpy", reason="softfloatpy is not installed")
    cases = [*((fmt, "rne") for fmt in TYPES), *(("fp16", mode) for mode in MODES if mode != "rne")]
    units = {f"{fmt}_{mode}": hdl.Dot(a=fmt, b=fmt, lanes=2, acc=f"rounded:fp32:{mode}") for fmt, mode in cases}
    for name, (codes, found) in run(units).items():
        fmt, _, mode = name.rpartition("_")
        sf.set_rounding_mode(sf.RoundingMode[MODES[mode]])
        x, y = (reals(codes[side], fmt).view(np.uint32).tolist() for side in "ab")
        expected = []
        for index, start in enumerate(codes["c"].tolist()):
            total = sf.Float32.from_bytes(start.to_bytes(4, "big"))
            for lane in range(2):
                p, q = (sf.Float32.from_bytes(side[index][lane].to_bytes(4, "big")) for side in (x, y))
                total = sf.f32_mul_add(p, q, total)
            expected.append(int.from_bytes(total.to_bytes(), "big"))
        want = np.array(expected, np.uint32)
        nan = want & np.uint32(0x7FFFFFFF) > 0x7F800000
        np.testing.assert_array_equal(found, np.where(nan, np.uint32(0x7FC00000), want), name)
        assert 0.3 < np.isfinite(want.view(np.float32)).mean() < 1


def test_exact_sums_like_fractions() -> None:
    """Rounded once, by the conversions of Python and NumPy from a fraction to fp64 and on from an exact fp64."""
    units = {
        "e4m3": hdl.Dot(a="fp8_e4m3", b="fp8_e4m3", lanes=8, acc="exact", out="fp64"),
        "e5m2": hdl.Dot(a="fp8_e5m2", b="fp8_e5m2", lanes=4, acc="exact", out="fp64"),
        "half": hdl.Dot(a="fp16", b="fp16", lanes=4, acc="exact", out="fp64"),
        "int8": hdl.Dot(a="int8", b="int8", lanes=16, addend=False),
        "mixed": hdl.Dot(a="fp16", b="int8", lanes=2, acc="exact", out="fp64"),
    }
    types = {
        "e4m3": TYPES["fp8_e4m3"],
        "e5m2": TYPES["fp8_e5m2"],
        "half": np.float16,
        "int8": np.int8,
        "mixed": np.float16,
    }
    for name, (codes, found) in run(units).items():
        x = np.ascontiguousarray(codes["a"]).view(types[name]).astype(np.float64)
        y = np.ascontiguousarray(codes["b"]).view(np.int8 if name == "mixed" else types[name]).astype(np.float64)
        numbers = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
        assert numbers.mean() > 0.5
        for index in np.flatnonzero(numbers):
            total = sum((Fraction(p) * Fraction(q) for p, q in zip(x[index], y[index], strict=True)), start=Fraction(0))
            # A fraction becomes a float64 correctly rounded.
            expected = int(total) if name == "int8" else float(total)
            got = (
                found[index : index + 1].view(np.int32)[0]
                if name == "int8"
                else found[index : index + 1].view(np.float64)[0]
            )
            assert got == expected, (name, index)
