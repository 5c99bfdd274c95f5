"""Properties of block formats, over drawn blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymac import golden
from polymac.golden.formats import BLOCK_FORMATS, BlockFormat, ParameterError, block_format

POWER_OF_TWO = [name for name, fmt in BLOCK_FORMATS.items() if fmt.power_of_two]
block_formats = st.sampled_from(POWER_OF_TWO).map(block_format)


@st.composite
def blocks(draw, count=1):
    """A format and a block of numbers of moderate size, float32 or float64."""
    fmt = draw(block_formats)
    seed, spread, exponent = draw(st.integers(0, 2**32 - 1)), draw(st.integers(0, 12)), draw(st.integers(-10, 10))
    generator = np.random.default_rng(seed)
    x = generator.uniform(-1, 1, count * fmt.block_size) * 2.0 ** generator.integers(-spread, spread + 1)
    x *= 2.0**exponent
    x[generator.random(x.size) < draw(st.sampled_from([0, 0.1, 1]))] = 0
    return fmt, x.astype(draw(st.sampled_from([np.float32, np.float64])))


def top_exponent(fmt: BlockFormat) -> int:
    return int(np.frexp(float(fmt.element.max))[1]) - 1


@given(st.data())
def test_codes_come_back(data):
    """Where the largest element has the largest exponent, encoding what was decoded gives the same codes."""
    fmt = data.draw(block_formats)
    finite = np.array([code for code in range(fmt.element.code_count) if fmt.element.text(code)[-1] not in "nf"])
    values = golden.decode(finite, fmt.element)
    # Zero has one code where blocks are made, and -2 of two's complement has an exponent of its own.
    finite = finite[(values != -(2.0 ** (top_exponent(fmt) + 1))) & ~((values == 0) & np.signbit(values))]
    picks = st.lists(st.sampled_from(finite.tolist()), min_size=fmt.block_size, max_size=fmt.block_size)
    elements = np.array(data.draw(picks))
    elements[data.draw(st.integers(0, fmt.block_size - 1))] = golden.encode(2.0 ** top_exponent(fmt), fmt.element)
    low = fmt.element.frac_bits + 2 if fmt.zero_scale else 0
    scale = np.array([data.draw(st.integers(low, fmt.scale.max_code))])
    scales, again = golden.encode_blocks(golden.decode_blocks((scale, elements), fmt), fmt)
    assert (scales.tolist(), again.tolist()) == (scale.tolist(), elements.tolist())


@given(blocks())
def test_error_is_half_a_step_or_what_saturation_costs(drawn):
    fmt, x = drawn
    scales, elements = golden.encode_blocks(x, fmt)
    step = float(golden.decode(scales, fmt.scale)[0])
    top = top_exponent(fmt)
    # Of floats, the steps in the largest binade; of the others all steps are the least value.
    quantum = (
        2.0 ** (top - fmt.element.frac_bits)
        if not fmt.element.multiplies_as_integer
        else float(fmt.element.min_positive)
    )
    bound = step * max(quantum / 2, 2.0 ** (top + 1) - float(fmt.element.max))
    # Outside numbers are also lost because they are subnormal, or too large for any scale.
    unclamped = range(fmt.element.frac_bits + 2 if fmt.zero_scale else 1, fmt.scale.max_code)
    if scales[0] in unclamped:
        assert np.abs(golden.decode_blocks((scales, elements), fmt) - x).max() <= bound
        assert np.abs(x).max() < step * 2.0 ** (top + 1)
    ceil_scales, ceil_elements = golden.encode_blocks(x, fmt, scale_rule="ceil")
    if ceil_scales[0] in unclamped:
        step = float(golden.decode(ceil_scales, fmt.scale)[0])
        assert np.abs(x).max() <= step * float(fmt.element.max)
        assert np.abs(golden.decode_blocks((ceil_scales, ceil_elements), fmt) - x).max() <= step * quantum / 2


@given(blocks(), st.integers(-20, 20))
def test_powers_of_two_move_the_scale_alone(drawn, shift):
    fmt, x = drawn
    scales, elements = golden.encode_blocks(x, fmt)
    moved = int(scales[0]) + shift
    least = fmt.element.frac_bits + 2 if fmt.zero_scale else 1
    if min(moved, int(scales[0])) < least or max(moved, int(scales[0])) >= fmt.scale.max_code:
        return  # the scale is clamped, or numbers are too small for the shared exponent
    more_scales, more_elements = golden.encode_blocks(np.ldexp(x, shift), fmt)
    assert (more_scales.tolist(), more_elements.tolist()) == ([moved], elements.tolist())


@given(blocks(count=3))
def test_blocks_are_independent_and_signs_symmetric(drawn):
    fmt, x = drawn
    scales, elements = golden.encode_blocks(x, fmt)
    size = fmt.block_size
    for block in range(3):
        alone = golden.encode_blocks(x[block * size : (block + 1) * size], fmt)
        assert alone[0].tolist() == [scales[block]]
        assert alone[1].tolist() == elements[block * size : (block + 1) * size].tolist()
    negative = golden.decode_blocks(golden.encode_blocks(-x, fmt), fmt)
    assert np.array_equal(negative, -golden.decode_blocks((scales, elements), fmt))


@given(block_formats, st.integers(0, 300))
def test_no_multiple_of_the_block_is_an_error(fmt, length):
    if length % fmt.block_size == 0:
        assert golden.encode_blocks(np.ones(length), fmt)[0].size == length // fmt.block_size
        return
    with pytest.raises(ParameterError) as error:
        golden.encode_blocks(np.ones(length), fmt)
    expected = f"x must have a multiple of {fmt.block_size} elements along axis -1 for {fmt}, not {length}"
    assert str(error.value) == expected
