"""Which delay holds: by the input that changed, its edge and the output's, and the state of the others."""

from __future__ import annotations

import numpy as np

from polymac.synth.energy.cells import read_power_library
from polymac.synth.energy.native import Simulation
from polymac.synth.energy.network import build_network
from polymac.synth.energy.timing import gate_delays, net_slews


def arc(rise: float, fall: float, pin: str, sense: str, when: str = "") -> str:
    """A timing group, with slews of a tenth of the delays."""
    tables = {"cell_rise": rise, "cell_fall": fall, "rise_transition": rise / 10, "fall_transition": fall / 10}
    text = " ".join(f'{kind} (scalar) {{ values ("{value}"); }}' for kind, value in tables.items())
    condition = f'when : "{when}";' if when else ""
    return f'timing () {{ related_pin : "{pin}"; timing_sense : {sense}; {condition} {text} }}\n'


LIBRARY = f"""library (delays) {{ time_unit : "1ps"; nom_voltage : 1.0;
  cell (XOR) {{ pin (A) {{ direction : input; }} pin (B) {{ direction : input; }}
    pin (Y) {{ direction : output; function : "A ^ B";
      {arc(10, 20, "A", "positive_unate", "!B")} {arc(30, 40, "A", "negative_unate", "B")}
      {arc(1, 2, "B", "positive_unate")} {arc(3, 4, "B", "negative_unate")} }} }}
  cell (AND) {{ pin (A) {{ direction : input; }} pin (B) {{ direction : input; }}
    pin (Y) {{ direction : output; function : "A B"; {arc(5, 6, "A B", "positive_unate")} }} }} }}
"""


def test_delays_and_slews(toy):
    netlist = toy.module({"a": 1, "b": 2}, {"y": 4}, x=toy.cell("XOR", A=1, B=2, Y=3), g=toy.cell("AND", A=3, B=1, Y=4))
    cells = read_power_library(toy.write(LIBRARY), {"XOR", "AND"})
    network = build_network(netlist, cells, "clk", 0)
    slews = net_slews(network)
    # The mean over arcs and edges: (10 + 20 + 30 + 40 + 1 + 2 + 3 + 4) / 8 / 10, and (5 + 6) / 2 / 10.
    assert slews[[network.net(bit) for bit in (1, 2, 3, 4)]].round(9).tolist() == [0, 0, 1.375, 0.55]
    delays = gate_delays(network, slews, cells.time)
    assert delays is not None
    by_output = {network.output[gate]: (delays[gate] / 10).reshape(4, 2).tolist() for gate in range(2)}
    # By the state BA = 00, 01, 10, 11 after the change, and for A and B, in ps.
    # 00: Y falls, A or B has fallen, which is positive: A 20 without B, B 2.
    # 01: Y rises; A has risen, positive: 10; B has fallen, negative: 3.
    # 10: Y rises; A has fallen with B, negative: 30; B has risen, positive: 1.
    # 11: Y falls; A has risen with B, negative: 40; B has risen, negative: 4.
    assert by_output[network.net(3)] == [[20, 2], [10, 3], [30, 1], [40, 4]]
    assert by_output[network.net(4)] == [[6, 6], [6, 6], [6, 6], [5, 5]]


def test_the_least_delay_of_inputs_that_change_at_once():
    """A NAND rises 10 ticks after B though A takes 30, together with an inverter of 10: a XOR of both sees no pulse."""
    nand, inv, xor = (np.array(table, bool) for table in ([1, 1, 1, 0], [1, 0], [0, 1, 1, 0]))
    for slow, pulses in ((30, 0), (5, 2)):
        delays = [np.tile([slow, 10], 4), np.full(2, 10), np.full(8, 1)]
        simulation = Simulation(
            7,
            [4, 5, 6],
            [[2, 3], [2], [4, 5]],
            [nand, inv, xor],
            [item.astype(np.int32) for item in delays],
            3,
            [2, 3],
        )
        simulation.run(np.array([[1, 1], [0, 0]], np.uint8), counting=True, events=True)
        assert simulation.net_counts()[2].tolist() == [0, 0, 2, 2, 2, 2, 2 * pulses]
