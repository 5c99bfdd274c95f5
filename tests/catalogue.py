"""The formats in long tables of tests: the catalogue, but only four of the 28 P3109 formats, chosen to differ."""

from polymac.golden.formats import FORMATS

_P3109 = ("p3109_k8p1se", "p3109_k8p3sf", "p3109_k8p4ue", "p3109_k8p7uf")
SAMPLED = [name for name in FORMATS if not name.startswith("p3109_") or name in _P3109]
