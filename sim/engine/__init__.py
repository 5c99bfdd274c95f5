"""Simulators, and what runs a generated module in them."""
