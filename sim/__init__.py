"""Simulation: simulators, cocotb benches, the native batch simulator, and verification against the golden model."""

from .apps.digits_accuracy import DigitsAccuracy, digits_accuracy, digits_tensors
from .apps.gemm import GemmRun, gemm
from .campaigns.exhaust import Exhaustion, exhaust
from .campaigns.verify import Verification, verify
from .engine.native import Model
from .engine.simulators import SimulationError, Simulator, find
from .engine.streams import Sink, Source, run_streams
from .units import UNITS, UnitEntry

__all__ = [
    "UNITS",
    "DigitsAccuracy",
    "Exhaustion",
    "GemmRun",
    "Model",
    "SimulationError",
    "Simulator",
    "Sink",
    "Source",
    "UnitEntry",
    "Verification",
    "digits_accuracy",
    "digits_tensors",
    "exhaust",
    "find",
    "gemm",
    "run_streams",
    "verify",
]
