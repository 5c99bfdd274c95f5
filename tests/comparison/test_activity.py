"""Operands for the energy: every port has its values, which are what the source says."""

from __future__ import annotations

import numpy as np
import pytest

from polymac import comparison, golden, hdl


@pytest.mark.parametrize("source", list(comparison.SOURCES))
@pytest.mark.parametrize("name", ["int2", "uint4", "bin1", "fp8_e4m3", "fp4_e2m1", "bf16", "posit8", "nf4", "mxfp4"])
def test_every_input_has_values_of_its_width_and_the_numbers_are_finite(name: str, source: str) -> None:
    unit = hdl.Mac(a=name, b=name, acc="fp32", lanes=2)
    streams = comparison.streams(unit, source, 64, seed=3)
    inputs = [port for port in unit.ports if port.direction == "input" and port.role != "clock"]
    assert list(streams) == [port.name for port in inputs]
    for port in inputs:
        values = streams[port.name]
        assert len(values) in (1, 64) and all(0 <= int(value) < 1 << port.width for value in values)
        if port.format is not None and port.role == "data":
            width = port.format.width
            codes = [int(v) >> (width * i) & ((1 << width) - 1) for v in values for i in range(port.elements)]
            assert np.isfinite(golden.decode(codes, port.format)).all()
            assert len(set(codes)) > 1 or port.name.endswith("_scale")
    assert (streams["rst"].tolist(), streams["en"].tolist(), streams["valid"].tolist()) == ([0], [1], [1])
    assert streams["clear"].tolist() == [1, *[0] * 63]


def test_uniform_codes_are_all_finite_ones_alike():
    unit = hdl.Multiplier(a="fp4_e2m1", b="fp8_e5m2", out="fp16")
    streams = comparison.streams(unit, "uniform", 20_000)
    counts = np.bincount(streams["a"].astype(int), minlength=16)
    assert counts.min() > 1000 and counts.max() < 1500
    finite = np.isfinite(golden.decode(np.arange(256), "fp8_e5m2"))
    assert (np.bincount(streams["b"].astype(int), minlength=256) > 0).tolist() == finite.tolist()


def test_the_same_seed_gives_the_same_streams_and_another_others():
    unit = hdl.Multiplier(a="int8", b="int8")
    first, again, other = (comparison.streams(unit, "gaussian", 50, seed=seed)["a"].tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_blocks_keep_their_scale_for_all_their_beats():
    unit = hdl.Mac(a="mxfp4", b="mxfp4", acc="fp32", lanes=8)
    scales = comparison.streams(unit, "gaussian", 64)["a_scale"].reshape(-1, 4)
    assert (scales == scales[:, :1]).all() and len(set(scales[:, 0].tolist())) > 1


def test_there_is_no_such_source():
    with pytest.raises(golden.ParameterError, match=r"^activity must be one of gaussian, uniform, not 'loud'$"):
        comparison.streams(hdl.Multiplier(a="int2", b="int2"), "loud")


@pytest.mark.parametrize("name", ["int8", "int32", "q4.12", "fp8_e4m3", "bf16", "posit16"])
def test_gaussian_numbers_fill_the_format(name: str) -> None:
    codes = comparison.streams(hdl.Multiplier(a=name, b=name), "gaussian", 500)["a"].tolist()
    assert len(set(codes)) > 60
    numbers = golden.decode(codes, name)
    # Some 68 % of a normal distribution lie within its standard deviation.
    assert 0.62 < np.mean(np.abs(numbers) < numbers.std()) < 0.74
