"""The quantized perceptron, layer by layer in plain Python, and against its float original."""

import numpy as np
import pytest

from polymac import golden
from polymac.golden import FloatLayer, FloatMlp, OutputStationary, ParameterError

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
