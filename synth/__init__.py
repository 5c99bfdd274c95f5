"""Area and delay of generated designs, by Yosys: targets, recipes, and one record type for every measurement."""

from .equivalence import Proof, prove_equal, prove_pipeline, prove_product
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
    "Proof",
    "Recipe",
    "Record",
    "Result",
    "SynthesisError",
    "Target",
    "compare",
    "liberty_target",
    "prove_equal",
    "prove_pipeline",
    "prove_product",
    "synthesize",
    "target",
]
