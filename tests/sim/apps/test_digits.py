"""The digits network in every format of the catalogue: its accuracy, and the array's results bit for bit."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polymac import golden, sim
from polymac.golden.formats import BLOCK_FORMATS, BlockFormat, Format
from polymac.sim.apps import digits
from polymac.sim.apps.cast import cast_mlp, forward

from ...catalogue import SAMPLED

NAMES = (*SAMPLED, *BLOCK_FORMATS)
trained = functools.cache(digits.train)


def decoded(operand: Any, fmt: Format | BlockFormat, axis: int) -> np.ndarray:
    """The real numbers that an operand stands for, the tensor's scale left out."""
    if not isinstance(fmt, BlockFormat):
        return golden.decode(operand, fmt)
    one = () if fmt.tensor_scale is None else (golden.encode(1.0, fmt.tensor_scale),)
    return golden.decode_blocks((*operand, *one), fmt, axis=axis)


@pytest.mark.parametrize("name", NAMES)
def test_accuracy_of_the_cast(name: str) -> None:
    """With exact products of what the operands stand for: all but one bit come close to floating point."""
    mlp, calibration, x, labels = trained(0)
    fmt = golden.any_format(name)
    logits = forward(cast_mlp(mlp, calibration, fmt), x, lambda a, b: decoded(a, fmt, 1) @ decoded(b, fmt, 0))
    accuracy = (logits.argmax(axis=1) == labels).mean()
    binary = isinstance(fmt, Format) and fmt.kind == "binary"
    assert accuracy > (0.65 if binary else 0.9)
    # Only fp64 loses nothing: scales are powers of two.
    assert bool((logits == golden.forward_float(mlp, x)).all()) == (name == "fp64")


@pytest.mark.parametrize("name", ["fp4_e2m1", "uint4"])
def test_hardware_gives_what_golden_gives(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "train", trained)
    result = digits.run(format=name, rows=2, cols=2, folder=tmp_path)
    assert (result.format, result.mismatches) == (name, 0)
    # In a format without sign two matrices of weights are multiplied: those of either sign.
    assert result.results_compared == 899 * (64 + 10) * (1 + (name == "uint4"))
    assert result.accuracy_rtl == result.accuracy_golden > 0.94
    assert result.utilization > 0.99
    assert [path.name for path in result.verilog if path.suffix == ".v"] == ["digits_array.v"]


def test_a_mismatch_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "train", trained)
    multiply = digits.gemm

    def wrong(*operands: Any, **options: Any) -> sim.GemmRun:
        run = multiply(*operands, **options)
        run.c[0, 0] ^= 1
        return run

    monkeypatch.setattr(digits, "gemm", wrong)
    assert digits.run(format="uint4", rows=2, cols=2, folder=tmp_path).mismatches >= 4


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_format(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "train", trained)
    result = digits.run(format=name, rows=4, cols=4, folder=tmp_path)
    assert result.mismatches == 0
    assert result.accuracy_rtl == result.accuracy_golden


def test_no_such_format(tmp_path: Path) -> None:
    with pytest.raises(golden.ParameterError, match=r"^format must be one of .*, not 'int5x'"):
        digits.run(format="int5x", folder=tmp_path)
