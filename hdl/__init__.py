"""Hardware: Amaranth components of multiply-accumulate units, and the Verilog made of them."""

from .arrays.array import Array
from .core.unit import PortSpec, StreamSpec, Unit
from .emit.command import command_line
from .emit.design import Design, generate, generate_all
from .sums.accumulator import Accumulator
from .sums.options import AccumulatorOptions
from .sums.select import accumulator, preset_parameters, with_preset
from .units.adder import Adder
from .units.dot import Dot
from .units.mac import Mac
from .units.multiplier import Multiplier
from .units.requantizer import Requantizer

__all__ = [
    "Accumulator",
    "AccumulatorOptions",
    "Adder",
    "Array",
    "Design",
    "Dot",
    "Mac",
    "Multiplier",
    "PortSpec",
    "Requantizer",
    "StreamSpec",
    "Unit",
    "accumulator",
    "command_line",
    "generate",
    "generate_all",
    "preset_parameters",
    "with_preset",
]
