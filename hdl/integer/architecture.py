"""Which architecture of the significands' product suits a target."""

from __future__ import annotations

from ...golden.formats import check_choice

#: Value of ``architecture`` that leaves the choice to :func:`choose_architecture`.
AUTO = "auto"
#: Cell libraries, and FPGAs without and with their hard multipliers.
CELLS = ("nangate45", "cmos")
FPGAS = ("xc7", "ice40", "ecp5")
TARGETS = (*CELLS, *FPGAS, *(f"{name}_dsp" for name in FPGAS))

#: In cells, from so many bits of the shorter operand half as many rows outweigh the recoding: signed, and unsigned, whose
#: recoding takes one row more.
BOOTH_BITS = {True: 4, False: 8}


def choose_architecture(target: str, a_bits: int, b_bits: int, *, signed: bool) -> str:
    """The architecture for a target and the widths of what is multiplied: two integers, signed or not, or significands.

    In cells the least area: Booth's recoding from BOOTH_BITS bits up, below that the few rows added in pairs
    (``row_adders``). In an FPGA's logic ``row_adders``, which use its carry chains: ``booth`` may take some 10 % fewer
    LUTs, but is many times as deep. Where hard multipliers are wanted ("_dsp") ``operator``: a synthesizer finds them for
    ``*``.

    Raises
    ------
    ParameterError
        There is no such target.
    """
    check_choice("target", target, TARGETS)
    if target in CELLS:
        return "booth" if min(a_bits, b_bits) >= BOOTH_BITS[signed] else "row_adders"
    return "row_adders" if target in FPGAS else "operator"
