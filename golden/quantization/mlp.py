"""A small multilayer perceptron (MLP) in floating point and quantized, the latter computed by any integer GEMM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..codec.codes import Integers, check_fixed, to_int
from ..formats import Format, ParameterError, check_choice, format
from ..sums.gemm import gemm as golden_gemm
from .affine import Quantization, quantize
from .calibration import Calibration
from .range_calibration import MinMax
from .requantize import FIXED_MODES, MODES, float_scale, quantize_multiplier, rescale, rescale_float

#: Codes (M, K) and codes (K, N) to the integers Σ a·b, shape (M, N): the hook for hardware that multiplies matrices.
Gemm = Callable[[Integers, Integers], Integers]
#: The greatest magnitude of a rounded bias: with it a bias and the zero point's term still fit 32 bits.
_BIAS_LIMIT = (1 << 30) - 1
#: Biases, as the hardware holds them.
BIAS_BITS = 32


class Method(Protocol):
    """A calibration class, or a partial call of one such as ``functools.partial(Percentile, 99.9)``."""

    def __call__(self, *, per_channel: bool) -> Calibration:
        """A calibration without data."""
        ...


class Requantize(Protocol):
    """The hook for hardware that requantizes a hidden layer's accumulators."""

    def __call__(
        self, acc: Integers, bias: Integers, multiplier: Integers, shift: Integers, zero_point: int, relu: bool
    ) -> Integers:
        """Codes of :func:`.requantize.rescale` for ``acc + bias``, shape (M, N); bias, multiplier and shift (N,).

        The hardware must requantize in the network's mode; the caller of :func:`forward` sees to it.
        """
        ...


@dataclass(frozen=True)
class FloatLayer:
    """y = x @ weight + bias: weight of shape (K, N), bias of shape (N,).

    Examples
    --------
    >>> layer = golden.FloatLayer(np.eye(2), np.zeros(2))
    >>> layer.weight.shape
    (2, 2)
    """

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]


@dataclass(frozen=True)
class FloatMlp:
    """Layers with ReLU between them, and none after the last.

    Raises
    ------
    ParameterError
        There is no layer, or the layers' shapes do not match.

    Examples
    --------
    >>> mlp = golden.FloatMlp((golden.FloatLayer(np.eye(2), np.zeros(2)),))
    >>> golden.forward_float(mlp, [[1.0, 2.0]])
    array([[1., 2.]])
    """

    layers: tuple[FloatLayer, ...]

    def __post_init__(self) -> None:
        if not self.layers:
            raise ParameterError("layers must hold at least one layer, not none")
        width = None
        for index, layer in enumerate(self.layers):
            weight, bias = layer.weight.shape, layer.bias.shape
            if len(weight) != 2 or bias != weight[1:] or width not in (None, weight[0]):
                raise ParameterError(
                    f"layers[{index}] must have weight (K, N) and bias (N,)"
                    f"{f' with K = {width}' if width else ''}, not {weight} and {bias}"
                )
            width = weight[1]


@dataclass(frozen=True)
class QuantizedLayer:
    """A layer on codes: Σ_k a·w + bias approximates y / (S_A · S_W), y the float layer's result.

    ``weight``: codes (K, N), symmetric, one scale for each output channel n in ``weight_scale`` (N,). ``bias``: int64
    (N,) that fits 32 bits, round(b / (S_A · S_W)) - Z_A · Σ_k w, which takes the activations' zero point out of the
    GEMM. ``input``: scale S_A and zero point Z_A of the activations a.

    Examples
    --------
    >>> mlp = golden.FloatMlp((golden.FloatLayer(np.eye(2), np.zeros(2)),))
    >>> (layer,) = golden.quantize_mlp(mlp, [[-1.0, 1.0]]).layers
    >>> layer.weight
    array([[127,   0],
           [  0, 127]], dtype=uint8)
    """

    weight: Integers
    weight_scale: NDArray[np.float64]
    bias: NDArray[np.int64]
    input: Quantization

    @property
    def acc_scale(self) -> NDArray[np.float64]:
        """Real value of one unit of the accumulators, for each channel: S_A · S_W."""
        return self.input.scale * self.weight_scale


@dataclass(frozen=True)
class QuantizedMlp:
    """A quantized MLP: the formats of its activations and weights, its layers, and how it requantizes (one of MODES).

    Examples
    --------
    >>> mlp = golden.FloatMlp((golden.FloatLayer(np.eye(2), np.zeros(2)),))
    >>> golden.quantize_mlp(mlp, [[-1.0, 1.0]], weight="int4").weight.name
    'int4'
    """

    activation: Format
    weight: Format
    layers: tuple[QuantizedLayer, ...]
    mode: str = "single"


def forward_float(mlp: FloatMlp, x: ArrayLike) -> NDArray[np.float64]:
    """Logits (M, N) of inputs (M, K), in float64.

    Examples
    --------
    >>> mlp = golden.FloatMlp((golden.FloatLayer(np.eye(2), np.ones(2)),))
    >>> golden.forward_float(mlp, [[1.0, 2.0]])
    array([[2., 3.]])
    """
    return _activations(mlp, x)[-1]


def quantize_mlp(
    mlp: FloatMlp,
    calibration: ArrayLike,
    activation: str | Format = "int8",
    weight: str | Format = "int8",
    *,
    method: Method = MinMax,
    weight_method: Method = MinMax,
    mode: str = "single",
) -> QuantizedMlp:
    """Quantize an MLP after training.

    Activations: per tensor, asymmetric, from the calibration inputs' float activations. Weights: per output channel,
    symmetric; a channel whose bias would not fit gets a coarser scale, S_W = |b| / (S_A · 2^30).

    Parameters
    ----------
    mlp : FloatMlp
        The float network.
    calibration : array_like of float
        Inputs, shape (M, K).
    activation, weight : str or Format
        Fixed-point formats of the activations and (signed) of the weights.
    method, weight_method : callable
        How the scales of the activations and of the weights are chosen: a subclass of
        :class:`.calibration.Calibration`, or a partial call of one.
    mode : str
        How hidden layers are requantized, one of MODES.

    Raises
    ------
    ParameterError
        A format or the mode cannot be used, calibration data are empty or not finite, or K is so large that a bias with
        the zero point's term needs more than 32 bits.

    Examples
    --------
    >>> mlp = golden.FloatMlp((golden.FloatLayer(np.array([[0.5], [-1.0]]), np.array([0.25])),))
    >>> quantized = golden.quantize_mlp(mlp, [[-1.0, 1.0]])
    >>> golden.forward(quantized, [[1.0, 0.5]]).round(2), golden.forward_float(mlp, [[1.0, 0.5]])
    (array([[0.25]]), array([[0.25]]))
    """
    activation, weight = check_fixed("activation", format(activation)), check_fixed("weight", format(weight))
    check_choice("mode", mode, MODES)
    layers = []
    for layer, data in zip(mlp.layers, _activations(mlp, calibration), strict=False):
        quantization = method(per_channel=False).update(data).quantization(activation)
        by_range = weight_method(per_channel=True).update(layer.weight).quantization(weight, symmetric=True)
        scale = np.maximum(by_range.scale, np.abs(layer.bias) / (quantization.scale * _BIAS_LIMIT))
        codes = quantize(layer.weight, scale, 0, weight)
        zero_term = quantization.zero_point * to_int(codes, weight).sum(axis=0)
        bias = np.rint(layer.bias / (quantization.scale * scale)).astype(np.int64) - zero_term
        if np.abs(bias).max(initial=0) >> (BIAS_BITS - 1):
            raise ParameterError(f"bias must fit {BIAS_BITS} bits, not {int(np.abs(bias).max())}")
        layers.append(QuantizedLayer(codes, scale, bias, quantization))
    return QuantizedMlp(activation, weight, tuple(layers), mode)


def forward(
    mlp: QuantizedMlp, x: ArrayLike, *, gemm: Gemm | None = None, requantize: Requantize | None = None
) -> NDArray[np.float64]:
    """Logits (M, N) of inputs (M, K), computed on codes.

    The inputs are quantized. Each hidden layer is a GEMM, a bias, and a requantization to the next layer's activations
    (in the network's mode, by S_A · S_W / S_O for each channel) with ReLU as a clamp at the zero point. The last
    layer is not requantized: its integers times S_A · S_W are the logits, so that channels of different scales compare
    and no accuracy is lost where no hardware needs narrow codes.

    Parameters
    ----------
    mlp : QuantizedMlp
        The network.
    x : array_like of float
        Inputs, shape (M, K).
    gemm : callable or None
        Computes Σ a·w from codes (M, K) and (K, N); None: :func:`.gemm.gemm`.
    requantize : callable or None
        Computes the next layer's codes from ``(acc, bias, multiplier, shift, zero_point, relu)``; None:
        :func:`.requantize.rescale` of ``acc + bias``. It has no meaning for a network of mode "float", which has neither
        multiplier nor shift.

    Raises
    ------
    ParameterError
        ``x`` has another shape or is not finite, or ``requantize`` is given for a network of mode "float".

    Examples
    --------
    >>> mlp = golden.FloatMlp((golden.FloatLayer(np.eye(2), np.zeros(2)),))
    >>> golden.forward(golden.quantize_mlp(mlp, [[-1.0, 1.0]]), [[0.5, -0.25]]).round(2)
    array([[ 0.5 , -0.25]])
    """
    if requantize is not None:
        check_choice("mode", mlp.mode, FIXED_MODES, " where requantize is given")

    def model_gemm(a: Integers, b: Integers) -> Integers:
        return golden_gemm(a, b, mlp.activation, mlp.weight)

    def requantized(acc: Integers, layer: QuantizedLayer, output: Quantization) -> Integers:
        if mlp.mode == "float":
            scale = float_scale(layer.input.scale, layer.weight_scale, output.scale)
            return rescale_float(acc + layer.bias, scale, output.zero_point, output.fmt, relu=True)
        multiplier, shift = quantize_multiplier(layer.acc_scale / output.scale)
        if requantize is not None:
            return requantize(acc, layer.bias, multiplier, shift, int(output.zero_point), True)
        acc = acc + layer.bias
        return rescale(acc, multiplier, shift, output.zero_point, output.fmt, relu=True, mode=mlp.mode)

    gemm = gemm or model_gemm
    first, last = mlp.layers[0], mlp.layers[-1]
    codes = quantize(_inputs(first.weight, x), first.input.scale, first.input.zero_point, mlp.activation)
    for layer, following in zip(mlp.layers, mlp.layers[1:], strict=False):
        codes = requantized(gemm(codes, layer.weight), layer, following.input)
    return (gemm(codes, last.weight) + last.bias) * last.acc_scale


def _inputs(weight: Integers, x: ArrayLike) -> NDArray[np.float64]:
    data = np.asarray(x, np.float64)
    if data.ndim != 2 or data.shape[1] != weight.shape[0]:
        raise ParameterError(f"x must be of shape (M, {weight.shape[0]}), not {data.shape}")
    return data


def _activations(mlp: FloatMlp, x: ArrayLike) -> list[NDArray[np.float64]]:
    """Each layer's float input, and the logits."""
    data = _inputs(mlp.layers[0].weight, x)
    found = [data]
    for index, layer in enumerate(mlp.layers):
        data = data @ layer.weight + layer.bias
        if index < len(mlp.layers) - 1:
            data = np.maximum(data, 0.0)
        found.append(data)
    return found
