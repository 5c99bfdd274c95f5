from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from polymac.golden import ParameterError
from polymac.sim import SimulationError, Simulator, cocotb_run, find

_SEED = 4321
_BENCH = """
import os
from pathlib import Path

import cocotb
from cocotb.triggers import Timer


@cocotb.test()
async def products(dut):
    assert os.environ["COCOTB_RANDOM_SEED"] == "{seed}"
    for line in Path(os.environ["POLYMAC_BENCH"]).read_text().splitlines():
        a, b, y = (int(word) for word in line.split())
        dut.a.value, dut.b.value = a, b
        await Timer(1, "ns")
        assert dut.y.value.to_unsigned() == y, f"{{a}} * {{b}} must be {{y}}"
"""


@pytest.fixture(params=["verilator", "icarus"])
def simulator(request: pytest.FixtureRequest) -> Simulator:
    try:
        return find(request.param)
    except ParameterError as error:
        pytest.skip(str(error))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a bench that multiplies what the lines of its data say."""
    (tmp_path / "product_bench.py").write_text(_BENCH.format(seed=_SEED))
    monkeypatch.syspath_prepend(tmp_path)
    return "product_bench"


def _run(designs: Any, bench: str, simulator: Simulator, folder: Path, lines: str, **options: Any) -> Any:
    data = folder / "products.txt"
    data.write_text(lines)
    return cocotb_run.run(
        designs.multiplier("product", 8, 8),
        bench,
        simulator=simulator,
        data=data,
        folder=folder / "run",
        seed=_SEED,
        **options,
    )


def test_a_bench_that_passes(designs: Any, bench: str, simulator: Simulator, tmp_path: Path) -> None:
    result = _run(designs, bench, simulator, tmp_path, "3 5 15\n255 255 65025\n")
    assert result.passed
    assert result.failure == ""
    assert result.waves is None
    assert [case.get("name") for case in ElementTree.parse(result.junit).iter("testcase")] == ["products"]
    assert "PASS=1 FAIL=0" in result.log.read_text()


def test_a_bench_that_fails(designs: Any, bench: str, simulator: Simulator, tmp_path: Path) -> None:
    result = _run(designs, bench, simulator, tmp_path, "3 5 15\n7 6 43\n")
    assert not result.passed
    assert "7 * 6 must be 43" in result.failure
    assert "PASS=0 FAIL=1" in result.log.read_text()


def test_a_run_does_not_keep_the_results_of_the_one_before(
    designs: Any, bench: str, simulator: Simulator, tmp_path: Path
) -> None:
    assert _run(designs, bench, simulator, tmp_path, "3 5 15\n").passed
    assert not _run(designs, bench, simulator, tmp_path, "3 5 16\n").passed


def test_waves_are_written_where_it_says(designs: Any, bench: str, simulator: Simulator, tmp_path: Path) -> None:
    result = _run(designs, bench, simulator, tmp_path, "3 5 15\n", waves=True)
    assert result.passed
    assert result.waves is not None
    assert result.waves.is_relative_to(tmp_path)
    assert result.waves.stat().st_size > 100
    if result.waves.suffix == ".vcd":
        assert "$scope module product $end" in result.waves.read_text()


def test_a_bench_that_is_not_there(designs: Any, simulator: Simulator, tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match=r"ended without results on product: .*no_such_bench"):
        _run(designs, "no_such_bench", simulator, tmp_path, "")
