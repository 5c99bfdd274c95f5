"""The quantized perceptron, layer by layer in plain Python, and against its float original."""

from functools import partial

import numpy as np
import pytest

from polymac import golden
from polymac.golden import (
    Entropy,
    FloatLayer,
    FloatMlp,
    MeanSquareError,
    MeanStd,
    MinMax,
    MovingAverage,
    OutputStationary,
    ParameterError,
    Percentile,
    QuantizedLayer,
    QuantizedMlp,
)
from polymac.golden.quantization.affine import Quantization, qgemm
from polymac.golden.quantization.requantize import MODES

CLASSES = 5


@pytest.fixture
def data(rng) -> tuple[np.ndarray, np.ndarray]:
    """Points around one centre for each class, and the classes."""
    labels = rng.integers(0, CLASSES, 400)
    return rng.normal(0, 3, (CLASSES, 12))[labels] + rng.normal(0, 1, (400, 12)), labels


@pytest.fixture
def mlp(rng, data) -> FloatMlp:
    """Two random hidden layers and a last layer fitted by ridge regression: a network that works without training."""
    x, labels = data
    hidden = (
        FloatLayer(rng.normal(0, 0.4, (12, 40)), rng.normal(0, 0.5, 40)),
        FloatLayer(rng.normal(0, 0.3, (40, 30)), rng.normal(0, 0.5, 30)),
    )
    features = x
    for layer in hidden:
        features = np.maximum(features @ layer.weight + layer.bias, 0)
    features = np.c_[features, np.ones(len(x))]
    # Ridge regression: without the ridge large weights would cancel, and quantization would show it.
    ridge = 100 * np.eye(features.shape[1])
    solution = np.linalg.solve(features.T @ features + ridge, features.T @ np.eye(CLASSES)[labels])
    return FloatMlp((*hidden, FloatLayer(solution[:-1], solution[-1])))


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    return float((logits.argmax(axis=1) == labels).mean())


def test_float_forward(mlp, data):
    x, labels = data
    first, second, last = mlp.layers
    hidden = np.maximum(np.maximum(x @ first.weight + first.bias, 0) @ second.weight + second.bias, 0)
    np.testing.assert_allclose(golden.forward_float(mlp, x), hidden @ last.weight + last.bias, rtol=1e-12)
    assert accuracy(golden.forward_float(mlp, x), labels) > 0.95


@pytest.mark.parametrize(
    ("activation", "weight", "error"),
    [("int8", "int8", 0.03), ("uint8", "int8", 0.03), ("int16", "int12", 0.002), ("int8", "int4", 0.4)],
)
def test_quantized_logits_are_close(activation, weight, error, mlp, data):
    x, labels = data
    quantized = golden.quantize_mlp(mlp, x, activation, weight)
    logits, exact = golden.forward(quantized, x), golden.forward_float(mlp, x)
    difference = np.sqrt(np.mean((logits - exact) ** 2) / np.mean(exact**2))
    assert 0 < difference < error
    assert accuracy(logits, labels) > accuracy(exact, labels) - 0.02


def test_every_integer_of_the_forward_pass(mlp, data):
    x = data[0][:6]
    quantized = golden.quantize_mlp(mlp, data[0], "int8", "int8")
    first = quantized.layers[0].input
    sums, scales = [], np.ones(1)
    steps = [[min(max(round(v / float(first.scale)) + int(first.zero_point), -128), 127) for v in row] for row in x]
    for index, layer in enumerate(quantized.layers):
        original, zero = mlp.layers[index], int(layer.input.zero_point)
        codes = golden.to_int(layer.weight, "int8")
        # Symmetric weights for each channel; the bias in units of the accumulator.
        np.testing.assert_array_equal(np.abs(codes).max(axis=0), 127)
        np.testing.assert_allclose(layer.weight_scale, np.abs(original.weight).max(axis=0) / 127, rtol=1e-15)
        assert np.abs(codes * layer.weight_scale - original.weight).max() <= layer.weight_scale.max() / 2 * (1 + 1e-9)
        columns, scales = codes.T.tolist(), layer.acc_scale
        sums = [
            [
                sum((q - zero) * w for q, w in zip(row, column, strict=True)) + round(bias / scale)
                for column, bias, scale in zip(columns, original.bias, scales, strict=True)
            ]
            for row in steps
        ]
        if index < 2:
            following = quantized.layers[index + 1].input
            acc = np.array(sums)
            out = golden.requantize(acc, scales / following.scale, int(following.zero_point), "int8", relu=True)
            steps = golden.to_int(out, "int8").tolist()
            assert int(following.zero_point) == -128
    np.testing.assert_array_equal(golden.forward(quantized, x), np.array(sums) * scales)


@pytest.mark.parametrize("mode", MODES)
def test_modes(mode, mlp, data):
    """Each hidden layer is a quantized matrix product in the network's mode."""
    x, labels = data
    quantized = golden.quantize_mlp(mlp, x, mode=mode)
    assert quantized.mode == mode
    codes = golden.quantize(x, quantized.layers[0].input.scale, quantized.layers[0].input.zero_point, "int8")
    for layer, following in zip(quantized.layers[:-1], quantized.layers[1:], strict=True):
        weights = Quantization(layer.weight_scale, 0, "int8")
        # The layer's bias holds the term of the zero point.
        qa = Quantization(layer.input.scale, 0, "int8")
        codes = qgemm(codes, layer.weight, qa, weights, following.input, bias=layer.bias, relu=True, mode=mode)
    last = quantized.layers[-1]
    expected = (golden.gemm(codes, last.weight, "int8", "int8") + last.bias) * last.acc_scale
    np.testing.assert_array_equal(golden.forward(quantized, x), expected)
    assert accuracy(expected, labels) > accuracy(golden.forward_float(mlp, x), labels) - 0.02


@pytest.mark.parametrize(
    ("mode", "hidden"), [("single", [1, 2, 3, 1]), ("gemmlowp", [1, 2, 3, 2]), ("float", [0, 2, 2, 1])]
)
def test_modes_round_as_they_should(mode, hidden):
    """Sums 2, 6, 10 and 5 at scale 1/4: three ties, and a number that gemmlowp rounds twice."""
    one = np.array([[1]], np.uint8)
    layers = tuple(
        QuantizedLayer(one, np.ones(1), np.zeros(1, np.int64), Quantization(scale, 0, "int8")) for scale in (1.0, 4.0)
    )
    network = QuantizedMlp(golden.format("int8"), golden.format("int8"), layers, mode)
    found = golden.forward(network, [[2.0], [6.0], [10.0], [5.0]])
    assert found.ravel().tolist() == [4.0 * code for code in hidden]


@pytest.mark.parametrize(
    "method", [MovingAverage, partial(MeanStd, 4.0), partial(Percentile, 99.9), MeanSquareError, Entropy]
)
def test_calibration_methods(method, mlp, data):
    x, labels = data
    quantized = golden.quantize_mlp(mlp, x, "int8", "int6", method=method, weight_method=MeanSquareError)
    hidden = np.maximum(x @ mlp.layers[0].weight + mlp.layers[0].bias, 0)
    for layer, values in zip(quantized.layers, (x, hidden), strict=False):
        expected = method(per_channel=False).update(values).quantization("int8")
        assert (layer.input.scale, layer.input.zero_point) == (expected.scale, expected.zero_point)
    weights = MeanSquareError(per_channel=True).update(mlp.layers[1].weight).quantization("int6", symmetric=True)
    np.testing.assert_array_equal(quantized.layers[1].weight_scale, weights.scale)
    assert (weights.scale != MinMax(per_channel=True).update(mlp.layers[1].weight).scale("int6")).any()
    assert accuracy(golden.forward(quantized, x), labels) > accuracy(golden.forward_float(mlp, x), labels) - 0.05


def test_hooks_replace_the_hardware(mlp, data):
    x = data[0][:30]
    quantized = golden.quantize_mlp(mlp, data[0], "uint8", "int8")
    shapes, calls = [], []

    def gemm(a, b):
        shapes.append((a.shape, b.shape))
        return golden.to_int(a, "uint8") @ golden.to_int(b, "int8")

    def requantize(acc, bias, multiplier, shift, zero_point, relu):
        calls.append((acc.shape, bias.shape, multiplier.shape, shift.shape, zero_point, relu))
        return golden.rescale(acc + bias, multiplier, shift, zero_point, "uint8", relu=relu)

    expected = golden.forward(quantized, x)
    np.testing.assert_array_equal(golden.forward(quantized, x, gemm=gemm, requantize=requantize), expected)
    assert shapes == [((30, 12), (12, 40)), ((30, 40), (40, 30)), ((30, 30), (30, 5))]
    zero_points = [int(layer.input.zero_point) for layer in quantized.layers[1:]]
    assert calls == [((30, n), (n,), (n,), (n,), zero, True) for n, zero in zip((40, 30), zero_points, strict=True)]
    # The hook's results are used: one wrong accumulator shows.
    wrong = golden.forward(quantized, x, gemm=lambda a, b: gemm(a, b) + 1000)
    assert (wrong != expected).any()


def test_on_the_array_model(mlp, data):
    x = data[0][:4]
    quantized = golden.quantize_mlp(mlp, data[0])
    array = OutputStationary(4, 5, a="int8", b="int8", acc="int32")

    def gemm(a, b):
        tiles = []
        for start in range(0, b.shape[1], array.cols):
            cycles = len(b) + array.latency + array.rows
            offered = np.arange(cycles) < len(b)
            idle = np.zeros((cycles - len(b), 1), np.uint8)
            a_data = np.vstack([a.T, np.repeat(idle, array.rows, axis=1)])[..., None]
            b_data = np.vstack([b[:, start : start + array.cols], np.repeat(idle, array.cols, axis=1)])[..., None]
            ends = np.arange(cycles) == len(b) - 1
            trace = array.run(offered, a_data, ends, offered, b_data, np.ones(cycles, bool))
            tiles.append(golden.to_int(trace.c_data[trace.c_valid], "int32"))
        return np.hstack(tiles)

    np.testing.assert_array_equal(golden.forward(quantized, x, gemm=gemm), golden.forward(quantized, x))


def test_bias_that_dwarfs_its_weights_fits_32_bits():
    mlp = FloatMlp((FloatLayer(np.array([[1e-12, 0.0, 1.0]]), np.array([5.0, -3.0, 0.0])),))
    quantized = golden.quantize_mlp(mlp, [[-1.0], [1.0]])
    assert np.abs(quantized.layers[0].bias).max() < 1 << 31
    np.testing.assert_allclose(golden.forward(quantized, [[0.5]]), [[5.0, -3.0, 0.5]], atol=0.005)


def unused(acc, bias, multiplier, shift, zero_point, relu):
    """A requantizer that must not be called."""
    raise AssertionError


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda mlp: FloatMlp(()), ParameterError, "layers must hold at least one layer, not none"),
        (
            lambda mlp: FloatMlp((mlp.layers[0], mlp.layers[0])),
            ParameterError,
            "layers[1] must have weight (K, N) and bias (N,) with K = 40, not (12, 40) and (40,)",
        ),
        (
            lambda mlp: FloatMlp((FloatLayer(np.ones((2, 3)), np.ones(2)),)),
            ParameterError,
            "layers[0] must have weight (K, N) and bias (N,), not (2, 3) and (2,)",
        ),
        (lambda mlp: golden.forward_float(mlp, np.ones(12)), ParameterError, "x must be of shape (M, 12), not (12,)"),
        (
            lambda mlp: golden.forward(golden.quantize_mlp(mlp, np.ones((2, 12))), np.ones((2, 3))),
            ParameterError,
            "x must be of shape (M, 12), not (2, 3)",
        ),
        (
            lambda mlp: golden.quantize_mlp(mlp, np.ones((0, 12))),
            ParameterError,
            "calibration data must hold at least one value, not none",
        ),
        (
            lambda mlp: golden.quantize_mlp(mlp, np.full((1, 12), np.nan)),
            ParameterError,
            "x must be finite, not nan at index 0",
        ),
        (
            lambda mlp: golden.quantize_mlp(mlp, np.ones((2, 12)), weight="uint8"),
            ParameterError,
            "fmt must be signed where symmetric is True, not uint8",
        ),
        (
            lambda mlp: golden.quantize_mlp(mlp, np.ones((2, 12)), mode="double"),
            ParameterError,
            "mode must be one of single, gemmlowp, float, not 'double'",
        ),
        (
            lambda mlp: golden.forward(
                golden.quantize_mlp(mlp, np.ones((2, 12)), mode="float"),
                np.ones((2, 12)),
                requantize=unused,
            ),
            ParameterError,
            "mode must be one of single, gemmlowp where requantize is given, not 'float'",
        ),
        (
            lambda mlp: golden.quantize_mlp(mlp, np.ones((2, 12)), activation="fp16"),
            ParameterError,
            "activation must be a fixed-point format, not fp16",
        ),
    ],
)
def test_errors(call, error, message, mlp):
    with pytest.raises(error) as caught:
        call(mlp)
    assert str(caught.value) == message


def test_a_large_bias_makes_the_weights_scale_coarser():
    # One input, 0 … 255: scale 1, zero point -128. Weights of ±1; biases of 2^40, which fit no 32 bits with scale 1/127.
    layer = golden.FloatLayer(np.array([[1.0, -1.0, 1.0]]), np.array([2.0**40, -(2.0**40), 0.5]))
    (found,) = golden.quantize_mlp(golden.FloatMlp((layer,)), [[0.0], [255.0]]).layers
    assert found.weight_scale.tolist() == [2.0**40 / (2**30 - 1)] * 2 + [1 / 127]
    assert golden.to_int(found.weight, "int8").tolist() == [[0, 0, 127]]
    assert found.bias.tolist() == [2**30 - 1, 1 - 2**30, round(63.5) + 128 * 127]
