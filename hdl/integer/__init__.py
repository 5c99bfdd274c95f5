"""Integer arithmetic: partial products, their sums, shifts and counts of zeros."""
