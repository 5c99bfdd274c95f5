"""A comparison: area and delay of one product in four formats on NanGate's 45 nm cells."""

from polymac import hdl, synth

formats = ("fp4_e2m1", "fp8_e5m2", "fp8_e4m3", "int8")
# The same kind of product for all, exact, so that none is charged for a rounding that another does not have.
units = [hdl.Multiplier(a=name, b=name, out="exact", architecture="auto") for name in formats]
designs = [hdl.generate(unit, name=f"mul_{name}") for unit, name in zip(units, formats, strict=True)]
results = synth.compare(designs, ["nangate45"], recipes=["resubstituted area"])

print("format      µm²    GE   ns")
for name, result in zip(formats, results, strict=True):
    print(f"{name:9}{result.area_um2:6.1f}{result.area_ge:6.0f}{result.delay_ns:5.2f}")
