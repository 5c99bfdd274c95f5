"""Comparisons of like with like: all but the operands' format is held equal, and where it cannot be, that is said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from .. import hdl
from ..golden.formats import BlockFormat, FloatFormat, Format, ParameterError, any_format, check_choice

#: Products that the exact accumulator of ``mac-exact`` adds.
EXACT_K = 4096
#: Products of the dot product of ``tensor-core``, and the fraction bits that its aligned terms keep.
TENSOR_LANES, TENSOR_BITS = 16, 25


@dataclass(frozen=True)
class Matched:
    """A comparison in which every format is accumulated alike.

    Members
    -------
    name : str
        By which ``--preset`` finds it.
    unit : str
        The kind of unit.
    sentence : str
        What is held equal.
    choose : callable
        From the operands' options, the unit's other options, and in what they differ from those of the other formats.
    """

    name: str
    unit: str
    sentence: str
    choose: Callable[[Mapping[str, Any]], tuple[dict[str, Any], str]] = field(repr=False)

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The unit's options; what was given besides the formats takes precedence."""
        return self.choose(given)[0] | dict(given)

    def difference(self, given: Mapping[str, Any]) -> str:
        """In what the row differs from the others besides the format; empty where it does not."""
        return self.choose(given)[1]


def _exact(given: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    return {"acc": "exact", "out": "fp32", "max_k": EXACT_K, "lanes": 1, "force_wide": True}, _scale(given)


def _fp32(given: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    return {"acc": "fp32", "lanes": 1}, _scale(given)


def _scale(given: Mapping[str, Any]) -> str:
    shared = [item for item in _operands(given) if isinstance(item, BlockFormat)]
    if not shared:
        return ""
    return f"the scale of a block of {shared[0].block_size} is applied to every product"


def _tensor_core(given: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    shared = {"lanes": TENSOR_LANES}
    a, b = _operands(given)
    choices: list[tuple[str, str]] = []
    if isinstance(a, FloatFormat) and isinstance(b, FloatFormat):
        needed = a.significand_bits + b.significand_bits - 2
        bits = max(needed, TENSOR_BITS)
        choices.append(
            (f"aligned:{TENSOR_LANES}:{bits}", f"{bits} bits, as its products need" if bits == needed else "")
        )
    # Nothing to align in integers; and an aligned accumulation is defined for plain floats.
    choices.append((f"rounded:fp32:rne:{TENSOR_LANES}", f"{TENSOR_LANES} products exactly, then one rounding to fp32"))
    for acc, difference in choices:
        out = {"out": "fp32"} if acc.startswith("aligned") else {}
        try:
            hdl.Dot(a=a, b=b, acc=acc, lanes=TENSOR_LANES, out=out.get("out"))
        except ParameterError:  # products wider than such a sum may be
            continue
        return shared | out | {"acc": acc}, difference
    return shared | {"acc": "fp32"}, "rounded to fp32 after every product, which is too wide to be summed exactly"


def _operands(given: Mapping[str, Any]) -> tuple[Format | BlockFormat, Format | BlockFormat]:
    a = given.get("a", "int8")
    return any_format(a), any_format(given.get("b", a))


#: The matched comparisons by name.
MATCHED: Mapping[str, Matched] = MappingProxyType(
    {
        item.name: item
        for item in (
            Matched(
                "mac-exact",
                "mac",
                f"One product per cycle, added to an accumulator that holds any {EXACT_K:,} products exactly; the sum is "
                "rounded once, to fp32.",
                _exact,
            ),
            Matched(
                "mac-fp32",
                "mac",
                "One product per cycle, added to an fp32 accumulator with one rounding, as a fused multiply-add does.",
                _fp32,
            ),
            Matched(
                "tensor-core",
                "dot",
                f"{TENSOR_LANES} products and an fp32 addend per cycle, aligned to the largest, cut to {TENSOR_BITS} "
                "fraction bits, and truncated to fp32.",
                _tensor_core,
            ),
        )
    }
)


def matched(name: str) -> Matched:
    """The matched comparison of that name.

    Raises
    ------
    ParameterError
        There is none.
    """
    return MATCHED[check_choice("preset", name, tuple(MATCHED))]
