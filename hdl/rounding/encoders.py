"""How results become codes of each kind of format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from ...golden.formats import Format, ParameterError
from ..core.unit import Unit
from .float_round import FloatRound
from .posit_round import PositRound


class Path(Enum):
    """What an exact result is on its way to a code."""

    #: A significand that is shifted until its leading one is in place, by a unit with the ports of :class:`.FloatRound`.
    NORMALIZED = "normalized"
    #: An integer that :func:`.fixed_round.round_fixed` shifts by a constant.
    FIXED_POINT = "fixed point"
    #: Its sign alone.
    SIGN = "sign"


@dataclass(frozen=True)
class Encoder:
    """The encoder of one kind of format.

    Attributes
    ----------
    path : Path
        What it takes.
    family : str
        What its formats are called in messages.
    rounder : callable or None
        With ``Path.NORMALIZED``: the unit that rounds and packs, called as :class:`.float_round.FloatRound` is.
    """

    path: Path
    family: str
    rounder: Callable[..., Unit] | None = None


#: By ``Format.kind``. A kind without an entry is for operands only. The decoders are in :mod:`..operand.decoders`.
ENCODERS: dict[str, Encoder] = {
    "float": Encoder(Path.NORMALIZED, "float", FloatRound),
    "fixed": Encoder(Path.FIXED_POINT, "fixed-point"),
    "binary": Encoder(Path.SIGN, "binary"),
    "posit": Encoder(Path.NORMALIZED, "posit", PositRound),
}


def encoder(fmt: Format) -> Encoder:
    """The encoder of a format.

    Raises
    ------
    ParameterError
        Its kind has none.
    """
    if fmt.kind not in ENCODERS:
        raise ParameterError(f"out must be a format that results can be rounded to, not {fmt}")
    return ENCODERS[fmt.kind]


def has_path(fmt: Format, path: Path) -> bool:
    """Whether results reach the codes of a format in that way."""
    return fmt.kind in ENCODERS and ENCODERS[fmt.kind].path is path


def rounder_of(fmt: Format) -> Callable[..., Unit]:
    """The unit that rounds a significand with an exponent to a format.

    Raises
    ------
    ParameterError
        There is none, since the format has no exponent.
    """
    rounder = encoder(fmt).rounder
    if rounder is None:
        raise ParameterError(f"out must be a format with exponents, not {fmt}")
    return rounder
