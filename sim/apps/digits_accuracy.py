"""Accuracy of the digits network in any format, by the golden model alone; and its tensors, to measure noise on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import golden
from ...golden.accuracy.noise import mean_and_spread
from ...golden.formats import BlockFormat, Format, ParameterError
from ...golden.formats.accumulation import Accumulation, style
from .cast import Gemm, cast_mlp, decoded_gemm, forward
from .digits import takes_requantizer, train

SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class DigitsAccuracy:
    """How many of the digits a network in a format tells apart.

    Attributes
    ----------
    format : str
        Its name.
    percent, spread : float
        Digits of the held-out half that are classified right, in %: mean and standard deviation over the seeds.
    float_percent : float
        The same of the network before it was quantized, mean over the seeds.
    seeds : tuple of int
        Of the split into halves and of the training.
    test_rows : int
        Digits in the held-out half: one is 100 / test_rows %.

    Examples
    --------
    >>> sim.digits_accuracy("int8", seeds=[0]).test_rows
    899
    """

    format: str
    percent: float
    spread: float
    float_percent: float
    seeds: tuple[int, ...]
    test_rows: int


_trained = cache(train)


def digits_accuracy(
    fmt: str | Format | BlockFormat, *, acc: str | Accumulation | None = None, seeds: Sequence[int] = SEEDS
) -> DigitsAccuracy:
    """Train a 64-64-10 MLP on half of scikit-learn's digits, quantize it after training, and classify the other half.

    Weights and activations are codes of ``fmt``. Signed integers of up to 8 bits stay integers from layer to layer
    (:func:`golden.quantize_mlp`); all others are cast as :mod:`.cast` says, block formats along the inner dimension, with
    bias and ReLU in float64 between the layers.

    Parameters
    ----------
    fmt : str or Format or BlockFormat
        Any format.
    acc : str or Accumulation, optional
        The style in which products are summed, or its name; default: without error, integers exactly.
    seeds : sequence of int
        Each trains a network of its own, kept for the next call.

    Raises
    ------
    TypeError
        ``fmt`` is no format.
    ParameterError
        No such format or style, no seed, a style given with signed integers of up to 8 bits, one in which the sums of
        a block format overflow, or scikit-learn is not installed.

    Examples
    --------
    >>> sim.digits_accuracy("fp8_e4m3", seeds=[0]).percent > 95
    True
    """
    found = golden.any_format(fmt)
    if not len(seeds):
        raise ParameterError("seeds must hold at least one seed, not none")
    if takes_requantizer(found) and acc is not None:
        raise ParameterError(
            f"acc must be left out with {found}, whose sums are exact integers, not {acc}"
        )
    how = None if acc is None else style(acc)
    percents, floats, rows = [], [], 0
    for seed in seeds:
        mlp, calibration, x, labels = _trained(seed)
        rows = len(labels)

        def percent(logits: NDArray[Any], labels: NDArray[Any] = labels) -> float:
            return 100.0 * float((logits.argmax(axis=1) == labels).mean())

        floats.append(percent(golden.forward_float(mlp, x)))
        if takes_requantizer(found):
            assert isinstance(found, Format)
            percents.append(percent(golden.forward(golden.quantize_mlp(mlp, calibration, found, found), x)))
        else:
            gemm = decoded_gemm(found) if how is None else _gemm(found, how)
            percents.append(percent(forward(cast_mlp(mlp, calibration, found), x, gemm)))
    mean, spread = mean_and_spread(percents)
    return DigitsAccuracy(found.name, mean, spread, mean_and_spread(floats)[0], tuple(seeds), rows)


def _gemm(fmt: Format | BlockFormat, how: Accumulation) -> Gemm:
    """Products summed in a style."""
    out = getattr(how, "format", "fp32")
    if isinstance(fmt, Format):
        return lambda a, b: golden.decode(golden.gemm(a, b, fmt, fmt, acc=how), out)
    # The array knows nothing of a tensor's scale, which is a factor of the sums.
    one = () if fmt.tensor_scale is None else (golden.encode(1.0, fmt.tensor_scale),)
    return lambda a, b: golden.decode(golden.block_gemm((*a, *one), (*b, *one), fmt, fmt, acc=how), out)


def digits_tensors(seed: int = 0) -> dict[str, NDArray[np.float64]]:
    """Weights (K, N) transposed to (N, K), and inputs (rows, K), of each layer of the trained network, by name.

    Raises
    ------
    ParameterError
        scikit-learn is not installed.

    Examples
    --------
    >>> sim.digits_tensors()["digits_weights_2"].shape
    (10, 64)
    """
    mlp, calibration, _, _ = _trained(seed)
    found: dict[str, NDArray[np.float64]] = {}
    x = calibration
    for number, layer in enumerate(mlp.layers, 1):
        found[f"digits_weights_{number}"] = np.ascontiguousarray(layer.weight.T)
        found[f"digits_inputs_{number}"] = x
        x = np.maximum(x @ layer.weight + layer.bias, 0)
    return found
