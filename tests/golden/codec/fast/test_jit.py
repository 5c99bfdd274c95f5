"""The compiled loops give NumPy's results bit for bit, and nothing needs Numba."""

from __future__ import annotations

import importlib.util
import itertools
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from polymac import golden
from polymac.golden import Aligned, Format, ParameterError
from polymac.golden.codec import block_scaling as block_encoders
from polymac.golden.codec.fast import floating as real
from polymac.golden.codec.fast import jit as compiled
from polymac.golden.codec.fast import jit_loops as loops
from polymac.golden.codec.rounding import Target
from polymac.golden.formats import BLOCK_FORMATS, FLOAT_OVERFLOWS, FORMATS, ROUNDINGS, block_format
from polymac.golden.sums import aligned

needs_numba = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="numba is not installed")
BY_LOOP = pytest.mark.parametrize("way", ["python", pytest.param("numba", marks=needs_numba)])


@pytest.fixture
def use(monkeypatch):
    """Call a function with the loops compiled ("numba"), as plain Python ("python") or replaced by NumPy ("numpy")."""

    def call(way, function):
        called = []

        def chosen(loop, count):
            # Also for arrays too short to be worth it.
            called.append(loop)
            return loop if way == "python" else compiled._compile(loop)

        with monkeypatch.context() as patch, np.errstate(all="ignore"):
            patch.setenv(compiled.SWITCH, "0")
            if way != "numpy":
                for module in (real, block_encoders, aligned):
                    patch.setattr(module, "compiled", chosen)
            result = function()
        assert bool(called) == (way != "numpy")
        return result

    return call


NAMES = [
    *(name for name, fmt in FORMATS.items() if fmt.kind == "float" and fmt.signed and name != "fp64"),
    *("e4m0", "e8m3", "e8m11", "e8m22", "e5m10", "e6m9", "e2m6", "e0m5", "e0m9", "e10m9"),
]
USER = Format("fnuz", "float", 8, 3, bias=8, negative_zero="nan")


def patterns(fmt: Format, dtype: type[np.floating], count: int, rng: np.random.Generator) -> np.ndarray:
    """Values of the format, midpoints and their neighbours; random bit patterns; the source's own edges."""
    word, source = (np.uint32, FORMATS["fp32"]) if dtype is np.float32 else (np.uint64, FORMATS["fp64"])
    codes = np.arange(fmt.code_count) if fmt.width <= 16 else rng.integers(0, fmt.code_count, count)
    value = golden.decode(rng.choice(codes, count) if codes.size > count else codes, fmt)
    with np.errstate(all="ignore"):
        half = np.ldexp(1.0, np.maximum(np.frexp(value)[1] - 1, fmt.min_exponent) - 1 - fmt.frac_bits)
        near = np.concatenate([value, value + half, value - half]).astype(dtype).view(word)
    near = np.concatenate([near, near + word(1), near - word(1)])
    random = rng.integers(0, source.code_mask, count, word, endpoint=True)
    edges = np.array([0, 1, 2, source.max_code, source.inf_code, *source.nan_codes[:2], source.magnitude_mask], word)
    edges = np.concatenate([edges, (1 << source.frac_bits) + edges[:3], (1 << source.frac_bits) - edges[1:3]])
    x = np.concatenate([near, random, edges, edges | word(source.sign_mask)]).view(dtype)
    return x if fmt.has_nan else np.where(np.isnan(x), dtype(1), x)


def assert_rounds(fmt, dtype, x, use, way):
    for rounding, overflow in itertools.product(ROUNDINGS, FLOAT_OVERFLOWS):
        target = Target.of(fmt, rounding, overflow, "full")
        if not real.rounds_in_loop(target, dtype):
            return
        found, expected = (
            use(each, lambda target=target: real.rounder(target, dtype, False)(x, None)[0]) for each in (way, "numpy")
        )
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected, str(target))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["bf16", "fp8_e4m3", "fp4_e2m1"])
def test_rounding_without_numba(name, dtype, rng, use):
    fmt = golden.format(name)
    assert_rounds(fmt, dtype, patterns(fmt, dtype, 40, rng), use, "python")


@pytest.mark.parametrize(
    ("name", "dtype"), [("fp64", np.float32), ("e8m24", np.float32), ("e10m9", np.float32), ("e9m4", np.float32)]
)
def test_targets_beyond_the_source(name, dtype):
    assert not real.rounds_in_loop(Target.of(golden.format(name), "rne", None, "full"), dtype)


def test_policies_without_loop():
    for rounding, subnormals in (("rne", "flush"), ("stochastic", "full")):
        target = Target.of(golden.format("bf16"), rounding, None, subnormals)
        assert not real.rounds_in_loop(target, np.float32)


@pytest.mark.parametrize("name", [name for name, fmt in BLOCK_FORMATS.items() if fmt.power_of_two])
@BY_LOOP
def test_block_scales(name, way, rng, use):
    fmt = block_format(name)
    rows = 200 if way == "numba" else 8
    x = rng.integers(0, 1 << 32, (rows, fmt.block_size), np.uint32)
    # Most blocks are of similar magnitudes, or below 2^-126; a few numbers are zero.
    x[::2] = (x[::2] & np.uint32(0x83FFFFFF)) + (rng.integers(0, 31, (rows // 2, 1)) << 26).astype(np.uint32)
    x[1::4] &= np.uint32(0x80FFFFFF)
    x[3::8] &= np.uint32(0x80000000) | np.uint32(0x7FFFFF) >> rng.integers(0, 23, (rows // 8, 1)).astype(np.uint32)
    x[:, ::3] &= np.uint32(0xFF000000)
    x[:2] = 0
    reals = x.view(np.float32)
    reals = np.where(np.isfinite(reals), reals, np.float32(-1.5))
    # Modes that round away from zero have no loop.
    modes = ("rne", "rtz", "rna") if way == "numba" else ("rne",)
    for rule, rounding in itertools.product(("floor", "ceil"), modes):
        given = {"scale_rule": rule, "rounding": rounding}
        found, expected = (
            use(each, lambda given=given: golden.encode_blocks(reals, fmt, **given)) for each in (way, "numpy")
        )
        for part, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(part, other, str(given))


@BY_LOOP
def test_blocks_that_are_not_finite(way, use):
    fmt, x = block_format("mxfp4"), np.ones((3, 32), np.float32)
    for wrong in (np.nan, -np.inf):
        x[1, 31] = wrong
        with pytest.raises(ParameterError) as caught:
            use(way, lambda: golden.encode_blocks(x, fmt))
        message = f"x must be finite for mxfp4 unless nonfinite='nan', not {wrong} at index (1, 31)"
        assert str(caught.value) == message
        assert use(way, lambda: golden.encode_blocks(x, fmt, nonfinite="nan"))[0].ravel().tolist() == [125, 255, 125]


STYLES = [
    ("fp16", "fp16", Aligned(16, 25), "fp32"),
    ("fp16", "fp16", Aligned(4, 23), "fp32"),
    ("bf16", "bf16", Aligned(8, 24), "fp32"),
    ("tf32", "tf32", Aligned(4, 24), "fp32"),
    ("fp8_e4m3", "fp8_e5m2", Aligned(32, 13, 13), "fp32"),
    ("fp8_e4m3", "fp8_e4m3", Aligned(3, 0, 0), "fp16"),
    ("fp32", "bf16", Aligned(5, 40, 30), "e8m40"),
    ("fp4_e2m1", "fp6_e2m3", Aligned(512, 40, 5), "fp16"),
    ("fp16", "fp16", Aligned(40, 28, 2), "fp8_e5m2"),
    ("fp16", "fp16", Aligned(2, 10, 7), "bf16"),
    ("bf16", "bf16", Aligned(4, 24), "e10m23"),
    ("fp16", "fp16", Aligned(4, 20, 2), "fp8_e4m3"),
]


@pytest.mark.parametrize("case", STYLES, ids=lambda case: f"{case[0]}-{case[2].block}-{case[3]}")
@BY_LOOP
def test_aligned(case, way, rng, use):
    name_a, name_b, style, name_out = case
    fa, fb, out = golden.format(name_a), golden.format(name_b), golden.format(name_out)
    height, depth, width = (70, 37, 150) if way == "numba" else (3, 9, 4)

    def codes(fmt, shape, spread, exponent=0):
        fields = fmt.bias + exponent + rng.integers(-spread, spread + 1, shape)
        field = np.clip(fields, 0, fmt.max_code >> fmt.frac_bits) << fmt.frac_bits
        magnitude = np.minimum(field | rng.integers(0, 1 << fmt.frac_bits, shape), fmt.max_code)
        magnitude[rng.random(shape) < 0.1] = 0
        return magnitude | np.where(rng.random(shape) < 0.5, fmt.sign_mask, 0)

    # Exponents around that of 1, for cancelling sums; any, for sums beyond the range; products at the least normal.
    half = max(out.min_exponent // 2, fa.min_exponent)
    for spread, exponents in ((2, (0, 0, 0)), (200, (0, 0, 0)), (3, (half, out.min_exponent - half, out.min_exponent))):
        shapes = (height, depth), (depth, width), (height, width)
        a, b, c = (
            codes(fmt, shape, min(spread, 3) if fmt is out else spread, exponent)
            for fmt, shape, exponent in zip((fa, fb, out), shapes, exponents, strict=True)
        )
        for addend in (None, c):
            found, expected = (
                use(each, lambda a=a, b=b, c=addend: golden.gemm(a, b, fa, fb, c, acc=style, out=out))
                for each in (way, "numpy")
            )
            np.testing.assert_array_equal(found, expected)


@needs_numba
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("fmt", [*map(golden.format, NAMES), USER], ids=str)
def test_rounding(fmt, dtype, rng, use):
    assert_rounds(fmt, dtype, patterns(fmt, dtype, 1 << 12, rng), use, "numba")


@needs_numba
@pytest.mark.slow
@pytest.mark.parametrize("name", ["bf16", "fp16", "fp8_e4m3"])
def test_every_float32(name, use):
    # Both signs of every exponent with every upper 20 bits, each with the lower 12 around all that they can decide.
    upper = np.arange(1 << 20, dtype=np.uint32) << np.uint32(12)
    for low in (0, 1, 0x7FF, 0x800, 0x801, 0xFFF):
        assert_rounds(golden.format(name), np.float32, (upper | np.uint32(low)).view(np.float32), use, "numba")


@needs_numba
def test_long_arrays_are_compiled_unless_switched_off(monkeypatch):
    def loop(x):
        return x

    assert compiled.compiled(loop, compiled.LEAST - 1) is None
    monkeypatch.setenv(compiled.SWITCH, "0")
    assert compiled.compiled(loop, compiled.LEAST) is None
    monkeypatch.setenv(compiled.SWITCH, "1")
    found = compiled.compiled(real.round_words, compiled.LEAST)
    assert found is not None and found is not real.round_words and vars(found)["py_func"] is real.round_words


def test_without_numba(monkeypatch, rng):
    monkeypatch.setattr(compiled, "_compile", compiled._compile.__wrapped__)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert compiled.compiled(real.round_words, compiled.LEAST) is None
    x = rng.standard_normal(compiled.LEAST).astype(np.float32)
    assert golden.decode(golden.encode(x, "fp32"), "fp32").tolist() == x.tolist()


def test_without_a_folder_for_the_cache(monkeypatch):
    def njit(loop, *, cache=False, nogil=False):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda x: loop(x) + 1

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "numba", SimpleNamespace(njit=njit))
    found = compiled._compile.__wrapped__(lambda x: 2 * x)
    assert found is not None and found(3) == 7


def test_switch_must_be_0_or_1(monkeypatch):
    monkeypatch.setenv(compiled.SWITCH, "off")
    with pytest.raises(ParameterError) as caught:
        golden.encode(np.zeros(compiled.LEAST), "bf16")
    assert str(caught.value) == "POLYMAC_NUMBA must be one of 0, 1, not 'off'"


def test_numba_is_not_imported_for_short_arrays():
    program = (
        "import sys; from polymac import golden; import numpy as np; golden.encode(np.zeros(1000), 'bf16'); "
        "sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("wrong", [np.inf, -np.inf, np.nan])
def test_the_loop_of_block_scales_says_whether_all_is_finite(wrong):
    finite = np.ones((3, 4), np.float32)
    reciprocals = np.ldexp(np.float32(1), 127 - np.arange(255))

    def found(x):
        return loops.scale_blocks(x, np.empty_like(x), np.empty(len(x), np.uint8), reciprocals, 0, 1 << 24, 0)

    assert found(finite) is True
    for index in ((0, 0), (1, 2), (2, 3)):
        x = finite.copy()
        x[index] = wrong
        assert found(x) is False
    assert found(np.full((3, 4), wrong, np.float32)) is False
