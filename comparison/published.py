"""Claims of publications on what one format costs against another, beside the same ratio of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from ..golden.formats import any_format
from ..synth import Target
from .accuracy import noise_figures
from .request import Request
from .row import Row

Kind = Literal["more", "density", "sqnr"]

#: The accuracy that a claim of kind ``sqnr`` is compared by.
_NOISE = "sqnr_gaussian_db"


@dataclass(frozen=True)
class Claim:
    """What a publication says of a format against another one.

    Members
    -------
    source : str
        The publication, and where in it.
    claim : str
        What is compared.
    kind : str
        In which unit: ``more`` is area over the base's less 1, in %; ``density`` the base's area over the area, as a
        factor; ``sqnr`` the signal to quantization noise less the base's, in dB. Areas are per product of a cycle.
    low, high : float or None
        The published figure in that unit, or its range; None for a side that is open.
    unit, base : mapping
        Options of our two MACs.
    why : str
        Why ours may differ.
    """

    source: str
    claim: str
    kind: Kind
    low: float | None
    high: float | None
    unit: Mapping[str, Any] = field(hash=False)
    base: Mapping[str, Any] = field(hash=False)
    why: str

    @property
    def published(self) -> str:
        """The published figure as text."""
        if self.low is None or self.high is None:
            return f"> {show(self.low, self.kind)}" if self.high is None else f"< {show(self.high, self.kind)}"
        low, high = show(self.low, self.kind), show(self.high, self.kind)
        return low if self.low == self.high else f"{low} … {high}"

    def requests(self, target: str | Target) -> tuple[Request, Request]:
        """Our two units: the claim's, and the one that it is compared with."""
        return Request("mac", self.unit, target), Request("mac", self.base, target)

    def ours(self, unit: Row, base: Row, figure: str) -> float | None:
        """Our figure, in the claim's unit.

        Parameters
        ----------
        unit, base : Row
            Of :meth:`requests`.
        figure : str
            Name of the area in both rows. It means nothing for ``sqnr``.

        Returns
        -------
        float or None
            None where a row has no such figure.
        """
        if self.kind == "sqnr":
            one, other = (noise_figures(any_format(options["a"]))[_NOISE] for options in (self.unit, self.base))
            return one - other
        area, base_area = area_per_product(unit, figure), area_per_product(base, figure)
        if area is None or base_area is None:
            return None
        return 100 * (area / base_area - 1) if self.kind == "more" else base_area / area


def show(value: float | None, kind: Kind) -> str:
    """A figure with the unit of its kind; a dash for None."""
    if value is None:
        return "–"
    if kind == "density":
        return f"{value:.1f} ×"
    return f"{value:+.0f} %" if kind == "more" else f"{value:+.1f} dB"


def area_per_product(row: Row, figure: str) -> float | None:
    """An area over the products of a cycle; None where the row has none."""
    area, products = row.figures.get(figure), row.figures.get("products")
    if not isinstance(area, int | float) or not isinstance(products, int | float):
        return None
    return area / products


def _mac(a: str, acc: str, lanes: int = 1) -> Mapping[str, Any]:
    return MappingProxyType({"a": a, "acc": acc, "lanes": lanes})


#: Products that share a scale and an accumulator in the block formats' MACs.
LANES = 16

_VAN_BAALEN = "van Baalen et al., arXiv 2303.17951"
_MSFP = "Rouhani et al., NeurIPS 2020"
_CHEN = "Chen et al., arXiv 2510.25602, abstract"
_INT8 = _mac("int8", "int32")

_WHY_FP8 = (
    "Theirs is in gates; ours is cell area with the accumulator's register, of which int8 has 32 bits and {acc} {bits}, "
    "and the float sum keeps subnormals and is rounded after every product."
)
_WHY_RANGE = (
    "Their range is over all of their FP8 formats, in compute efficiency; ours is one format with one accumulator, {acc}, "
    "in cell area with its {bits}-bit register."
)
_WHY_MSFP = (
    f"Ours is the area per product of {LANES} products under one pair of scales, added to an fp32 register that is "
    "counted, against {base}, with subnormals, rounded after every product; another block, accumulator or library "
    "changes it."
)


def _fp8(a: str, acc: str, bits: int) -> Claim:
    why = _WHY_RANGE.format(acc=acc, bits=bits)
    return Claim(
        f"{_VAN_BAALEN}, abstract", f"{a} with {acc} sums over int8", "more", 50, 180, _mac(a, acc), _INT8, why
    )


def _msfp(bits: int, factor: float) -> Claim:
    a = f"msfp{bits}"
    why = _WHY_MSFP.format(base="an fp32 MAC of one product")
    unit, base = _mac(a, "fp32", LANES), _mac("fp32", "fp32")
    return Claim(f"{_MSFP}, table 1", f"density of {a} over fp32", "density", factor, factor, unit, base, why)


#: All claims, in the order of the table.
CLAIMS = (
    Claim(
        _VAN_BAALEN,
        "fp8_e4m3 with fp16 sums over int8",
        "more",
        53,
        53,
        _mac("fp8_e4m3", "fp16"),
        _INT8,
        _WHY_FP8.format(acc="fp16", bits=16),
    ),
    _fp8("fp8_e4m3", "fp32", 32),
    _fp8("fp8_e5m2", "fp16", 16),
    _fp8("fp8_e5m2", "fp32", 32),
    *(_msfp(*item) for item in ((16, 8.8), (15, 10.8), (14, 13.9), (13, 18.3), (12, 31.9), (11, 50.9))),
    Claim(
        f"{_MSFP}, abstract",
        "density of msfp16 over bf16",
        "density",
        3,
        3,
        _mac("msfp16", "fp32", LANES),
        _mac("bf16", "fp32"),
        _WHY_MSFP.format(base="a bf16 MAC of one product with an fp32 sum"),
    ),
    Claim(
        f"{_MSFP}, abstract",
        "density of msfp12 over int8",
        "density",
        4,
        4,
        _mac("msfp12", "fp32", LANES),
        _INT8,
        f"Ours is the area per product of {LANES} products under one pair of scales, added to an fp32 register that is "
        "counted, against an int8 MAC of one product with its own 32-bit register.",
    ),
    Claim(
        _CHEN,
        "area of mxint8 over mxfp8_e4m3",
        "more",
        None,
        0,
        _mac("mxint8", "fp32", LANES),
        _mac("mxfp8_e4m3", "fp32", LANES),
        f"Theirs is a cost model; ours is synthesized, and adds {LANES} products exactly before one rounding to fp32, "
        "which takes a wider sum for floats.",
    ),
    Claim(
        _CHEN,
        "noise of mxint8 over mxfp8_e4m3",
        "sqnr",
        0,
        None,
        _mac("mxint8", "fp32", LANES),
        _mac("mxfp8_e4m3", "fp32", LANES),
        "Theirs is the accuracy of language models; ours is signal to quantization noise of Gaussian numbers.",
    ),
)

SENTENCE = (
    "Ours compares the least areas, and the areas of the fastest netlists, per product, whatever their delays. Left out: "
    "MX4 and MX6 against FP8 (ISCA 2023), whose second level of scales is in no format here."
)


def requests(target: str | Target, claims: Sequence[Claim]) -> list[Request]:
    """Our units of all claims, each once."""
    found = [request for claim in claims for request in claim.requests(target)]
    return list({request.key(): request for request in found}.values())


@dataclass(frozen=True)
class Finding:
    """A claim and our figures, in the claim's unit; None where there is no such figure.

    Members
    -------
    claim : Claim
    least, fast : float or None
        Of the netlists of the least area, and of the shortest delay. Both are the same for ``sqnr``.
    """

    claim: Claim
    least: float | None
    fast: float | None


def findings(rows: Sequence[Row], target: Target, claims: Sequence[Claim]) -> list[Finding]:
    """Our figures for each claim, from the rows of :func:`requests` in their order."""
    asked = requests(target, claims)
    by_key = {request.key(): row for request, row in zip(asked, rows, strict=True)}
    found = []
    # Targets without a library have no delays.
    fast = "fast_area_um2" if target.liberty is not None else ""
    for claim in claims:
        unit, base = (by_key[request.key()] for request in claim.requests(target))
        found.append(Finding(claim, claim.ours(unit, base, target.cost), claim.ours(unit, base, fast)))
    return found
