"""Formal proofs of generated modules."""
