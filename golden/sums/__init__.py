"""Dot products and matrix products of codes, in every style of accumulation."""
