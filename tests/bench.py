"""`make bench`: evaluations per second of the native simulator beside the golden model, on one core."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from polymac import golden, hdl, sim


def main() -> None:
    """Print one line per multiplier: native simulator, golden model, and their ratio."""
    generator = np.random.default_rng(1)
    for name in ("int8", "fp8_e5m2", "int16", "fp16", "bf16"):
        fmt = golden.format(name)
        model = sim.Model.build(hdl.generate(hdl.Multiplier(a=name, b=name), f"bench_{name}"))
        a, b = generator.integers(0, fmt.codes, (2, 4_000_000)).astype(golden.code_dtype(fmt))
        native = min(_seconds(model.evaluate, {"a": a, "b": b}) for _ in range(3))
        reference = min(_seconds(golden.multiply, a, b, fmt, fmt) for _ in range(3))
        million = len(a) / 1e6
        print(
            f"{name:9} native {million / native:6.1f} M/s, golden {million / reference:6.1f} M/s, "
            f"ratio {reference / native:5.2f}"
        )


def _seconds(call: Callable[..., object], *arguments: object) -> float:
    started = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
