"""Proofs hold for what is right, and fail for broken copies; and every architecture and pipeline is proven."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import pytest
from amaranth.hdl import Shape

from polymac import golden, hdl
from polymac.golden.formats import ParameterError
from polymac.hdl.integer.product import ARCHITECTURES, Product
from polymac.synth import SynthesisError
from polymac.synth.proofs.equivalence import prove_equal, prove_pipeline, prove_product

#: Signed, unsigned and mixed.
SIGNS = tuple(itertools.product((False, True), repeat=2))
STAGES = range(1, 7)


def product(a: Shape, b: Shape, architecture: str) -> hdl.Design:
    return hdl.generate(Product(a=a, b=b, architecture=architecture), "dut")


def multiplier(name: str, **options) -> hdl.Design:
    return hdl.generate(hdl.Multiplier(**options), name)


def broken(design: hdl.Design, pattern: str, replacement: str, at: int = 0) -> hdl.Design:
    """A copy in which one match of a pattern is replaced."""
    found = list(re.finditer(pattern, design.verilog, re.MULTILINE))[at]
    text = design.verilog[: found.start()] + found.expand(replacement) + design.verilog[found.end() :]
    assert text != design.verilog
    return replace(design, verilog=text)


def prove_all_products(widths: list[tuple[int, int]], architecture: str, timeout: float = 60.0) -> None:
    for (a, b), (a_signed, b_signed) in itertools.product(widths, SIGNS):
        shapes = Shape(a, a_signed), Shape(b, b_signed)
        assert prove_product(product(*shapes, architecture), *shapes, timeout=timeout).proven, (architecture, shapes)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_product_is_the_product(architecture: str) -> None:
    shapes = Shape(4, True), Shape(3, architecture != "booth")
    proof = prove_product(product(*shapes, architecture), *shapes)
    assert proof.proven and proof.counterexample is None
    assert (proof.method, proof.questions) == ("induction over the bits of b", 4)
    assert proof.seconds > 0


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_sign_of_square_and_rectangular_products(architecture: str) -> None:
    prove_all_products([(4, 4), (5, 3), (3, 6)], architecture)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_signed_products_of_8_bits(architecture: str) -> None:
    """The widest of which every architecture is proven in minutes on a loaded machine; Booth's comes to 12 bits."""
    shapes = Shape(8, True), Shape(8, True)
    assert prove_product(product(*shapes, architecture), *shapes).proven


@pytest.mark.parametrize("architecture", ["booth", "tree"])
def test_a_broken_product_is_seen(architecture: str) -> None:
    shapes = Shape(5, True), Shape(4, True)
    wrong = broken(product(*shapes, architecture), r"^(  wire carry_5_\d+ =) (.*);", r"\1 ~(\2);")
    proof = prove_product(wrong, *shapes)
    assert not proof.proven
    assert proof.counterexample is not None and set(proof.counterexample) == {"a", "b"}


def test_a_broken_base_of_the_induction_is_seen() -> None:
    """y = a * b + 1 obeys every step."""
    text = "module dut(input [2:0] a, input [2:0] b, output [5:0] y); assign y = a * b + 1; endmodule\n"
    design = replace(product(Shape(3), Shape(3), "operator"), verilog=text)
    assert not prove_product(design, Shape(3), Shape(3)).proven
    assert prove_product(replace(design, verilog=text.replace(" + 1", "")), Shape(3), Shape(3)).proven


def test_fp8_multipliers_of_two_architectures_are_equal() -> None:
    for name, architecture in (("fp8_e5m2", "tree"), ("fp8_e4m3", "booth")):
        reference = multiplier("reference", a=name, b=name, rounding="port")
        assert prove_equal(
            reference, multiplier("other", a=name, b=name, rounding="port", architecture=architecture)
        ).proven


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fp8_e5m2", "fp8_e4m3", "fp6_e3m2", "fp6_e2m3", "fp4_e2m1"])
def test_float_multipliers_of_all_architectures_are_equal(name: str) -> None:
    for subnormals in ("full", "flush"):
        options = {"a": name, "b": name, "rounding": "port", "subnormals": subnormals}
        reference = multiplier("reference", **options)
        for architecture in ARCHITECTURES[1:]:
            assert prove_equal(reference, multiplier("other", **options, architecture=architecture)).proven


@pytest.mark.parametrize(
    "name", ["fp8_e5m2", *(pytest.param(name, marks=pytest.mark.slow) for name in ("fp16", "bf16", "tf32", "fp32"))]
)
def test_architectures_differ_in_the_module_of_the_product_alone(name: str) -> None:
    """What is proven of that module so holds for the multiplier."""

    def others(architecture: str) -> list[str]:
        text = multiplier("mul", a=name, b=name, architecture=architecture).verilog
        modules = re.findall(r"^module .*?^endmodule", text, re.MULTILINE | re.DOTALL)
        kept = [module for module in modules if not module.startswith("module mul_product (")]
        assert len(kept) == len(modules) - 1
        return kept

    expected = others("operator")
    for architecture in ARCHITECTURES[1:]:
        assert others(architecture) == expected


def test_a_different_multiplier_is_seen_with_operands() -> None:
    nearest, away = (multiplier(f"mul_{mode}", a="fp8_e5m2", b="fp8_e5m2", rounding=mode) for mode in ("rne", "rna"))
    proof = prove_equal(nearest, away)
    assert not proof.proven and proof.counterexample is not None
    a, b = ([proof.counterexample[port]] for port in "ab")
    results = [golden.multiply(a, b, "fp8_e5m2", "fp8_e5m2", rounding=mode) for mode in ("rne", "rna")]
    assert results[0] != results[1]


@pytest.mark.parametrize(("name", "stages"), [("int8", 1), ("int8", 3), ("fp8_e5m2", 4), ("fp16", 2)])
def test_a_pipeline_is_its_combinational_unit(name: str, stages: int) -> None:
    proof = prove_pipeline(multiplier("deep", a=name, b=name, stages=stages), multiplier("flat", a=name, b=name))
    assert proof.proven
    assert proof.method == f"registers hold with en = 0; {stages} cycles from any state"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["int8", "int16", "fp8_e4m3", "fp8_e5m2", "fp16", "bf16", "tf32", "fp32", "fp64"])
def test_every_pipeline_is_its_combinational_unit(name: str) -> None:
    for options in ({}, {"out": "fp16", "rounding": "port"}, {"out": "exact"}):
        if options.get("out") == "exact" and name in ("fp32", "fp64"):
            continue
        flat = multiplier("flat", a=name, b=name, **options)
        for stages in STAGES:
            assert prove_pipeline(multiplier("deep", a=name, b=name, stages=stages, **options), flat).proven, stages


def test_a_broken_pipeline_is_seen() -> None:
    flat = multiplier("flat", a="int4", b="int4")
    deep = multiplier("deep", a="int4", b="int4", stages=2)
    # One register that does not wait for its enable.
    free = broken(deep, r"^(    else) if \(en\) (\w+ <= \w+;)", r"\1 \2")
    assert not prove_pipeline(free, flat).proven
    # One register less, or more.
    for stages in (1, 3):
        other = multiplier("deep", a="int4", b="int4", stages=stages)
        assert not prove_pipeline(replace(other, metadata=deep.metadata), flat).proven
    assert not prove_pipeline(deep, broken(flat, r"a\b", "~a", at=-1)).proven
    assert prove_pipeline(deep, flat).proven


def test_no_answer_in_time() -> None:
    shapes = Shape(16, True), Shape(16, True)
    left, right = (replace(product(*shapes, kind), name=kind) for kind in ("operator", "tree"))
    left, right = (replace(d, verilog=d.verilog.replace("dut", d.name)) for d in (left, right))
    with pytest.raises(SynthesisError) as error:
        prove_equal(left, right, timeout=2.0)
    assert str(error.value) == "proof of operator = tree: no result within the time limit of 2 s"


def test_errors() -> None:
    flat, deep = multiplier("flat", a="int4", b="int4"), multiplier("deep", a="int4", b="int4", stages=1)
    wide = multiplier("wide", a="int5", b="int4")
    for call, message in (
        (lambda: prove_equal(flat, flat), "designs must have names of their own, not both flat"),
        (
            lambda: prove_equal(flat, wide),
            "designs must have the same inputs, not a[4], b[4] in flat and a[5], b[4] in wide",
        ),
        (lambda: prove_equal(flat, deep), "designs must be combinational, not with a latency of 1 as deep"),
        (lambda: prove_pipeline(flat, deep), "latencies must be at least 1 and 0, not 0 and 1"),
        (
            lambda: prove_product(flat, Shape(3), Shape(4)),
            "ports must be a[3], b[4], y[7], not a[4], b[4], y[8]",
        ),
        (lambda: prove_product(flat, Shape(4), Shape(4), jobs=0), "jobs must be at least 1, not 0"),
    ):
        with pytest.raises(ParameterError) as error:
            call()
        assert str(error.value) == message
