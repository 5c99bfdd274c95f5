"""Dot products of every format in every style against golden: a table, pairwise over the options, and all operands."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polymac import golden, hdl, sim
from polymac.golden import ParameterError
from polymac.golden.formats import BLOCK_FORMATS, FORMATS, ROUNDINGS
from polymac.hdl.integer.product import ARCHITECTURES
from polymac.sim.expected.sums import to_bus
from polymac.sim.units import entry_of

Options = dict[str, Any]

#: Beside the catalogue's, of all families.
SCALARS = ("int2", "int4", "int8", "uint8", "int16", "uint5", "q4.4", "uq0.8", "e4m7", "e0m3")
MIXES = (
    ("fp8_e4m3", "fp8_e5m2"),
    ("fp16", "bf16"),
    ("fp16", "int8"),
    ("uint8", "int8"),
    ("bin1", "int8"),
    ("bin1", "fp16"),
    ("e6m9", "e3m4"),
    ("mxfp4", "mxfp8_e4m3"),
    ("nvfp4", "mxfp8_e5m2"),
    ("mxfp6_e2m3", "fp8_e4m3"),
    ("int8", "msfp11"),
    ("mxint8", "bin1"),
)
#: Partial products of the largest unit, and units, of the part of the table that always runs; and of the whole table.
QUICK_BITS, QUICK, WHOLE_BITS = 130, 32, 600
#: Models that the whole table is simulated in.
PARTS = 32
#: Of these one product alone is larger than that.
WIDE = ("int32", "uint32", "fp64")
#: What each factor of the table may be; "narrow" is a fixed-point accumulator of one bit more than a product.
FACTORS: dict[str, Sequence[Any]] = {
    "pair": (*((name, name) for name in (*FORMATS, *SCALARS, *BLOCK_FORMATS)), *MIXES),
    "acc": (
        None,
        "narrow",
        "exact",
        "exact:rdn",
        "exact:rtz",
        "fp32",
        "bf16",
        "fp8_e4m3",
        "fp6_e3m2",
        "rounded:fp32:rdn",
        "rounded:fp16:rup:4",
        "rounded:fp32:rtz:2",
        "rounded:fp64:rna",
        "aligned:1:20",
        "aligned:4:24",
        "aligned:8:14:14",
        "aligned:2:40",
    ),
    "out": (None, "fp16", "bf16", "fp32"),
    "overflow": (None, "wrap", "saturate"),
    "lanes": (1, 2, 4, 8, 16),
    "sparse": (False, True),
    "addend": (None, False),
    "stages": (0, 1, 2, 3, 6),
    "architecture": ARCHITECTURES,
}


def dot(pair: tuple[str, str], acc: str | None, **options: Any) -> hdl.Dot | None:
    """The unit of these options; None where they contradict each other."""
    a, b = pair
    given: dict[str, Any] = {"a": a, "b": b} | {name: value for name, value in options.items() if value is not None}
    try:
        if acc == "narrow":
            product = golden.formats.product_format(golden.format(a), golden.format(b))
            acc = golden.formats.fixed_point(product.width + 1, product.frac_bits, signed=product.signed).name
        given |= {} if acc is None else {"acc": acc}
        return hdl.Dot(**given)
    except ParameterError:
        return None


def table(most_bits: int) -> Iterator[tuple[Options, hdl.Dot]]:
    """Options and units, such that every two values of two factors that go together are together in one of them.

    Of a pool of random combinations always the one with the most pairs that are new: the first ones have the most. Units
    with more partial products than ``most_bits`` are left out: they take long to translate.
    """
    generator = np.random.default_rng(1)
    pool: list[tuple[Options, hdl.Dot, set[Any]]] = []
    for pair in FACTORS["pair"]:
        for acc in FACTORS["acc"]:
            for _ in range(4):
                options = {"pair": pair, "acc": acc}
                options |= {n: v[int(generator.integers(len(v)))] for n, v in FACTORS.items() if n not in options}
                unit = dot(**options)
                if unit is not None and size(unit) <= most_bits:
                    pool.append((options, unit, set(itertools.combinations(options.items(), 2))))
    missing = set().union(*(pairs for _, _, pairs in pool))
    while missing:
        options, unit, pairs = max(pool, key=lambda item: len(item[2] & missing))
        missing -= pairs
        yield options, unit


def size(unit: hdl.Dot) -> int:
    """Partial products of one bit."""
    return (
        unit.accumulator.a_element.significand_bits
        * unit.accumulator.b_element.significand_bits
        * unit.accumulator.products
    )


def check(units: Sequence[hdl.Dot], vectors: int | None, seed: int = 1) -> None:
    """Simulate units in one model: random operands, or all."""
    names = [f"dot{index}" for index in range(len(units))]
    model = sim.Model.build(hdl.generate_all(dict(zip(names, units, strict=True))))
    streams = {
        name: entry_of(unit).operand_sets(unit, None)
        if vectors is None
        else entry_of(unit).operand_sets(unit, vectors, seed)
        for name, unit in zip(names, units, strict=True)
    }
    while True:
        inputs = {name: chunk for name, stream in streams.items() if (chunk := next(stream, None)) is not None}
        if not inputs:
            return
        outputs = model.evaluate_all(inputs)
        for name, unit in zip(names, units, strict=True):
            if name in inputs:
                expected = entry_of(unit).expected(unit, inputs[name])["d"]
                wrong = np.flatnonzero(outputs[name]["d"] != expected)
                assert not len(wrong), (
                    unit.parameters,
                    {port: codes[wrong[0]] for port, codes in inputs[name].items()},
                )


def test_table() -> None:
    rows = list(itertools.islice(table(QUICK_BITS), QUICK))
    used = {name: {options[name] for options, _ in rows} for name in FACTORS}
    assert all(used[name] == set(values) for name, values in FACTORS.items() if name != "pair")
    check([unit for _, unit in rows], 4_000)


@functools.cache
def whole_table() -> list[hdl.Dot]:
    return [unit for _, unit in table(WHOLE_BITS)]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_whole_table(part: int) -> None:
    check(whole_table()[part::PARTS], 20_000)


@pytest.mark.slow
def test_whole_table_has_every_format() -> None:
    pairs = {(unit.accumulator.a.name, unit.accumulator.b.name) for unit in whole_table()}
    assert pairs | {(name, name) for name in WIDE} == set(FACTORS["pair"])


@pytest.mark.parametrize("name", [WIDE[0], *(pytest.param(name, marks=pytest.mark.slow) for name in WIDE[1:])])
def test_formats_that_are_too_wide_for_the_table(name: str) -> None:
    """Of integers the sum is wider than 64 bits, too."""
    result = sim.verify(hdl.Dot(a=name, b=name), vectors=4_000)
    assert result.passed, result.details


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FORMATS, "int8", *BLOCK_FORMATS])
def test_ten_million_vectors(name: str) -> None:
    result = sim.verify(hdl.Dot(a=name, b=name, lanes=2), vectors=10_000_000, seed=5)
    assert result.passed, result.details


#: Units whose operands are all tried, with how many bits these have.
EXHAUSTIVE: list[tuple[Options, int]] = [
    *(
        ({"a": "fp4_e2m1", "b": "fp4_e2m1", "acc": f"rounded:{fp8}:{mode}"}, 16)
        for fp8 in ("fp8_e4m3", "fp8_e5m2")
        for mode in ROUNDINGS
    ),
    ({"a": "fp4_e2m1", "b": "fp4_e2m1", "acc": "fp8_e4m3", "overflow": "saturate"}, 16),
    ({"a": "fp4_e2m1", "b": "fp4_e2m1", "acc": "aligned:1:2:2", "out": "fp8_e5m2"}, 16),
    ({"a": "fp4_e2m1", "b": "fp4_e2m1", "lanes": 2, "acc": "exact", "out": "fp8_e4m3"}, 16),
    ({"a": "fp4_e2m1", "b": "fp4_e2m1", "lanes": 2, "acc": "exact:rdn"}, 16),
    ({"a": "fp4_e2m1", "b": "fp4_e2m1", "lanes": 2, "acc": "aligned:2:3:3", "out": "fp8_e4m3", "addend": False}, 16),
    ({"a": "fp4_e2m1", "b": "fp4_e2m1", "lanes": 2, "acc": "bf16", "addend": False}, 16),
    ({"a": "int2", "b": "int2", "lanes": 4, "addend": False}, 16),
    ({"a": "int2", "b": "uint2", "lanes": 2, "acc": "int5", "overflow": "saturate"}, 13),
    ({"a": "int2", "b": "int2", "lanes": 4, "sparse": True, "acc": "int4"}, 20),
    ({"a": "bin1", "b": "bin1", "lanes": 6, "acc": "int4", "overflow": "saturate"}, 16),
    ({"a": "bin1", "b": "bin1", "lanes": 8, "acc": "exact", "out": "fp8_e4m3"}, 16),
    ({"a": "e3m1", "b": "e2m2", "acc": "e4m2"}, 17),
]


def test_all_operands() -> None:
    units = [hdl.Dot(**options) for options, _ in EXHAUSTIVE]
    assert [sum(port.width for port in unit.ports if port.direction == "input") for unit in units] == [
        bits for _, bits in EXHAUSTIVE
    ]
    check(units, None)


def test_verify_tells_what_it_tried_and_what_differs(tmp_path: Path) -> None:
    unit = hdl.Dot(a="int2", b="int2", lanes=2, acc="int5")
    result = sim.verify(unit)
    assert (result.passed, result.checked, result.coverage) == (True, 1 << 13, "all 8,192 operand sets")
    design = hdl.generate(unit, "broken")
    broken = dataclasses.replace(design, verilog=design.verilog.replace("+ c;", "+ $signed(c[3:0]);", 1))
    assert broken.verilog != design.verilog
    result = sim.verify(unit, design=broken)
    assert not result.passed
    assert result.details[0] == (
        "a=[0x0 (0), 0x0 (0)], b=[0x0 (0), 0x0 (0)], c=0x8 (8): hardware d=0x18 (-8), golden d=0x8 (8)"
    )
    assert result.reproduce == (
        "polymac verify dot --a int2 --b int2 --acc int5 --overflow wrap --lanes 2 --architecture operator --addend on "
        "--seed 1"
    )
    result = sim.verify(unit, vectors=200, design=broken)
    assert result.coverage == "200 of 2^13 operand sets, seed 1" and not result.passed


@pytest.mark.parametrize(
    "options",
    [
        {"a": "mxfp8_e4m3", "b": "mxfp4", "lanes": 16, "stages": 4},
        {"a": "fp16", "b": "fp16", "lanes": 8, "sparse": True, "acc": "aligned:4:24", "stages": 3},
        {"a": "int4", "b": "int4", "lanes": 3},
    ],
    ids=lambda options: options["a"],
)
def test_cocotb(options: Options, simulator: sim.Simulator, tmp_path: Path) -> None:
    result = sim.verify(hdl.Dot(**options), vectors=300, simulator=simulator.name, folder=tmp_path)
    assert result.passed, result.details
    assert result.checked >= 290


def test_sparse_operands_like_sparse_gemm() -> None:
    """What golden keeps of a matrix, in the order of its metadata."""
    unit = hdl.Dot(a="fp8_e4m3", b="fp8_e4m3", lanes=8, sparse=True, acc="exact")
    generator = np.random.default_rng(1)
    fmt = golden.format("fp8_e4m3")
    dense, b = golden.encode(generator.standard_normal((2, 500, 8)), fmt)
    kept = golden.compress(dense, fmt, keep="largest")
    expected = np.diagonal(golden.sparse_gemm(kept, b.T, fmt))
    inputs = {
        "a": to_bus(kept.codes, fmt),
        "a_position": to_bus((kept.columns % 4).astype(np.uint8), golden.format("uint2")),
        "b": to_bus(b, fmt),
    }
    found = sim.Model.build(hdl.generate(unit, "sparse_dot")).evaluate(inputs)["d"]
    np.testing.assert_array_equal(found, expected)
    assert np.unique(found).size > 400


def test_block_formats_like_block_dot() -> None:
    """What an encoder made of real numbers, beat by beat of a block: golden's product of block formats."""
    unit = hdl.Dot(a="mxfp6_e2m3", b="mxfp6_e2m3", lanes=8, acc="fp32")
    fmt = golden.block_format("mxfp6_e2m3")
    generator = np.random.default_rng(1)
    (scales_a, a), (scales_b, b) = (golden.encode_blocks(x, fmt) for x in generator.standard_normal((2, 300, 32)))
    expected = golden.block_dot((scales_a, a), (scales_b, b), fmt, fmt, acc=golden.Rounded("fp32", block=8))
    model = sim.Model.build(hdl.generate(unit, "block_dot"))
    sums = np.zeros(300, np.uint32)
    for start in range(0, 32, 8):
        beat = slice(start, start + 8)
        inputs = {"a": to_bus(a[:, beat], fmt.element), "b": to_bus(b[:, beat], fmt.element), "c": sums}
        sums = model.evaluate(inputs | {"a_scale": scales_a[:, 0], "b_scale": scales_b[:, 0]})["d"]
    np.testing.assert_array_equal(sums, expected)
