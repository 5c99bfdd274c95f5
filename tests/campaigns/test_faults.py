"""The harness of seeded faults itself, and a small part of what `make faults` does."""

from __future__ import annotations

import json
import sys
from types import ModuleType

import numpy as np
import pytest

from polymac import golden, hdl
from polymac.sim.campaigns import regression
from polymac.synth.faults import seeded
from polymac.synth.proofs import netlists
from polymac.synth.yosys.netlist import Netlist

#: Three of each kind.
COUNT = 27


@pytest.fixture(scope="module")
def faults(script) -> ModuleType:
    return script("campaigns/faults")


@pytest.fixture(scope="module")
def faults_golden(script) -> ModuleType:
    return script("campaigns/faults_golden")


@pytest.fixture(scope="module")
def result(faults):
    return faults.run("fp8_e4m3", COUNT, 1)


def test_every_fault_is_noticed_or_proven_to_be_none(result):
    assert result.survivors == []
    assert result.killed + len(result.equivalent) == result.faults == COUNT
    assert result.killed > 20
    assert len(result.kinds) == 9
    assert [sum(column) for column in zip(*result.kinds.values(), strict=True)] == [
        COUNT,
        result.killed,
        len(result.equivalent),
    ]


def test_what_is_noticed_is_different_for_the_solver_too(faults, result):
    # Kinds of which every fault was noticed: the solver must find operands for them.
    design = hdl.generate(faults.UNITS["fp8_e4m3"](), "fp8_e4m3")
    netlist = Netlist.of(design)
    chosen = seeded.sample(seeded.faults_of(design, netlist), COUNT, 1)
    kinds = [kind for kind, (total, killed, _) in result.kinds.items() if total == killed]
    assert kinds
    for kind in kinds[:2]:
        fault = next(fault for fault in chosen if fault.kind == kind)
        assert seeded.classify(netlist, fault)[0] == netlists.DIFFERENT


def test_a_blind_regression_leaves_survivors_by_name(faults, monkeypatch, capsys, tmp_path):
    every = regression.traces

    def few(*arguments):
        # Only products with one.
        (trace, *_) = every(*arguments)
        here = np.flatnonzero(trace.inputs["a"] == 0x38)
        parts = (trace.inputs, trace.outputs, trace.counts)
        inputs, outputs, counts = ({name: values[here] for name, values in part.items()} for part in parts)
        yield regression.Trace(inputs, outputs, counts)

    monkeypatch.setattr(regression, "traces", few)
    file = tmp_path / "faults.json"
    monkeypatch.setattr(sys, "argv", ["faults.py", "--unit", "fp8_e4m3", "--count", str(COUNT), "--json", str(file)])
    assert faults.main() == 1
    (record,) = json.loads(file.read_text())
    assert record["survivors"]
    printed = capsys.readouterr().out
    for text in record["survivors"]:
        assert f"fp8_e4m3: {text}" in printed
        assert "(different, SAT: " in text


def test_what_a_quick_proof_leaves_open_is_asked_again(faults, monkeypatch):
    limits = []

    def slow(netlist, fault, *, reset, timeout):
        limits.append(timeout)
        return (netlists.SAME, "in time") if timeout == faults.THOROUGH else (netlists.UNKNOWN, "")

    monkeypatch.setattr(seeded, "classify", slow)
    monkeypatch.setitem(faults.UNITS, "tiny", lambda: hdl.Multiplier(a="int2", b="int2"))
    result = faults.run("tiny", 60, 1)
    assert result.survivors == []
    assert all(text.endswith("(in time)") for text in result.equivalent)
    assert limits.count(faults.QUICK) == limits.count(faults.THOROUGH) == len(result.equivalent) > 0


def test_the_sound_design_must_pass(faults, monkeypatch):
    monkeypatch.setattr(golden, "multiply", lambda a, b, *_, **options: (a ^ b, np.zeros(len(a), np.uint8)))
    with pytest.raises(AssertionError, match=r"^fp8_e4m3 must equal the golden model without a fault$"):
        faults.run("fp8_e4m3", COUNT, 1)


def test_golden_mutants_change_one_thing_each_and_nothing_that_only_errors_say(faults_golden):
    chosen = faults_golden.sample(20, 1, ["codec/rounding", "sums/limbs"])
    assert len({str(mutant) for mutant in chosen}) == len(chosen) == 20
    assert {mutant.module for mutant in chosen} == {"codec/rounding", "sums/limbs"}
    for mutant in chosen:
        compile(mutant.source(faults_golden.text_of(mutant.module)), mutant.module, "exec")
        assert "raise " not in str(mutant)


def test_golden_mutants_of_a_small_module(faults_golden):
    text = 'def f(x: int = 3) -> int:\n    """Doc 7."""\n    return x + 1 if x < 2 else not x\n'
    found = [(m.change, m.source(text).splitlines()[-1].strip()) for m in faults_golden.mutants("m", text)]
    line = "in `return x + 1 if x < 2 else not x`"
    assert (f"Lt → LtE {line}", "return x + 1 if x <= 2 else not x") in found
    assert (f"Add → Sub {line}", "return x - 1 if x < 2 else not x") in found
    assert (f"1 → 2 {line}", "return x + 2 if x < 2 else not x") in found
    assert (f"condition inverted {line}", "return x + 1 if not x < 2 else not x") in found
    assert (f"no Not {line}", "return x + 1 if x < 2 else +x") in found
    assert len(found) == len(set(found)) == 8


@pytest.mark.slow  # the tests of a module, twice
def test_a_golden_mutant_is_noticed_and_the_sound_model_is_not(faults_golden):
    module = "codec/scalar"
    condition = next(m for m in faults_golden.mutants(module, faults_golden.text_of(module)) if "Invert" in m.change)
    assert faults_golden.noticed(condition, module) is not None
    assert faults_golden.noticed(None, module) is None
