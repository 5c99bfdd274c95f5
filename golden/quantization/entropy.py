"""The threshold of least relative entropy: TensorRT's calibration, on a histogram of magnitudes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..codec.codes import as_integers
from ..formats import ParameterError, check_bool, check_choice, check_int

#: Divergences are multiples of this many nats. It is a hundred times what rounding in float64 can make of them, so that
#: those that are 0 or equal by their definition are so as numbers.
RESOLUTION = 2.0**-40
#: P · ln P is summed as an integer in these units: exactly, and P · ln P of all bins is above -37.
_UNIT = 2.0**-56


@dataclass(frozen=True)
class Variant:
    """What implementations of the method do differently.

    Parameters
    ----------
    first_bin : str
        What bin 0 counts: "keep", what it does, or "copy", as much as bin 1. Behind a ReLU most numbers are zero. They
        lose nothing by quantization, yet "keep" spreads them over a level, whose cost pulls the threshold down: of
        max(x - 1.3, 0), x normal, it leaves 12 %, "copy" 83 %. On data of few values, such as the digits', "copy"
        forgets the zeros, and the threshold may fall to the least of the other values.
    support : str
        Over which bins a level of Q is spread: those that P counts something in ("reference"), or those that the
        histogram does ("histogram"). They differ where the last bin that is kept is empty and then gets the outliers.
    inclusive : bool
        Whether all the bins are kept in the end, or at most all but one.
    ties : str
        Which of several thresholds of the same divergence is taken, "first" or "last".

    Raises
    ------
    ParameterError
        A parameter is none of these.
    """

    first_bin: str = "keep"
    support: str = "reference"
    inclusive: bool = False
    ties: str = "last"

    def __post_init__(self) -> None:
        check_choice("first_bin", self.first_bin, ("keep", "copy"))
        check_choice("support", self.support, ("reference", "histogram"))
        check_bool("inclusive", self.inclusive)
        check_choice("ties", self.ties, ("first", "last"))


#: Known implementations by name.
VARIANTS = {
    # S. Migacz, "8-bit Inference with TensorRT", GPU Technology Conference 2017: i from 128 to 2047, bins as counted, Q
    # spread over the bins in which P is not 0. The talk leaves ties open; of equal thresholds the last clips the least.
    "tensorrt": Variant(),
    # NVIDIA's Model Optimizer 0.47, modelopt.torch.quantization.calib.histogram._compute_amax_entropy.
    "modelopt": Variant(first_bin="copy", support="histogram", inclusive=True),
}


def as_variant(variant: str | Variant) -> Variant:
    """The variant of that name, or the one given; a ParameterError if there is none."""
    return variant if isinstance(variant, Variant) else VARIANTS[check_choice("variant", variant, tuple(VARIANTS))]


def divergences(
    counts: ArrayLike,
    *,
    levels: int = 128,
    start: int = 128,
    variant: str | Variant = "tensorrt",
) -> NDArray[np.float64]:
    """KL(P‖Q) of every number of bins i = start, start + 1, … that may be kept.

    P: the first i bins, the counts of all the others added to the last of them. Q: the first i bins without those
    outliers, merged to ``levels`` levels (bin k belongs to level floor(k · levels / i)) and each level's counts spread
    evenly over its bins that are not empty. Both are normalised. KL(P‖Q) = Σ P · ln(P / Q), infinite where Q
    is 0 and P is not, and where Q is empty; rounded to multiples of RESOLUTION, and never negative.

    Parameters
    ----------
    counts : array_like of int
        A histogram of magnitudes, shape (bins,), bin 0 next to zero.
    levels : int
        Magnitudes that the quantized numbers can have: 128 for int8.
    start : int
        The least number of bins to be kept.
    variant : str or Variant
        A key of VARIANTS, or a variant of your own; its ``ties`` play no part here.

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
    variant = as_variant(variant)
    check_int("levels", levels, 1)
    check_int("start", start, 2)
    bins = as_integers("counts", counts).astype(np.float64)
    if bins.ndim != 1 or len(bins) <= start:
        raise ParameterError(f"counts must be a histogram of more than {start} bins, not of shape {bins.shape}")
    if bins.min() < 0:
        raise ParameterError(f"counts must be at least 0, not {int(bins.min())}")
    if variant.first_bin == "copy":
        bins[0] = bins[1]
    levels = min(levels, len(bins))  # each bin has a level of its own then, and has it with more levels
    # Everything comes from prefix sums: Q is the same in all of a level's bins, so that ln Q needs only P's sum over them.
    sums, used = (np.concatenate([[0.0], np.cumsum(part)]) for part in (bins, bins > 0))
    total = sums[-1]
    shares = bins / (total or 1.0)
    logs = np.log(shares, where=bins > 0, out=np.zeros_like(bins))
    weighted = np.concatenate([[0], np.cumsum(np.rint(shares * logs / _UNIT).astype(np.int64))])
    found = []
    for kept in range(start, len(bins) + variant.inclusive):
        bounds = -(-np.arange(levels + 1) * kept // levels)
        q_sums, spread = np.diff(sums[bounds]), np.diff(used[bounds])
        last, outliers = bins[kept - 1], total - sums[kept]
        level = int(np.searchsorted(bounds, kept - 1, side="right")) - 1
        if last == 0 and outliers > 0:
            if variant.support == "histogram":
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
    variant: str | Variant = "tensorrt",
) -> int:
    """How many bins of a histogram of magnitudes to keep: the number with the least of the :func:`divergences`.

    The parameters are the same; divergences that differ by RESOLUTION at most are ties. All the bins are kept where every
    divergence is infinite.
    """
    variant = as_variant(variant)
    found = divergences(counts, levels=levels, start=start, variant=variant)
    if np.isinf(found).all():
        return len(found) + start - variant.inclusive
    (least,) = np.nonzero(found <= found.min() + RESOLUTION)
    return start + int(least[0 if variant.ties == "first" else -1])
