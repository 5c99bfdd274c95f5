"""Checks of parameters, and the error that they raise."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ParameterError(ValueError):
    """A parameter that cannot be used; the message names it, what is allowed and what was given, in one line."""


def check_choice(argument: str, value: object, allowed: tuple[str, ...], note: str = "") -> str:
    """Return ``value`` if it is one of ``allowed``; else raise a ParameterError that names ``argument``."""
    if isinstance(value, str) and value in allowed:
        return value
    raise ParameterError(f"{argument} must be one of {', '.join(allowed)}{note}, not {value!r}")


def check_int(argument: str, value: object, least: int, greatest: int | None = None) -> int:
    """Return ``value`` if it is an integer in ``least … greatest``.

    Raises
    ------
    TypeError
        ``value`` is not an integer.
    ParameterError
        It is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{argument} must be an integer, not {value!r}")
    if value < least or (greatest is not None and value > greatest):
        allowed = f"at least {least}" if greatest is None else f"in {least} … {greatest}"
        raise ParameterError(f"{argument} must be {allowed}, not {value}")
    return value


def check_bool(argument: str, value: object) -> bool:
    """Return ``value`` if it is a bool; else raise a TypeError that names ``argument``."""
    if not isinstance(value, bool):
        raise TypeError(f"{argument} must be True or False, not {value!r}")
    return value


def check_text(argument: str, value: object) -> str:
    """Return ``value`` if it is a string that is not empty; else raise a TypeError that names ``argument``."""
    if not isinstance(value, str) or not value:
        raise TypeError(f"{argument} must be a text, not {value!r}")
    return value


def suggest(name: str, known: Iterable[str], most: int = 3) -> str:
    """The end of an error about an unknown name: the nearest known ones, at most ``most``; empty where none is near."""
    near = difflib.get_close_matches(name, known, n=most, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""
