"""Area, delay and energy of generated designs, by Yosys: targets, recipes, one record type for every measurement."""

from .area.library import LibertyFile
from .area.recipes import Recipe
from .area.record import Record
from .area.synthesize import TIMEOUT, Result, compare, synthesize
from .area.targets import TARGETS, Target, liberty_target, target
from .energy.measure import Energy, measure_energy
from .energy.saif import write_saif
from .proofs.equivalence import Proof, prove_equal, prove_pipeline, prove_product
from .proofs.formal import Monitor, Verdict, prove
from .proofs.no_overflow import prove_no_overflow
from .proofs.stream_rules import combinational_paths, prove_streams
from .proofs.tiles import prove_tiles
from .yosys.design import Design
from .yosys.runner import Progress, SynthesisError

__all__ = [
    "TARGETS",
    "TIMEOUT",
    "Design",
    "Energy",
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
    "measure_energy",
    "prove",
    "prove_equal",
    "prove_no_overflow",
    "prove_pipeline",
    "prove_product",
    "prove_streams",
    "prove_tiles",
    "synthesize",
    "target",
    "write_saif",
]
