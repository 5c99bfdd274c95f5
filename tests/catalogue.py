"""The formats that long tables of tests go through: the catalogue, but of the 28 of P3109 four that differ in all."""

from polymac.golden.formats import FORMATS

_P3109 = ("p3109_k8p1se", "p3109_k8p3sf", "p3109_k8p4ue", "p3109_k8p7uf")
SAMPLED = [name for name in FORMATS if not name.startswith("p3109_") or name in _P3109]
