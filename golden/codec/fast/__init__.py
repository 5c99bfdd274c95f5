"""Faster ways to the same codes, each with its proof, tested against the general ones."""
