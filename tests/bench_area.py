"""Least area and fastest netlist of multipliers on nangate45, beside the best public designs that do the same work.

The peers' figures were measured with the same library and the recipes of that time; ours are measured in this run, over all
architectures. ``least`` is µm², ``fast`` µm² / ns of the netlist with the shortest delay. Takes some minutes.
"""

from __future__ import annotations

from polymac import hdl, synth
from polymac.hdl.product import ARCHITECTURES

FULL = {"rounding": "port"}
FLUSH = {"subnormals": "flush", "flags": False}
EXACT = {"out": "exact"}
#: What is multiplied, options, and the peer's least and fast figures.
ROWS = [
    ("fp16", FULL, "1033", "1959 / 1.32"),
    ("bf16", FULL, "750", "1316 / 1.19"),
    ("fp8_e5m2", FULL, "203", "349 / 0.74"),
    ("tf32", FULL, "1107", "2005 / 1.40"),
    ("fp16", FLUSH, "955", "1529 / 1.43"),
    ("bf16", FLUSH, "528", "916 / 0.78"),
    ("fp8_e4m3", FLUSH, "133", "250"),
    ("fp8_e5m2", FLUSH, "124", "228 / 0.46"),
    ("fp8_e4m3", EXACT, "259", ""),
    ("fp4_e2m1", EXACT, "57", ""),
    ("int8", {}, "273", "420 / 0.60"),
]


def main() -> None:
    """Print a line for each row."""
    names = [name for name in ARCHITECTURES if synth.target("nangate45").suits(name)]
    print(f"{'work':48} {'least':>7} {'peer':>6}  {'fast':>14} {'peer':>12}  recipes")
    for fmt, options, least, fast in ROWS:
        units = [hdl.Multiplier(a=fmt, b=fmt, architecture=name, **options) for name in names]
        (result,) = synth.compare([[hdl.generate(unit) for unit in units]], ["nangate45"])
        area, delay = result.best_area, result.best_delay
        assert delay is not None
        work = f"{fmt} × {fmt} {', '.join(f'{key}={value}' for key, value in options.items())}"
        how = "; ".join(f"{record.parameters['architecture']}, {record.recipe}" for record in (area, delay))
        fastest = f"{delay.area_um2:.0f} / {delay.delay_ns:.3f}"
        print(f"{work:48} {area.area_um2:7.1f} {least:>6}  {fastest:>14} {fast:>12}  {how}", flush=True)


if __name__ == "__main__":
    main()
