"""Verification runs: one unit, all operands, a table of units, one failing case again."""
