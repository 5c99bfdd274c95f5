"""The figures of a row by name: their units, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Figure:
    """A figure of a row.

    Members
    -------
    title : str
        As a column's head.
    unit : str
        Its unit, or empty.
    style : str
        Format specification of its values.
    text : str
        What it says.
    """

    title: str
    unit: str
    style: str
    text: str


_AREA = "of all cells, without wiring"
_OPERATION = "per product, at the library's voltage"

#: All figures.
FIGURES: Mapping[str, Figure] = MappingProxyType(
    {
        "products": Figure("products", "", ",", "Products formed in each clock cycle."),
        "accumulator_bits": Figure("acc bits", "", ",", "Bits of the register that holds the running sum."),
        "area_um2": Figure(
            "area", "µm²", ",.2f", f"Least area {_AREA}, over all recipes and multiplier architectures."
        ),
        "area_per_product_um2": Figure("area/product", "µm²", ",.2f", "area_um2 over products."),
        "area_ge": Figure("GE", "", ",.1f", "Least area over that of the library's smallest two-input NAND."),
        "transistors": Figure("transistors", "", ",", "Least number, 16 for each flip-flop."),
        "gates": Figure("gates", "", ",", "Combinational gates of the netlist with the fewest transistors."),
        "area_luts": Figure("LUT area", "", ",", "LUTs and the LUTs that carry cells take up, no hard multipliers."),
        "luts": Figure("LUT", "", ",", "LUTs."),
        "carries": Figure("carry", "", ",", "Carry cells."),
        "ffs": Figure("FF", "", ",", "Flip-flops."),
        "dsps": Figure("DSP", "", ",", "Hard multipliers of the netlist with the least logic beside them."),
        "dsp_luts": Figure("LUT with DSP", "", ",", "LUTs of that netlist."),
        "ratio": Figure("ratio", "", ".2f", "Area over that of the row that others are compared with."),
        "delay_ns": Figure("delay", "ns", ".3f", "ABC's delay of the netlist of least area: logic alone, no wires."),
        "period_ns": Figure(
            "period", "ns", ".3f", "Longest path of that netlist with clock-to-output and setup times of flip-flops."
        ),
        "fast_area_um2": Figure("area (fast)", "µm²", ",.2f", "Area of the netlist of shortest delay."),
        "fast_delay_ns": Figure("delay (fast)", "ns", ".3f", "Shortest ABC delay over all recipes and architectures."),
        "fast_period_ns": Figure("period (fast)", "ns", ".3f", "period_ns of the netlist of shortest delay."),
        "within_area_um2": Figure("area within delay", "µm²", ",.2f", "Least area within the delay asked for."),
        "energy_pj": Figure("energy", "pJ", ".3f", f"Dynamic energy {_OPERATION}, least area, zero-delay toggles."),
        "energy_glitch_pj": Figure("energy (glitches)", "pJ", ".3f", f"Dynamic energy {_OPERATION}, with glitches."),
        "energy_09v_pj": Figure("energy 0.9 V", "pJ", ".3f", "energy_pj scaled to 0.9 V by V²."),
        "energy_glitch_09v_pj": Figure("energy 0.9 V (glitches)", "pJ", ".3f", "energy_glitch_pj scaled to 0.9 V."),
        "register_pj": Figure("registers", "pJ", ".3f", "Part of energy_pj: flip-flops and the nets they drive."),
        "clock_pj": Figure("clock", "pJ", ".3f", "Part of energy_pj: clock pins of the flip-flops."),
        "fast_energy_pj": Figure("energy (fast)", "pJ", ".3f", "energy_pj of the netlist of shortest delay."),
        "fast_energy_glitch_pj": Figure("energy (fast, glitches)", "pJ", ".3f", "With glitches."),
        "voltage_v": Figure("supply", "V", ".2f", "The library's voltage."),
        "leakage_nw": Figure("leakage", "nW", ",.1f", "Leakage power of the netlist of least area."),
        "activity": Figure("activity", "", "", "Where the operands for the energy come from."),
        "bits_a": Figure("bits a", "", ".2f", "Stored bits for an element of a, its share of a scale included."),
        "bits_b": Figure("bits b", "", ".2f", "The same for b."),
        "bytes_per_mac": Figure("bytes/MAC", "B", ".4f", "Bytes that enter and leave for each product of a 64³ tile."),
        "sqnr_gaussian_db": Figure("SQNR", "dB", ".1f", "Signal to quantization noise of a, Gaussian numbers."),
        "sqnr_laplace_db": Figure("SQNR Laplace", "dB", ".1f", "Laplace numbers."),
        "sqnr_uniform_db": Figure("SQNR uniform", "dB", ".1f", "Uniform numbers."),
        "sqnr_student_t3_db": Figure("SQNR t₃", "dB", ".1f", "Student's t with 3 degrees of freedom: heavy tails."),
        "sqnr_outlier_channels_db": Figure("SQNR outliers", "dB", ".1f", "Gaussian with a few channels of outliers."),
        "sum_error_4096": Figure(
            "sum error", "", ".1e", "Relative error of a dot product of 4096 against the exact one."
        ),
        "digits_percent": Figure(
            "digits", "%", ".2f", "Digits that a small network in this format classifies rightly."
        ),
        "fmax_mhz": Figure("fmax", "MHz", ".1f", "Clock frequency by nextpnr between registers, median of the seeds."),
        "fmax_spread_mhz": Figure("spread", "MHz", ".1f", "Highest less lowest of the seeds' frequencies."),
    }
)
