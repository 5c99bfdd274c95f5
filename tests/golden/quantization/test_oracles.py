"""Quantization against engines that others wrote: ONNX Runtime, TensorFlow Lite for Microcontrollers, Model Optimizer.

Where an engine disagrees, the case and the side that is right stand in a test of their own.
"""

import warnings

import ml_dtypes
import numpy as np
import pytest

from polymac import golden
from polymac.golden import Quantization
from polymac.golden.quantization.affine import qgemm
from polymac.golden.quantization.entropy import entropy_bins

onnx = pytest.importorskip("onnx", reason="onnx, of the extra 'test', is not installed")
onnx_reference = pytest.importorskip("onnx.reference", reason="onnx, of the extra 'test', is not installed")
ort = pytest.importorskip("onnxruntime", reason="onnxruntime, of the extra 'test', is not installed")

QLINEAR = ("a", "a_scale", "a_zero", "b", "b_scale", "b_zero", "y_scale", "y_zero")


def onnx_type(dtype):
    return onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def onnx_model(nodes, feeds, output, dtype, initializers=()):
    info = onnx.helper.make_tensor_value_info
    inputs = [info(name, onnx_type(array.dtype), None) for name, array in feeds.items()]
    graph = onnx.helper.make_graph(nodes, "g", inputs, [info(output, onnx_type(dtype), None)], list(initializers))
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)


def run(nodes, feeds, dtype, initializers=()):
    """ONNX Runtime's output ``y``, every node computed as it stands."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    feeds = {name: np.asarray(array) for name, array in feeds.items()}
    model = onnx_model(nodes, feeds, "y", dtype, initializers).SerializeToString()
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"]).run(None, feeds)[0]


def operands(fa, fb, rng, shape=(37, 50, 29)):
    """Random matrices.

    Signed weights have 7 bits: on processors without VNNI ONNX Runtime adds pairs of products in 16 bits, which
    saturate ("reduce_range" in its documentation).
    """
    rows, depth, columns = shape
    info = np.iinfo(fa)
    a = rng.integers(info.min, info.max + 1, (rows, depth)).astype(fa)
    return a, (
        rng.integers(-64, 64, (depth, columns)) if fb == "int8" else rng.integers(0, 256, (depth, columns))
    ).astype(fb)


def zero_points(dtype, rng, shape=()):
    info = np.iinfo(dtype)
    return np.asarray(rng.integers(info.min, info.max + 1, shape), dtype)


@pytest.mark.parametrize("per_column", [False, True])
@pytest.mark.parametrize(("fa", "fb"), [("uint8", "uint8"), ("uint8", "int8"), ("int8", "int8")])
def test_qlinear_matmul(fa, fb, per_column, rng):
    columns = 29 if per_column else ()
    seen = set()
    for _ in range(10):
        a, b = operands(fa, fb, rng)
        a_zero, b_zero = zero_points(fa, rng), zero_points(fb, rng, columns)
        a_scale, b_scale = (np.asarray(rng.uniform(0.01, 0.03, shape), np.float32) for shape in ((), columns))
        # Results from end to end of the codes, and some beyond.
        real = (a.astype(int) - a_zero.astype(int)) @ (b.astype(int) - b_zero.astype(int)) * a_scale * b_scale
        y_scale = np.asarray((real.max() - real.min()) / 280, np.float32)
        info = np.iinfo(fa)
        y_zero = np.asarray(np.clip(np.rint(info.min - 10 - real.min() / y_scale), info.min, info.max), fa)
        feeds = dict(zip(QLINEAR, (a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero), strict=True))
        theirs = run([onnx.helper.make_node("QLinearMatMul", QLINEAR, ["y"])], feeds, fa)
        qa, qb, qo = (
            Quantization(scale, zero, fmt)
            for scale, zero, fmt in ((a_scale, a_zero, fa), (b_scale, b_zero, fb), (y_scale, y_zero, fa))
        )
        ours = qgemm(a.view(np.uint8), b.view(np.uint8), qa, qb, qo, mode="float")
        np.testing.assert_array_equal(ours, theirs.view(np.uint8))
        seen |= set(ours.ravel().tolist())
    assert len(seen) > 200


def tie_feeds():
    """Accumulators 1, 3, 5 … at scale 1/2, zero point 5 on the result."""
    a = np.arange(1, 200, 2, dtype=np.uint8).reshape(-1, 1)
    one, half, zero = np.float32(1), np.float32(0.5), np.uint8(0)
    values = (a, one, zero, np.array([[1]], np.uint8), half, zero, one, np.uint8(5))
    return {name: np.asarray(value) for name, value in zip(QLINEAR, values, strict=True)}


def test_qlinear_matmul_at_ties():
    """Each sum is a tie. onnx.reference disagrees, and is wrong.

    It adds the zero point before it rounds, so that an odd one turns ties to even into ties to odd; the operator rounds
    first ("y = saturate((x / y_scale) + y_zero_point)", the quotient rounded to nearest even).
    """
    feeds = tie_feeds()
    nodes = [onnx.helper.make_node("QLinearMatMul", QLINEAR, ["y"])]
    ours = golden.requantize(feeds["a"], 0.5, 5, "uint8", mode="float")
    np.testing.assert_array_equal(ours, run(nodes, feeds, "uint8"))
    assert ours.ravel().tolist() == [5 + round(odd / 2) for odd in range(1, 200, 2)]
    reference = onnx_reference.ReferenceEvaluator(onnx_model(nodes, feeds, "y", "uint8")).run(None, feeds)[0]
    assert (reference != ours).all()


@pytest.mark.parametrize(("fa", "fb"), [("uint8", "uint8"), ("uint8", "int8"), ("int8", "int8")])
def test_matmul_integer(fa, fb, rng):
    a, b = operands(fa, fb, rng)
    feeds = {"a": a, "b": b, "a_zero": zero_points(fa, rng), "b_zero": zero_points(fb, rng)}
    theirs = run([onnx.helper.make_node("MatMulInteger", list(feeds), ["y"])], feeds, "int32")
    zero_a, zero_b = int(feeds["a_zero"]), int(feeds["b_zero"])
    ours = golden.gemm(a.view(np.uint8), b.view(np.uint8), fa, fb, zero_a=zero_a, zero_b=zero_b)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["int8", "uint8", "int16", "uint16"])
def test_quantize_and_dequantize_linear(name, rng):
    info = np.iinfo(name)
    for scale in (0.25, 0.0371, 3.3):
        scale = np.asarray(scale, np.float32)
        zero = zero_points(name, rng)
        span = float(scale) * (info.max - info.min)
        x = np.concatenate([rng.uniform(-span, span, 3000), float(scale) * rng.integers(-400, 400, 3000) / 2])
        x = x.astype(np.float32)
        feeds = {"x": x, "scale": scale, "zero": zero}
        theirs = run([onnx.helper.make_node("QuantizeLinear", list(feeds), ["y"])], feeds, name)
        # Given their quotient, of which more below.
        ours = golden.quantize(x / scale, 1.0, zero, name)
        np.testing.assert_array_equal(golden.to_int(ours, name), theirs)
        feeds["x"] = theirs
        back = run([onnx.helper.make_node("DequantizeLinear", list(feeds), ["y"])], feeds, np.float32)
        np.testing.assert_array_equal(golden.dequantize(ours, scale, zero, name).astype(np.float32), back)


def test_quantize_linear_divides_in_single_precision():
    """A quotient just below 3/2 that is 3/2 in fp32. Theirs is the tie's 2; ours, the nearest to the real number, 1."""
    x, scale = np.float32(1.875 + 2.0**-23), np.float32(1.25 + 2.0**-23)
    feeds = {"x": np.array([x]), "scale": np.asarray(scale)}
    theirs = run([onnx.helper.make_node("QuantizeLinear", list(feeds), ["y"])], feeds, "uint8")
    assert theirs.tolist() == [2]
    assert golden.quantize([x], scale, 0, "uint8").tolist() == [1]
    assert 2 * float(x) < 3 * float(scale)


FP8 = {"fp8_e4m3": onnx.TensorProto.FLOAT8E4M3FN, "fp8_e5m2": onnx.TensorProto.FLOAT8E5M2}


def quantized_to_fp8(name, x, scale, saturate):
    """x by way of QuantizeLinear and DequantizeLinear, in float32."""
    zero = onnx.helper.make_tensor("zero", FP8[name], [], b"\0", raw=True)
    nodes = [
        onnx.helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"], saturate=saturate),
        onnx.helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
    ]
    return run(nodes, {"x": x, "scale": np.asarray(scale, np.float32)}, np.float32, [zero])


@pytest.mark.parametrize("name", list(FP8))
def test_fp8_quantize_linear(name, rng):
    fmt = golden.format(name)
    every = golden.decode(np.arange(256), fmt)
    middles = (np.sort(every[np.isfinite(every)])[:-1] + np.sort(every[np.isfinite(every)])[1:]) / 2
    x = np.concatenate([every, middles, 10.0 ** rng.uniform(-9, 9, 3000) * rng.choice([-1, 1], 3000)]) / 4
    x = x.astype(np.float32)
    ours = golden.decode(golden.encode(x / np.float32(0.25), fmt, overflow="saturate"), fmt) * 0.25
    np.testing.assert_array_equal(ours, quantized_to_fp8(name, x, 0.25, 1))


@pytest.mark.parametrize(
    ("name", "ml_type", "x", "ours", "theirs"),
    [
        # 480 would be the next value: beyond 464, the middle, ml_dtypes and we overflow to NaN.
        ("fp8_e4m3", ml_dtypes.float8_e4m3fn, 481.0, np.nan, 448.0),
        # 65536 would be the next value: beyond 61440, the middle, IEEE 754 overflows to infinity.
        ("fp8_e5m2", ml_dtypes.float8_e5m2, 62000.0, np.inf, np.nan),
    ],
)
def test_fp8_without_saturation(name, ml_type, x, ours, theirs):
    """ONNX Runtime is wrong between the largest value and twice its last place; ml_dtypes decides."""
    np.testing.assert_array_equal(quantized_to_fp8(name, np.array([x], np.float32), 1.0, 0), [theirs])
    found = golden.decode(golden.encode([x], name, overflow="ieee"), name)
    np.testing.assert_array_equal(found, [ours])
    np.testing.assert_array_equal(found, np.array([x]).astype(ml_type).astype(float))


def fully_connected(acc, weight_scale, zero_point, relu):
    """A TensorFlow Lite model whose int8 outputs are the requantized biases ``acc``: its one input is zero."""
    flatbuffers = pytest.importorskip("flatbuffers", reason="flatbuffers, of the extra 'test', is not installed")
    schema = pytest.importorskip(
        "tflite_micro.tensorflow.lite.micro.python.schema_py_generated",
        reason="tflite-micro, of the extra 'test', is not installed",
    )
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.buffers = [schema.BufferT()]

    def tensor(name, shape, kind, scale, zero=0, data=None):
        found = schema.TensorT()
        found.name, found.shape, found.type = name, shape, getattr(schema.TensorType, kind)
        found.quantization = schema.QuantizationParametersT()
        found.quantization.scale = np.atleast_1d(scale).astype(np.float32)
        found.quantization.zeroPoint = np.full(np.size(scale), zero, np.int64)
        buffer = schema.BufferT()
        if data is not None:
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
        model.buffers.append(buffer)
        found.buffer = len(model.buffers) - 1
        return found

    count = len(acc)
    graph.tensors = [
        tensor("a", [1, 1], "INT8", 1.0),
        tensor("w", [count, 1], "INT8", weight_scale, data=np.ones(count, np.int8)),
        tensor("bias", [count], "INT32", weight_scale, data=np.asarray(acc, np.int32)),
        tensor("y", [1, count], "INT8", 1.0, zero_point),
    ]
    operator, options, code = schema.OperatorT(), schema.FullyConnectedOptionsT(), schema.OperatorCodeT()
    activations = schema.ActivationFunctionType
    options.fusedActivationFunction = activations.RELU if relu else activations.NONE
    operator.inputs, operator.outputs = [0, 1, 2], [3]
    operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.FullyConnectedOptions, options
    graph.operators, graph.inputs, graph.outputs = [operator], [0], [3]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    code.version = 4
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def tflite_micro(acc, weight_scale, zero_point, relu=False):
    """Codes of the accumulators requantized by scale ``weight_scale`` to int8, as integers."""
    model = fully_connected(acc, weight_scale, zero_point, relu)
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime", reason="tflite-micro is not installed")
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=len(model) * 10)
    interpreter.set_input(np.zeros((1, 1), np.int8), 0)
    interpreter.invoke()
    return interpreter.get_output(0)[0]


@pytest.mark.parametrize("per_channel", [False, True])
def test_gemmlowp_is_what_tflite_micro_computes(per_channel, rng):
    differs = 0
    for trial in range(40):
        # Half the scales are powers of two, of which many accumulators are ties. No left shift overflows.
        fractions = rng.choice([1.0, rng.uniform(0.5, 1)], 500 if per_channel else ())
        scale = np.float32(fractions * 2.0 ** -float(rng.integers(0, 31)))
        acc = np.rint(rng.integers(-1200, 1200, 500) / 8 / scale.astype(float))
        acc = np.clip(acc, -(2**31), 2**31 - 1).astype(np.int64)
        acc[:100] = rng.integers(-(2**31), 2**31, 100) >> (2 if scale.max() >= 1 else 0)
        zero_point, relu = int(rng.integers(-128, 128)), bool(trial % 2)
        theirs = tflite_micro(acc, scale, zero_point, relu)
        ours = golden.requantize(acc, scale, zero_point, "int8", mode="gemmlowp", relu=relu)
        np.testing.assert_array_equal(golden.to_int(ours, "int8"), theirs)
        single = golden.requantize(acc, scale, zero_point, "int8", mode="single", relu=relu)
        differs += int((single != ours).sum())
    # It is that mode and no other.
    assert differs > 100


def test_left_shift_that_overflows():
    """Undefined in gemmlowp's text. TFLite's kernel wraps: 2^30 · 2^2 is 0. We saturate (a choice)."""
    acc = [2**30, -(2**30) - 1, 50, -50]
    assert tflite_micro(acc, np.float32(2.0), 0).tolist() == [0, -2, 100, -100]
    ours = golden.requantize(acc, 2.0, 0, "int8", mode="gemmlowp")
    assert golden.to_int(ours, "int8").tolist() == [127, -128, 100, -100]


@pytest.mark.slow
def test_entropy_is_what_model_optimizer_computes(rng):
    with warnings.catch_warnings():
        # Of its dependencies, on import.
        warnings.simplefilter("ignore")
        histogram = pytest.importorskip(
            "modelopt.torch.quantization.calib.histogram",
            reason="nvidia-modelopt, of the extra 'oracles' (with torch, 5.7 GB), is not installed",
            exc_type=ImportError,
        )
    data = (rng.normal(0, 1, 20000), rng.standard_t(3, 20000), np.maximum(rng.normal(-1, 1, 20000), 0))
    for x, (bits, unsigned) in zip(data, ((8, False), (4, False), (8, True)), strict=True):
        counts, edges = np.histogram(np.abs(x), 2048, range=(0, np.abs(x).max()))
        # It writes into the counts.
        theirs = float(histogram._compute_amax_entropy(counts.copy(), edges, bits, unsigned))
        levels = 1 << (bits - 1 + unsigned)
        kept = entropy_bins(counts, levels=levels, variant="modelopt")
        assert np.float32(edges[kept]) == np.float32(theirs)
        assert kept < 2048
