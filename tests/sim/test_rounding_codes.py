"""The reference reads a rounding port by the modes' explicit codes."""

from __future__ import annotations

from polymac.sim.expected.rounding import modes_by_code


def test_every_code_of_the_port_has_a_mode() -> None:
    assert modes_by_code(stochastic=False) == dict(enumerate("rne rtz rdn rup rna rtz rtz rtz".split()))
    assert modes_by_code(stochastic=True) == dict(enumerate("rne rtz rdn rup rna stochastic rtz rtz".split()))
