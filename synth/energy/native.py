"""The simulator of ``simulate.cpp``, compiled on first use and kept in the user's cache, and called with whole arrays."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import platformdirs
from numpy.typing import NDArray

from ...golden.formats import ParameterError
from ..yosys.runner import SynthesisError
from .network import Network

_SOURCE = Path(__file__).with_name("simulate.cpp")
_FLAGS = ("-O2", "-std=c++17", "-shared", "-fPIC")
#: So many bytes of stimulus and gates times cycles a call, so that Ctrl-C is answered between two of them.
_CALL_WORK = 20_000_000

SETTLED, EVENTS, CANCELLED = 0, 1, 2


@functools.cache
def _library() -> ctypes.CDLL:
    source = _SOURCE.read_bytes()
    compiler = shutil.which("g++")
    if compiler is None:
        raise ParameterError("g++ must be on PATH for energy, not missing (install it, for example `apt install g++`)")
    version = subprocess.run([compiler, "-dumpfullversion", "-dumpmachine"], capture_output=True, check=False).stdout
    name = hashlib.blake2b(b"\0".join((source, version, *map(str.encode, _FLAGS))), digest_size=10).hexdigest()
    folder = platformdirs.user_cache_path("polymac") / "energy"
    path = folder / f"simulate-{name}.so"
    if _is_whole(path):
        return _declared(ctypes.CDLL(str(path)))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            built = Path(scratch, path.name)
            done = subprocess.run(
                [compiler, *_FLAGS, str(_SOURCE), "-o", str(built)], capture_output=True, text=True, check=False
            )
            if done.returncode:
                line = next((line for line in done.stderr.splitlines() if "error" in line), "no reason given")
                raise SynthesisError(f"compiling the netlist simulator: {line}")
            # Behind the end of the library, where no loader looks; a part of a library would end this process.
            with built.open("r+b") as file:
                file.write(hashlib.sha256(file.read()).digest())
            built.replace(path)
    except OSError as error:
        raise ParameterError(
            f"the folder of built simulators must be writable, not {folder}: {error.strerror}"
        ) from None
    return _declared(ctypes.CDLL(str(path)))


def _is_whole(path: Path) -> bool:
    """Whether a file ends with the hash of what comes before."""
    if not path.is_file():
        return False
    data = path.read_bytes()
    size = hashlib.sha256().digest_size
    return hashlib.sha256(data[:-size]).digest() == data[-size:]


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    int32, int64, pointer = ctypes.c_int32, ctypes.c_int64, ctypes.c_void_p
    library.simulation_new.restype = pointer
    library.simulation_new.argtypes = [
        int32, int32, pointer, pointer, pointer, pointer, pointer, int64, pointer, pointer, int64, int32, int32, pointer,
    ]  # fmt: skip
    library.simulation_delete.argtypes = [pointer]
    library.simulation_delete.restype = None
    library.simulation_run.argtypes = [pointer, pointer, int64, ctypes.c_int, ctypes.c_int]
    library.simulation_nets.argtypes = [pointer, pointer, pointer, pointer]
    library.simulation_nets.restype = None
    library.simulation_transitions.argtypes = [pointer, ctypes.c_int, pointer, int64]
    library.simulation_transitions.restype = int64
    return library


class Simulation:
    """A netlist in the simulator.

    Parameters
    ----------
    nets : int
        How many there are.
    outputs : sequence of int
        The net of every gate's output.
    inputs : sequence of sequence of int
        The nets of its inputs.
    tables : sequence of array of bool
        Its truth table, the same object for gates of a kind.
    delays : sequence of array of int32
        By state of the inputs and input, in ticks; empty for a simulation without events.
    combinational : int
        The gates before the flip-flops.
    ports : sequence of int
        The nets that the stimulus sets.
    """

    def __init__(
        self,
        nets: int,
        outputs: Sequence[int],
        inputs: Sequence[Sequence[int]],
        tables: Sequence[NDArray[np.bool_]],
        delays: Sequence[NDArray[np.int32]],
        combinational: int,
        ports: Sequence[int],
    ) -> None:
        self._native = _library()
        self.nets = nets
        self.gates = len(outputs)
        distinct = {id(table): table for table in tables}
        starts = dict(zip(distinct, _starts([len(table) for table in distinct.values()]), strict=True))
        pool = np.concatenate([*distinct.values(), np.zeros(1, bool)]).astype(np.uint8)
        delay_starts = _starts([item.size for item in delays]) if delays else [0] * self.gates
        delay_pool = np.concatenate([item.ravel() for item in delays] or [np.ones(1)]).astype(np.int32)
        arrays = [
            np.array(outputs, np.int32),
            np.array([len(item) for item in inputs], np.int32),
            np.array([net for item in inputs for net in item], np.int32),
            np.array([starts[id(table)] for table in tables], np.int32),
            pool,
            np.array(delay_starts, np.int32),
            delay_pool,
            np.array(ports, np.int32),
        ]
        output, count, into, table, pool, delay, delay_pool, port = (item.ctypes.data for item in arrays)
        self._handle = self._native.simulation_new(
            nets, self.gates, output, count, into, table, pool, arrays[4].size, delay, delay_pool, arrays[6].size,
            combinational, len(ports), port,
        )  # fmt: skip
        self.ports = len(ports)

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._native.simulation_delete(self._handle)

    def run(self, stimulus: NDArray[np.uint8], *, counting: bool, events: bool) -> None:
        """Run a cycle for each row of bits of the ports.

        Raises
        ------
        SynthesisError
            The events of a cycle do not end where its settled values are (a fault of the simulator).
        """
        step = max(_CALL_WORK // (self.gates + self.ports + 1) // (4 if events else 1), 1)
        for start in range(0, len(stimulus), step):
            part = np.ascontiguousarray(stimulus[start : start + step])
            if self._native.simulation_run(self._handle, part.ctypes.data, len(part), counting, events):
                raise SynthesisError("the events of a cycle must end in its settled values, not in others")

    def net_counts(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Of every net: cycles that ended with a 1, settled toggles, and toggles with events."""
        ones, toggles, events = (np.zeros(self.nets, np.int64) for _ in range(3))
        self._native.simulation_nets(self._handle, ones.ctypes.data, toggles.ctypes.data, events.ctypes.data)
        return ones, toggles, events

    def transitions(self, which: int) -> NDArray[np.int64]:
        """Rows of gate, state before · 2^inputs + state after, and count: settled, with events, or cancelled."""
        rows = np.zeros((self._native.simulation_transitions(self._handle, which, None, 0), 3), np.int64)
        self._native.simulation_transitions(self._handle, which, rows.ctypes.data, len(rows))
        return rows


def simulate(network: Network, delays: Sequence[NDArray[np.int32]] | None) -> Simulation:
    """A network in the simulator; with events where there are delays."""
    return Simulation(
        network.net_count,
        network.output,
        network.inputs,
        [network.kinds[kind].table for kind in network.kind],
        delays or [],
        network.combinational,
        [net for nets in network.ports.values() for net in nets],
    )


def _starts(sizes: Sequence[int]) -> list[int]:
    return [0, *np.cumsum(sizes).tolist()][: len(sizes)]
