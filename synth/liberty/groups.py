"""The groups and attributes of a Liberty file, of the cells asked for.

A Liberty file is a tree of groups, ``kind (arguments) { … }``, with simple attributes, ``key : value ;``, and complex
ones, ``key (values) ;`` (Liberty User Guide, "General Syntax"). A library of a hundred megabytes is mostly tables of
cells that a netlist does not hold: those are passed over by their braces alone. ``docs/decisions/liberty-reader.md``
says why no library does this.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from ...golden.formats import ParameterError

_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TOKEN = re.compile(rf"\s+|/\*.*?\*/|//[^\n]*|\\\r?\n|({_STRING}|[{{}}();:,]|[^\s{{}}();:,\"\\/]+|[\\/])", re.DOTALL)
# All up to the next brace at once, since what is passed over is most of a library.
_BRACE = re.compile(rf"(?:[^{{}}\"/]++|{_STRING}|/\*.*?\*/|//[^\n]*|/(?![*/]))*+([{{}}])", re.DOTALL)
_FOLD = re.compile(r"\s*\\\r?\n\s*")


@dataclass
class Group:
    """A Liberty group: its kind, its arguments joined by a blank, its attributes and its groups."""

    kind: str
    name: str
    values: dict[str, str] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)

    def all(self, kind: str) -> Iterator[Group]:
        """Its groups of that kind."""
        return (item for item in self.groups if item.kind == kind)


class _CutError(Exception):
    """The text ends inside a group, or is not Liberty."""


class _Reader:
    def __init__(self, text: str, cells: Collection[str] | None) -> None:
        self.text = text
        self.cells = cells
        self.place = 0

    def token(self) -> str:
        """The next token; strings keep their quotes."""
        while True:
            match = _TOKEN.match(self.text, self.place)
            if match is None:
                raise _CutError
            self.place = match.end()
            if match[1] is not None:
                return match[1]

    def skip(self) -> None:
        """Go behind the brace that ends the group."""
        depth = 1
        while depth:
            match = _BRACE.match(self.text, self.place)
            if match is None:
                raise _CutError
            self.place = match.end()
            depth += 1 if match[1] == "{" else -1

    def group(self, kind: str, name: str) -> Group:
        """The group that begins here, up to its end."""
        found = Group(kind, name)
        while (key := self.token()) != "}":
            if key == ";":
                continue
            mark = self.token()
            if mark == ":":
                found.values[key] = self.simple()
            elif mark == "(":
                self.complex(found, key)
            else:
                raise _CutError
        return found

    def simple(self) -> str:
        """The value of a simple attribute; the semicolon may be missing at the end of its line."""
        value = _unquote(self.token())
        parts = [value]
        while (end := self.text.find("\n", self.place)) >= 0:
            start = self.place
            following = self.token()
            if following == ";":
                break
            if following == "}" or start > end or self.place > end:
                self.place = start
                break
            parts.append(_unquote(following))
        return " ".join(parts)

    def complex(self, parent: Group, key: str) -> None:
        """The values of a complex attribute, or the arguments and contents of a group."""
        inside = []
        while (token := self.token()) != ")":
            if token != ",":
                inside.append(_unquote(token))
        argument = " ".join(inside)
        start = self.place
        if self.token() != "{":
            self.place = start
            parent.values[key] = argument
        elif key == "cell" and self.cells is not None and argument not in self.cells:
            self.skip()
        else:
            parent.groups.append(self.group(key, argument))


def _unquote(token: str) -> str:
    return _FOLD.sub(" ", token[1:-1]) if token.startswith('"') else token


def read_library(text: str, path: str, cells: Collection[str] | None = None) -> Group:
    """The ``library`` group of a Liberty file.

    Parameters
    ----------
    text : str
        The whole file.
    path : str
        What an error calls it.
    cells : collection of str, optional
        The cells to keep; all of them unless given.

    Raises
    ------
    ParameterError
        The text is not Liberty, or ends too soon.
    """
    reader = _Reader(text, cells)
    try:
        if reader.token() != "library" or reader.token() != "(":
            raise _CutError
        root = Group("", "")
        reader.complex(root, "library")
        (library,) = root.groups
    except (_CutError, ValueError):
        line = text.count("\n", 0, reader.place) + 1
        raise ParameterError(
            f"liberty must be a whole Liberty file, not {path!r}: unreadable from line {line}"
        ) from None
    return library


def numbers(text: str) -> list[float]:
    """The numbers of an index or of values."""
    return [float(item) for item in text.replace(",", " ").split()]


#: Prefixes of units.
SCALES = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15, "k": 1e3}


def unit_in(library: Group, key: str, default: str) -> float:
    """A unit of the library, such as ``time_unit : "10ps"``, in its SI unit.

    Parameters
    ----------
    library : Group
        As :func:`read_library` reads it.
    key : str
        The attribute's name.
    default : str
        What it is where the library does not say.

    Raises
    ------
    ParameterError
        It is not a number with a unit.
    """
    text = library.values.get(key, default)
    match = re.fullmatch(r"\s*([\d.]+)\s*([munpfk]?)[sVAW]\s*", text)
    if match is None:
        raise ParameterError(f"{key} of the liberty must be a number with a unit, not {text!r}")
    return float(match[1]) * SCALES[match[2]]
