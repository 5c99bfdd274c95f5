"""From an exact result to a code: shift, rounding, range, flags."""
