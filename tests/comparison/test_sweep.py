from __future__ import annotations

import time
from pathlib import Path

import pytest

from polymac.comparison import Options
from polymac.comparison.sweep import read_sweep
from polymac.golden.formats import ParameterError
from polymac.synth import TARGETS, TIMEOUT


@pytest.fixture
def read(tmp_path: Path):
    """Reads a text as a sweep."""

    def call(text: str):
        path = tmp_path / "spec.toml"
        path.write_text(text)
        return read_sweep(path)

    return call


def described(sweep) -> list[tuple]:
    return [(request.unit, request.options, request.target) for request in sweep.requests()]


def test_a_grid_is_a_product_and_its_last_key_changes_fastest(read):
    sweep = read('[grid]\nunit = "dot"\na = ["int4", "mxfp4"]\ntarget = ["ice40", "ecp5"]\nflags = false\n')
    assert described(sweep) == [
        ("dot", {"a": a, "flags": False}, target) for a in ("int4", "mxfp4") for target in ("ice40", "ecp5")
    ]
    assert (sweep.count(), sweep.seconds, sweep.memory_mb) == (4, TIMEOUT, None)


def test_a_grid_leaves_out_what_a_unit_does_not_have(read):
    sweep = read('[grid]\nunit = ["multiplier", "mac"]\na = ["int4"]\nmax_k = [16, 64, 256]\n')
    assert described(sweep) == [
        ("multiplier", {"a": "int4"}, "nangate45"),
        *(("mac", {"a": "int4", "max_k": k}, "nangate45") for k in (16, 64, 256)),
    ]
    assert sweep.count() == 4


def test_several_grids_and_explicit_jobs_each_once(read):
    sweep = read(
        '[[grid]]\na = ["int4", "int5", "int4"]\n[[grid]]\na = ["int5", "int6"]\n'
        '[[jobs]]\na = "int6"\n[[jobs]]\nunit = "array"\nrows = 4\ncols = 2\npreset = "volta"\n'
        "[limits]\nseconds = 1.5\nmemory_mb = 700\n"
    )
    multipliers = [("multiplier", {"a": f"int{bits}"}, "nangate45") for bits in (4, 5, 6)]
    assert described(sweep) == [*multipliers, ("array", {"rows": 4, "cols": 2, "preset": "volta"}, "nangate45")]
    assert (sweep.count(), sweep.seconds, sweep.memory_mb) == (6, 1.5, 700)


def test_matched_comparisons_say_their_unit(read):
    sweep = read(
        '[grid]\npreset = ["mac-exact", "tensor-core"]\na = ["int4", "fp8_e4m3"]\n[[jobs]]\npreset = "mac-fp32"\n'
    )
    requests = sweep.requests()
    assert [(item.preset, item.kind, item.options) for item in requests] == [
        *((preset, unit, {"a": a}) for preset, unit in MATCHED_UNITS for a in ("int4", "fp8_e4m3")),
        ("mac-fp32", "mac", {}),
    ]
    assert sweep.count() == 5


MATCHED_UNITS = (("mac-exact", "mac"), ("tensor-core", "dot"))


def test_a_liberty_file_is_a_target(read, tmp_path: Path):
    library = TARGETS["nangate45"].liberty
    assert library is not None
    (tmp_path / "own.lib").write_bytes(library.content)
    (request,) = read(f'[[jobs]]\ntarget = "{tmp_path}/own.lib"\n').requests()
    assert request.find_target().liberty is not None and request.find_target().name not in TARGETS


def test_what_is_measured(read):
    assert read("[[jobs]]").options == Options()
    asked = read('[[jobs]]\n[measure]\nactivity = "none"\nwire_cap_ff = 2\nmax_delay_ns = 0.5\nrecipes = ["plain"]\n')
    assert asked.options == Options(0.5, None, 2, ["plain"])
    assert read('[[jobs]]\n[measure]\nactivity = "uniform"\n').options == Options(activity="uniform")


def test_ten_million_jobs_are_counted_and_not_made(read):
    numbers = ", ".join(map(str, range(1, 101)))
    start = time.monotonic()
    sweep = read(
        f'[grid]\nunit = "array"\na = ["int4", "int5", "int6", "int7", "int8"]\nb = ["int4", "int5"]\n'
        f"rows = [{numbers}]\ncols = [{numbers}]\nlanes = [{numbers}]\n"
    )
    assert sweep.count() == 10_000_000
    with pytest.raises(ParameterError) as error:
        sweep.requests()
    assert str(error.value) == "sweep must have at most 100,000 jobs unless yes is True, not 10,000,000"
    assert time.monotonic() - start < 1.0


def test_more_than_the_most_with_yes(read, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("polymac.comparison.sweep.MOST_JOBS", 2)
    sweep = read('[grid]\na = ["int4", "int5", "int6"]\n')
    with pytest.raises(ParameterError, match="at most 2 jobs unless yes is True, not 3"):
        sweep.requests()
    assert len(sweep.requests(yes=True)) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "sweep must have a [grid] or [[jobs]], and {path} has neither"),
        ("jobs = []", "sweep must have a [grid] or [[jobs]], and {path} has neither"),
        ("[gird]\na = 1", "a key of {path} must be one of grid, jobs, limits, measure, not 'gird'; did you mean grid?"),
        ('grid = "a"', "grid must be a table or several, not 'a'"),
        ("jobs = [1]", "jobs must be a table or several, not 1"),
        ("[grid]\na = []", "a of [grid] must have a value or several, not none"),
        ("[grid]\nunit = []", "unit of [grid] must have a value or several, not none"),
        ("[grid]\nstages = [0, 1.5]", "stages must be a text, a whole number, true or false, not 1.5"),
        ("[grid]\nstages = [[0]]", "stages must be a text, a whole number, true or false, not [0]"),
        ("[grid]\na = [8]", "a must be the name of a format, not 8"),
        (
            '[grid]\na = ["int8"]\n[limit]',
            "a key of {path} must be one of grid, jobs, limits, measure, not 'limit'; did you mean limits?",
        ),
        (
            "[[jobs]]\n[limits]\nsecond = 5",
            "a key of [limits] must be one of memory_mb, seconds, not 'second'; did you mean seconds?",
        ),
        ("[[jobs]]\n[limits]\nseconds = '5'", "seconds of [limits] must be a number over 0, not '5'"),
        ("[[jobs]]\n[limits]\nseconds = -1.5", "seconds of [limits] must be a number over 0, not -1.5"),
        ("[[jobs]]\n[limits]\nseconds = inf", "seconds of [limits] must be a number over 0, not inf"),
        ("[[jobs]]\n[limits]\nmemory_mb = 0.5", "memory_mb of [limits] must be a whole number over 0, not 0.5"),
        ("[[jobs]]\n[limits]\nmemory_mb = true", "memory_mb of [limits] must be a whole number over 0, not True"),
        (
            '[grid]\nunit = "dot"\npreset = ["tensor-core"]',
            "unit must be left out where preset is tensor-core, not 'dot'",
        ),
        (
            '[grid]\npreset = ["volta", "mac-fp32"]',
            "preset must be one of mac-exact, mac-fp32, tensor-core beside mac-fp32, not 'volta'",
        ),
        (
            '[[jobs]]\n[measure]\nactivty = "none"',
            "a key of [measure] must be one of accuracy, activity, delays_ns, digits, fmax, max_delay_ns, recipes, "
            "wire_cap_ff, not 'activty'; did you mean activity?",
        ),
        (
            '[[jobs]]\n[measure]\ndigits = "yes"',
            "digits of [measure] must be true or false, not 'yes'",
        ),
        (
            "[[jobs]]\n[measure]\ndelays_ns = [1, 0]",
            "delays_ns of [measure] must be a list of numbers over 0, not [1, 0]",
        ),
        (
            '[[jobs]]\n[measure]\nactivity = "gauss"',
            "activity of [measure] must be one of none, gaussian, uniform, not 'gauss'",
        ),
        ("[[jobs]]\n[measure]\nwire_cap_ff = -1", "wire_cap_ff of [measure] must be a number of at least 0, not -1"),
        ('[[jobs]]\n[measure]\nrecipes = "plain"', "recipes of [measure] must be names of recipes, not 'plain'"),
        ("limits = 3\n[[jobs]]", "limits must be a table, not 3"),
    ],
)
def test_what_a_file_must_be(read, tmp_path: Path, text, message):
    with pytest.raises(ParameterError) as error:
        read(text)
    assert str(error.value) == message.format(path=tmp_path / "spec.toml")


@pytest.mark.parametrize(
    ("text", "wrong", "near"),
    [
        ("[grid]\narchitecure = ['tree']", "'architecure'", "architecture"),
        ("[grid]\nunit = ['mac']\nstage = [1]", "'stage'", "stages"),
        ("[[jobs]]\nunit = 'mac'\nrow = 2", "'row'", "b"),
        ("[grid]\nunit = ['multiplyer']", "'multiplyer'", "multiplier"),
        ("[[jobs]]\ntarget = 'nangate_45'", "'nangate_45'", "nangate45"),
        ("[grid]\na = ['fp8_e4m33']", "'fp8_e4m33'", "fp8_e4m3"),
    ],
)
def test_what_is_misspelt_is_named_with_what_is_near(read, text, wrong, near):
    with pytest.raises(ParameterError) as error:
        read(text)
    message = str(error.value)
    assert f"not {wrong}" in message and (f"; did you mean {near}" in message or near == "b")
    assert "\n" not in message


def test_files_that_are_none(tmp_path: Path):
    with pytest.raises(ParameterError) as error:
        read_sweep(tmp_path / "none.toml")
    assert (
        str(error.value)
        == f"sweep must be a file that can be read, not {tmp_path}/none.toml: No such file or directory"
    )
    for content in (b"[grid", b"\xff\xfe"):
        (tmp_path / "wrong.toml").write_bytes(content)
        with pytest.raises(ParameterError, match=rf"^sweep must be TOML, not {tmp_path}/wrong.toml: [^\n]+$"):
            read_sweep(tmp_path / "wrong.toml")
