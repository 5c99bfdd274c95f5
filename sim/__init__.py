"""Simulation: simulators, cocotb benches, the native batch simulator, and verification against the golden model."""

from .exhaustive import Exhaustion, exhaust
from .gemm import GemmRun, gemm
from .native import Model
from .simulators import SimulationError, Simulator, find
from .streams import Sink, Source, run_streams
from .verify import Verification, verify

__all__ = [
    "Exhaustion",
    "GemmRun",
    "Model",
    "SimulationError",
    "Simulator",
    "Sink",
    "Source",
    "Verification",
    "exhaust",
    "find",
    "gemm",
    "run_streams",
    "verify",
]
