"""Hardware: Amaranth components of multiply-accumulate units, and the Verilog made of them."""

from .array import Array
from .command import command_line
from .emit import Design, generate, generate_all
from .mac import Mac
from .multiplier import Multiplier
from .requantizer import Requantizer
from .unit import Unit

__all__ = ["Array", "Design", "Mac", "Multiplier", "Requantizer", "Unit", "command_line", "generate", "generate_all"]
