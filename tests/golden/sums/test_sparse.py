"""2:4 sparsity against the dense products of the kept operands."""

import numpy as np
import pytest

from polymac import golden
from polymac.golden import ParameterError
from polymac.golden.formats.accumulation import Aligned, Exact, Rounded
from polymac.golden.sums.gemm import gemm
from polymac.golden.sums.sparse import Sparse, compress, sparse_gemm


def codes(name: str, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Random codes of finite numbers."""
    fmt = golden.format(name)
    if fmt.kind == "float":
        return golden.encode(rng.standard_normal(shape), fmt)
    return rng.integers(0, fmt.code_count, shape).astype(golden.code_dtype(fmt))


def test_positions_and_metadata():
    a = [[0, 7, 0, 9, 1, 0, 0, 0, 0, 0, 0, 0], [0, 0, 5, 6, 0, 0, 8, 0, 0, 0, 0, 3]]
    sparse = compress(a, "int8")
    assert sparse.codes.tolist() == [[7, 9, 1, 0, 0, 0], [5, 6, 0, 8, 0, 3]]
    assert sparse.columns.tolist() == [[1, 3, 4, 5, 8, 9], [2, 3, 4, 6, 8, 11]]
    # Per group four bits, the lower position below: 3·4 + 1, 1·4 + 0, 1·4 + 0, and 3·4 + 2, 2·4 + 0, 3·4 + 0.
    assert sparse.metadata.tolist() == [[0x44D], [0xC8E]]
    assert sparse.metadata.dtype == np.uint32
    assert sparse.shape == (2, 12)
    assert sparse.expand().tolist() == a


def test_metadata_of_many_words(rng):
    a = codes("int8", (3, 100), rng)
    sparse = compress(a, "int8", "largest")
    assert sparse.metadata.shape == (3, 4)
    for m in range(3):
        word = 0
        for group in range(25):
            first, second = (int(column) % 4 for column in sparse.columns[m, 2 * group : 2 * group + 2])
            word |= (first | second << 2) << 4 * group
        assert [int(part) for part in sparse.metadata[m]] == [word >> 32 * index & 0xFFFFFFFF for index in range(4)]
    assert compress(np.zeros((2, 0), int), "int8").metadata.shape == (2, 0)


@pytest.mark.parametrize(
    ("name", "group", "kept"),
    [
        ("int8", [1, 0x80, 3, 2], [1, 2]),
        ("int8", [0xFF, 1, 1, 0], [0, 1]),
        ("uint8", [0xFF, 0x80, 3, 0xFE], [0, 3]),
        ("uint64", [0, 1 << 63, 1, (1 << 64) - 1], [1, 3]),
        ("fp16", [0x3C00, 0xBC01, 0x3C00, 0x3C02], [1, 3]),
        ("fp16", [0, 0x8000, 0, 0], [0, 1]),
        ("fp16", [0x7BFF, 0xFC00, 0x7E00, 0x7BFF], [1, 2]),
        ("fp8_e4m3fnuz", [0x7F, 0x80, 0x01, 0x00], [0, 1]),
    ],
)
def test_the_two_largest(name, group, kept):
    sparse = compress([group], name, "largest")
    assert sparse.columns.tolist() == [kept]
    assert sparse.codes.tolist() == [[group[position] for position in kept]]


def test_mask():
    a = [[1, 2, 3, 4, 5, 6, 7, 8]]
    sparse = compress(a, "int4", [[False, True, False, True, True, True, False, False]])
    assert sparse.expand().tolist() == [[0, 2, 0, 4, 5, 6, 0, 0]]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("int8", {}),
        ("int8", {"acc": "int16", "overflow": "wrap"}),
        ("int8", {"acc": Exact(overflow="wrap"), "out": "int32"}),
        ("fp16", {}),
        ("bf16", {"acc": Exact("rup"), "out": "bf16"}),
        ("fp16", {"acc": Rounded("fp32")}),
        ("fp8_e4m3", {"acc": Rounded("fp16", "rtz")}),
    ],
)
def test_like_the_expanded_matrix(name, options, rng):
    a, b = codes(name, (9, 48), rng), codes(name, (48, 7), rng)
    sparse = compress(a, name, "largest")
    found = sparse_gemm(sparse, b, name, **options)
    expected = gemm(sparse.expand(), b, name, name, **options)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("int8", {"acc": "int16", "overflow": "saturate", "lanes": 3}),
        ("fp16", {"acc": Aligned(8, 24)}),
        ("fp16", {"acc": Rounded("fp16", block=3)}),
    ],
)
def test_beats_and_blocks_count_kept_products(name, options, rng):
    a, b = codes(name, (9, 48), rng), codes(name, (48, 7), rng)
    sparse = compress(a, name, "largest")
    found = sparse_gemm(sparse, b, name, **options)
    for m in range(9):
        expected = gemm(sparse.codes[m : m + 1], b[sparse.columns[m]], name, name, **options)
        np.testing.assert_array_equal(found[m : m + 1], expected)
    assert (found != gemm(sparse.expand(), b, name, name, **options)).any()


def test_what_is_not_met_does_not_matter():
    # NaN meets a zero that was left out.
    b = np.array([[0x3C00], [0x7E00], [0x3C00], [0x7E00]])
    sparse = compress([[0x3C00, 0, 0x3C00, 0]], "fp16")
    assert sparse_gemm(sparse, b, "fp16").tolist() == [[0x40000000]]
    assert gemm(sparse.expand(), b, "fp16", "fp16").tolist() == [[0x7FC00000]]


def test_addend_and_no_rows():
    sparse = compress([[1, 2, 0, 0], [0, 0, 3, 0]], "int8")
    b = np.ones((4, 2), np.uint8)
    options = {"acc": Exact(), "out": "int32"}
    assert sparse_gemm(sparse, b, "int8", [10, 20], **options).tolist() == [[13, 23]] * 2
    assert sparse_gemm(sparse, b, "int8", [[10], [20]], **options).tolist() == [[13, 13], [23, 23]]
    empty = compress(np.zeros((0, 4), int), "int8")
    found = sparse_gemm(empty, b, "int8", **options)
    assert found.shape == (0, 2) and found.dtype == np.uint32


def test_metadata_oracle_pytorch(rng):
    torch = pytest.importorskip("torch", reason="torch is not installed: make oracles")
    conversions = pytest.importorskip("torch.sparse._semi_structured_conversions")
    sparse = compress(codes("fp16", (32, 64), rng), "fp16", "largest")
    dense = torch.from_numpy(sparse.expand().view(np.float16))
    kept, interleaved = conversions.sparse_semi_structured_from_dense_cutlass(dense)
    np.testing.assert_array_equal(kept.numpy().view(np.uint16), sparse.codes)
    order = conversions._calculate_meta_reordering_scatter_offsets(*interleaved.shape, interleaved.dtype, "cpu")
    metadata = interleaved.reshape(-1)[order].reshape(interleaved.shape)
    np.testing.assert_array_equal(metadata.numpy().view(np.uint32), sparse.metadata)


GOOD = compress([[1, 2, 0, 0]], "int8")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: compress([[1, 2, 3]], "int8"),
            ParameterError,
            "codes must be (M, K) with K a multiple of 4, not of shape (1, 3)",
        ),
        (
            lambda: compress([1, 2, 3, 4], "int8"),
            ParameterError,
            "codes must be (M, K) with K a multiple of 4, not of shape (4,)",
        ),
        (
            lambda: compress([[1, 0, 0, 0, 0, 1, 2, 3]], "int8"),
            ParameterError,
            "codes must have at most 2 codes that are not zero of each 4, not 3 in group 1 of row 0",
        ),
        (
            lambda: compress([[1, 2, 3, 4]], "int8", [[True, True, True, False]]),
            ParameterError,
            "keep must have exactly 2 codes of each 4, not 3 in group 0 of row 0",
        ),
        (
            lambda: compress([[1, 2, 3, 4]], "int8", [[True, False, False, False]]),
            ParameterError,
            "keep must have exactly 2 codes of each 4, not 1 in group 0 of row 0",
        ),
        (
            lambda: compress([[1, 2, 3, 4]], "int8", [True, True, False, False]),
            ParameterError,
            "keep must be of shape (1, 4), not (4,)",
        ),
        (lambda: compress([[1] * 4], "int8", [[1, 1, 0, 0]]), TypeError, "keep must be an array of bool, not of int64"),
        (
            lambda: compress([[1, 2, 3, 4]], "int8", "smallest"),
            ParameterError,
            "keep must be one of nonzero, largest or a mask, not 'smallest'",
        ),
        (lambda: compress([[1] * 4], "bin1"), ParameterError, "fmt must be a format with a zero, not bin1"),
        (
            lambda: Sparse(GOOD.codes, GOOD.metadata[:, :0], GOOD.fmt).expand(),
            ParameterError,
            "metadata must be of shape (1, 1), not (1, 0)",
        ),
        (
            lambda: Sparse(GOOD.codes, np.array([[0b0101]], np.uint32), GOOD.fmt).columns,
            ParameterError,
            "metadata must hold two increasing positions for every group, not 1 and 1 in group 0 of row 0",
        ),
        (
            lambda: sparse_gemm(GOOD, np.ones((2, 2), int), "int8"),
            ParameterError,
            "b must be (4, N) for an a of shape (1, 4), not of shape (2, 2)",
        ),
        (
            lambda: sparse_gemm(GOOD, np.ones((4, 2), int), "int8", zero_b=1),
            ParameterError,
            "zero_b must be 0 for sparse operands, not 1",
        ),
        (
            lambda: sparse_gemm([[1]], [[1]], "int8"),  # pyright: ignore[reportArgumentType]
            TypeError,
            "a must be Sparse, not list",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
