"""The reference reads a rounding port by the modes' explicit codes."""

from __future__ import annotations

from polymac.sim.expected.rounding import modes_by_code

IEEE = {0: "rne", 1: "rtz", 2: "rdn", 3: "rup", 4: "rna"}
NONE = {5: "rtz", 6: "rtz", 7: "rtz"}


def test_every_code_of_the_port_has_a_mode() -> None:
    assert modes_by_code(stochastic=False) == IEEE | NONE
    assert modes_by_code(stochastic=True) == IEEE | NONE | {5: "stochastic"}
