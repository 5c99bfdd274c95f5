from __future__ import annotations

import re
from pathlib import Path

import pytest

from polymac import synth
from polymac.golden.formats import ParameterError


def test_the_targets_of_the_catalogue():
    assert list(synth.TARGETS) == ["nangate45", "cmos", "xc7", "ice40", "ecp5"]
    for name, target in synth.TARGETS.items():
        assert synth.target(name) is target is synth.target(target)
        assert target.name == name
        names = [recipe.name for recipe in target.recipes]
        assert len(set(names)) == len(names) >= 3
        assert any(recipe.uses_dsp for recipe in target.recipes) == ("dsps" in target.counts)


def test_no_recipe_names_a_path_of_this_machine():
    for target in synth.TARGETS.values():
        for recipe in target.recipes:
            script = recipe.script("some_top", 1.0)
            assert "{" not in "".join(script)
            assert sum("some_top" in command for command in script) >= 2
            assert not re.search(r"(?<![+\w])/\w", "".join(script))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ice4O", "target must be one of nangate45, cmos, xc7, ice40, ecp5, not 'ice4O'; did you mean ice40?"),
        ("sky130", "target must be one of nangate45, cmos, xc7, ice40, ecp5, not 'sky130'"),
    ],
)
def test_an_unknown_target(name, message):
    with pytest.raises(ParameterError) as error:
        synth.target(name)
    assert str(error.value) == message


def test_a_target_is_a_name():
    with pytest.raises(TypeError) as error:
        synth.target(45)  # pyright: ignore[reportArgumentType]
    assert str(error.value) == "target must be a name or a Target, not 45"


def test_recipes_are_chosen_by_name_in_the_targets_order():
    cmos = synth.target("cmos")
    assert cmos.choose_recipes(None) == cmos.recipes
    assert cmos.choose_recipes(["booth", "plain"]) == cmos.recipes[:2]


@pytest.mark.parametrize(
    ("names", "kind", "message"),
    [
        (["plain", "best"], ParameterError, "recipes must be among plain, booth, low-power booth, not 'plain, best'"),
        ([], ParameterError, "recipes must be among plain, booth, low-power booth, not ''"),
        ("plain", TypeError, "recipes must be a sequence of names, not 'plain'"),
    ],
)
def test_a_wrong_recipe(names, kind, message):
    with pytest.raises(kind) as error:
        synth.target("cmos").choose_recipes(names)
    assert str(error.value) == message


def test_the_library_of_the_package_is_found_and_named():
    library = synth.target("nangate45").liberty
    assert library is not None
    assert library.name == "NangateOpenCellLibrary"
    assert library.locate().is_file()
    assert re.fullmatch("[0-9a-f]{64}", library.sha256)
    assert synth.target("nangate45").available()


@pytest.mark.parametrize("package", ["no_such_package", "json"])
def test_a_library_whose_package_or_file_is_absent(package, mul4):
    library = synth.LibertyFile("some/cells.lib", package, "some-cells")
    target = synth.Target("some", "", synth.target("cmos").recipes, "area_um2", {}, liberty=library)
    assert not target.available()
    assert target.missing() == "some/cells.lib of the Python package some-cells is not installed"
    with pytest.raises(ParameterError) as error:
        synth.synthesize(mul4, target)
    assert str(error.value) == (
        "target must be available, not 'some': some/cells.lib of the Python package some-cells is not installed"
    )


def test_a_liberty_of_ones_own_gives_the_target_its_name(write_liberty):
    target = synth.liberty_target(write_liberty())
    assert target.name == "small"
    assert target.available()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "liberty must be a readable Liberty file, not '{}': No such file or directory"),
        ("folder", "liberty must be a readable Liberty file, not '{}': Is a directory"),
        (b"module top; endmodule\n", "liberty must be a Liberty file, not '{}': it holds no 'library (NAME)'"),
        (bytes(range(256)), "liberty must be a Liberty file, not '{}': it holds no 'library (NAME)'"),
        (b"", "liberty must be a Liberty file, not '{}': it holds no 'library (NAME)'"),
    ],
)
def test_a_file_that_is_no_liberty(tmp_path: Path, content, message):
    path = tmp_path / "cells.lib"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(ParameterError) as error:
        synth.liberty_target(path)
    assert str(error.value) == message.format(path)
