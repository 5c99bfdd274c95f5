"""Simulation: simulators, cocotb benches, the native batch simulator, and verification against the golden model."""

from .native import Model
from .simulators import SimulationError, Simulator, find
from .streams import Sink, Source, run_streams
from .verify import Verification, verify

__all__ = [
    "Model",
    "SimulationError",
    "Simulator",
    "Sink",
    "Source",
    "Verification",
    "find",
    "run_streams",
    "verify",
]
