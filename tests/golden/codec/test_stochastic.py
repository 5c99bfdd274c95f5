"""Stochastic rounding against its definition on exact fractions, its words, and its statistics."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from polymac import golden
from polymac.golden import ParameterError
from polymac.golden.arithmetic.operations import add, fma, multiply
from polymac.golden.codec.codes import CHUNK, Unpacked
from polymac.golden.codec.kinds import pack
from polymac.golden.codec.rounding import Target
from polymac.golden.codec.stochastic import RandomWords, random_words
from polymac.golden.formats import FLOAT_OVERFLOWS, ROUNDINGS, SUBNORMALS

OPERATIONS = {"multiply": multiply, "add": add, "fma": fma}


def test_is_no_port_code():
    assert "stochastic" not in ROUNDINGS


CASES = [
    ("multiply", ("fp8_e4m3", "fp8_e4m3"), "fp8_e4m3"),
    ("multiply", ("fp16", "bf16"), "fp8_e5m2"),
    ("multiply", ("fp16", "fp16"), "fp16"),
    ("multiply", ("int8", "q4.4"), "q6.2"),
    ("multiply", ("int64", "int64"), "q40.8"),
    ("add", ("fp16", "fp16"), "fp8_e4m3"),
    ("add", ("bf16", "fp16"), "bf16"),
    ("add", ("q1.7", "int8"), "int4"),
    ("fma", ("fp8_e4m3", "fp8_e5m2", "fp16"), "fp16"),
    ("fma", ("fp64", "fp64", "fp64"), "bf16"),
    ("fma", ("int8", "q2.6", "q8.8"), "q6.2"),
]


@pytest.mark.parametrize("bits", [1, 8, 32, 63])
@pytest.mark.parametrize(("operation", "names", "name_out"), CASES)
def test_operations_by_definition(operation, names, name_out, bits, rng, reference, some_codes):
    formats, out = tuple(golden.format(name) for name in names), golden.format(name_out)
    operands = [some_codes(fmt, 100, rng) for fmt in formats]
    words = rng.integers(0, (1 << bits) - 1, 100, dtype=np.uint64, endpoint=True)
    # Around the decision of a rest of one half.
    words[::4] = (1 << (bits - 1)) - (np.arange(25) % 2).astype(np.uint64)
    overflows = FLOAT_OVERFLOWS if out.kind == "float" else ("saturate",)
    for overflow, subnormals in itertools.product(overflows, SUBNORMALS):
        codes, flags = OPERATIONS[operation](
            *operands,
            *formats,
            out=out,
            rounding="stochastic",
            random=words,
            random_bits=bits,
            overflow=overflow,
            subnormals=subnormals,
            flags=True,
        )
        expected = [
            reference(operation, terms, formats, out, (word, bits), overflow, subnormals)
            for terms, word in zip(
                zip(*(array.tolist() for array in operands), strict=True), words.tolist(), strict=True
            )
        ]
        policy = f"{overflow} {subnormals}"
        assert codes.tolist() == [code for code, _ in expected], policy
        assert flags.tolist() == [int(flag) for _, flag in expected], policy


@pytest.mark.parametrize("name", ["fp8_e4m3", "fp4_e2m1", "bf16", "fp16"])
@pytest.mark.parametrize("bits", [1, 13, 32])
def test_encode_by_definition(name, bits, rng, reference):
    fmt = golden.format(name)
    x = np.ldexp(rng.uniform(-2, 2, 200), rng.integers(fmt.min_exponent - 6, 3, 200)).astype(np.float32)
    words = rng.integers(0, 1 << bits, x.size)
    found = golden.encode(x, fmt, rounding="stochastic", random=words, random_bits=bits)
    # The product with 1 is rounded as the number itself.
    codes, one = golden.encode(x, "fp32"), golden.encode(1.0, "fp32")
    fp32 = golden.format("fp32")
    expected = [
        reference("multiply", (code, int(one)), (fp32, fp32), fmt, (word, bits))[0]
        for code, word in zip(codes.tolist(), words.tolist(), strict=True)
    ]
    assert found.tolist() == expected
    np.testing.assert_array_equal(
        golden.encode(x.astype(np.float64), fmt, rounding="stochastic", random=words, random_bits=bits), found
    )


def test_every_word_of_every_rest():
    # 1 + t/8 in e5m2's step of 1/4: rest t/2 quarters … by words of 3 bits.
    t, words = (grid.ravel() for grid in np.meshgrid(np.arange(8), np.arange(8)))
    found = golden.encode(1 + t / 32, "fp8_e5m2", rounding="stochastic", random=words, random_bits=3)
    np.testing.assert_array_equal(found, 0x3C + (t + words >= 8))
    # Negative numbers have the magnitude's decision.
    found = golden.encode(-1 - t / 32, "fp8_e5m2", rounding="stochastic", random=words, random_bits=3)
    np.testing.assert_array_equal(found, 0xBC + (t + words >= 8))


def test_bits_below_the_words_are_dropped():
    # A rest of 1 - 2^-20 in 8 bits is 255/256: up for words from 1 on; the word 0 never rounds up.
    x = np.full(3, 2 - 2.0**-20)
    found = golden.encode(x, "int8", rounding="stochastic", random=np.array([0, 1, 255]), random_bits=8)
    assert found.tolist() == [1, 2, 2]


def test_far_below_the_last_place():
    # Shifted out by more than 63 places: only a word of all ones could carry, and then only with a bit in reach.
    value = Unpacked(
        np.zeros(4, bool),
        np.full(4, (1 << 62) + 1, np.uint64),
        np.array([-64, -70, -126, -1000]),
        *(np.zeros(1, bool) for _ in range(3)),
    )
    for magnitude in (value.magnitude, value.magnitude.astype(object)):
        words = RandomWords(np.full(4, (1 << 63) - 1, np.uint64), 63)
        number = Unpacked(value.negative, magnitude, value.exponent, value.inf, value.nan, value.signaling)
        codes, _ = pack("x", number, Target.of(golden.format("int8"), "stochastic", "saturate", "full"), words)
        # 2^62 · 2^-64 = 1/4, 2^-8, 2^-64 and 2^-938.
        assert codes.tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize("name", ["fp8_e4m3", "int8", "bf16"])
def test_mean_is_the_number(name):
    # 40,000 roundings of 1.3: the standard error of the mean is below ulp/2/200.
    fmt = golden.format(name)
    found = golden.decode(golden.encode(np.full(40_000, 1.3), fmt, rounding="stochastic", random=1), fmt)
    ulp = Fraction(1) if fmt.kind == "fixed" else Fraction(1, 1 << fmt.frac_bits)
    assert len(np.unique(found)) == 2
    assert abs(found.mean() - 1.3) < 5 * float(ulp) / 400


def test_seeds_reproduce():
    x = np.linspace(0, 1, 1000).reshape(10, 100)
    once = golden.encode(x, "int8", rounding="stochastic", random=7)
    np.testing.assert_array_equal(golden.encode(x, "int8", rounding="stochastic", random=np.int64(7)), once)
    assert not np.array_equal(golden.encode(x, "int8", rounding="stochastic", random=8), once)
    # A generator advances, and begins as its seed does.
    generator = np.random.Generator(np.random.PCG64(7))
    np.testing.assert_array_equal(golden.encode(x, "int8", rounding="stochastic", random=generator), once)
    assert not np.array_equal(golden.encode(x, "int8", rounding="stochastic", random=generator), once)
    # The words of a seed, given as words.
    words = np.random.Generator(np.random.PCG64(7)).integers(0, 1 << 32, x.shape, dtype=np.uint64)
    np.testing.assert_array_equal(golden.encode(x, "int8", rounding="stochastic", random=words), once)


def test_seeds_do_not_depend_on_the_chunks():
    a = np.arange(2 * CHUNK + 10_000, dtype=np.uint64).astype(np.uint16)
    whole = multiply(a, a, "fp16", "fp16", rounding="stochastic", random=3)
    words = random_words("stochastic", 3, 32, a.shape)
    assert words is not None
    for part in (slice(0, 100), slice(CHUNK - 5, CHUNK + 5), slice(2 * CHUNK, None)):
        again = multiply(a[part], a[part], "fp16", "fp16", rounding="stochastic", random=words.words[part])
        np.testing.assert_array_equal(again, whole[part])


@pytest.mark.parametrize(("bits", "ups"), [(45, [False, False]), (62, [False, False]), (63, [False, True])])
def test_words_reach_far_below_the_last_place(bits, ups):
    # 1 + 2^-70: a rest of 2^-63 of bf16's unit, which 63 random bits still see, and fewer do not.
    a, b = golden.encode([1.0, 2.0**-70], "fp32")
    words = np.array([(1 << bits) - 2, (1 << bits) - 1])
    found = add(a, [b, b], "fp32", "fp32", out="bf16", rounding="stochastic", random=words, random_bits=bits)
    assert found.tolist() == [0x3F80 + up for up in ups]


def test_drawn_words_are_all_of_them():
    words = random_words("stochastic", 1, 2, (1000,))
    assert words is not None
    assert np.unique(words.words).tolist() == [0, 1, 2, 3]


def test_words_broadcast():
    x = np.full((2, 3), 0.5)
    words = np.array([0, 1 << 31, (1 << 32) - 1])
    assert golden.encode(x, "int8", rounding="stochastic", random=words).tolist() == [[0, 1, 1], [0, 1, 1]]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"rounding": "stochastic"},
            ParameterError,
            "random must be a seed, a Generator or an array of words for stochastic rounding, not None",
        ),
        ({"random": 1}, ParameterError, "rounding must be stochastic where random is given, not rne"),
        (
            {"rounding": "stochastic", "random": "1"},
            TypeError,
            "random must be a seed, a Generator or an array of words, not '1'",
        ),
        ({"rounding": "stochastic", "random": -1}, ParameterError, "random must be at least 0, not -1"),
        (
            {"rounding": "stochastic", "random": [0.5]},
            TypeError,
            "random must be an array of integers, not of float64",
        ),
        (
            {"rounding": "stochastic", "random": [16], "random_bits": 4},
            ParameterError,
            "random must hold words of 4 bits, 0 … 0xf, not 16",
        ),
        (
            {"rounding": "stochastic", "random": [1, 2]},
            ParameterError,
            "random must be of a shape that broadcasts to (3,), not (2,)",
        ),
        (
            {"rounding": "stochastic", "random": 1, "random_bits": 64},
            ParameterError,
            "random_bits must be in 1 … 63, not 64",
        ),
        (
            {"rounding": "stochastic", "random": 1, "random_bits": 8.0},
            TypeError,
            "random_bits must be an integer, not 8.0",
        ),
    ],
)
@pytest.mark.parametrize("call", [lambda **given: golden.encode([1.0, 2.0, 3.0], "int8", **given), None])
def test_errors(call, arguments, error, message):
    call = call or (lambda **given: multiply([1, 2, 3], 1, "int8", "int8", **given))
    with pytest.raises(error) as caught:
        call(**arguments)
    assert str(caught.value) == message


@pytest.mark.parametrize("wrong", [-1, 16])
def test_one_random_word_out_of_range_among_others_is_found_at_either_end(wrong):
    with pytest.raises(ParameterError, match=rf"^random must hold words of 4 bits, 0 … 0xf, not {wrong}$"):
        golden.encode(np.ones(3), "fp16", rounding="stochastic", random=[3, wrong, 5], random_bits=4)
