"""The boolean functions of Liberty: ``function``, ``when``, ``next_state``, …

Operators, the strongest first: ``!`` before or ``'`` behind (inversion), ``^`` (exclusive or), ``&``, ``*`` or nothing
between two operands (and), ``|`` or ``+`` (or); parentheses; constants 0 and 1 (Liberty User Guide, "Boolean operators").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...golden.formats import ParameterError

Bits: TypeAlias = NDArray[np.bool_]
_Node: TypeAlias = "str | bool | tuple[str, _Node] | tuple[str, _Node, _Node]"

_TOKEN = re.compile(r"\s*([!'^&*|+()]|[A-Za-z_][\w.\[\]$]*|[01](?!\w))")


class BooleanFunction:
    """A boolean function of named inputs.

    Parameters
    ----------
    text : str
        As Liberty writes it.

    Raises
    ------
    ParameterError
        The text is not such a function.

    Examples
    --------
    >>> BooleanFunction("(A B)' ^ C").names
    ('A', 'B', 'C')
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = self._split()
        self._place = 0
        self._root = self._or()
        if self._place < len(self._tokens):
            raise self._error()
        self.names = tuple(dict.fromkeys(token for token in self._tokens if token[0].isalpha() or token[0] == "_"))

    def __call__(self, values: Mapping[str, Bits]) -> Bits:
        """Its value where the inputs have these, which are arrays of one shape.

        Raises
        ------
        KeyError
            An input is missing.
        """
        shape = next((np.shape(item) for item in values.values()), ())
        return np.broadcast_to(_evaluate(self._root, values), shape)

    def _error(self) -> ParameterError:
        return ParameterError(f"liberty must hold boolean functions, not {self.text!r}")

    def _split(self) -> list[str]:
        tokens = []
        place = 0
        text = self.text.rstrip()
        while place < len(text):
            match = _TOKEN.match(text, place)
            if match is None:
                raise self._error()
            tokens.append(match[1])
            place = match.end()
        return tokens

    def _next(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _take(self, *operators: str) -> bool:
        if self._next() not in operators:
            return False
        self._place += 1
        return True

    def _or(self) -> _Node:
        node = self._and()
        while self._take("|", "+"):
            node = ("|", node, self._and())
        return node

    def _and(self) -> _Node:
        node = self._xor()
        while self._take("&", "*") or self._next() not in ("", "|", "+", ")"):
            node = ("&", node, self._xor())
        return node

    def _xor(self) -> _Node:
        node = self._inverted()
        while self._take("^"):
            node = ("^", node, self._inverted())
        return node

    def _inverted(self) -> _Node:
        if self._take("!"):
            return ("!", self._inverted())
        if self._take("("):
            node = self._or()
            if not self._take(")"):
                raise self._error()
        else:
            token = self._next()
            if not token or not (token[0].isalnum() or token[0] == "_"):
                raise self._error()
            self._place += 1
            node = token == "1" if token in "01" else token
        while self._take("'"):
            node = ("!", node)
        return node


def _evaluate(node: _Node, values: Mapping[str, Bits]) -> Bits:
    if isinstance(node, bool):
        return np.bool_(node)  # pyright: ignore[reportReturnType]  # an array of no dimensions
    if isinstance(node, str):
        return values[node]
    first = _evaluate(node[1], values)
    if len(node) == 2:
        return np.logical_not(first)
    second = _evaluate(node[2], values)
    return {"&": np.logical_and, "|": np.logical_or, "^": np.logical_xor}[node[0]](first, second)


@lru_cache(maxsize=4096)
def boolean_function(text: str) -> BooleanFunction:
    """The :class:`BooleanFunction` of a text."""
    return BooleanFunction(text)
