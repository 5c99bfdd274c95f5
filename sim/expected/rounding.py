"""What each code of a rounding port asks for."""

from __future__ import annotations

from ...golden.formats import RoundingMode
from ...hdl.rounding.modes import PORT_BITS


def modes_by_code(*, stochastic: bool) -> dict[int, RoundingMode]:
    """The mode for every code of a rounding port; the codes of no mode round toward zero.

    Parameters
    ----------
    stochastic : bool
        Whether the unit takes random bits; without them no mode has the code of stochastic rounding.
    """
    known = {mode.port_code: mode for mode in RoundingMode if stochastic or mode is not RoundingMode.STOCHASTIC}
    codes = range(1 << PORT_BITS)
    assert known.keys() <= set(codes), "a mode has a code that does not fit the port"
    return {code: known.get(code, RoundingMode.RTZ) for code in codes}
