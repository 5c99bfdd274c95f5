"""Seeded random tensors of named distributions, as they are quantized to measure a format's noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..checks import check_choice, check_int

Reals = NDArray[np.float64]

#: Of :data:`DISTRIBUTIONS`' "outlier_channels": the channels, of which one is larger, and by what factor.
CHANNELS, OUTLIER_FACTOR = 64, 20.0


@dataclass(frozen=True)
class Distribution:
    """A distribution of the elements of a tensor.

    Attributes
    ----------
    name : str
        The name by which :func:`draw` finds it.
    formula : str
        What is drawn.
    sample : callable
        ``sample(generator, size)`` gives ``size`` numbers.
    """

    name: str
    formula: str
    sample: Callable[[np.random.Generator, int], Reals]


def _outlier_channels(generator: np.random.Generator, size: int) -> Reals:
    x = generator.standard_normal(size)
    x[generator.integers(CHANNELS) :: CHANNELS] *= OUTLIER_FACTOR
    return x


#: By name. That activations of large language models have few channels some 20 times as large as the others is from
#: Dettmers et al., LLM.int8(), arXiv 2208.07339; one in 64 is a choice.
DISTRIBUTIONS: dict[str, Distribution] = {
    item.name: item
    for item in (
        Distribution("gaussian", "x ~ N(0, 1)", lambda generator, size: generator.standard_normal(size)),
        Distribution(
            "laplace",
            "density exp(-√2·|x|) / √2, variance 1",
            lambda generator, size: generator.laplace(0.0, np.sqrt(0.5), size),
        ),
        Distribution("uniform", "x ~ U[-1, 1)", lambda generator, size: generator.uniform(-1.0, 1.0, size)),
        Distribution(
            "student_t3",
            "Student's t of 3 degrees of freedom, variance 3",
            lambda generator, size: generator.standard_t(3, size),
        ),
        Distribution(
            "outlier_channels",
            f"x[i] ~ N(0, s²), s = {OUTLIER_FACTOR:g} where i mod {CHANNELS} = j, else 1; j uniform in 0 … {CHANNELS - 1}, "
            "one for the tensor",
            _outlier_channels,
        ),
    )
}


def draw(distribution: str, size: int, seed: int = 0) -> Reals:
    """``size`` numbers of a distribution, of shape (size,); the same seed gives the same ones.

    Raises
    ------
    TypeError
        ``size`` or ``seed`` is not an integer.
    ParameterError
        No such distribution, a size below 1 or a seed below 0.

    Examples
    --------
    >>> golden.draw("uniform", 3, seed=1).round(3)
    array([ 0.024,  0.901, -0.712])
    """
    check_choice("distribution", distribution, tuple(DISTRIBUTIONS))
    check_int("size", size, 1)
    check_int("seed", seed, 0)
    return DISTRIBUTIONS[distribution].sample(np.random.default_rng(seed), size)
