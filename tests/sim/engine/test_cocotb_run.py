import dataclasses
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import find_libpython
import pytest

from polymac.golden import ParameterError
from polymac.sim import SimulationError, Simulator
from polymac.sim.engine import cocotb_run
from polymac.sim.engine.cocotb_run import CocotbRun

_SEED = 4321
#: Multiplies what its job says, a list of (a, b, expected).
_BENCH = """
import os
import sys
import time

import cocotb
from cocotb.triggers import Timer

from polymac.sim.engine.link import Link


@cocotb.test()
async def products(dut):
    link = Link()
    if sys.flags.optimize:
        raise RuntimeError("asserts are off")
    if "@pytest_ar" not in globals() or "@pytest_ar" in vars(sys.modules["polymac.sim.engine.link"]):
        raise RuntimeError("pytest must have rewritten the assertions of this file, and of no other")
    assert os.environ["COCOTB_RANDOM_SEED"] == str(link.job["seed"])
    begun = time.time()
    for cycle, (a, b, y) in enumerate(link.job["products"]):
        dut.a.value, dut.b.value = a, b
        await Timer(1, "ns")
        assert dut.y.value.to_unsigned() == y, f"{a} * {b} must be {y}"
        link.done(cycle + 1)
        time.sleep(link.job.get("slow", 0))
    link.finish(len(link.job["products"]), (begun, time.time()))
"""
#: Never ends, and has a child; writes both process numbers into the run's folder. Ends the run where the job says so.
_HANGING = """
import os
import subprocess
from pathlib import Path

import cocotb
from cocotb.triggers import Timer

from polymac.sim.engine.link import Link


@cocotb.test()
async def hang(dut):
    link = Link()
    child = subprocess.Popen(["sleep", "1000"])
    link.done(7)
    Path("pids.new").write_text(f"{os.getpid()} {child.pid}")
    os.rename("pids.new", "pids")
    while link.job["how"] == "waits":
        await Timer(1, "ns")
    if link.job["how"] == "dies":
        os._exit(3)
    while True:
        pass
"""
_SKIPPING = """
import cocotb


@cocotb.test(skip=True)
async def never(dut):
    pass
"""


@pytest.fixture
def benches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that Python imports from, with the benches above."""
    folder = tmp_path / "benches"
    folder.mkdir()
    for name, text in (("product_bench", _BENCH), ("hanging_bench", _HANGING), ("skipping_bench", _SKIPPING)):
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(folder)
    return folder


def _run(
    designs: Any, simulator: Simulator, folder: Path, products: list[tuple[int, int, int]], **options: Any
) -> CocotbRun:
    seed = options.pop("seed", _SEED)
    job = pickle.dumps({"seed": seed, "products": products, "slow": options.pop("slow", 0)})
    return cocotb_run.run(
        options.pop("design", designs.multiplier("product", 8, 8)),
        options.pop("bench", "product_bench"),
        simulator=simulator,
        job=job,
        folder=folder,
        seed=seed,
        cycles=len(products),
        **options,
    )


@pytest.mark.usefixtures("benches")
def test_a_bench_that_passes(designs: Any, simulator: Simulator, tmp_path: Path) -> None:
    result = _run(designs, simulator, tmp_path / "runs", [(3, 5, 15), (255, 255, 65025)])
    assert result.passed
    assert result.failure == ""
    assert result.waves is None
    assert result.results
    assert [case.get("name") for case in ElementTree.parse(result.junit).iter("testcase")] == ["products"]
    assert "PASS=1 FAIL=0" in result.log.read_text()
    assert result.folder.parent == tmp_path / "runs"
    assert result.folder.name.startswith(f"product-{simulator.name}-seed4321-")
    assert {result.log.parent, result.junit.parent} == {result.folder}


@pytest.mark.usefixtures("benches")
def test_a_bench_that_fails(designs: Any, simulator: Simulator, tmp_path: Path) -> None:
    result = _run(designs, simulator, tmp_path, [(3, 5, 15), (7, 6, 43)])
    assert not result.passed
    assert "7 * 6 must be 43" in result.failure
    assert result.results == b""
    assert "PASS=0 FAIL=1" in result.log.read_text()


@pytest.mark.usefixtures("benches")
def test_a_bench_without_tests_does_not_pass(designs: Any, simulator: Simulator, tmp_path: Path) -> None:
    result = _run(designs, simulator, tmp_path, [], bench="skipping_bench")
    assert not result.passed
    assert result.failure == "the bench ran no tests"


@pytest.mark.usefixtures("benches")
def test_waves_name_the_signals_and_hold_their_changes(
    designs: Any, simulator: Simulator, vcd: Any, tmp_path: Path
) -> None:
    result = _run(designs, simulator, tmp_path, [(3, 5, 15), (7, 6, 42), (200, 100, 20000)], waves=True)
    assert result.passed
    assert result.waves == result.folder / "product.vcd"
    assert vcd.changes(result.waves, "product") == {
        "a": [3, 7, 200],
        "b": [5, 6, 100],
        "y": [15, 42, 20000],
    }


@pytest.mark.usefixtures("benches")
def test_the_callers_environment_overrides_nothing(
    designs: Any, simulator: Simulator, vcd: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = {
        "WAVES": "1",
        "GUI": "1",
        "COCOTB_RANDOM_SEED": "7",
        "RANDOM_SEED": "7",
        "COCOTB_TESTCASE": "nothing",
        "COCOTB_TEST_FILTER": "nothing",
        "COCOTB_TEST_MODULES": "no_such_bench",
        "COCOTB_TOPLEVEL": "nowhere",
        "COCOTB_LIST_TESTS": "1",
        "COCOTB_RESULTS_FILE": "/nowhere/results.xml",
        "COCOTB_LOG_LEVEL": "CRITICAL",
        "GPI_USERS": "nothing",
        "GPI_EXTRA": "nothing",
        "PYGPI_USERS": "nothing",
        "POLYMAC_BENCH": "/nowhere",
        "PYTHONOPTIMIZE": "2",
        "PYTHONWARNINGS": "error",
        "IVERILOG_DUMPER": "fst",
    }
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    result = _run(designs, simulator, tmp_path, [(3, 5, 15), (7, 6, 43)])
    assert "7 * 6 must be 43" in result.failure
    assert not list(result.folder.glob("*.vcd")) + list(result.folder.glob("*.fst"))
    monkeypatch.setenv("WAVES", "0")
    result = _run(designs, simulator, tmp_path, [(3, 5, 15)], waves=True)
    assert result.passed
    assert result.waves is not None
    assert vcd.changes(result.waves, "product")["y"] == [15]


@pytest.mark.usefixtures("benches")
def test_a_folder_relative_to_the_callers(
    designs: Any, simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what Python imports from: the bench runs elsewhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["benches", *(entry for entry in sys.path if not entry.endswith("benches"))])
    result = _run(designs, simulator, Path("runs"), [(3, 5, 15)])
    assert result.passed
    assert result.folder.parent == tmp_path / "runs"


@pytest.mark.usefixtures("benches")
def test_runs_side_by_side_have_their_own_files(designs: Any, simulator: Simulator, tmp_path: Path) -> None:
    other = designs.multiplier("product", 8, 8)
    other = dataclasses.replace(other, verilog=other.verilog.replace("a * b", "a * b + 16'd1"))
    good, bad = [(3, 5, 15)] * 3, [(3, 5, 16)] * 3
    cases = [
        (good, {}, True),
        (good, {}, True),
        (bad, {}, False),
        (bad, {"design": other}, True),
        (good, {"design": other}, False),
        (good, {"seed": 5}, True),
    ]
    with ThreadPoolExecutor(len(cases)) as pool:
        jobs = [
            pool.submit(_run, designs, simulator, tmp_path, products, slow=0.05, **options)
            for products, options, _ in cases
        ]
        results = [job.result() for job in jobs]
    assert [result.passed for result in results] == [passed for *_, passed in cases]
    assert len({result.folder for result in results}) == 5
    for result in results:
        assert ("FAIL=0" in result.log.read_text()) == result.passed
    # The two that are the same ran one after the other.
    assert results[0].folder == results[1].folder
    first, second = sorted(pickle.loads(result.results) for result in results[:2])
    assert first[1] < second[0]


@pytest.mark.usefixtures("benches")
def test_progress(designs: Any, simulator: Simulator, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    products = [(3, 5, 15)] * 25
    _run(designs, simulator, tmp_path, products, slow=0.02, progress=lambda *call: calls.append(call))
    done = [call[0] for call in calls]
    assert {total for _, total in calls} == {25}
    assert done == sorted(done)
    assert done[0] == 0
    assert done[-1] == 25
    assert len(set(done)) >= 4
    # It goes as far as the bench goes.
    _run(designs, simulator, tmp_path, [(3, 5, 15), (3, 5, 16), *products], progress=lambda *call: calls.append(call))
    assert calls[-1][0] < 2


def _pids(folder: Path) -> list[int]:
    """The bench's and its child's process numbers, when it has begun."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for file in folder.glob("*/pids"):
            return [int(word) for word in file.read_text().split()]
        time.sleep(0.05)
    raise AssertionError("the bench has not begun")


def _alive(pid: int) -> bool:
    """Whether a process runs; one that has ended may wait for its parent to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def _gone(pids: list[int]) -> bool:
    until = time.monotonic() + 5
    while any(_alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.02)
    return not any(_alive(pid) for pid in pids)


def _hang(designs: Any, simulator: Simulator, folder: Path, how: str, **options: Any) -> CocotbRun:
    return cocotb_run.run(
        designs.multiplier("product", 8, 8),
        "hanging_bench",
        simulator=simulator,
        job=pickle.dumps({"how": how}),
        folder=folder,
        seed=1,
        cycles=100,
        **options,
    )


@pytest.mark.usefixtures("benches")
def test_the_time_limit(designs: Any, simulator: Simulator, tmp_path: Path) -> None:
    # Eight seconds, so that the bench begins within them on a busy machine too.
    with pytest.raises(SimulationError) as error:
        _hang(designs, simulator, tmp_path, "spins", limit=8)
    (log,) = tmp_path.glob("*/simulation.log")
    text = f"{simulator} must be done with product in 8 s, not be at cycle 7 of 100 then (log: {log})"
    assert str(error.value) == text
    assert _gone(_pids(tmp_path))


@pytest.mark.usefixtures("benches")
def test_any_exception_ends_the_simulator(designs: Any, simulator: Simulator, tmp_path: Path) -> None:
    seen: list[int] = []

    def fail(done: int, total: int) -> None:
        if done == 7:
            seen.extend(_pids(tmp_path))
            assert all(_alive(pid) for pid in seen)
            raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match=r"^no more$"):
        _hang(designs, simulator, tmp_path, "waits", progress=fail)
    assert len(seen) == 2
    assert _gone(seen)


@pytest.mark.usefixtures("benches")
def test_what_a_dead_simulator_started_is_ended(designs: Any, simulator: Simulator, tmp_path: Path) -> None:
    with pytest.raises(SimulationError) as error:
        _hang(designs, simulator, tmp_path, "dies")
    assert str(error.value).startswith(f"{simulator} ended without results on product, exit status 3: ")
    assert "\n" not in str(error.value)
    assert _gone(_pids(tmp_path))


@pytest.mark.usefixtures("benches")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left_when_the_caller_ends(
    designs: Any, simulator: Simulator, tmp_path: Path, end: signal.Signals
) -> None:
    """Ctrl-C ends the whole group; killed outright, the caller cannot, and the simulator alone ends with it."""
    design = designs.multiplier("product", 8, 8)
    script = f"""
import json, pickle, sys, types
from pathlib import Path
from polymac.sim import find
from polymac.sim.engine import cocotb_run

sys.path.insert(0, {str(tmp_path / "benches")!r})
design = types.SimpleNamespace(**json.loads({json.dumps(json.dumps(dataclasses.asdict(design)))}))
job = pickle.dumps(dict(how="spins"))
folder = Path({str(tmp_path)!r}) / "runs"
simulator = find({simulator.name!r})
cocotb_run.run(design, "hanging_bench", simulator=simulator, job=job, folder=folder, seed=1, cycles=9)
"""
    caller = subprocess.Popen(
        [sys.executable, "-c", script],
        stderr=subprocess.PIPE,
        text=True,
        # A parent that ignores SIGINT, as a shell's background job does, would hand that down.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    pids = _pids(tmp_path / "runs")
    assert all(_alive(pid) for pid in pids)
    caller.send_signal(end)
    _, text = caller.communicate(timeout=20)
    if end is signal.SIGINT:
        assert text.rstrip().endswith("KeyboardInterrupt")
        assert _gone(pids)
    else:
        assert _gone(pids[:1])
        os.kill(pids[1], signal.SIGKILL)


@pytest.mark.usefixtures("benches")
def test_a_run_does_not_keep_the_results_of_the_one_before(
    designs: Any, simulator: Simulator, tmp_path: Path, benches: Path
) -> None:
    assert _run(designs, simulator, tmp_path, [(3, 5, 15)]).passed
    # The same arguments, but the bench breaks off now.
    (benches / "product_bench.py").write_text(_BENCH.replace("link = Link()", "os._exit(4)"))
    with pytest.raises(SimulationError, match="ended without results on product, exit status 4: "):
        _run(designs, simulator, tmp_path, [(3, 5, 15)])


def test_a_bench_that_is_not_there(designs: Any, simulator: Simulator, tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match=r"ended without results on product, .*no_such_bench") as error:
        _run(designs, simulator, tmp_path, [], bench="no_such_bench")
    assert "\n" not in str(error.value)


def test_verilog_that_is_none(designs: Any, simulator: Simulator, tmp_path: Path) -> None:
    design = designs.hand_written("module product(input a, output y);\n  assign y = nowhere(a);\nendmodule\n")
    with pytest.raises(SimulationError, match="nowhere") as error:
        _run(designs, simulator, tmp_path, [], design=design)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("limit", [0, -1.5, float("nan")])
def test_a_limit_that_is_none(designs: Any, simulator: Simulator, tmp_path: Path, limit: float) -> None:
    with pytest.raises(ParameterError) as error:
        _run(designs, simulator, tmp_path, [], limit=limit)
    assert str(error.value) == f"limit must be more than 0 seconds, not {limit}"


def test_python_without_a_shared_library(
    designs: Any, simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find_libpython, "find_libpython", lambda: None)
    with pytest.raises(SimulationError) as error:
        _run(designs, simulator, tmp_path, [])
    assert str(error.value) == f"Python must have a shared library for cocotb, not none ({sys.executable})"


def test_the_default_limit_grows_with_cycles_and_products() -> None:
    assert cocotb_run.time_limit(0) == 60
    assert cocotb_run.time_limit(2000) == pytest.approx(70.12)
    assert cocotb_run.time_limit(2000, 4096) == pytest.approx(561.5, abs=0.1)
