"""Seeded faults, to see what a regression notices."""
