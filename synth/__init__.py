"""Area and delay of generated designs, by Yosys: targets, recipes, and one record type for every measurement."""

from .library import LibertyFile
from .measure import Design
from .recipes import Recipe
from .record import Record
from .runner import Progress, SynthesisError
from .synthesize import TIMEOUT, Result, compare, synthesize
from .targets import TARGETS, Target, liberty_target, target

__all__ = [
    "TARGETS",
    "TIMEOUT",
    "Design",
    "LibertyFile",
    "Progress",
    "Recipe",
    "Record",
    "Result",
    "SynthesisError",
    "Target",
    "compare",
    "liberty_target",
    "synthesize",
    "target",
]
