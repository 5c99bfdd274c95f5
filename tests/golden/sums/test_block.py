"""Products of block formats against X_A · X_B · Σ p·q on fractions, block by block."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from polymac import golden
from polymac.golden import ParameterError
from polymac.golden.formats.accumulation import Aligned, Exact, Rounded
from polymac.golden.formats.block import BlockFormat
from polymac.golden.formats.registry import block_format
from polymac.golden.sums.block import block_dot, block_gemm

NAMES = ["mxfp8_e4m3", "mxfp8_e5m2", "mxfp6_e2m3", "mxfp4", "mxint8", "nvfp4", "msfp11", "msfp15", "bfp5m3"]


def random_blocks(fmt: BlockFormat, shape: tuple[int, int], axis: int, rng: np.random.Generator):
    """Scales and elements of finite codes that are not from an encoder, so that all parts are exercised."""
    blocks = tuple(size // fmt.block_size if index == axis else size for index, size in enumerate(shape))
    middle = fmt.scale.bias << fmt.scale.frac_bits
    scales = rng.integers(max(middle - 8, 1), min(middle + 8, fmt.scale.max_code), blocks)
    elements = rng.integers(0, fmt.element.max_code + 1, shape) | rng.integers(0, 2, shape) * fmt.element.sign_mask
    return scales, elements, *([] if fmt.tensor_scale is None else [int(golden.encode(rng.random(), fmt.tensor_scale))])


def block_sums(fmt: BlockFormat, a, b, m: int, n: int) -> list[Fraction]:
    """The exact sum of each block's products for one result, by the definition."""
    (scales_a, elements_a, *tensor_a), (scales_b, elements_b, *tensor_b) = a, b
    tensor = Fraction(1)
    for code in (*tensor_a, *tensor_b):
        assert fmt.tensor_scale is not None
        tensor *= fmt.tensor_scale.fraction(code)
    sums = []
    for block in range(scales_a.shape[1]):
        part = range(block * fmt.block_size, (block + 1) * fmt.block_size)
        products = [
            fmt.element.fraction(int(elements_a[m, k])) * fmt.element.fraction(int(elements_b[k, n])) for k in part
        ]
        scale = fmt.scale.fraction(int(scales_a[m, block])) * fmt.scale.fraction(int(scales_b[block, n]))
        sums.append(scale * tensor * sum(products))
    return sums


@pytest.mark.parametrize("name", NAMES)
def test_like_the_definition(name, rng, round_float):
    fmt = block_format(name)
    depth, out = 3 * fmt.block_size, golden.format("bf16")
    a, b = random_blocks(fmt, (3, depth), 1, rng), random_blocks(fmt, (depth, 2), 0, rng)
    c = rng.integers(0, out.max_code, (3, 2))
    exact = block_gemm(a, b, fmt, fmt, c, out=out)
    rounded = block_gemm(a, b, fmt, fmt, c, acc=Rounded(out, "rtz", block=fmt.block_size))
    turned = (b[0].T, b[1].T, *b[2:])
    by_rows = block_dot((a[0][:, None], a[1][:, None], *a[2:]), turned, fmt, fmt, c, out=out)
    np.testing.assert_array_equal(by_rows, exact)
    for m in range(3):
        for n in range(2):
            sums = block_sums(fmt, a, b, m, n)
            total = sum(sums) + out.fraction(int(c[m, n]))
            assert exact[m, n] == round_float(out, total < 0, abs(total), "rne", "ieee", "full")[0]
            code = int(c[m, n])
            for term in sums:
                value = term + out.fraction(code)
                code = round_float(out, value < 0, abs(value), "rtz", "ieee", "full")[0]
            assert rounded[m, n] == code


@pytest.mark.parametrize(
    ("name", "part"), [("mxfp4", 8), ("mxfp8_e5m2", 1), ("nvfp4", 4), ("msfp15", 16), ("bfp5m3", 64)]
)
def test_rounded_after_parts_of_a_block(name, part, rng, round_float):
    fmt, out = block_format(name), golden.format("bf16")
    depth = 2 * fmt.block_size
    a, b = random_blocks(fmt, (2, depth), 1, rng), random_blocks(fmt, (depth, 2), 0, rng)
    found = block_gemm(a, b, fmt, fmt, acc=Rounded(out, "rtz", block=part))
    parts = replace(fmt, block_size=part)
    left, right = (
        (np.repeat(scales, fmt.block_size // part, axis=axis), elements, *tensor)
        for axis, (scales, elements, *tensor) in ((1, a), (0, b))
    )
    for m in range(2):
        for n in range(2):
            code = 0
            for term in block_sums(parts, left, right, m, n):
                value = term + out.fraction(code)
                code = round_float(out, value < 0, abs(value), "rtz", "ieee", "full")[0]
            assert found[m, n] == code


@pytest.mark.parametrize("name", NAMES)
def test_encoded_reals(name, rng):
    fmt = block_format(name)
    x, y = rng.standard_normal((2, 4, 256))
    a, b = golden.encode_blocks(x, fmt), golden.encode_blocks(y.T, fmt, axis=0)
    found = block_gemm(a, b, fmt, fmt, out="fp64").view(np.float64)
    np.testing.assert_allclose(
        found,
        golden.decode_blocks(a, fmt) @ golden.decode_blocks(b, fmt, axis=0),
        rtol=1e-12,
        atol=1e-12,
    )


def test_two_formats_and_two_block_sizes(rng):
    fa, fb = block_format("mxfp8_e4m3"), block_format("nvfp4")
    a, b = random_blocks(fa, (2, 64), 1, rng), random_blocks(fb, (64, 2), 0, rng)
    found = block_gemm(a, b, fa, fb, out="fp64").view(np.float64)
    np.testing.assert_allclose(found, golden.decode_blocks(a, fa) @ golden.decode_blocks(b, fb, axis=0), rtol=1e-12)
    assert block_gemm(a, b, fa, fb, acc=Rounded("fp32", block=64)).shape == (2, 2)


def test_nan_scale():
    fmt = block_format("mxfp4")
    a, b = (np.array([[0xFF]]), np.zeros((1, 32), int)), (np.array([[127]]), np.zeros((32, 1), int))
    assert block_gemm(a, b, fmt, fmt).tolist() == [[0x7FC00000]]


MX = (np.array([[127]]), np.ones((1, 32), int))
MX_COLUMN = (np.array([[127]]), np.ones((32, 1), int))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: block_gemm(MX, MX_COLUMN, "mxfp4", "mxfp4", acc=Rounded("fp32", block=12)),
            "acc must round after whole blocks of 32 products for mxfp4, or a part that divides one, not after 12",
        ),
        (
            lambda: block_gemm(MX, MX_COLUMN, "mxfp4", "nvfp4", acc=Rounded("fp32", block=48)),
            "acc must round after whole blocks of 32 products for mxfp4, or a part that divides one, not after 48",
        ),
        (
            lambda: block_gemm(MX, MX_COLUMN, "mxfp4", "mxfp4", acc=Aligned(8, 24)),
            "acc must be Exact or Rounded for block formats, not Aligned(block=8, frac_bits=24, out_frac_bits=23)",
        ),
        (
            lambda: block_gemm((*MX, 1), MX_COLUMN, "mxfp4", "mxfp4"),
            "a must be (scales, elements) for mxfp4, not 3 arrays",
        ),
        (
            lambda: block_dot(MX, MX, "mxfp4", "nvfp4", acc=Exact()),
            "b must be (scales, elements, tensor scale) for nvfp4, not 2 arrays",
        ),
        (
            lambda: block_gemm(MX, (MX[0], np.ones((31, 1), int)), "mxfp4", "mxfp4"),
            "elements must have a multiple of 32 elements along axis 0 for mxfp4, not 31",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ParameterError) as caught:
        call()
    assert str(caught.value) == message


def test_inner_products_of_blocks_along_the_last_of_any_number_of_axes():
    fmt = golden.block_format("mxfp4")
    x = np.arange(64.0) % 7 - 3
    expected = golden.encode(float(x @ x), "fp32")
    for shape in ((64,), (1, 64), (1, 1, 64)):
        parts = golden.encode_blocks(x.reshape(shape), fmt)
        found = golden.block_dot(parts, parts, fmt, fmt)
        assert found.shape == shape[:-1] and (found == expected).all()
