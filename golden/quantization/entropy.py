"""The threshold of least relative entropy: TensorRT's calibration, on a histogram of magnitudes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..codec.codes import as_integers
from ..formats import ParameterError, check_choice, check_int

#: What bin 0 counts: what it does, or as much as bin 1. Behind a ReLU most numbers are zero. They lose nothing by
#: quantization, yet "keep" spreads them over a level, whose cost pulls the threshold down: of max(x - 1.3, 0), x normal,
#: it leaves 12 %, "copy" 83 %. On data of few values, such as the digits', "copy" forgets the zeros, and the threshold
#: may fall to the least of the other values.
FIRST_BINS = ("keep", "copy")
#: Over which bins a level of Q is spread: those that P counts something in, or those that the histogram does. They
#: differ where the last bin that is kept is empty and then gets the outliers.
SUPPORTS = ("reference", "histogram")
#: Which of several thresholds of the same divergence is taken.
TIES = ("first", "last")
#: Divergences are multiples of this many nats. It is a hundred times what rounding in float64 can make of them, so that
#: those that are 0 or equal by their definition are so as numbers.
RESOLUTION = 2.0**-40
#: P · ln P is summed as an integer in these units: exactly, and P · ln P of all bins is above -37.
_UNIT = 2.0**-56


def check_details(first_bin: str, support: str, ties: str) -> None:
    """Raise a ParameterError if a detail of :func:`entropy_bins` is none of those allowed."""
    check_choice("first_bin", first_bin, FIRST_BINS)
    check_choice("support", support, SUPPORTS)
    check_choice("ties", ties, TIES)


def divergences(
    counts: ArrayLike,
    *,
    levels: int = 128,
    start: int = 128,
    first_bin: str = "keep",
    support: str = "reference",
    inclusive: bool = False,
) -> NDArray[np.float64]:
    """KL(P‖Q) of every number of bins i = start, start + 1, … that may be kept.

    P: the first i bins, the counts of all the others added to the last of them. Q: the first i bins without those
    outliers, merged to ``levels`` levels (bin k belongs to level floor(k · levels / i)) and each level's counts spread
    evenly over those of its bins that are not empty. Both are normalised. KL(P‖Q) = Σ P · ln(P / Q), infinite where Q
    is 0 and P is not, and where Q is empty; rounded to multiples of RESOLUTION, and never negative.

    Parameters
    ----------
    counts : array_like of int
        A histogram of magnitudes, shape (bins,), bin 0 next to zero.
    levels : int
        Magnitudes that the quantized numbers can have: 128 for int8.
    start : int
        The least number of bins to be kept.
    first_bin : str
        One of FIRST_BINS.
    support : str
        One of SUPPORTS.
    inclusive : bool
        Whether all the bins are kept in the end, or at most all but one.

    Returns
    -------
    ndarray of float64
        The divergences, in order of i.

    Raises
    ------
    TypeError
        ``counts`` are not integers.
    ParameterError
        They are not a histogram of more than ``start`` bins, or a parameter is out of range.
    """
    check_details(first_bin, support, TIES[0])
    check_int("levels", levels, 1)
    check_int("start", start, 2)
    bins = as_integers("counts", counts).astype(np.float64)
    if bins.ndim != 1 or len(bins) <= start:
        raise ParameterError(f"counts must be a histogram of more than {start} bins, not of shape {bins.shape}")
    if bins.min() < 0:
        raise ParameterError(f"counts must be at least 0, not {int(bins.min())}")
    if first_bin == "copy":
        bins[0] = bins[1]
    levels = min(levels, len(bins))  # each bin has a level of its own then, and has it with more levels
    # Everything comes from prefix sums: Q is the same in all of a level's bins, so that ln Q needs but P's sum over them.
    sums, used = (np.concatenate([[0.0], np.cumsum(part)]) for part in (bins, bins > 0))
    total = sums[-1]
    shares = bins / (total or 1.0)
    logs = np.log(shares, where=bins > 0, out=np.zeros_like(bins))
    weighted = np.concatenate([[0], np.cumsum(np.rint(shares * logs / _UNIT).astype(np.int64))])
    found = []
    for kept in range(start, len(bins) + inclusive):
        bounds = -(-np.arange(levels + 1) * kept // levels)
        q_sums, spread = np.diff(sums[bounds]), np.diff(used[bounds])
        last, outliers = bins[kept - 1], total - sums[kept]
        level = int(np.searchsorted(bounds, kept - 1, side="right")) - 1
        if last == 0 and outliers > 0:
            if support == "histogram":
                found.append(np.inf)
                continue
            spread[level] += 1
        p_sums = q_sums.copy()
        p_sums[level] += outliers
        present = p_sums > 0
        if not sums[kept] or (q_sums[present] == 0).any():
            found.append(np.inf)
            continue
        last = (last + outliers) / total
        p_log_p = weighted[kept - 1] * _UNIT + (last * np.log(last) if last > 0 else 0.0)
        p_log_q = (p_sums[present] / total * np.log(q_sums[present] / (spread[present] * sums[kept]))).sum()
        found.append(max(p_log_p - p_log_q, 0.0))
    return np.rint(np.array(found) / RESOLUTION) * RESOLUTION


def entropy_bins(
    counts: ArrayLike,
    *,
    levels: int = 128,
    start: int = 128,
    first_bin: str = "keep",
    support: str = "reference",
    inclusive: bool = False,
    ties: str = "last",
) -> int:
    """How many bins of a histogram of magnitudes to keep: those of the least of :func:`divergences`.

    The parameters are those of :func:`divergences`, and ``ties``, one of TIES: divergences that differ by RESOLUTION at
    most are the same. All the bins are kept where every divergence is infinite. ``first_bin="copy",
    support="histogram", inclusive=True, ties="last"`` is what NVIDIA's Model Optimizer does.
    """
    check_details(first_bin, support, ties)
    found = divergences(counts, levels=levels, start=start, first_bin=first_bin, support=support, inclusive=inclusive)
    if np.isinf(found).all():
        return len(found) + start - inclusive
    (least,) = np.nonzero(found <= found.min() + RESOLUTION)
    return start + int(least[0 if ties == "first" else -1])
