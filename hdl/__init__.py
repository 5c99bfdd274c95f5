"""Hardware: Amaranth components of multiply-accumulate units, and the Verilog made of them."""

from .array import Array
from .command import command_line
from .dot import Dot
from .emit import Design, generate, generate_all
from .mac import Mac
from .multiplier import Multiplier
from .requantizer import Requantizer
from .styles import preset_parameters, summation, with_preset
from .summation import Summation
from .unit import Unit

__all__ = [
    "Array",
    "Design",
    "Dot",
    "Mac",
    "Multiplier",
    "Requantizer",
    "Summation",
    "Unit",
    "command_line",
    "generate",
    "generate_all",
    "preset_parameters",
    "summation",
    "with_preset",
]
