"""Energy against sums by hand, and what has to hold for any netlist."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from polymac import hdl, synth
from polymac.golden.formats import ParameterError
from polymac.synth.energy.streams import uniform_codes

#: One period of the operands of the ten cells: 00, 10, 11, 01.
A, B = [0, 1, 1, 0], [0, 0, 1, 1]


def test_ten_cells_by_hand(toy):
    """Settled values over one period, (a, b) = 00 10 11 01:

    n1 = !a 1001, n2 = !n1 0110, n3 = !b 1100, n4 = !(a b) 1101, n5 = n2 ^ n3 1010, n6 = !(n4 n5) 0111, n7 = !n6 1000.
    So q toggles once a period, at its second cycle, and n8 = n7 ^ q once a period, at its first; two periods are the
    whole stream, in which q and n8 rise once and fall once.

    Loads in fF: a 2, b 3, n1 1, n2 2, n3 3, n4 1, n5 2, n6 1, n7 2, q 4, n8 1, y 0, clk 4.
    """
    # Charging, 2·C fJ a toggle, per period: a, b, n1, n2, n3, n4, n6, n7 toggle twice, n5 four times, n8 once.
    inputs = 2 * (2 * 2 + 2 * 3)
    switching = inputs + 2 * (2 * (1 + 2 + 3 + 1 + 1 + 2) + 4 * 2 + 1)
    # Inside, per two periods. INV: i1 to i4 rise and fall twice (3 + 1 each time), i5 once.
    inverters = 9 * (3 + 1)
    # NAND: n4 falls as b rises (8), rises as a falls (2); n6 rises as n5 falls (6), falls as n5 rises (8).
    nands = 2 * (8 + 2 + 6 + 8)
    # XOR x1, (n2, n3) = 01 11 10 00: falls by A with B (4), rises by B with A (7), falls by A without B (2), rises by B
    # without A (5). x2: n7 rises with q at 0 (1) and at 1 (4); where n7 falls and q toggles its output stays.
    xors = 2 * (4 + 7 + 2 + 5) + 1 + 4
    # The flip-flop: Q rises and falls once (10 + 20); D too, its tables being for the clock's halves (4 + 6); q's load.
    register = 30 + 10 + 2 * 2 * 4
    # The clock's pin: of the eight states (D, Q) two differ, three are 00, three 11; rises 0, 1, 5; falls 9, 3, 7.
    clock = (2 * 0 + 3 * 1 + 3 * 5) + (2 * 9 + 3 * 3 + 3 * 7) + 8 * 2 * 2 * 4
    energy = synth.measure_energy(toy.ten, toy.write(), {"a": A * 2, "b": B * 2}, glitches=False)
    per_cycle = 1e-3 / 8
    assert energy.switching_pj == pytest.approx(2 * switching * per_cycle)
    assert energy.input_pj == pytest.approx(2 * inputs * per_cycle)
    assert energy.internal_pj == pytest.approx((inverters + nands + xors) * per_cycle)
    assert energy.register_pj == pytest.approx(register * per_cycle)
    assert energy.clock_pj == pytest.approx(clock * per_cycle)
    total = 0.066375
    assert energy.energy_pj == pytest.approx(total)
    assert energy.voltage_v == 2 and energy.energy_09v_pj == pytest.approx(total * 0.45**2)
    # Leakage in nW. INV: 10 at 1, 20 at 0, inputs a, n1, b, q half the time, n6 three quarters. NAND 5. XOR 3, at 00 1:
    # x1 a quarter, x2 three eighths of the time. DFF: the mean of 30 and 50.
    assert energy.leakage_nw == pytest.approx(4 * 15 + 12.5 + 2 * 5 + 2 * 3 - 2 / 4 - 2 * 3 / 8 + 40)
    assert (energy.operations, energy.cycles, energy.energy_glitch_pj, energy.notes) == (8, 8, None, ())
    # Twelve nets; toggles of two periods: 18 + 4 by the first ten, q, n8 and y twice each.
    assert energy.toggles.nets == 12 and energy.toggles.quiet == 0
    assert energy.toggles.settled == pytest.approx((2 * (8 * 2 + 4) + 3 * 2) / 8 / 12)


def test_operations_voltage_and_wires(toy):
    streams = {"a": A * 2, "b": B * 2}
    plain = synth.measure_energy(toy.ten, toy.write(), streams)
    other = synth.measure_energy(toy.ten, toy.write(), streams, operations=4, voltage=1.0)
    assert other.energy_pj == pytest.approx(plain.energy_pj / 16) and other.operations == 32
    assert plain.energy_glitch_pj is not None
    assert other.energy_glitch_pj == pytest.approx(plain.energy_glitch_pj / 16)
    assert other.energy_09v_pj == pytest.approx(plain.energy_09v_pj / 4)
    # 2 fJ for each fF of each sink: two of a, b and q, one of n1 to n8 and of the clock, toggles as above.
    wired = synth.measure_energy(toy.ten, toy.write(), streams, wire_cap_ff=1, glitches=False)
    per_period = 2 * (2 * 2 + 2 * 2 + 6 * 2 + 4 + 1 + 2) + 2 * 8
    assert wired.energy_pj - plain.energy_pj == pytest.approx(per_period * 1e-3 / 4)


def glitching(toy: Any) -> dict[str, Any]:
    """A XOR of a and of a inverted three times, and an inverter."""
    return toy.module(
        {"a": 91},
        {"y": 93},
        i1=toy.cell("INV", A=91, Y=1),
        i2=toy.cell("INV", A=1, Y=2),
        i3=toy.cell("INV", A=2, Y=3),
        x=toy.cell("XOR", A=91, B=3, Y=4),
        i4=toy.cell("INV", A=4, Y=93),
    )


def test_one_glitch_by_hand(toy):
    """a changes at 0 ns, its inverse at 3 ns: with a XOR of 2.5 ns its output is wrong from 2.5 to 5.5 ns."""
    energy = synth.measure_energy(glitching(toy), toy.write(xor_delay=2.5), {"a": [0, 1]})
    # The XOR's net (1 fF) and y toggle twice a cycle more. Inside: a rises with B (fall 4), then B falls with A (rise 7);
    # a falls without B (fall 2), then B rises without A (rise 5); the inverter rises and falls in each cycle.
    extra = 2 * 2 * 1 + (4 + 7 + 2 + 5) / 2 + 3 + 1
    assert energy.energy_glitch_pj is not None
    assert energy.energy_glitch_pj - energy.energy_pj == pytest.approx(extra * 1e-3)
    assert energy.toggles.nets == 6 and energy.toggles.settled == pytest.approx(4 / 6)
    assert energy.toggles.events == pytest.approx((4 + 2 + 2) / 6)


def test_a_pulse_shorter_than_the_delay_is_none(toy):
    energy = synth.measure_energy(glitching(toy), toy.write(xor_delay=3.5), {"a": [0, 1]})
    assert energy.energy_glitch_pj == pytest.approx(energy.energy_pj)
    assert energy.toggles.events == energy.toggles.settled


def test_inputs_that_change_at_once_share_an_edge(toy):
    """A NAND of 00 and 11 falls by A (4) and by B (8): 6; it rises by A (2) and by B (6): 4."""
    gate = toy.module({"a": 91, "b": 92}, {"y": 93}, g=toy.cell("NAND", A=91, B=92, Y=93))
    energy = synth.measure_energy(gate, toy.write(), {"a": [0, 1], "b": [0, 1]})
    assert energy.internal_pj == pytest.approx((6 + 4) / 2 * 1e-3)
    assert energy.energy_glitch_pj == pytest.approx(energy.energy_pj)


@pytest.mark.parametrize(("other", "edges"), [("0", 1 + 2), ("1", 3 + 4)])
def test_the_state_picks_the_table(toy, other, edges):
    """A of the XOR rises and falls once: by the tables for B at 0, or at 1."""
    gate = toy.module({"a": 91}, {"y": 93}, x=toy.cell("XOR", A=91, B=other, Y=93))
    energy = synth.measure_energy(gate, toy.write(), {"a": [0, 1]})
    assert energy.internal_pj == pytest.approx(edges / 2 * 1e-3)
    assert energy.energy_glitch_pj == pytest.approx(energy.energy_pj)


def test_constants_cost_nothing(toy):
    """An input tied to 1 makes an inverter of the NAND; the net of a constant has no toggles."""
    gate = toy.module({"a": 91}, {"y": 93}, g=toy.cell("NAND", A=91, B="1", Y=93))
    energy = synth.measure_energy(gate, toy.write(), {"a": [0, 1]})
    assert energy.energy_pj == pytest.approx((2 * 1 + (2 + 4) / 2) * 1e-3)


def registered(map_netlist) -> dict[str, Any]:
    return map_netlist(hdl.generate(hdl.Mac(a="int4", b="int4"), "mac"))


def test_constant_inputs_cost_the_clock_alone(map_netlist, nangate):
    netlist = registered(map_netlist)
    streams = {name: [1] for name in netlist["ports"] if netlist["ports"][name]["direction"] == "input"}
    del streams["clk"]
    # In reset, so that nothing is added up.
    still = synth.measure_energy(netlist, nangate, streams)
    assert still.clock_pj > 0 and still.energy_pj == still.clock_pj == still.energy_glitch_pj
    assert still.toggles.settled == 0 and still.leakage_nw > 0
    moving = synth.measure_energy(netlist, nangate, streams | {"rst": [0], "a": [1, 7], "b": [3, 5]})
    assert moving.register_pj > 0 and moving.energy_pj > 1.3 * moving.clock_pj


def test_a_longer_stream_has_the_same_mean(map_netlist, nangate):
    netlist = map_netlist(hdl.generate(hdl.Multiplier(a="int4", b="int4"), "mul"))
    short, long = (
        synth.measure_energy(netlist, nangate, {"a": uniform_codes(4, n, 1), "b": uniform_codes(4, n, 2)})
        for n in (2000, 4000)
    )
    assert long.energy_pj == pytest.approx(short.energy_pj, rel=0.03)
    assert long.energy_glitch_pj == pytest.approx(short.energy_glitch_pj, rel=0.03)
    assert short.energy_glitch_pj is not None and short.energy_glitch_pj > short.energy_pj
    again = {"a": np.tile(uniform_codes(4, 2000, 1), 2), "b": np.tile(uniform_codes(4, 2000, 2), 2)}
    twice = synth.measure_energy(netlist, nangate, again)
    assert twice.energy_pj == pytest.approx(short.energy_pj, rel=1e-12)
    assert twice.energy_glitch_pj == pytest.approx(short.energy_glitch_pj, rel=1e-12)


def test_the_same_run_gives_the_same_bits(map_netlist, nangate):
    netlist = registered(map_netlist)
    streams = {"a": uniform_codes(4, 500, 1), "b": uniform_codes(4, 500, 2), "rst": [0], "valid": [1], "en": [1]}
    streams = {name: stream for name, stream in streams.items() if name in netlist["ports"]}
    streams |= {name: [0] for name, port in netlist["ports"].items() if port["direction"] == "input"} | streams
    del streams["clk"]
    first, second = (synth.measure_energy(netlist, nangate, streams) for _ in range(2))
    assert first == second and first.activity == second.activity
    assert first.energy_glitch_pj is not None and first.energy_glitch_pj > first.energy_pj > first.clock_pj


def test_a_library_without_delays_costs_a_column(toy):
    energy = synth.measure_energy(toy.ten, toy.write(timed=False), {"a": A * 2, "b": B * 2})
    assert energy.energy_pj == pytest.approx(0.066375)
    assert energy.energy_glitch_pj is None and energy.energy_glitch_09v_pj is None and energy.toggles.events is None
    assert energy.notes == ("no energy with glitches: the library toy has no delays (timing) of some cells",)


def test_cells_without_power_tables_are_named(toy):
    text = re.sub(r'function : "!A";.*?leakage', 'function : "!A"; } leakage', toy.liberty(), flags=re.DOTALL)
    energy = synth.measure_energy(toy.ten, toy.write(text), {"a": A * 2, "b": B * 2}, glitches=False)
    assert energy.internal_pj == pytest.approx((2 * 24 + 41) / 8 * 1e-3)
    assert energy.notes == ("no energy inside of INV: the library toy has no power tables of them",)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (
            {"library": {"powered": False}},
            ParameterError,
            "the library toy must have power tables (internal_power) for energy, not none",
        ),
        (
            {"text": ("nom_voltage : 2.0;", "")},
            ParameterError,
            "the library toy must give its voltage (nom_voltage) for energy, not leave it out",
        ),
        (
            {"text": ("1ns", "1 fortnight")},
            ParameterError,
            "time_unit of the liberty must be a number with a unit, not '1 fortnight'",
        ),
        ({"text": ('"A ^ B"', '"A ^ "')}, ParameterError, "liberty must hold boolean functions, not 'A ^ '"),
        (
            {"text": ("ff (IQ, IQN)", "latch (IQ, IQN)")},
            ParameterError,
            "the netlist must hold gates and flip-flops, not DFF, which has a latch",
        ),
        ({"operations": 0}, ParameterError, "operations must be over 0 and finite, not 0"),
        ({"operations": "1"}, TypeError, "operations must be a number, not '1'"),
        ({"voltage": -1.0}, ParameterError, "voltage must be over 0 and finite, not -1"),
        ({"wire_cap_ff": -1}, ParameterError, "wire_cap_ff must be 0 fF or more, and finite, not -1"),
        ({"clock": "ck"}, synth.SynthesisError, "the netlist holds a flip-flop r that the input 'ck' does not clock"),
        (
            {"streams": {"a": [0]}},
            ParameterError,
            "streams must hold a value of each input for each cycle, not leave out 'b'",
        ),
        ({"streams": {"a": [0], "b": [2]}}, ParameterError, "stream 'b' must be codes of 1 bits, not 2"),
        ({"streams": {"a": [0], "b": [-2]}}, ParameterError, "stream 'b' must be codes of 1 bits, not -2"),
        ({"streams": {"a": [0], "b": [0], "c": [0]}}, ParameterError, "streams must be of inputs (a, b), not of 'c'"),
        ({"streams": {"a": [], "b": []}}, ParameterError, "streams must hold at least one cycle, not none"),
        (
            {"streams": {"a": [0, 1, 0], "b": [0, 1]}},
            ParameterError,
            "stream 'b' must be of one dimension and 3 cycles as the others, not of shape (2,)",
        ),
        ({"streams": {"a": [0.5], "b": [0]}}, ParameterError, "stream 'a' must be integers, not float64"),
    ],
)
def test_errors(toy, change, error, text):
    old, new = change.pop("text", ("", ""))
    library = toy.write(toy.liberty(**change.pop("library", {})).replace(old, new))
    streams = change.pop("streams", {"a": [0, 1], "b": [0, 0]})
    with pytest.raises(error) as caught:
        synth.measure_energy(toy.ten, library, streams, **change)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        ({"x": ("BUF", {"A": 91, "Y": 93})}, "the netlist holds a cell BUF, which the library has not"),
        (
            {"x": ("INV", {"A": 1, "Y": 2}), "y": ("INV", {"A": 2, "Y": 1})},
            "the netlist holds a loop of 2 nets",
        ),
    ],
)
def test_netlists_that_cannot_be_measured(toy, cells, text):
    netlist = toy.module({"a": 91}, {"y": 93}, **{name: toy.cell(kind, **pins) for name, (kind, pins) in cells.items()})
    with pytest.raises(synth.SynthesisError) as caught:
        synth.measure_energy(netlist, toy.write(), {"a": [0, 1]})
    assert str(caught.value) == text
