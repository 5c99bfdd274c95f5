"""From a unit to Verilog, its metadata and its FuseSoC core file."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ...golden.formats import ParameterError
from ..core.hierarchy import Hierarchy
from ..core.unit import Unit
from .command import command_line
from .verilog import module_text

#: A Verilator configuration with the lint warnings that the generated Verilog may give, each with its reason.
LINT_WAIVERS = Path(__file__).with_name("lint.vlt")


@dataclass(frozen=True)
class Design:
    """A generated module.

    Attributes
    ----------
    name : str
        The top module's name.
    verilog : str
        Verilog-2001, the top module first.
    metadata : dict
        Unit, parameters, ports with formats, latency and throughput, ready for JSON.

    Examples
    --------
    >>> design = hdl.generate(hdl.Multiplier(a="int4", b="int4"), name="mul4")
    >>> sorted(design.files)
    ['mul4.core', 'mul4.json', 'mul4.v']
    """

    name: str
    verilog: str
    metadata: dict[str, Any]

    @property
    def files(self) -> dict[str, str]:
        """What :meth:`write` writes: file name to text."""
        return {
            f"{self.name}.v": self.verilog,
            f"{self.name}.json": json.dumps(self.metadata, indent=2, ensure_ascii=False) + "\n",
            f"{self.name}.core": _core_file(self.name, self.metadata),
        }

    def write(self, folder: str | Path, force: bool = False) -> list[Path]:
        """Write NAME.v, NAME.json and NAME.core; all of them, or nothing.

        Raises
        ------
        ParameterError
            The folder is a file or cannot be written to, or a file exists and ``force`` is False.
        """
        return write_files(Path(folder), self.files, force=force)


def write_files(folder: Path, files: dict[str, str], *, force: bool) -> list[Path]:
    """Write text files into a folder, each under a temporary name first, and rename them when all are complete."""
    if folder.exists() and not folder.is_dir():
        raise ParameterError(f"output must be a folder, not the file {folder}")
    targets = [folder / name for name in files]
    for target in targets:
        if target.exists() and not force:
            raise ParameterError(f"output must not hold {target.name} unless force is True, not {target}")
    temporary: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for text in files.values():
            handle, path = tempfile.mkstemp(dir=folder, prefix=".polymac-")
            temporary.append(Path(path))
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            Path(path).chmod(0o644)
        for path, target in zip(temporary, targets, strict=True):
            path.replace(target)
    except OSError as error:
        raise ParameterError(
            f"output must be a folder that can be written to, not {folder}: {error.strerror}"
        ) from None
    finally:
        for path in temporary:
            path.unlink(missing_ok=True)
    return targets


def generate(unit: Unit, name: str | None = None, *, command: str | None = None) -> Design:
    """Verilog of ``unit`` as a module called ``name``: the same parameters give the same bytes.

    Parameters
    ----------
    unit : Unit
        What to generate.
    name : str, optional
        Name of the top module and prefix of all others; default: the kind of unit.
    command : str, optional
        The command that the header quotes; default: that of :func:`.command.command_line`.

    Raises
    ------
    ParameterError
        ``name`` is no Verilog identifier.

    Examples
    --------
    >>> design = hdl.generate(hdl.Multiplier(a="int4", b="int4"), name="mul4")
    >>> design.verilog.splitlines()[0]
    '// mul4: y = a * b, exact'
    """
    return generate_all({unit.kind if name is None else name: unit}, command=command)[0]


def generate_all(units: Mapping[str, Unit], *, command: str | None = None) -> list[Design]:
    """The designs of several units by the names of their top modules, each with the bytes that :func:`generate` gives it.

    But a submodule whose name is that of a module of another design gets the next number, so that one simulation may hold
    all designs.

    Parameters
    ----------
    units : mapping of str to Unit
        The units and their names.
    command : str, optional
        As in :func:`generate`.

    Raises
    ------
    ParameterError
        A name is no Verilog identifier.

    Examples
    --------
    >>> units = {"mul4": hdl.Multiplier(a="int4", b="int4"), "mul8": hdl.Multiplier(a="int8", b="int8")}
    >>> [design.name for design in hdl.generate_all(units)]
    ['mul4', 'mul8']
    """
    hierarchies, texts, taken = {}, {}, set(units)
    for name, unit in units.items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or name in _KEYWORDS:
            raise ParameterError(f"name must be a Verilog identifier, not {name!r}")
        hierarchies[name] = Hierarchy(unit, name, taken)
        for module, part in hierarchies[name].pending:  # grows while units are elaborated
            texts[module] = module_text(module, part, hierarchies[name], _KEYWORDS)
    designs = []
    for name, unit in units.items():
        top, *others = hierarchies[name].pending
        parts = [texts[top[0]], *(f"// {module}: {part.formula}\n{texts[module]}" for module, part in others)]
        metadata = {
            "name": name,
            "unit": unit.kind,
            "version": version("polymac"),
            "command": command or command_line("generate", unit, name=None if name == unit.kind else name),
            "parameters": unit.parameters,
            "ports": [port.describe() for port in unit.ports],
            "latency": unit.latency,
            "throughput": unit.throughput,
        }
        designs.append(Design(name, _header(unit, metadata) + "\n".join(parts), metadata))
    return designs


def _header(unit: Unit, metadata: dict[str, Any]) -> str:
    lines = [
        f"{metadata['name']}: {unit.formula}",
        *unit.description,
        "",
        f"Generated by polymac {metadata['version']}: {metadata['command']}",
        "Parameters: " + ", ".join(f"{key}={value}" for key, value in metadata["parameters"].items()),
        f"Latency: {unit.latency} clock cycles; throughput: {unit.throughput}.",
        "Ports:",
    ]
    for port in unit.ports:
        kind = f"{port.elements} × {port.format}" if port.elements > 1 else f"{port.format or port.role}"
        lines.append(f"  {port.direction:6}  {port.name:12} {port.width:5} bit  {kind}")
    return "".join(f"// {line}".rstrip() + "\n" for line in lines) + "\n"


def _core_file(name: str, metadata: dict[str, Any]) -> str:
    return f"""CAPI=2:
name: polymac:generated:{name}:{metadata["version"]}
description: {metadata["unit"]}, generated by polymac

filesets:
  rtl:
    files:
      - {name}.v
    file_type: verilogSource

targets:
  default:
    filesets: [rtl]
    toplevel: {name}
"""


#: Of Verilog-2005 and SystemVerilog, since the file may be read as either.
# fmt: off
_KEYWORDS = frozenset([
    "accept_on", "alias", "always", "always_comb", "always_ff", "always_latch", "and", "assert", "assign", "assume",
    "automatic", "before", "begin", "bind", "bins", "binsof", "bit", "break", "buf", "bufif0", "bufif1", "byte", "case",
    "casex", "casez", "cell", "chandle", "checker", "class", "clocking", "cmos", "config", "const", "constraint",
    "context", "continue", "cover", "covergroup", "coverpoint", "cross", "deassign", "default", "defparam", "design",
    "disable", "dist", "do", "edge", "else", "end", "endcase", "endchecker", "endclass", "endclocking", "endconfig",
    "endfunction", "endgenerate", "endgroup", "endinterface", "endmodule", "endpackage", "endprimitive", "endprogram",
    "endproperty", "endsequence", "endspecify", "endtable", "endtask", "enum", "event", "eventually", "expect",
    "export", "extends", "extern", "final", "first_match", "for", "force", "foreach", "forever", "fork", "forkjoin",
    "function", "generate", "genvar", "global", "highz0", "highz1", "if", "iff", "ifnone", "ignore_bins",
    "illegal_bins", "implements", "implies", "import", "incdir", "include", "initial", "inout", "input", "inside",
    "instance", "int", "integer", "interconnect", "interface", "intersect", "join", "join_any", "join_none", "large",
    "let", "liblist", "library", "local", "localparam", "logic", "longint", "macromodule", "matches", "medium",
    "modport", "module", "nand", "negedge", "nettype", "new", "nexttime", "nmos", "nor", "noshowcancelled", "not",
    "notif0", "notif1", "null", "or", "output", "package", "packed", "parameter", "pmos", "posedge", "primitive",
    "priority", "program", "property", "protected", "pull0", "pull1", "pulldown", "pullup", "pulsestyle_ondetect",
    "pulsestyle_onevent", "pure", "rand", "randc", "randcase", "randsequence", "rcmos", "real", "realtime", "ref",
    "reg", "reject_on", "release", "repeat", "restrict", "return", "rnmos", "rpmos", "rtran", "rtranif0", "rtranif1",
    "s_always", "s_eventually", "s_nexttime", "s_until", "s_until_with", "scalared", "sequence", "shortint",
    "shortreal", "showcancelled", "signed", "small", "soft", "solve", "specify", "specparam", "static", "string",
    "strong", "strong0", "strong1", "struct", "super", "supply0", "supply1", "sync_accept_on", "sync_reject_on",
    "table", "tagged", "task", "this", "throughout", "time", "timeprecision", "timeunit", "tran", "tranif0", "tranif1",
    "tri", "tri0", "tri1", "triand", "trior", "trireg", "type", "typedef", "union", "unique", "unique0", "unsigned",
    "until", "until_with", "untyped", "use", "var", "vectored", "virtual", "void", "wait", "wait_order", "wand", "weak",
    "weak0", "weak1", "while", "wildcard", "wire", "with", "within", "wor", "xnor", "xor",
])
# fmt: on
