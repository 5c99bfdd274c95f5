import numpy as np
import pytest

from polymac.golden import ParameterError
from polymac.sim.engine.packing import operand_pairs, pack, packed_bytes, unpack


@pytest.mark.parametrize("width", [1, 3, 4, 8, 12, 16, 19, 24, 32, 33, 64])
@pytest.mark.parametrize("elements", [1, 5, 16])
def test_pack_is_a_word_with_element_0_lowest(width: int, elements: int) -> None:
    rng = np.random.default_rng(width * 100 + elements)
    codes = rng.integers(0, 1 << width, (7, elements), dtype=np.uint64)
    codes[0], codes[1] = 0, (1 << width) - 1
    packed = pack(codes, width)
    assert packed.dtype == np.uint8
    assert packed.shape == (7, packed_bytes(elements, width))
    for row, beat in zip(codes.tolist(), packed, strict=True):
        assert int.from_bytes(beat.tobytes(), "little") == sum(code << (k * width) for k, code in enumerate(row))
    unpacked = unpack(packed, width, elements)
    assert unpacked.dtype.itemsize * 8 == next(bits for bits in (8, 16, 32, 64) if width <= bits)
    assert np.array_equal(unpacked, codes)


def test_codes_of_more_than_64_bits_are_python_integers() -> None:
    codes = np.array([[(1 << 80) - 1, 1 << 79], [0, 12345 << 60]], object)
    packed = pack(codes, 80)
    assert packed.shape == (2, 20)
    assert int.from_bytes(packed[0].tobytes(), "little") == (1 << 159) + (1 << 80) - 1
    unpacked = unpack(packed, 80, 2)
    assert unpacked.dtype == object
    assert unpacked.tolist() == codes.tolist()
    assert unpack(pack(codes[:0], 80), 80, 2).shape == (0, 2)


def test_pack_of_nothing() -> None:
    assert pack(np.empty((0, 4), np.uint8), 5).shape == (0, 3)
    assert unpack(np.empty((0, 3), np.uint8), 5, 4).shape == (0, 4)


def test_pack_takes_arrays_that_are_not_contiguous() -> None:
    codes = np.arange(24, dtype=np.uint16).reshape(4, 6)
    assert np.array_equal(pack(codes.T, 12), pack(codes.T.copy(), 12))


def test_bad_codes() -> None:
    with pytest.raises(ParameterError) as error:
        pack([[16]], 4)
    assert str(error.value) == "codes must hold codes of uint4, 0 … 0xf, not 16"
    with pytest.raises(ParameterError) as error:
        pack([1, 2], 4)
    assert str(error.value) == "codes must be an array of 2 dimensions, not 1"
    with pytest.raises(ParameterError) as error:
        unpack(np.zeros((3, 2), np.uint8), 8, 3)
    assert str(error.value) == "beats must be uint8 of shape (n, 3), not uint8 of shape (3, 2)"
    with pytest.raises(ParameterError) as error:
        pack([[0]], 0)
    assert str(error.value) == "width must be at least 1, not 0"


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000])
def test_operand_pairs_are_all_pairs_once(chunk: int) -> None:
    chunks = list(operand_pairs(3, 5, chunk))
    assert max(len(a) for a, _ in chunks) <= chunk
    pairs = [pair for a, b in chunks for pair in zip(a.tolist(), b.tolist(), strict=True)]
    assert pairs == [(a, b) for a in range(8) for b in range(32)]


def test_operand_pairs_of_16_bits_start_at_once() -> None:
    a, b = next(operand_pairs(16, 16, 1 << 17))
    assert (a.dtype, b.dtype) == (np.uint16, np.uint16)
    assert (a[1 << 16], b[1 << 16]) == (1, 0)
