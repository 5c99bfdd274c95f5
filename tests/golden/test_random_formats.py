"""The golden model in formats, policies and styles that nobody chose, against exact fractions.

Hypothesis draws whole formats; ``tests/exact_reference.py`` says what must come out. The quick tests draw a few hundred
configurations, the slow ones as many as there are in a minute each. POLYMAC_SEED sets the seed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest

from polymac import golden
from polymac.golden import Aligned, Format, ParameterError
from polymac.golden.formats import Flag

#: Numbers of one configuration, and how often they are repeated to see the ways of many numbers.
COUNT, MANY = 20, 17_000
OPERANDS = {"multiply": 2, "add": 2, "fma": 3}
SECONDS = 60.0


class Random:
    """The strategies and the reference, and what the checks share."""

    def __init__(self, script: Callable[[str], Any]) -> None:
        self.draw, self.exact = script("strategies"), script("exact_reference")

    def generator(self, data: Any) -> np.random.Generator:
        return np.random.default_rng(data.draw(st.integers(0, 2**32 - 1), label="generator"))

    def modes(self, data: Any, rounding: str, generator: np.random.Generator) -> tuple[list[Any], dict[str, Any]]:
        """The mode of every number, and the arguments that say it."""
        if rounding != "stochastic":
            return [rounding] * COUNT, {}
        bits = data.draw(st.integers(1, 40), label="random_bits")
        words = generator.integers(0, (1 << bits) - 1, COUNT, dtype=np.uint64, endpoint=True)
        return [(word, bits) for word in words.tolist()], {"random": words, "random_bits": bits}

    def compare(
        self, call: Callable[..., Any], arrays: list[list[Any]], want: list[Any], random: dict[str, Any]
    ) -> None:
        """``call(*arrays, **random)`` gives ``want``, whatever the number of numbers; where it has none, an error."""
        wrong = [item is None for item in want]
        if any(wrong):
            with pytest.raises(ParameterError) as caught:
                call(*(column_of(items) for items in arrays), **random)
            assert "\n" not in str(caught.value)
        keep = np.flatnonzero(~np.array(wrong))
        arrays = [[items[index] for index in keep] for items in arrays]
        expected = [want[index] for index in keep]
        random = {name: value[keep] if name == "random" else value for name, value in random.items()}
        if not expected:
            return
        for times in (1, MANY // len(expected) + 1):
            more = {name: np.tile(value, times) if name == "random" else value for name, value in random.items()}
            found = call(*(np.tile(column_of(items), times) for items in arrays), **more)
            parts, columns = found if isinstance(found, tuple) else (found,), zip(*expected, strict=True)
            for part, column in zip(parts, columns, strict=False):
                np.testing.assert_array_equal(
                    np.asarray(part), np.tile(column_of(list(column)), times), f"{times} times"
                )


@pytest.fixture(name="space", scope="session")
def space_fixture(script: Callable[[str], Any]) -> Random:
    return Random(script)


def column_of(items: list[Any]) -> Any:
    """An array in which no integer is rounded."""
    return np.array(items, object if any(isinstance(x, int) and x >= 1 << 63 for x in items) else None)


def attempt(make: Callable[[], Any]) -> Any:
    """The result, or None where the package has no code for it."""
    try:
        return make()
    except Exception as error:
        if type(error).__name__ != "NoCodeError":
            raise
        return None


def operations(space: Random) -> Callable[[Any], int]:
    """Products, sums and fused multiply-adds of any formats."""

    def check_operations(data: Any) -> int:
        name = data.draw(st.sampled_from(list(OPERANDS)))
        wide = data.draw(st.sampled_from([8, 8, 16, 32, 70]))
        fmts = [data.draw(space.draw.formats(most_bits=wide), label="operand") for _ in range(OPERANDS[name])]
        out = data.draw(space.draw.results(wide), label="out")
        policy = data.draw(space.draw.policies(out), label="policy")
        generator = space.generator(data)
        modes, random = space.modes(data, policy["rounding"], generator)
        codes = [space.draw.codes(fmt, COUNT, generator) for fmt in fmts]
        want = [
            attempt(
                lambda row=row, mode=mode: space.exact.operation(
                    name, row, fmts, out, mode, policy["overflow"], policy["subnormals"]
                )
            )
            for row, mode in zip(zip(*codes, strict=True), modes, strict=True)
        ]
        for flags in (False, True):

            def call(*arrays: Any, flags: bool = flags, **random: Any) -> Any:
                return getattr(golden, name)(*arrays, *fmts, out=out, flags=flags, **policy, **random)

            space.compare(call, codes, want, random)
        return 1

    return check_operations


def encodings(space: Random) -> Callable[[Any], int]:
    """Codes of float64, float32, float16 and integers, and the numbers that codes stand for."""

    def check_encodings(data: Any) -> int:
        fmt = data.draw(space.draw.formats(most_bits=data.draw(st.sampled_from([8, 16, 33, 70]))), label="format")
        policy = data.draw(space.draw.policies(fmt), label="policy")
        generator = space.generator(data)
        modes, random = space.modes(data, policy["rounding"], generator)
        dtype = data.draw(st.sampled_from([np.float64, np.float32, np.float16]))
        with np.errstate(all="ignore"):
            x = np.array(space.draw.reals(fmt, COUNT, generator)).astype(dtype)
        sixty_four = golden.format("fp64")
        want = []
        for value, mode in zip(x.astype(np.float64), modes, strict=True):
            item = space.exact.number(sixty_four, int(value.view(np.uint64)))
            missing = (item.is_nan and not fmt.has_nan) or (
                item.kind == "inf" and (not fmt.has_inf or policy["overflow"] == "wrap")
            )
            result = (
                None if missing else attempt(lambda i=item, m=mode: space.exact.to_code(fmt, i, m, **_rest(policy)))
            )
            want.append(None if result is None else result[:1])

        def call(numbers: Any, **random: Any) -> Any:
            return golden.encode(numbers.astype(dtype), fmt, **policy, **random)

        space.compare(call, [x.tolist()], want, random)
        codes = space.draw.codes(fmt, COUNT, generator)
        numbers = [space.exact.number(fmt, code) for code in codes]
        space.compare(lambda array: golden.decode(array, fmt), [codes], [(_nearest(item),) for item in numbers], {})
        return 1

    return check_encodings


def _rest(policy: dict[str, Any]) -> dict[str, Any]:
    return {"overflow": policy["overflow"], "subnormals": policy["subnormals"]}


def _nearest(item: Any) -> float:
    """The nearest float64; Python's division of integers rounds correctly."""
    if item.kind != "finite":
        return float("nan") if item.is_nan else -np.inf if item.negative else np.inf
    try:
        size = item.size.numerator / item.size.denominator
    except OverflowError:
        size = np.inf
    return -size if item.negative else size


def sums(space: Random) -> Callable[[Any], int]:
    """Inner products in every style, of scalars."""

    def check_sums(data: Any) -> int:
        out = data.draw(space.draw.results(data.draw(st.sampled_from([8, 16, 32]))), label="out")
        style = data.draw(space.draw.styles(out), label="style")
        aligned = isinstance(style, Aligned)
        kinds = ("float",) if aligned else ("float", "float", "fixed", "binary")
        fa, fb = (data.draw(space.draw.formats(kinds=kinds, most_bits=14), label="operand") for _ in range(2))
        depth = data.draw(st.integers(1, 9))
        generator = space.generator(data)
        rows, columns = (np.array(space.draw.codes(fmt, 6 * depth, generator)).reshape(6, depth) for fmt in (fa, fb))
        c = space.draw.codes(out, 6, generator)
        want = []
        for a, b, start in zip(rows.tolist(), columns.tolist(), c, strict=True):
            if aligned:
                want.append(attempt(lambda a=a, b=b, c=start: space.exact.aligned_dot(a, b, c, fa, fb, out, style)))
                continue
            numbers = [
                [space.exact.number(fmt, code, style.subnormals) for code in row] for fmt, row in ((fa, a), (fb, b))
            ]
            found = attempt(lambda n=numbers, c=start: space.exact.dot(*n, c, out, style))
            want.append(None if found is None else found[0])
        try:
            got = golden.dot(rows, columns, fa, fb, c, acc=style, out=out).tolist()
        except ParameterError as error:
            assert "\n" not in str(error)
            assert None in want or aligned, str(error)
            return 1
        assert got == want
        try:
            matrix = golden.gemm(rows, columns.T, fa, fb, np.array(c)[:, None], acc=style, out=out)
        except ParameterError as error:  # beside the diagonal
            assert "free of NaN" in str(error) or "finite" in str(error)
            return 1
        assert np.diagonal(matrix).tolist() == want
        return 1

    return check_sums


def blocks(space: Random) -> Callable[[Any], int]:
    """The values of blocks, and that codes of them encode to blocks of the same values or nearer ones."""

    def check_blocks(data: Any) -> int:
        fmt = data.draw(space.draw.block_formats(), label="format")
        generator = space.generator(data)
        scales = np.array(space.draw.codes(fmt.scale, 8, generator)).reshape(4, 2)
        elements = np.array(space.draw.codes(fmt.element, 8 * fmt.block_size, generator)).reshape(4, 2 * fmt.block_size)
        want = [
            [
                _nearest(space.exact.block_value(fmt, int(scale), int(element)))
                for scale, element in zip(np.repeat(row, fmt.block_size), elements[index], strict=True)
            ]
            for index, row in enumerate(scales)
        ]
        found = golden.decode_blocks((scales, elements), fmt)
        np.testing.assert_array_equal(found, np.array(want))
        finite = np.where(np.isfinite(found), found, 0.0)
        if np.abs(finite).max() < 1e30:
            try:
                again = golden.decode_blocks(golden.encode_blocks(finite, fmt), fmt)
            except ParameterError as error:
                assert "largest element" in str(error)
                return 1
            assert again.shape == finite.shape
        return 1

    return check_blocks


_NUMBERS = st.none() | st.booleans() | st.integers(-3, 80) | st.sampled_from([1 << 20, "8", 2.5])
_CALLS: dict[str, Callable[..., Any]] = {
    "Format": lambda **given: Format("any", **given),
    "encode": lambda **given: golden.encode([1.0, -2.5, float("inf")], **given),
    "multiply": lambda **given: golden.multiply([1, 0], [0, 1], **given),
    "dot": lambda **given: golden.dot([[1, 0]], [[0, 1]], **given),
}


def errors(space: Random) -> Callable[[Any], int]:
    """Arguments of any kind: a result, or a TypeError or ParameterError of one line."""

    def check_errors(data: Any) -> int:
        name = data.draw(st.sampled_from(list(_CALLS)))
        texts = st.sampled_from(
            ["float", "fixed", "binary", "rne", "stochastic", "ieee", "wrap", "full", "nan", "zero", ""]
        )
        anything = _NUMBERS | texts
        fmt = space.draw.formats(most_bits=40) | space.draw.block_formats() | st.sampled_from(["fp8_e4m3", "q3.4", "x"])
        style = space.draw.results(16).flatmap(space.draw.styles)
        optional = {
            "Format": {
                "kind": st.sampled_from(["float", "fixed", "binary"]) | anything,
                "width": st.integers(-1, 70) | anything,
                "frac_bits": st.integers(-1, 70) | anything,
                "signed": anything,
                "bias": st.integers(-(1 << 17), 1 << 17) | anything,
                "subnormals": anything,
                "inf_code": st.integers(-1, 1 << 12) | anything,
                "nan_codes": st.builds(range, st.integers(-1, 1 << 8), st.integers(0, 1 << 8)) | anything,
                "negative_zero": anything,
            },
            "encode": {"fmt": fmt, "rounding": anything, "overflow": anything, "subnormals": anything},
            "multiply": {"fa": fmt, "fb": fmt, "out": fmt | anything, "rounding": anything, "overflow": anything},
            "dot": {"fa": fmt, "fb": fmt, "out": fmt | anything, "acc": style | anything},
        }[name]
        required = {"Format": ["kind", "width"], "encode": ["fmt"]}.get(name, ["fa", "fb"])
        given = data.draw(
            st.fixed_dictionaries(
                {key: optional[key] for key in required},
                optional={key: value for key, value in optional.items() if key not in required},
            ),
            label=name,
        )
        try:
            _CALLS[name](**given)
        except (ParameterError, TypeError) as error:
            text = str(error)
            assert text and "\n" not in text
            assert "unsupported operand" not in text and "not supported between" not in text, text
        return 1

    return check_errors


CHECKS = {"operations": operations, "encodings": encodings, "sums": sums, "blocks": blocks, "errors": errors}


@pytest.mark.parametrize("name", CHECKS)
def test_some_configurations(name: str, space: Random, explore: Callable[..., int]) -> None:
    assert explore(CHECKS[name](space), examples=60) >= 60


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
def test_many_configurations(name: str, space: Random, explore: Callable[..., int]) -> None:
    assert explore(CHECKS[name](space), examples=500, seconds=SECONDS) >= 500


def test_the_reference_itself(space: Random) -> None:
    """Hand-picked results, so that nothing is compared with an error of the reference."""
    fp8, exact = golden.format("fp8_e4m3"), space.exact
    one, two = 0x38, 0x40
    assert exact.operation("fma", (one, two, one), (fp8,) * 3, fp8, "rne", None, "full") == (0x44, Flag(0))
    assert exact.operation("multiply", (0x7E, two), (fp8,) * 2, fp8, "rne", None, "full")[0] == 0x7F
    assert exact.operation("multiply", (0x7E, two), (fp8,) * 2, fp8, "rtz", None, "full")[0] == 0x7E
    assert exact.operation("multiply", (1, 0x30), (fp8,) * 2, fp8, "rup", None, "full") == (
        1,
        Flag.INEXACT | Flag.UNDERFLOW,
    )
    assert exact.operation("multiply", (9, one), (fp8,) * 2, fp8, "rne", None, "flush") == (9, Flag(0))
    assert exact.operation("add", (one, 0xB8), (fp8,) * 2, fp8, "rdn", None, "full") == (0x80, Flag(0))


_ONE_AND_INF = Format("one_and_inf", "float", 1, 0, signed=False, subnormals=False, inf_code=1)
_ZERO_AND_INF = Format("zero_and_inf", "float", 2, 1, bias=-1, inf_code=1, negative_zero="nan")
_E0M3_INF = Format("e0m3_inf", "float", 4, 3, bias=0, inf_code=5, nan_codes=range(6, 8))
#: Operations that were wrong once.
FOUND = {
    "infinity is exact in a binary format": ("multiply", ("bin1", _ONE_AND_INF), "bin1", {}),
    "flushed before it overflows": ("multiply", ("fp8_e4m3", "int4"), _E0M3_INF, {"subnormals": "flush"}),
    "flushed to the only number": ("multiply", ("fp4_e2m1", "int4"), _ZERO_AND_INF, {"subnormals": "flush"}),
}


@pytest.mark.parametrize("case", FOUND)
def test_operations_found(case: str, space: Random) -> None:
    name, names, out, options = FOUND[case]
    fmts, out = [golden.format(fmt) for fmt in names], golden.format(out)
    policy: dict[str, Any] = {"rounding": "rne", "overflow": None, "subnormals": "full"} | options
    pairs = [column.ravel().tolist() for column in np.meshgrid(*(np.arange(fmt.code_count) for fmt in fmts))]
    want = [space.exact.operation(name, row, fmts, out, *policy.values()) for row in zip(*pairs, strict=True)]
    space.compare(lambda *arrays: getattr(golden, name)(*arrays, *fmts, out=out, flags=True, **policy), pairs, want, {})


#: Formats in which numbers were encoded wrong once, and what +0.0, the least float64, 1.0 and infinity must give.
FOUND_FORMATS = [
    (Format("large", "float", 3, 0, bias=-936, inf_code=3), [0, 1, 1, 3]),
    (Format("small", "float", 3, 0, bias=132, inf_code=3), [0, 1, 3, 3]),
]


@pytest.mark.parametrize(("fmt", "codes"), FOUND_FORMATS, ids=lambda value: str(value))
def test_encodings_found(fmt: Format, codes: list[int], space: Random) -> None:
    x = [0.0, 5e-324, 1.0, float("inf")]
    assert golden.encode(x, fmt, rounding="rup").tolist() == codes
    numbers = np.array([0.0, 2.0**-133, 2.0**-132, 1.5 * 2.0**-132, 2.0**-131, 1.0, np.inf], np.float32)
    sixty_four = golden.format("fp64")
    for mode in golden.formats.ROUNDINGS:
        items = [space.exact.number(sixty_four, int(bits)) for bits in numbers.astype(np.float64).view(np.uint64)]
        want = [space.exact.to_code(fmt, item, mode, None)[0] for item in items]
        assert golden.encode(numbers, fmt, rounding=mode).tolist() == want, mode


@pytest.mark.parametrize("out", [_ZERO_AND_INF, _E0M3_INF, golden.format("e0m4")], ids=str)
@pytest.mark.parametrize("depth", [3, 1])
def test_aligned_sums_found(out: Format, depth: int, space: Random) -> None:
    """Results of which none is a normal number."""
    fmt, style = golden.format("fp4_e2m1"), Aligned(1, 6, out.frac_bits)
    generator = np.random.default_rng(1)
    rows, columns = generator.integers(0, fmt.code_count, (2, 200, depth))
    c = np.where(np.arange(200) % 2, 0, out.max_code)
    want = [
        attempt(lambda a=a, b=b, s=s: space.exact.aligned_dot(a, b, s, fmt, fmt, out, style))
        for a, b, s in zip(rows.tolist(), columns.tolist(), c.tolist(), strict=True)
    ]
    assert golden.dot(rows, columns, fmt, fmt, c, acc=style, out=out).tolist() == want


def test_blocks_whose_elements_no_fp32_reciprocal_reaches() -> None:
    element = Format("tiny", "float", 3, 1, bias=140)
    fmt = golden.BlockFormat("tiny_blocks", element, golden.format("fp8_e4m3"), 2, scale_rule="amax")
    with pytest.raises(ParameterError) as caught:
        golden.encode_blocks([0.0, 1.0], fmt)
    assert str(caught.value) == (
        f"fmt must have a largest element of 2^-126 … 2^127 under amax, not tiny_blocks ({float(element.max)})"
    )
