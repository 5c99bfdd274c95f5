"""Synthesis recipes as data: the Yosys commands between a design's Verilog and its mapped cells.

A recipe favours one number format over another (a Booth multiplier pays from some 8 bits up, a carry-save tree only
where several numbers are added), so every design is run through the whole set of its target and the best is kept.
A job runs in a folder that holds the design as ``design.v`` and, where the target has one, its Liberty as
``library.lib``; so a recipe holds no path, and the same recipe reads the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass

#: File names in the folder of a job.
DESIGN_FILE = "design.v"
LIBERTY_FILE = "library.lib"
#: The cells of the finished netlist, and those after technology-independent synthesis (where flip-flops have a type).
CELLS_REPORT = "cells.json"
GENERIC_REPORT = "generic.json"
#: The mapped netlist, from recipes whose cells ABC does not time, and where it is asked for.
NETLIST_REPORT = "netlist.json"

# Structural choices and the least area: DAG-aware rewriting, then area-oriented mapping by structural choices; gates
# keep their least size. `stime -p` prints the delay.
_ABC_AREA = "+strash;ifraig;dc2;dch,-f;amap,-m;topo;stime,-p"
# The same after resubstitution, rewriting and refactoring in turns with ever larger windows (ABC's compress2rs), twice:
# finds what one pass of rewriting does not see in arithmetic.
_RESUBSTITUTION = (
    "balance,-l;resub,-K,6,-l;rewrite,-l;resub,-K,6,-N,2,-l;refactor,-l;resub,-K,8,-l;balance,-l;resub,-K,8,-N,2,-l;"
    "rewrite,-l;resub,-K,10,-l;rewrite,-z,-l;resub,-K,10,-N,2,-l;balance,-l;resub,-K,12,-l;refactor,-z,-l;"
    "resub,-K,12,-N,2,-l;rewrite,-z,-l;balance,-l"
)
_ABC_AREA_RESUB = f"+strash;ifraig;{_RESUBSTITUTION};{_RESUBSTITUTION};dch,-f;amap,-m;topo;stime,-p"
# Random restructuring with a fixed seed, until ten steps in a row gain nothing: seconds for a hundred gates, minutes for
# a thousand.
_ABC_AREA_DEEP = "+strash;ifraig;&get,-n;&deepsyn,-I,1,-J,10;&put;dch,-f;amap,-m;topo;stime,-p"
# Delay: SOP balancing (`if -g`) shortens carry chains before delay-oriented mapping; then buffers and gate sizes.
_ABC_SPEED = "+strash;ifraig;dch;if,-g;strash;dch;map,-B,0.9;topo;buffer,-c;upsize;dnsize;stime,-p"
# A delay that is good enough: balanced as for speed (twice rewritten or not), then the least area within that delay, by
# gates of any size or, biased, by those that are fast for their load; unneeded sizes are taken back.
_BALANCED = "+strash;ifraig;dch;if,-g;strash;dch"
_REWRITTEN = "+strash;ifraig;dc2;dch;if,-g;strash;dc2;dch,-f"
_WITHIN = "-D,{delay_ps};topo;buffer,-c;upsize,-D,{delay_ps};dnsize,-D,{delay_ps};stime,-p"
# The area script again, on Yosys' own gates, which have no delay and no sizes.
_ABC_GATES = "+strash;ifraig;dc2;dch,-f;amap,-m"

_KOGGE_STONE = "-extra-map +/choices/kogge-stone.v"
# Operands at their least widths, which Booth's recoding has to see. Its low-power architecture (a row of adders instead
# of a tree: smaller and slower) is made for signed operands only; other multiplications are left to the next command.
_NARROW = ("opt", "wreduce", "peepopt", "opt_clean")
_BOOTH_LOW_POWER = (*_NARROW, "booth -lowpower t:$mul r:A_SIGNED=1 %i r:B_SIGNED=1 %i")

# Multipliers made of chains of full adders are small and slow, those made of trees the other way round.
_COMPACT = ("operator", "baugh_wooley", "booth")
_FAST = ("operator", "tree")


@dataclass(frozen=True)
class Recipe:
    """One way through Yosys.

    Parameters
    ----------
    name : str
        The name by which records call it.
    commands : tuple of str
        Yosys commands in order; ``{top}`` stands for the name of the top module, ``{delay_ps}`` for the delay given.
    uses_dsp : bool
        The recipe may spend the target's hard multipliers.
    architectures : tuple of str or None
        The architectures of a multiplier that it can do well by; others are not run through it. None: all.
    most_cells : int or None
        It takes too long for designs that have more cells (after another recipe); None: for none.
    timed : bool
        It makes the least area for a delay that has to be given.

    Examples
    --------
    >>> [recipe.name for recipe in synth.target("ice40").recipes]
    ['dsp', 'plain', 'booth']
    """

    name: str
    commands: tuple[str, ...]
    uses_dsp: bool = False
    architectures: tuple[str, ...] | None = None
    most_cells: int | None = None
    timed: bool = False

    def script(self, top: str, max_delay_ns: float | None = None, netlist: bool = False) -> tuple[str, ...]:
        """The Yosys commands for one design.

        Parameters
        ----------
        top : str
            Name of the top module.
        max_delay_ns : float, optional
            Delay limit of a timed recipe.
        netlist : bool
            Also write the mapped netlist, as :data:`NETLIST_REPORT`.
        """
        delay_ps = "" if max_delay_ns is None else f"{max_delay_ns * 1000:g}"
        commands = tuple(command.replace("{top}", top).replace("{delay_ps}", delay_ps) for command in self.commands)
        write = f"write_json {NETLIST_REPORT}"
        return commands if not netlist or write in commands else (*commands, write)


def _read(*attributes: str) -> tuple[str, ...]:
    return (f"read_verilog {DESIGN_FILE}", "hierarchy -check -top {top}", "proc", "flatten -noscopeinfo", *attributes)


def _stat(options: str = "") -> str:
    return f"tee -q -o {CELLS_REPORT} stat -json {options}".rstrip()


def _gates(before: tuple[str, ...], options: str) -> tuple[str, ...]:
    # A flip-flop of a chip wakes up in either state: initial values are an FPGA's, and reset is what sets them here.
    return (*_read("setattr -unset init w:*"), *before, f"synth -top {{top}} -noabc {options}".rstrip(), "opt_merge")


def _liberty(
    name: str,
    abc: str,
    options: str = "",
    before: tuple[str, ...] = (),
    architectures: tuple[str, ...] = ("operator",),
    most_cells: int | None = None,
) -> Recipe:
    mapping = (
        f"tee -q -o {GENERIC_REPORT} stat -json",
        f"dfflibmap -liberty {LIBERTY_FILE}",
        f"abc -liberty {LIBERTY_FILE} -script {abc}",
        "opt_clean -purge",
        _stat(f"-liberty {LIBERTY_FILE}"),
    )
    commands = (*_gates(before, options), *mapping)
    return Recipe(name, commands, False, architectures, most_cells, timed="{delay_ps}" in abc)


def _cmos(name: str, options: str = "", before: tuple[str, ...] = ()) -> Recipe:
    # The transistor table of `stat -tech cmos` knows the plain flip-flop only: enable and reset become gates before it.
    mapping = ("dfflegalize -cell $_DFF_P_ x", f"abc -g cmos -script {_ABC_GATES}", "opt_clean -purge")
    return Recipe(
        name,
        (*_gates(before, options), *mapping, _stat("-tech cmos")),
        architectures=("operator",) if options else _COMPACT,
    )


def _two_inputs(name: str, script: str = "") -> Recipe:
    abc = f"abc -g cmos2 {f'-script {script}' if script else ''}".rstrip()
    return Recipe(name, (*_gates((), ""), abc, "opt_clean -purge", _stat("-tech cmos")))


# The cell of a full adder: ABC maps to cells of one output only, and does not see through others.
_FULL_ADDER = """read_verilog <<EOT
(* techmap_celltype = "$fa" *)
module full_adder (A, B, C, X, Y);
  parameter WIDTH = 1;
  input [WIDTH-1:0] A, B, C;
  output [WIDTH-1:0] X, Y;
  genvar i;
  generate for (i = 0; i < WIDTH; i = i + 1) begin : bits
    FA_X1 cell_ (.A(A[i]), .B(B[i]), .CI(C[i]), .CO(X[i]), .S(Y[i]));
  end endgenerate
endmodule
EOT"""


def _full_adders(name: str, abc: str) -> Recipe:
    # Cones of four gates at most: wider ones are found with their inputs inverted, and each inverter is a cell.
    adders = ("design -push", _FULL_ADDER, "design -save adders", "design -pop")
    found = ("simplemap", "opt_expr", "opt_clean", "extract_fa -d 4 -b 4 -fa", "opt_clean", "techmap -map %adders")
    mapping = (
        "techmap",
        "opt_clean",
        f"tee -q -o {GENERIC_REPORT} stat -json",
        f"dfflibmap -liberty {LIBERTY_FILE}",
        f"abc -liberty {LIBERTY_FILE} -script {abc}",
        "opt_clean -purge",
        _stat(f"-liberty {LIBERTY_FILE}"),
        f"write_json {NETLIST_REPORT}",
    )
    commands = (*_read("setattr -unset init w:*"), "opt_expr", "opt_clean", *adders, *found, *mapping)
    return Recipe(name, commands, architectures=("baugh_wooley", "booth"))


def _fpga(name: str, synth: tuple[str, ...], before: tuple[str, ...] = (), uses_dsp: bool = False) -> Recipe:
    architectures = ("operator",) if before or uses_dsp else None
    return Recipe(name, (*_read(), *before, *synth, _stat()), uses_dsp, architectures)


#: For every Liberty library: five for area, three for delay, and six for the area within a given delay.
LIBERTY_RECIPES = (
    _liberty("plain area", _ABC_AREA, architectures=_COMPACT),
    _liberty("booth area", _ABC_AREA, "-booth -arith_tree"),
    _liberty("low-power booth area", _ABC_AREA, "-booth -arith_tree", _BOOTH_LOW_POWER),
    _liberty("resubstituted area", _ABC_AREA_RESUB, architectures=_COMPACT),
    _liberty("deep area", _ABC_AREA_DEEP, architectures=_COMPACT, most_cells=200),
    _liberty("tree speed", _ABC_SPEED, "-arith_tree", architectures=_FAST),
    _liberty("kogge-stone tree speed", _ABC_SPEED, f"-arith_tree {_KOGGE_STONE}", architectures=_FAST),
    _liberty("booth tree speed", _ABC_SPEED, "-booth -arith_tree"),
    _liberty("timed tree", f"{_BALANCED};map,{_WITHIN}", "-arith_tree", architectures=_FAST),
    _liberty("timed biased tree", f"{_BALANCED};map,-B,0.9,{_WITHIN}", "-arith_tree", architectures=_FAST),
    _liberty("timed rewritten tree", f"{_REWRITTEN};map,{_WITHIN}", "-arith_tree", architectures=_FAST),
    _liberty("timed rewritten biased tree", f"{_REWRITTEN};map,-B,0.9,{_WITHIN}", "-arith_tree", architectures=_FAST),
    _liberty("timed booth tree", f"{_BALANCED};map,{_WITHIN}", "-booth -arith_tree"),
    _liberty("timed rewritten booth tree", f"{_REWRITTEN};map,{_WITHIN}", "-booth -arith_tree"),
)

#: Gates and transistors, without any library.
CMOS_RECIPES = (
    _cmos("plain"),
    _cmos("booth", "-booth -arith_tree"),
    _cmos("low-power booth", "-booth -arith_tree", _BOOTH_LOW_POWER),
)


#: For designs made of chains of full adders, by the full adder of NanGate's libraries.
FULL_ADDER_RECIPES = (
    _full_adders("full-adder cells, area", _ABC_AREA),
    _full_adders("full-adder cells, choices first", f"+strash;dch;{_RESUBSTITUTION};dch,-f;amap,-m;topo;stime,-p"),
    _full_adders(
        "full-adder cells, least area", f"+strash;ifraig;{_RESUBSTITUTION};{_RESUBSTITUTION};amap,-m;topo;stime,-p"
    ),
)

#: NAND, NOR and NOT of two inputs, in which others have published areas: their script, one as short for large designs,
#: and one that looks for the least.
TWO_INPUT_RECIPES = (
    _two_inputs("default script"),
    _two_inputs("short script", "+strash;ifraig;dc2;map"),
    _two_inputs("resubstituted", f"+strash;ifraig;{_RESUBSTITUTION};{_RESUBSTITUTION};dch,-f;map,-a"),
)


def _fpga_recipes(with_dsp: tuple[str, ...], without_dsp: tuple[str, ...]) -> tuple[Recipe, ...]:
    """With hard multipliers, and in logic alone as Yosys' carry-save tree or by Booth's recoding."""
    return (
        _fpga("dsp", with_dsp, uses_dsp=True),
        _fpga("plain", without_dsp),
        _fpga("booth", without_dsp, (*_NARROW, "booth")),
    )


# Ports stay bare (no I/O and clock buffers) and memories become flip-flops: a unit is measured as a part of a design.
# Additions as Yosys' adder cell: it would make one carry-save tree, which costs more lookup tables, of a tree of `$add`.
_CARRY_CHAINS = (
    "design -push",
    """read_verilog -icells <<EOT
(* techmap_celltype = "$add" *)
module carry_chain (A, B, Y);
  parameter A_SIGNED = 0, B_SIGNED = 0, A_WIDTH = 1, B_WIDTH = 1, Y_WIDTH = 1;
  input [A_WIDTH-1:0] A;
  input [B_WIDTH-1:0] B;
  output [Y_WIDTH-1:0] Y;
  wire [Y_WIDTH-1:0] X, CO;
  \\$alu #(.A_SIGNED(A_SIGNED), .B_SIGNED(B_SIGNED), .A_WIDTH(A_WIDTH), .B_WIDTH(B_WIDTH), .Y_WIDTH(Y_WIDTH))
    chain (.A(A), .B(B), .BI(1'b0), .CI(1'b0), .X(X), .Y(Y), .CO(CO));
endmodule
EOT""",
    "design -save chains",
    "design -pop",
    "techmap -map %chains t:$add",
)
# Skipping the first step of synth_xilinx, which reads the simulation models of every hard block, saves 3 s a job.
_XC7 = "synth_xilinx -run prepare:check -family xc7 -flatten -noiopad -noclkbuf -nobram -nolutram -top {top}"
_XC7_CELLS = "read_verilog -lib -specify +/xilinx/cells_sim.v"
# PFUMX and L6MUX21 join LUT4s into wider functions for free, but the LUT4 count is what the area is measured in.
_ECP5 = "synth_ecp5 -noiopad -nobram -nolutram -nowidelut -top {top}"
_ICE40 = "synth_ice40 -nobram -flatten -top {top}"

XC7_RECIPES = _fpga_recipes((_XC7_CELLS, _XC7), (_XC7_CELLS, f"{_XC7} -nodsp"))
#: For sums of many numbers on xc7, each addition a carry chain of its own.
CARRY_CHAIN_RECIPES = (
    Recipe("carry chains", (*_read(), "opt", "wreduce", *_CARRY_CHAINS, _XC7_CELLS, f"{_XC7} -nodsp", _stat())),
)
ICE40_RECIPES = _fpga_recipes((f"{_ICE40} -dsp",), (_ICE40,))
ECP5_RECIPES = _fpga_recipes((_ECP5,), (f"{_ECP5} -nodsp",))
