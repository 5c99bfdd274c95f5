"""The native batch simulator: a Verilated model as a shared library, called with whole NumPy arrays.

Some tens of millions of evaluations a second of a small unit, on one core: fast enough for every pair of 16-bit
operands. The library knows nothing of VPI, waves or time; the benches that look at every cycle run under cocotb.
"""

from __future__ import annotations

import ctypes
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...golden.codec.codes import as_codes, code_dtype
from ...golden.formats import ParameterError, check_choice
from . import cache, runtime
from .native_source import PREFIX, TOP, Member, top_verilog, wrapper
from .packing import port_format
from .ports import DesignLike, ModelPort, model_ports, streams_of
from .simulators import Simulator, find, run_tool

#: How a model is compiled: to run fast, to be built fast, or as its size suggests.
OPTIMIZATIONS: dict[str, str | None] = {"auto": None, "fast-run": "-O2", "fast-compile": "-O1"}

_LIBRARY = "model.so"
#: A call into the library lasts about this long, so that Ctrl-C is answered between two of them.
_CALL_SECONDS = 0.1
_FIRST_STEPS = 256


class Model:
    """One or several designs as one Verilated model in this process.

    Made by :meth:`build`. Values of a port of up to 64 bits are an array of the least unsigned dtype that holds them,
    of shape (n,); those of a wider port an array of bytes of shape (n, ceil(width / 8)), least significant byte first,
    as :func:`polymac.sim.engine.packing.pack` makes them.

    Attributes
    ----------
    designs : tuple of str
        The names of the designs.
    simulator : Simulator
        The Verilator that translated them.

    Examples
    --------
    >>> model = sim.Model.build(hdl.generate(hdl.Multiplier(a="int4", b="int4"), name="mul4"))
    >>> model.evaluate({"a": [3, 15], "b": [5, 2]})["y"]
    array([ 15, 254], dtype=uint8)
    """

    def __init__(self, members: Sequence[Member], library: Path, simulator: Simulator) -> None:
        self.members = tuple(members)
        self.designs = tuple(member.name for member in members)
        self.simulator = simulator
        self.library = ctypes.CDLL(str(library))
        self.library.polymac_create.restype = ctypes.c_void_p
        self.handle = ctypes.c_void_p(self.library.polymac_create())

    @classmethod
    def build(cls, designs: DesignLike | Iterable[DesignLike], *, opt: str = "auto") -> Model:
        """The model of a design, or of several in one: a compiler run for each of many small ones would take longer.

        The library is kept in the user's cache; the same designs again take milliseconds.

        Parameters
        ----------
        designs : design or iterable of designs
            Generated modules. The names of several, and of their submodules, must be distinct.
        opt : "auto", "fast-run" or "fast-compile"
            Compiler effort; auto is fast-run for small models and fast-compile for large ones.

        Raises
        ------
        ParameterError
            No designs, a module defined twice, or no Verilator or C++ compiler.
        SimulationError
            Verilator or the compiler fails.
        """
        check_choice("opt", opt, tuple(OPTIMIZATIONS))
        listed = list(designs) if isinstance(designs, Iterable) else [designs]
        _check_modules(listed)
        members = [_member(index, design) for index, design in enumerate(listed)]
        simulator = find("verilator")
        return cls(members, _library(simulator, members, listed, opt), simulator)

    def evaluate(self, inputs: Mapping[str, ArrayLike]) -> dict[str, NDArray[Any]]:
        """The outputs of a single design for arrays of inputs, aligned: output i belongs to input i.

        A combinational design is evaluated item by item. One with a clock takes an item per clock cycle, starting after
        a cycle of reset, and its outputs are read ``latency`` cycles later, as its metadata says. Its enables are 1
        and its resets 0 unless ``inputs`` gives them values of their own for every cycle.

        Parameters
        ----------
        inputs : mapping of port name to array
            All of the same length.

        Raises
        ------
        TypeError
            An array does not hold integers.
        ParameterError
            Inputs are missing, unknown, out of range or not of one length; or the model holds several designs.
        """
        return self.evaluate_all({self._only().name: inputs})[self.designs[0]]

    def evaluate_all(self, inputs: Mapping[str, Mapping[str, ArrayLike]]) -> dict[str, dict[str, NDArray[Any]]]:
        """The outputs of several designs, each as by :meth:`evaluate`, each with its own number of items.

        One call evaluates all designs side by side and costs as much as all of them on the longest arrays: one call
        for all designs is cheap, a call for each is not. A design that ``inputs`` does not name is left out.
        """
        unknown = [name for name in inputs if name not in self.designs]
        if unknown:
            raise ParameterError(f"inputs must be for designs among {', '.join(self.designs)}, not for {unknown[0]}")
        counts: list[int] = []
        sources: list[NDArray[Any]] = []
        results: list[NDArray[Any]] = []
        named: dict[str, dict[str, NDArray[Any]]] = {}
        for member in self.members:
            arrays, count = _input_arrays(member, inputs[member.name]) if member.name in inputs else ([], 0)
            outputs = [_empty(port, count) for port in member.outputs]
            # Every port has its place in the call, with or without items.
            sources += arrays or [np.empty(0, np.uint8) for _ in member.inputs]
            results += outputs
            counts.append(count)
            if member.name in inputs:
                named[member.name] = {port.name: array for port, array in zip(member.outputs, outputs, strict=True)}
        steps = max(count + member.latency if count else 0 for count, member in zip(counts, self.members, strict=True))
        call_inputs, call_outputs = _pointers(sources), _pointers(results)
        call_counts = (ctypes.c_int64 * len(counts))(*counts)

        def step(begin: int, end: int) -> int:
            self.library.polymac_evaluate(
                self.handle, call_inputs, call_outputs, call_counts, ctypes.c_int64(begin), ctypes.c_int64(end)
            )
            return end

        self.clear()
        in_steps(step, steps)
        return named

    def clear(self) -> None:
        """Reset the designs: one clock edge with every reset at 1; enables 1, resets 0 afterwards."""
        self.library.polymac_clear(self.handle)

    def _only(self) -> Member:
        if len(self.members) != 1:
            raise ParameterError(f"the model must be of one design, not of {len(self.members)}")
        return self.members[0]

    def stream_member(self) -> Member:
        """The model's only design, which has streams.

        Raises
        ------
        ParameterError
            The model holds several designs, or the one has no streams.
        """
        member = self._only()
        if not member.streams or not member.has_clock:
            raise ParameterError(f"{member.name} must have a clock and streams, not only {_names(member.ports)}")
        return member


def in_steps(call: Callable[[int, int], int], steps: int) -> int:
    """Call ``call(begin, end) -> reached`` up to ``steps``, or until a call stops early; returns where that was.

    Each call takes about a tenth of a second: Python looks at signals between the calls only.
    """
    done, size = 0, _FIRST_STEPS
    while done < steps:
        end = min(done + size, steps)
        started = time.perf_counter()
        done = call(done, end)
        if done < end:
            break
        if time.perf_counter() - started < _CALL_SECONDS / 2:
            size *= 2
    return done


def _check_modules(designs: Sequence[DesignLike]) -> None:
    if not designs:
        raise ParameterError("designs must be at least one, not none")
    seen: dict[str, str] = {}
    for design in designs:
        for module in re.findall(r"(?m)^\s*module\s+(\\\S+|\w+)", design.verilog):
            if module in seen:
                raise ParameterError(
                    f"designs must have distinct module names, not {module} in both {seen[module]} and {design.name}"
                )
            seen[module] = design.name


def _member(index: int, design: DesignLike) -> Member:
    ports = model_ports(design.metadata)
    streams = tuple(streams_of(ports).values())
    return Member(index, design.name, tuple(ports), design.metadata["latency"], streams)


def _library(simulator: Simulator, members: Sequence[Member], designs: Sequence[DesignLike], opt: str) -> Path:
    tools = runtime.toolchain(simulator)
    verilog = "\n".join(design.verilog for design in designs)
    top, cpp = top_verilog(members), wrapper(members)

    def build(folder: Path) -> None:
        # Only the library is worth keeping: its sources are many times as large.
        with cache.scratch(folder) as work:
            source = work / "model.v"
            source.write_text(verilog + top)
            options = ("--x-assign", "fast", "--x-initial", "fast", "--no-assert")
            runtime.verilate(simulator, [source], TOP, PREFIX, work, *options)
            glue = work / "wrapper.cpp"
            glue.write_text(f'#include "{PREFIX}.h"\n' + cpp)
            core = runtime.objects(tools, runtime.CORE)
            parts = runtime.compile_sources(tools, work, [glue], optimize=OPTIMIZATIONS[opt])
            link = [tools.compiler, "-shared", "-Wl,-Bsymbolic", *parts, *core, "-lpthread", "-o", folder / _LIBRARY]
            run_tool(link, "linking the model")

    name = f"{designs[0].name[:40]}-{cache.digest(tools.identity, opt, verilog, top, cpp)}"
    return cache.entry(cache.user_cache("native"), name, build, prune=True) / _LIBRARY


def _input_arrays(member: Member, inputs: Mapping[str, ArrayLike]) -> tuple[list[NDArray[Any]], int]:
    """The arrays of a member's inputs in order, checked, contiguous and of one length; and that length."""
    defaults = {"enable": 1, "reset": 0}
    required = [port for port in member.inputs if port.role not in defaults]
    known = {port.name for port in member.inputs}
    if not known >= inputs.keys() >= {port.name for port in required}:
        raise ParameterError(f"inputs of {member.name} must be {_names(required)}, not {', '.join(inputs) or 'none'}")
    arrays = {port.name: port_values(port, inputs[port.name]) for port in member.inputs if port.name in inputs}
    lengths = {array.shape[0] for array in arrays.values()}
    if len(lengths) != 1:
        shapes = ", ".join(f"{name}: {array.shape[0]}" for name, array in arrays.items())
        raise ParameterError(f"inputs of {member.name} must be of one length, not {shapes or 'none'}")
    count = lengths.pop()
    for port in member.inputs:
        if port.name not in arrays:
            arrays[port.name] = np.full(count, defaults[port.role], np.uint8)
    return [arrays[port.name] for port in member.inputs], count


def port_values(port: ModelPort, values: ArrayLike) -> NDArray[Any]:
    """``values`` in the form that the model reads: see :class:`Model`.

    Raises
    ------
    TypeError
        They are not integers.
    ParameterError
        They have another shape, or one is out of range.
    """
    if not port.is_wide:
        array = as_codes(port.name, values, port_format(port.width))
        if array.ndim != 1:
            raise ParameterError(f"{port.name} must be an array of 1 dimension, not {array.ndim}")
        return np.ascontiguousarray(array)
    return packed_values(port, values)


def packed_values(port: ModelPort, values: ArrayLike) -> NDArray[np.uint8]:
    """Values of a port of any width, as bytes of shape (n, port.bytes), checked.

    Raises
    ------
    ParameterError
        They have another shape or dtype, or a bit beyond the port's width is set.
    """
    array = np.asarray(values)
    if array.dtype != np.uint8 or array.ndim != 2 or array.shape[1] != port.bytes:
        raise ParameterError(
            f"{port.name} must be uint8 of shape (n, {port.bytes}), not {array.dtype} of shape {array.shape}"
        )
    if port.width % 8 and np.any(array[:, -1] >> (port.width % 8)):
        raise ParameterError(f"{port.name} must have no bits beyond its {port.width}, not ones set")
    return np.ascontiguousarray(array)


def _empty(port: ModelPort, count: int) -> NDArray[Any]:
    if port.is_wide:
        return np.empty((count, port.bytes), np.uint8)
    return np.empty(count, code_dtype(port_format(port.width)))


def _pointers(arrays: Sequence[NDArray[Any]]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))


def _names(ports: Iterable[ModelPort]) -> str:
    return ", ".join(port.name for port in ports)
