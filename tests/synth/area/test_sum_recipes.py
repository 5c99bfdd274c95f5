"""Recipes for sums of products beside those of every target: gates of two inputs, and carry chains."""

from __future__ import annotations

from dataclasses import replace

from polymac import synth
from polymac.synth.area.recipes import CARRY_CHAIN_RECIPES, TWO_INPUT_RECIPES
from polymac.synth.area.targets import Count, Counted

ADDER = """module add8 (input [3:0] a, input [3:0] b, input [3:0] c, input [3:0] d, output [5:0] y);
  assign y = (a + b) + (c + d);
endmodule
"""


def test_gates_of_two_inputs(design) -> None:
    """Nothing but NAND, NOR and NOT; four transistors, or two for NOT, each."""
    counts: dict[Counted, Count] = {"gates": Count(r"\$_(NAND|NOR|NOT)_"), "ffs": Count(r"\$_DFF_P_")}
    target = synth.Target("cmos2", "gates of two inputs", TWO_INPUT_RECIPES, "transistors", counts)
    result = synth.synthesize(design("add8", ADDER), target)
    assert [item.recipe for item in result.records] == ["default script", "short script", "resubstituted"]
    for item in result.records:
        assert set(item.cells) <= {"$_NAND_", "$_NOR_", "$_NOT_"}
        assert item.gates is not None and item.gates == sum(item.cells.values()) > 40
        assert item.transistors == 4 * item.gates - 2 * item.cells.get("$_NOT_", 0)


def test_each_addition_has_a_carry_chain(design) -> None:
    """Yosys would make one carry-save tree with a single chain."""
    xc7 = synth.target("xc7")
    (plain,) = (recipe for recipe in xc7.recipes if recipe.name == "plain")
    target = replace(xc7, recipes=(plain, *CARRY_CHAIN_RECIPES))
    one, chains = synth.synthesize(design("add8", ADDER), target).records
    assert one.carries is not None and chains.carries is not None
    assert chains.carries > one.carries
