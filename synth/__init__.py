"""Area and delay of generated designs, by Yosys: targets, recipes, and one record type for every measurement."""

from .equivalence import Proof, prove_equal, prove_pipeline, prove_product
from .formal import Monitor, Verdict, prove
from .library import LibertyFile
from .measure import Design
from .no_overflow import prove_no_overflow
from .recipes import Recipe
from .record import Record
from .runner import Progress, SynthesisError
from .stream_rules import combinational_paths, prove_streams
from .synthesize import TIMEOUT, Result, compare, synthesize
from .targets import TARGETS, Target, liberty_target, target
from .tiles import prove_tiles

__all__ = [
    "TARGETS",
    "TIMEOUT",
    "Design",
    "LibertyFile",
    "Monitor",
    "Progress",
    "Proof",
    "Recipe",
    "Record",
    "Result",
    "SynthesisError",
    "Target",
    "Verdict",
    "combinational_paths",
    "compare",
    "liberty_target",
    "prove",
    "prove_equal",
    "prove_no_overflow",
    "prove_pipeline",
    "prove_product",
    "prove_streams",
    "prove_tiles",
    "synthesize",
    "target",
]
