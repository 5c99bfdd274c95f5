"""`make bench`: evaluations a second of the native simulator beside the golden model, and cycles of arrays; one core."""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable

import numpy as np
from history import History, add_option

from polymac import golden, hdl, sim

HISTORY = History("simulator")


def main() -> None:
    """Print one line per multiplier: native simulator, golden model, and their ratio; then the arrays."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_option(parser)
    HISTORY.file = parser.parse_args().history
    generator = np.random.default_rng(1)
    for name in ("int8", "fp8_e5m2", "int16", "fp16", "bf16"):
        fmt = golden.format(name)
        model = sim.Model.build(hdl.generate(hdl.Multiplier(a=name, b=name), f"bench_{name}"))
        a, b = generator.integers(0, fmt.code_count, (2, 4_000_000)).astype(golden.code_dtype(fmt))
        native = min(_seconds(model.evaluate, {"a": a, "b": b}) for _ in range(3))
        reference = min(_seconds(golden.multiply, a, b, fmt, fmt) for _ in range(3))
        million = len(a) / 1e6
        print(
            f"{name:9} native {million / native:6.1f} M/s, golden {million / reference:6.1f} M/s, "
            f"ratio {reference / native:5.2f}"
        )
        HISTORY.add(f"{name} multiplier, native", million / native, "M/s")
        HISTORY.add(f"{name} multiplier, native / golden", reference / native, "ratio")

    arrays()


def arrays() -> None:
    """Print clock cycles a second of int8 arrays: natively, and of one under cocotb with every cycle checked."""
    generator = np.random.default_rng(1)
    for side in (16, 64):
        unit = hdl.Array(a="int8", b="int8", rows=side, cols=side)
        model = sim.Model.build(hdl.generate(unit, f"bench_array_{side}"))
        a, b = generator.integers(0, 256, (2, 16 * side, 16 * side))
        runs = []
        for _ in range(3):
            started = time.process_time()
            cycles = sim.gemm(unit, a, b, model=model).cycles
            runs.append(cycles / (time.process_time() - started))
        print(f"{side} × {side} int8 array: native {max(runs):,.0f} cycles/s")
        HISTORY.add(f"{side} × {side} int8 array, native", max(runs), "cycles/s")
    unit = hdl.Array(a="int8", b="int8", rows=16, cols=16)
    with tempfile.TemporaryDirectory() as folder:
        short, long = (_children(unit, cycles, folder) for cycles in (1_000, 31_000))
    print(f"16 × 16 int8 array: cocotb {30_000 / (long - short):,.0f} cycles/s, every cycle checked")
    HISTORY.add("16 × 16 int8 array, cocotb", 30_000 / (long - short), "cycles/s")


def _children(unit: hdl.Array, cycles: int, folder: str) -> float:
    """Processor seconds of the simulator for that many cycles, once it is built."""
    sim.verify(unit, vectors=1, simulator="verilator", folder=folder)
    before = _spent()
    sim.verify(unit, vectors=cycles, simulator="verilator", folder=folder)
    return _spent() - before


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _seconds(call: Callable[..., object], *arguments: object) -> float:
    started = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
