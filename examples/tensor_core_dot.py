"""A tensor core's dot product: what a V100 gives for fp16 operands, in NumPy and in Verilog, beside the exact sum."""

import numpy as np

from polymac import golden, hdl, sim

core = golden.preset("v100_fp16")
generator = np.random.default_rng(0)
a, b = (golden.encode(generator.normal(size=(1000, core.lanes)), core.a) for _ in range(2))

truncated = golden.decode(golden.dot(a, b, core.a, core.b, acc=core.acc), core.out)
exact = golden.decode(golden.dot(a, b, core.a, core.b, acc=golden.Exact()), core.out)
print(f"{core.lanes} products at a time: {core.acc}")
print(f"{np.mean(truncated != exact):.0%} of the sums differ from the exact ones,")
print(f"by {np.abs(truncated - exact).max():.2g} at most")

unit = hdl.Dot(**hdl.preset_parameters("v100_fp16"))
result = sim.verify(unit, vectors=20_000)
print(f"Verilog: {result.checked:,} sums, {result.mismatches} mismatches")
