"""The loops that Numba compiles, where it is installed: NumPy's results bit for bit, in one pass over the memory.

Numba is optional: without it, and for short arrays, NumPy computes the same codes. The environment variable
POLYMAC_NUMBA=0 switches it off. It is imported with the first array that is long enough, and what it compiles stays in
the cache that NUMBA_CACHE_DIR names, by default ``__pycache__``.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable
from functools import cache
from typing import Any

from ...formats import check_choice

#: The environment variable: "1" (the default) or "0".
SWITCH = "POLYMAC_NUMBA"
#: The least count of numbers for which a compiled loop is worth its call.
LEAST = 1 << 14


def compiled(loop: Callable[..., Any], count: int) -> Callable[..., Any] | None:
    """One of :mod:`.jit_loops` compiled, for ``count`` numbers; None where NumPy is to compute them.

    Raises
    ------
    ParameterError
        POLYMAC_NUMBA is neither 0 nor 1.
    """
    if count < LEAST or check_choice(SWITCH, os.environ.get(SWITCH, "1"), ("0", "1")) == "0":
        return None
    return _compile(loop)


@cache
def _compile(loop: Callable[..., Any]) -> Callable[..., Any] | None:
    if importlib.util.find_spec("numba") is None:
        return None
    numba = importlib.import_module("numba")
    try:
        return numba.njit(loop, cache=True, nogil=True)
    except RuntimeError:
        # No folder for the cache can be written: each process compiles for itself.
        return numba.njit(loop, nogil=True)
