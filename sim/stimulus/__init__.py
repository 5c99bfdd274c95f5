"""Inputs that make faults visible."""
