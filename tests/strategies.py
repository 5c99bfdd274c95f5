"""Hypothesis strategies for whole formats, policies, styles of accumulation, and units of hardware with their options."""

from __future__ import annotations

import zlib
from fractions import Fraction
from typing import Any

import hypothesis.strategies as st
import numpy as np
from hypothesis.strategies import DrawFn, SearchStrategy

from polymac import hdl
from polymac.golden import Aligned, BlockFormat, Exact, Format, ParameterError, Rounded
from polymac.golden.formats import ROUNDINGS, SUBNORMALS

Arguments = dict[str, Any]


def _named(kind: str, arguments: Arguments) -> str:
    """A name that says which format it is: the same data have the same name."""
    return f"{kind}_{zlib.crc32(repr(sorted(arguments.items())).encode()):08x}"


def rarely(usual: SearchStrategy[Any], rare: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """One in eight from ``rare``."""
    return st.integers(0, 7).flatmap(lambda number: usual if number else rare)


@st.composite
def float_arguments(draw: DrawFn, most_exp: int, most_frac: int) -> Arguments:
    """What a float Format is made with, special codes included."""
    exp_bits, frac_bits = draw(st.integers(0, most_exp)), draw(st.integers(0, most_frac))
    signed = draw(rarely(st.just(True), st.just(False)))
    subnormals = draw(rarely(st.just(True), st.just(not exp_bits)))
    width = exp_bits + frac_bits + signed
    standard = (1 << exp_bits >> 1) - 1
    bias = standard + draw(st.sampled_from([0, 0, 0, 1, -1]))
    bias = draw(rarely(st.just(bias), st.integers(-150, 150) | st.integers(-1200, 1200)))
    arguments: Arguments = {"width": width, "frac_bits": frac_bits, "signed": signed, "bias": bias}
    arguments["subnormals"] = subnormals
    end = 1 << (exp_bits + frac_bits)
    kind = draw(st.sampled_from(["ieee", "ieee", "none", "nan", "inf", "both"]))
    # Special codes end at the last one; mostly they fill its binade, or are but one.
    size = {"ieee": 1 << frac_bits, "none": 0, "inf": 1}.get(kind)
    if size is None:
        size = draw(st.sampled_from([1, 2, 1 << frac_bits]) | st.integers(1, 2 << frac_bits))
    first = end - size
    if kind in ("ieee", "inf", "both") and size:
        arguments["inf_code"], first = first, first + 1
    if first < end:
        arguments["nan_codes"] = range(first, end)
    arguments["negative_zero"] = draw(rarely(st.just("zero"), st.just("nan")))
    return arguments


@st.composite
def fixed_arguments(draw: DrawFn, most: int) -> Arguments:
    """What a fixed-point Format is made with."""
    width = draw(st.integers(1, most))
    frac_bits = draw(rarely(st.integers(0, width), st.integers(0, width + 60)))
    return {"width": width, "frac_bits": frac_bits, "signed": draw(st.booleans())}


@st.composite
def formats(
    draw: DrawFn, *, kinds: tuple[str, ...] = ("float", "float", "fixed", "binary"), most_bits: int = 24
) -> Format:
    """A scalar format of at most about ``most_bits`` bits; what contradicts itself is drawn again."""
    kind = draw(st.sampled_from(kinds))
    if kind == "binary":
        return Format("bin", "binary", 1)
    if kind == "fixed":
        arguments = draw(fixed_arguments(most_bits))
        return Format(_named("q", arguments), "fixed", **arguments)
    if draw(st.integers(0, 3)):
        limits = (min(5, most_bits - 1), min(5, most_bits // 3))
    else:
        limits = (min(8, most_bits // 2), max(most_bits - 9, 1))

    def valid(given: Arguments) -> bool:
        try:
            Format("any", "float", **given)
        except ParameterError:
            return False
        return True

    arguments = draw(float_arguments(*limits).filter(valid))
    return Format(_named("e", arguments), "float", **arguments)


def results(most_bits: int = 24) -> SearchStrategy[Format]:
    """Formats that operations may have results in: floats have a sign and a zero."""
    return formats(most_bits=most_bits).filter(lambda fmt: fmt.kind != "float" or (fmt.signed and fmt.has_zero))


def float_results(most_bits: int = 24) -> SearchStrategy[Format]:
    """Floats with a sign and a zero."""
    return formats(kinds=("float",), most_bits=most_bits).filter(lambda fmt: fmt.signed and fmt.has_zero)


@st.composite
def block_formats(draw: DrawFn, most_bits: int = 10, most_block: int = 8) -> BlockFormat:
    """A format of blocks; what contradicts itself is drawn again."""

    def make(rule: str, element: Format, scale: Format, size: int, rounding: str) -> BlockFormat | None:
        name = f"b_{element.name}_{scale.name}"[:38]
        try:
            return BlockFormat(name, element, scale, size, scale_rule=rule, rounding=rounding)  # pyright: ignore[reportArgumentType]
        except ParameterError:
            return None

    rule = draw(st.sampled_from(["floor", "ceil", "amax"]))
    scales = st.integers(2, 8).map(
        lambda bits: Format(f"s{bits}", "float", bits, 0, False, (1 << bits >> 1) - 1, subnormals=False)
    )
    if rule == "amax":
        scales = formats(kinds=("float",), most_bits=most_bits)
    made = st.builds(
        make,
        st.just(rule),
        formats(kinds=("float", "fixed"), most_bits=most_bits),
        scales,
        st.integers(1, most_block),
        st.sampled_from(ROUNDINGS),
    )
    found = draw(made.filter(lambda fmt: fmt is not None))
    assert found is not None
    return found


@st.composite
def policies(draw: DrawFn, out: Format, *, stochastic: bool = True) -> Arguments:
    """Rounding, overflow and subnormals that have a meaning in a format."""
    modes = ROUNDINGS[:1] if out.kind == "binary" else (*ROUNDINGS, *(("stochastic",) if stochastic else ()))
    allowed = {"float": (None, "ieee", "saturate"), "fixed": (None, "saturate", "wrap"), "binary": (None,)}[out.kind]
    return {
        "rounding": draw(st.sampled_from(modes)),
        "overflow": draw(st.sampled_from(allowed)),
        "subnormals": draw(st.sampled_from(SUBNORMALS)),
    }


@st.composite
def styles(draw: DrawFn, out: Format) -> Exact | Rounded | Aligned:
    """A style of accumulation whose result is of a format."""
    policy = draw(policies(out, stochastic=False))
    kind = draw(st.sampled_from(["exact", "rounded", "aligned"] if out.kind == "float" else ["exact", "rounded"]))
    if kind == "exact":
        return Exact(**policy)
    if kind == "rounded":
        return Rounded(out, **policy, block=draw(st.integers(1, 4)))
    return Aligned(draw(st.integers(1, 8)), draw(st.integers(0, 40)), draw(st.integers(0, min(out.frac_bits, 52))))


# Codes and numbers: many, from a seed.


def codes(fmt: Format, count: int, generator: np.random.Generator) -> list[int]:
    """Codes of which half are next to an edge of the format and half are random."""
    edges = [0, fmt.sign_mask, fmt.code_mask, fmt.max_code if fmt.kind != "binary" else 1]
    if fmt.kind == "float":
        edges += [1 << fmt.frac_bits, 1 << fmt.frac_bits >> 1, max(fmt.bias, 0) << fmt.frac_bits]
        edges += [fmt.inf_code or 0, *([fmt.nan_codes[0]] if fmt.nan_codes else [])]
        edges += [edge | fmt.sign_mask for edge in edges]
    else:
        edges += [1 << fmt.frac_bits] if fmt.frac_bits < fmt.width else []
    found = []
    for near, step, word in zip(
        generator.random(count) < 0.5,
        generator.integers(-2, 3, count).tolist(),
        (generator.bytes(fmt.width // 8 + 1) for _ in range(count)),
        strict=True,
    ):
        edge = edges[int(generator.integers(len(edges)))] + step
        found.append((edge if near else int.from_bytes(word, "little")) & fmt.code_mask)
    return found


def reals(fmt: Format, count: int, generator: np.random.Generator) -> list[float]:
    """Numbers on, halfway between, and next to those of a format, beyond it, and anywhere."""
    found = [0.0, -0.0, float("inf"), float("-inf"), float("nan")]
    while len(found) < count:
        below, other = (_finite(fmt, code) for code in codes(fmt, 2, generator))
        above = below + abs(other) if generator.random() < 0.2 else _neighbour(fmt, below, generator)
        kind = int(generator.integers(6))
        exact = [below, (below + above) / 2, below + (above - below) / 1024, above * 2, -above, other][kind]
        if generator.random() < 0.2:
            found.append(float(np.ldexp(generator.normal(), int(generator.integers(-160, 160)))))
        elif abs(exact) < Fraction(2) ** 1020:
            found.append(float(exact))
    return found[:count]


def _finite(fmt: Format, code: int) -> Fraction:
    try:
        return fmt.fraction(code)
    except ParameterError:
        return fmt.max


def _neighbour(fmt: Format, value: Fraction, generator: np.random.Generator) -> Fraction:
    """Another value near one, above it or below."""
    quantum = Fraction(1, 1 << fmt.frac_bits)
    if fmt.kind == "float":
        quantum = Fraction(2) ** (fmt.min_exponent - fmt.frac_bits)
        if value:
            size = abs(value)
            quantum = max(
                quantum, Fraction(2) ** (size.numerator.bit_length() - size.denominator.bit_length() - fmt.frac_bits)
            )
    return value + quantum * int(generator.choice([-1, 1]))


# Units.


@st.composite
def multipliers(draw: DrawFn, most_bits: int = 12) -> Arguments:
    """Arguments of a Multiplier, most of them allowed."""
    out: Any = draw(rarely(results(most_bits + 4), st.sampled_from(["exact", "unpacked"])))
    arguments: Arguments = {"a": draw(formats(most_bits=most_bits)), "b": draw(formats(most_bits=most_bits))}
    if isinstance(out, Format) and not out.has_nan and any(fmt.has_specials for fmt in arguments.values()):
        out = draw(rarely(float_results(most_bits + 4).filter(lambda fmt: fmt.has_nan), st.just(out)))
    arguments["out"] = out
    if isinstance(out, Format) and out.kind != "binary":
        mode = draw(st.sampled_from([*ROUNDINGS, "stochastic", "port"]))
        arguments["rounding"] = mode
        if mode == "stochastic":
            arguments["random_bits"] = draw(st.integers(1, 20))
        arguments["overflow"] = draw(policies(out))["overflow"]
    if draw(st.booleans()):
        arguments["subnormals"] = draw(st.sampled_from(SUBNORMALS))
    arguments["stages"] = draw(rarely(st.integers(0, 3), st.integers(0, 9)))
    arguments["architecture"] = draw(st.sampled_from([None, "booth", "tree", "baugh_wooley", "row_adders"]))
    return arguments


@st.composite
def adders(draw: DrawFn, most_bits: int = 12) -> Arguments:
    """Arguments of an Adder, most of them allowed."""
    arguments = draw(multipliers(most_bits))
    del arguments["architecture"]
    if arguments["out"] in ("exact", "unpacked"):
        arguments["out"] = draw(st.sampled_from([None, "exact"]))
    if draw(st.booleans()):
        arguments["b"] = arguments["a"]
    return arguments


@st.composite
def sums(draw: DrawFn, most_bits: int = 9) -> Arguments:
    """Arguments that Dot, Mac and Array share, most of them allowed; formats of accumulators are given themselves."""
    arguments: Arguments = {}
    for name in ("a", "b"):
        arguments[name] = draw(rarely(formats(most_bits=most_bits), block_formats(most_bits=8)))
    lanes = draw(st.integers(1, 5))
    kind = draw(st.sampled_from(["integer", "exact", "rounded", "aligned"]))
    rounding = draw(st.sampled_from(ROUNDINGS))
    if kind == "integer":
        arguments["overflow"] = draw(st.sampled_from([None, "wrap", "saturate"]))
    else:
        out = draw(rarely(float_results(14).filter(lambda fmt: fmt.has_nan), float_results(14)))
        arguments["overflow"] = draw(st.sampled_from([None, "saturate"]))
        if kind == "rounded":
            block = draw(st.integers(1, 2))
            lanes *= block
            arguments["acc"] = (out, rounding, block)
        else:
            arguments["out"] = out
            arguments["acc"] = f"exact:{rounding}"
        if kind == "aligned":
            block = draw(st.integers(1, 4))
            lanes = block * draw(st.integers(1, 2))
            arguments["acc"] = f"aligned:{block}:{draw(st.integers(0, 24))}:{draw(st.integers(0, out.frac_bits))}"
            del arguments["overflow"]
    sizes = [fmt.block_size for fmt in (arguments["a"], arguments["b"]) if isinstance(fmt, BlockFormat)]
    arguments["lanes"] = draw(rarely(st.just(min(sizes)), st.just(lanes))) if sizes else lanes
    if not sizes and draw(st.integers(0, 7)) == 0:
        arguments |= {"sparse": True, "lanes": 4 * draw(st.integers(1, 2))}
    arguments["stages"] = draw(st.integers(0, 4))
    return arguments


@st.composite
def requantizers(draw: DrawFn) -> Arguments:
    """Arguments of a Requantizer."""
    width, out_width = draw(st.integers(2, 64)), draw(st.integers(1, 64))
    signed = draw(st.booleans())
    return {
        "acc": Format(f"acc{width}", "fixed", width),
        "out": Format(f"out{'s' * signed}{out_width}", "fixed", out_width, signed=signed),
        "relu": draw(st.booleans()),
        "stages": draw(st.integers(0, 3)),
    }


@st.composite
def units(draw: DrawFn) -> tuple[type[hdl.Unit], Arguments]:
    """A class of units and its arguments, most of them allowed."""
    kind = draw(st.sampled_from(["multiplier", "multiplier", "adder", "dot", "dot", "mac", "requantizer"]))
    if kind == "adder":
        return hdl.Adder, draw(adders())
    if kind == "multiplier":
        return hdl.Multiplier, draw(multipliers())
    if kind == "requantizer":
        return hdl.Requantizer, draw(requantizers())
    arguments = draw(sums())
    if kind == "mac":
        arguments |= (
            {"interleave": draw(st.integers(1, 3)), "max_k": 64} if "exact" in str(arguments.get("acc")) else {}
        )
        return hdl.Mac, arguments
    if isinstance(arguments.get("acc"), tuple) and draw(st.booleans()):
        arguments |= {"rounding": draw(st.sampled_from([None, "port"])), "flags": draw(st.booleans())}
    return hdl.Dot, arguments


@st.composite
def arrays(draw: DrawFn) -> Arguments:
    """Arguments of a small Array, most of them allowed."""
    arguments = draw(sums(most_bits=7))
    arguments.pop("sparse", None)
    size = {"rows": draw(st.integers(1, 3)), "cols": draw(st.integers(1, 3))}
    return arguments | size | {"dataflow": draw(st.sampled_from(["os", "ws"])), "max_k": None}
