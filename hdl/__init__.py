"""Hardware: Amaranth components of multiply-accumulate units, and the Verilog made of them."""

from .array import Array
from .emit import Design, generate
from .mac import Mac
from .multiplier import Multiplier

__all__ = ["Array", "Design", "Mac", "Multiplier", "generate"]
