"""The rules of ready/valid streams, proven of a design: by induction over the clock, and on its netlist."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...golden.formats import ParameterError
from ..yosys.design import Design
from ..yosys.netlist import Bit, Netlist, inputs_of
from .formal import DEPTH, TIMEOUT, Monitor, Verdict, prove


@dataclass(frozen=True)
class _Stream:
    """The names of the ports of one stream."""

    name: str
    valid: str
    ready: str
    payload: tuple[str, ...]
    is_input: bool


def prove_streams(
    design: Design, *, lawful_inputs: bool = False, timeout: float = TIMEOUT, depth: int = DEPTH
) -> list[Verdict]:
    """Whether the streams of a design keep the rules, for all inputs in all cycles.

    Of each output stream:

    * ``valid`` that met no ``ready`` stays, unless there is a reset;
    * the payload stays meanwhile;
    * no combinational path leads from the ``ready`` of any stream to ``valid`` or to the payload: neither waits for a
      ``ready``, so that a sink may wait for ``valid`` without a combinational loop.

    The first two are proven from the initial state with free inputs, and the third on the netlist: where there is no path
    of cells, there is none of logic. A path from a ``valid`` to the ``ready`` of another stream is allowed, and made where
    two streams are taken together; :func:`combinational_paths` lists all.

    Parameters
    ----------
    design : Design
        With streams.
    lawful_inputs : bool
        Whether the input streams are known to keep the first two rules. Without, the proof needs nothing of them.
    timeout, depth
        As of :func:`.formal.prove`.

    Raises
    ------
    ParameterError
        The design has no output stream, or see :func:`.formal.prove`.
    SynthesisError
        As :func:`.formal.prove`.
    """
    streams = _streams(design.metadata)
    sources = [stream for stream in streams if not stream.is_input]
    if not sources:
        raise ParameterError(f"design must have an output stream, not none as {design.name}")
    assumed = [stream for stream in streams if stream.is_input] if lawful_inputs else []
    lines = [_memory(design.metadata, stream) for stream in (*sources, *assumed)]
    broken = " || ".join(f"!{stream.name}_stays || !{stream.name}_stable" for stream in assumed) or "1'b0"
    # What follows an input that breaks the rules does not matter.
    lines += [
        "  reg lawful = 1;",
        f"  wire lawful_now = lawful & !({broken});",
        "  always @(posedge clk) lawful <= lawful_now;",
    ]
    properties = {}
    for stream in sources:
        properties[f"{stream.valid} stays until {stream.ready}"] = f"!lawful_now || {stream.name}_stays"
        properties[f"payload of {stream.name} stays until {stream.ready}"] = f"!lawful_now || {stream.name}_stable"
    verdicts = prove(Monitor(design, "\n".join(lines), properties), timeout=timeout, depth=depth)
    return verdicts + _structural(design, streams)


def combinational_paths(design: Design) -> dict[str, frozenset[str]]:
    """For each output port, the input ports from which a path of cells without a register leads to it.

    Word by word: each bit that a cell drives counts as dependent on all bits that it reads. What is not listed is no
    path; what is listed may be none of logic.

    Raises
    ------
    SynthesisError
        Yosys does not read the Verilog.

    Examples
    --------
    >>> synth.combinational_paths(hdl.generate(hdl.Array(a="int2", b="int2", rows=1, cols=1), name="one"))["a_ready"]
    frozenset({'b_valid'})
    """
    netlist = Netlist.of(design)
    drivers: dict[Bit, str] = {}
    for name, cell in netlist.cells.items():
        for port, direction in cell["port_directions"].items():
            if direction == "output":
                drivers |= dict.fromkeys(cell["connections"][port], name)
    ports: Mapping[str, Any] = netlist.module["ports"]
    inputs = {bit: name for name, port in ports.items() if port["direction"] == "input" for bit in port["bits"]}
    paths = {}
    for name, port in ports.items():
        if port["direction"] == "output":
            paths[name] = _reached(netlist, drivers, inputs, port["bits"])
    return paths


def _reached(
    netlist: Netlist, drivers: Mapping[Bit, str], inputs: Mapping[Bit, str], bits: list[Bit]
) -> frozenset[str]:
    """The inputs behind bits of a netlist, up to registers."""
    found, cells, waiting = set(), set(), list(bits)
    while waiting:
        bit = waiting.pop()
        if bit in inputs:
            found.add(inputs[bit])
        if (driver := drivers.get(bit)) is None or driver in cells:
            continue
        cells.add(driver)
        cell = netlist.cells[driver]
        if "CLK" not in cell["connections"]:
            waiting += [bit for _, read in inputs_of(cell) for bit in read]
    return frozenset(found)


def _streams(metadata: Mapping[str, Any]) -> list[_Stream]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for port in metadata["ports"]:
        if port["stream"] is not None:
            groups.setdefault(port["stream"], []).append(port)
    streams = []
    for name, ports in groups.items():
        (valid,) = (port for port in ports if port["role"] == "valid")
        (ready,) = (port["name"] for port in ports if port["role"] == "ready")
        payload = tuple(port["name"] for port in ports if port["role"] not in ("valid", "ready"))
        streams.append(_Stream(name, valid["name"], ready, payload, valid["direction"] == "input"))
    return streams


def _memory(metadata: Mapping[str, Any], stream: _Stream) -> str:
    """Verilog that remembers a stream's last cycle: whether ``valid`` and the payload are as they have to be."""
    widths = {port["name"]: port["width"] for port in metadata["ports"]}
    payload = f"{{{', '.join(stream.payload)}}}"
    bits = sum(widths[name] for name in stream.payload)
    name = stream.name
    return f"""  reg {name}_waited = 0;
  reg [{bits - 1}:0] {name}_offered = 0;
  always @(posedge clk) begin
    {name}_waited <= {stream.valid} & !{stream.ready} & !rst;
    {name}_offered <= {payload};
  end
  wire {name}_stays = !{name}_waited || {stream.valid};
  wire {name}_stable = !{name}_waited || !{stream.valid} || {payload} == {name}_offered;"""


def _structural(design: Design, streams: list[_Stream]) -> list[Verdict]:
    start = time.monotonic()
    paths = combinational_paths(design)
    seconds = round(time.monotonic() - start, 3)
    readies = {stream.ready for stream in streams}
    verdicts = []
    for stream in streams:
        if stream.is_input:
            continue
        ports = (stream.valid, *stream.payload)
        found = [f"{ready} → {port}" for port in ports for ready in sorted(paths[port] & readies)]
        claim, reason = f"{stream.name} waits for no ready", ", ".join(found)
        verdicts.append(Verdict(claim, not found, "structure", None, seconds, reason=reason))
    return verdicts
