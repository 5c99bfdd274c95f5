"""Boolean functions of Liberty against Python's own evaluation."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from polymac.golden.formats import ParameterError
from polymac.synth.liberty.boolean import BooleanFunction, boolean_function

NAMES = ("A", "B1", "_c", "D[3]")


def both(children: st.SearchStrategy[tuple[str, str]]) -> st.SearchStrategy[tuple[str, str]]:
    """Pairs of a Liberty text and of Python's for the same function; each is one operand, in parentheses if need be."""
    inverted = children.flatmap(
        lambda x: st.sampled_from([(f"!{x[0]}", f"(1 ^ {x[1]})"), (f"{x[0]}'", f"(1 ^ {x[1]})")])
    )
    pairs = st.lists(children, min_size=2, max_size=3)

    def joined(operators: tuple[str, ...], python: str) -> st.SearchStrategy[tuple[str, str]]:
        return st.tuples(pairs, st.sampled_from(operators)).map(
            lambda x: (f"({x[1].join(a for a, _ in x[0])})", f"({python.join(b for _, b in x[0])})")
        )

    return st.one_of(
        inverted, joined(("&", " * ", " "), "&"), joined(("|", " + "), "|"), joined((" ^ ", "^"), "^"), children
    )


FUNCTIONS = st.recursive(
    st.one_of(
        st.sampled_from(NAMES).map(lambda name: (name, name.replace("[3]", "3"))),
        st.sampled_from([("0", "0"), ("1", "1")]),
    ),
    both,
    max_leaves=12,
)


@given(FUNCTIONS)
def test_as_python_has_it(function):
    liberty, python = function
    states = np.arange(16)
    values = {name: (states >> i & 1).astype(bool) for i, name in enumerate(NAMES)}
    found = BooleanFunction(liberty)(values)
    variables = {name.replace("[3]", "3"): (states >> i & 1) for i, name in enumerate(NAMES)}
    assert np.array_equal(found, np.broadcast_to(eval(python, {}, variables), states.shape))


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("A ^ B & C", "(A ^ B) & C"),
        ("A & B ^ C", "A & (B ^ C)"),
        ("A B + C D", "(A & B) | (C & D)"),
        ("!A ^ B'", "(!A) ^ (!B)"),
        ("A'' B", "A & B"),
        ("!(A + B)'", "A | B"),
        ("A !B", "A & !B"),
        ("A(B|C)", "A & (B | C)"),
        ("A|B^C D", "A | ((B ^ C) & D)"),
    ],
)
def test_which_operator_binds_first(text, same):
    states = np.arange(16)
    values = {name: (states >> i & 1).astype(bool) for i, name in enumerate("ABCD")}
    assert np.array_equal(BooleanFunction(text)(values), BooleanFunction(same)(values))


@pytest.mark.parametrize("text", ["", "A &", "(A", "A)", "& A", "A % B", "!", "2", "A ^ ^ B", "01A"])
def test_what_is_no_function(text):
    with pytest.raises(ParameterError) as error:
        BooleanFunction(text)
    assert str(error.value) == f"liberty must hold boolean functions, not {text!r}"


def test_names_in_their_order():
    assert BooleanFunction("(B A) + !B ^ 1 + _x").names == ("B", "A", "_x")
    assert boolean_function("A") is boolean_function("A")
