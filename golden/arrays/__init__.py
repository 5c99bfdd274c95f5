"""Systolic arrays, beat by beat: what each cycle of the hardware must show."""
