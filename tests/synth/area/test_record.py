from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields

import pytest

from polymac.golden.formats import ParameterError
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
    assert Record.from_json(RECORD.to_json()) == RECORD
    assert Record.from_dict(RECORD.to_dict()) == RECORD
    assert set(json.loads(RECORD.to_json())) == {item.name for item in fields(Record)}


def test_a_record_is_frozen():
    with pytest.raises(FrozenInstanceError):
        RECORD.ffs = 9  # pyright: ignore[reportAttributeAccessIssue]


def test_a_whole_number_is_a_number():
    record = Record.from_dict({**RECORD.to_dict(), "area_um2": 289})
    assert record.area_um2 == 289


def test_a_missing_field():
    values = {"design": "mul", "unit": "multiplier"}
    with pytest.raises(ParameterError) as error:
        Record.from_dict(values)
    assert str(error.value) == "record must have the field parameters, not only design, unit"


def test_an_unknown_field():
    with pytest.raises(ParameterError) as error:
        Record.from_dict({**RECORD.to_dict(), "area": 1.0})
    assert str(error.value) == "record must have known fields only, not 'area'"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("ffs", "8", "record field ffs must be int, not '8'"),
        ("ffs", 8.5, "record field ffs must be int, not 8.5"),
        ("ffs", True, "record field ffs must be int, not True"),
        ("delay_ns", "fast", "record field delay_ns must be float or null, not 'fast'"),
        ("cells", {"INV": "1"}, "record field cells must be dict[str, int], not {'INV': '1'}"),
        ("commands", [1], "record field commands must be list[str], not [1]"),
        ("design", None, "record field design must be str, not None"),
    ],
)
def test_a_field_of_a_wrong_type(field, value, message):
    with pytest.raises(ParameterError) as error:
        Record.from_dict({**RECORD.to_dict(), field: value})
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "record must be a JSON object, not list"),
        ("{", "record must be JSON, not text with the error Expecting property name enclosed in double quotes: "
              "line 1 column 2 (char 1)"),
    ],
)  # fmt: skip
def test_text_that_is_no_record(text, message):
    with pytest.raises(ParameterError) as error:
        Record.from_json(text)
    assert str(error.value) == message
