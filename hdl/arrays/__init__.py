"""Systolic arrays of processing elements."""
