from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields

import pytest

from polymac.synth import Record

RECORD = Record(
    design="mul",
    unit="multiplier",
    parameters={"a": "int8", "b": "q4.4", "stages": 2, "flags": False, "ports": ["a", "b"], "acc": None},
    target="nangate45",
    recipe="booth area",
    commands=["read_verilog design.v", "synth -top mul"],
    area_um2=0.1 + 0.2,
    sequential_area_um2=36.176,
    area_ge=362.333,
    delay_ns=1e-3,
    transistors=None,
    gates=None,
    area_luts=None,
    luts=None,
    carries=None,
    ffs=8,
    dsps=None,
    cells={"NAND2_X1": 12, "DFF_X1": 8},
    library="NangateOpenCellLibrary",
    library_sha256="0" * 64,
    verilog_sha256="f" * 64,
    versions={"polymac": "0.1.0", "yosys": "0.70"},
    seconds=0.372,
)


def test_json_gives_the_record_back():
    text = json.dumps(RECORD.to_dict())
    assert Record(**json.loads(text)) == RECORD
    assert set(json.loads(text)) == {item.name for item in fields(Record)}


def test_a_record_is_frozen():
    with pytest.raises(FrozenInstanceError):
        RECORD.ffs = 9  # pyright: ignore[reportAttributeAccessIssue]
