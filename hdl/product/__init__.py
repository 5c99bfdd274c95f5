"""Exact products of two unpacked operands."""
