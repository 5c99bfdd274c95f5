"""A format of one's own: eight bits with 3 of exponent, its codes, and a multiplier checked on all 65,536 pairs."""

import numpy as np

from polymac import golden, hdl, sim

# Exponent bias 6, so that all values are below 4; the last code of each sign is NaN, and there is no infinity.
mine = golden.Format("weight8", "float", width=8, frac_bits=4, bias=6, nan_codes=range(0x7F, 0x80))
golden.register(mine)  # from here on its name works wherever a name does

codes = golden.encode(np.array([0.1, -1.3, 3.7, 100.0]), "weight8", overflow="saturate")
print("codes: ", [f"{code:#04x}" for code in codes])
print("values:", golden.decode(codes, "weight8"))

unit = hdl.Multiplier(a="weight8", b="fp8_e4m3", out="bf16")
result = sim.verify(unit)
print(f"{result.checked:,} products, {result.mismatches} mismatches")
