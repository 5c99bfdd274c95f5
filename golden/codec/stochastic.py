"""Random words for stochastic rounding: from a seed, a generator, or as a hardware port received them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..formats import STOCHASTIC, ParameterError, check_int
from .codes import Bools, Integers, as_integers

#: What ``random`` may be: a seed, a generator, or the words themselves.
Random = int | np.random.Generator | ArrayLike


@dataclass(frozen=True)
class RandomWords:
    """One word of ``bits`` random bits for each number, uniform in 0 … 2^bits - 1.

    A magnitude whose rest (the part below one unit in the last place of what is kept) is a fraction t of that unit is
    rounded up exactly where floor(t · 2^bits) + word >= 2^bits. Hardware with a port of ``bits`` random bits adds the
    word to the first ``bits`` bits below the last place, and the carry out is the decision.
    """

    words: NDArray[np.uint64]
    bits: int

    def __getitem__(self, part: Any) -> RandomWords:
        """The words of some of the numbers."""
        return RandomWords(self.words[part], self.bits)

    def up(self, rest: Integers, shift: Integers) -> Bools:
        """Where a rest of ``rest · 2^-shift`` units in the last place is rounded up; rest < 2^max(shift, 0)."""
        # Where shift <= 0 the rest is 0; so is, in uint64, a rest of at most 63 bits that is shifted right by 63 or more.
        wide = rest.dtype == object
        drop = shift - self.bits
        right = np.clip(drop, 0, None if wide else 63).astype(rest.dtype)
        left = np.clip(-drop, 0, self.bits).astype(rest.dtype)
        # Both terms are below 2^bits, bits <= 63.
        carry = ((rest >> right) << left) + self.words.astype(rest.dtype)
        return carry >= (1 << self.bits if wide else np.uint64(1 << self.bits))


def random_words(rounding: str, random: Random | None, random_bits: int, shape: tuple[int, ...]) -> RandomWords | None:
    """The random words for results of a shape, flattened; None where the rounding is not stochastic.

    Parameters
    ----------
    rounding : str
        A mode that has been checked.
    random : int, numpy.random.Generator, array_like of int or None
        A seed (of NumPy's PCG64: the same words each time), a generator (which advances), or words, whose shape
        broadcasts to ``shape``. Must be None for the other roundings.
    random_bits : int
        Bits of a word, 1 … 63.

    Raises
    ------
    TypeError
        ``random`` is of another kind, or ``random_bits`` no integer.
    ParameterError
        It is missing, or given to another rounding; a seed is negative, a word out of range, or shapes do not fit.
    """
    if rounding != STOCHASTIC:
        if random is not None:
            raise ParameterError(f"rounding must be {STOCHASTIC} where random is given, not {rounding}")
        return None
    mask = (1 << check_int("random_bits", random_bits, 1, 63)) - 1
    if random is None:
        raise ParameterError(
            "random must be a seed, a Generator or an array of words for stochastic rounding, not None"
        )
    if isinstance(random, (bool, str, bytes)):
        raise TypeError(f"random must be a seed, a Generator or an array of words, not {random!r}")
    if isinstance(random, (int, np.integer)):
        random = np.random.Generator(np.random.PCG64(check_int("random", int(random), 0)))
    if isinstance(random, np.random.Generator):
        drawn = random.integers(0, mask, shape, dtype=np.uint64, endpoint=True)
        return RandomWords(drawn.reshape(-1), random_bits)
    words = as_integers("random", random)
    for extreme in (int(words.min()), int(words.max())) if words.size else ():
        if not 0 <= extreme <= mask:
            raise ParameterError(f"random must hold words of {random_bits} bits, 0 … {mask:#x}, not {extreme}")
    try:
        spread = np.broadcast_to(words.astype(np.uint64), shape)
    except ValueError:
        raise ParameterError(f"random must be of a shape that broadcasts to {shape}, not {words.shape}") from None
    return RandomWords(spread.reshape(-1), random_bits)
