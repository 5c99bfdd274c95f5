"""What one row of a comparison is asked for: a unit in some formats, for a target."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import hdl
from ..golden.formats import BlockFormat, Format
from ..hdl.integer.product import ARCHITECTURES
from ..sim.units import UNITS
from ..sim.units.make import accepted_options, make_unit
from ..synth import Target
from ..synth import target as find_target
from .matched import Matched, matched

#: Partial products up to which the multiplier architectures are tried one by one; above, the recipes take minutes.
MOST_GATED_BITS = 24 * 24
#: Rows and columns of an array where they are not given.
SIDE = 2


@dataclass(frozen=True)
class Request:
    """One row of a comparison.

    Parameters
    ----------
    unit : str
        A kind of unit in :data:`polymac.sim.units.UNITS`.
    options : mapping
        The unit's options by name, as the command line takes them: formats by name, numbers as numbers.
    target : str or Target
        What it is synthesized for.
    preset : str
        Name of a matched comparison (:data:`.matched.MATCHED`) that gives the unit and its other options; or empty.

    Examples
    --------
    >>> comparison.Request("mac", {"a": "int8", "acc": "int32"}).name
    'int8'
    """

    unit: str = "multiplier"
    options: Mapping[str, Any] = field(default_factory=dict)
    target: str | Target = "nangate45"
    preset: str = ""

    @property
    def name(self) -> str:
        """The formats of the operands, as a table shows them."""
        a = _name(self.options.get("a", "int8"))
        b = _name(self.options.get("b", a))
        return a if a == b else f"{a} × {b}"

    @property
    def matched(self) -> Matched | None:
        """The comparison that the row belongs to.

        Raises
        ------
        ParameterError
            There is none of that name.
        """
        return matched(self.preset) if self.preset else None

    def full_options(self) -> dict[str, Any]:
        """The options with those that the matched comparison adds."""
        given = {name: value for name, value in self.options.items() if value is not None}
        return given if self.matched is None else self.matched.options(given)

    @property
    def kind(self) -> str:
        """The kind of unit."""
        return self.unit if self.matched is None else self.matched.unit

    def find_target(self) -> Target:
        """The target itself."""
        return find_target(self.target)

    def make(self, architecture: str | None = None) -> hdl.Unit:
        """The unit, in an architecture where one is named.

        Raises
        ------
        ParameterError, TypeError
            An option that the unit does not take.
        """
        options = self.full_options() | ({} if architecture is None else {"architecture": architecture})
        return make_unit(self.kind, options, side=SIDE)

    def variants(self) -> list[hdl.Unit]:
        """The unit in each architecture that the target has recipes for; one alone where it is named, or the unit large."""
        made = self.make()
        products = UNITS[self.kind].partial_products
        if products is None or self.full_options().get("architecture") is not None or products(made) > MOST_GATED_BITS:
            return [made]
        target = self.find_target()
        return [self.make(name) for name in ARCHITECTURES if target.suits(name)]

    def plain(self) -> dict[str, Any]:
        """As JSON holds it; equal for requests that are equal."""
        target = self.find_target()
        options = {name: _name(value) for name, value in sorted(self.full_options().items())}
        return {"unit": self.kind, "options": options, "target": target.name, "preset": self.preset}

    def key(self) -> str:
        """One line that is equal for equal requests only."""
        library = self.find_target().liberty
        return json.dumps(self.plain() | {"library": library and library.sha256}, sort_keys=True, ensure_ascii=False)

    def command(self) -> str:
        """The command that makes the row again."""
        options = dict(self.options)
        switches = [f"--preset {self.preset}"] if self.preset else [f"--unit {self.unit}"]
        a = _name(options.pop("a", "int8"))
        b = _name(options.pop("b", a))
        switches.append(f"--a {a}" if a == b else f"--a {a} --b {b}")
        accepted = accepted_options(self.kind)
        for name, value in options.items():
            if name in accepted and value is not None:
                text = "on" if value is True else "off" if value is False else _name(value)
                switches.append(f"--{name.replace('_', '-')} {text}")
        target = self.find_target()
        library = target.liberty
        own = library is not None and not library.package
        switches.append(f"--liberty {library.path}" if own and library is not None else f"--target {target.name}")
        return f"polymac compare {' '.join(switches)}"


def _name(value: Any) -> Any:
    """A format by its name; any other value as it is."""
    return value.name if isinstance(value, Format | BlockFormat) else value
