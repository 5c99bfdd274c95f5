"""A MAC for an FPGA flow: Verilog, its ports as JSON and a FuseSoC core file in the folder given, and its size.

python examples/mac_for_fpga.py build/mac
"""

import sys

from polymac import hdl, sim, synth

unit = hdl.Mac(a="int8", b="int8", acc="int32", lanes=4, stages=1)
design = hdl.generate(unit, name="mac4")
for path in design.write(sys.argv[1] if len(sys.argv) > 1 else "build/mac", force=True):
    print("wrote", path.name)
for port in design.metadata["ports"]:
    print(f"{port['direction']:>6} {port['width']:3} {port['name']}")
print("latency in clock cycles:", design.metadata["latency"])
print("as golden in 20,000 steps:", sim.verify(unit, vectors=20_000).passed)

size = synth.synthesize(design, target="ecp5", recipes=["dsp"])
print(f"ECP5: {size.luts} LUTs, {size.carries} carries, {size.ffs} flip-flops, {size.dsps} multipliers")
