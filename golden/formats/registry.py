"""From a name to a format: the catalogue, the parametric families, and formats of the user's."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from ..checks import ParameterError, check_int, suggest
from .block import BlockFormat
from .catalogue import BLOCK_FORMATS, FORMATS
from .families import fixed_point, ieee_float, sign_magnitude
from .posit import MAX_POSIT_EXP_BITS, MAX_POSIT_WIDTH, MIN_POSIT_WIDTH, posit
from .scalar import Format
from .toml import read_formats

#: Files of formats, separated as in PATH, that every process of polymac loads before it looks up a name.
FORMATS_VARIABLE = "POLYMAC_FORMATS"

#: The families that are found by their names' numbers, each with one of its formats.
FAMILIES = {
    "intN": "int12",
    "uintN": "uint12",
    "qM.N": "q4.12",
    "uqM.N": "uq4.12",
    "eXmY": "e4m7",
    "positN": "posit12",
    "positN_ES": "posit12_1",
}

_NAME = r"[A-Za-z][A-Za-z0-9_]{0,39}"
_environment = ""


def _bounded(argument: str, least: int, greatest: int, value: str) -> int:
    return check_int(argument, int(value), least, greatest)


def _parse_int(match: re.Match[str]) -> Format:
    width = _bounded(f"the width of {match[0]}", 2, 64, match["width"])
    return fixed_point(width, signed=not match["unsigned"])


def _parse_q(match: re.Match[str]) -> Format:
    signed = not match["unsigned"]
    int_bits = _bounded(f"the integer bits of {match[0]}", int(signed), 64, match["int_bits"])
    frac_bits = _bounded(f"the fraction bits of {match[0]}", 0, 64, match["frac_bits"])
    _bounded(f"the width of {match[0]}", 2, 64, str(int_bits + frac_bits))
    return fixed_point(int_bits + frac_bits, frac_bits, signed)


def _parse_float(match: re.Match[str]) -> Format:
    if not int(match["exp_bits"]):
        return sign_magnitude(_bounded(f"the magnitude bits of {match[0]}", 1, 52, match["frac_bits"]))
    exp_bits = _bounded(f"the exponent bits of {match[0]}", 2, 11, match["exp_bits"])
    return ieee_float(exp_bits, _bounded(f"the fraction bits of {match[0]}", 0, 52, match["frac_bits"]))


def _parse_posit(match: re.Match[str]) -> Format:
    width = _bounded(f"the width of {match[0]}", MIN_POSIT_WIDTH, MAX_POSIT_WIDTH, match["width"])
    return posit(width, _bounded(f"the exponent bits of {match[0]}", 0, MAX_POSIT_EXP_BITS, match["es"] or "2"))


_PARAMETRIC: dict[str, Callable[[re.Match[str]], Format]] = {
    r"(?P<unsigned>u?)int(?P<width>\d{1,6})": _parse_int,
    r"(?P<unsigned>u?)q(?P<int_bits>\d{1,6})\.(?P<frac_bits>\d{1,6})": _parse_q,
    r"e(?P<exp_bits>\d{1,6})m(?P<frac_bits>\d{1,6})": _parse_float,
    r"posit(?P<width>\d{1,6})(_(?P<es>\d{1,6}))?": _parse_posit,
}


def format(name: str | Format) -> Format:
    """The scalar format of that name; a :class:`Format` is returned as it is.

    Names are those of FORMATS, to which :func:`register` and the files of POLYMAC_FORMATS add, and of the families
    intN, uintN, qM.N, uqM.N, eXmY and positN, with other exponent bits than 2 positN_ES; e0mY is sign and magnitude
    (:func:`.families.sign_magnitude`). The catalogue comes first: e8m0 is MX's scale, which has no sign.

    Raises
    ------
    TypeError
        ``name`` is neither a string nor a Format.
    ParameterError
        There is no such format; the message suggests the nearest names.

    Examples
    --------
    >>> golden.format("q4.12").width, golden.format("e4m7").bias
    (16, 7)
    """
    if isinstance(name, Format):
        return name
    if isinstance(name, str) and (found := _find_scalar(name)):
        return found
    if isinstance(name, BlockFormat) or (isinstance(name, str) and name in BLOCK_FORMATS):
        element = block_format(name).element
        raise ParameterError(f"format must be a scalar format, not the block format {name} (of {element})")
    if not isinstance(name, str):
        raise TypeError(f"format must be a name or a Format, not {name!r}")
    raise ParameterError(f"format must be one of {_scalar_names()}, not {name!r}{suggest(name, FORMATS)}")


def block_format(name: str | BlockFormat) -> BlockFormat:
    """The block format of that name; a :class:`BlockFormat` is returned as it is.

    Raises
    ------
    TypeError
        ``name`` is neither a string nor a BlockFormat.
    ParameterError
        There is no such block format; the message suggests the nearest names.

    Examples
    --------
    >>> golden.block_format("nvfp4").scale.name
    'fp8_e4m3'
    """
    if isinstance(name, BlockFormat):
        return name
    allowed = f"block format must be one of {', '.join(BLOCK_FORMATS)}"
    if isinstance(name, Format):
        raise ParameterError(f"{allowed}, not the scalar format {name}")
    if not isinstance(name, str):
        raise TypeError(f"block format must be a name or a BlockFormat, not {name!r}")
    load_environment()
    if name in BLOCK_FORMATS:
        return BLOCK_FORMATS[name]
    if _find_scalar(name):
        raise ParameterError(f"{allowed}, not the scalar format {name}")
    raise ParameterError(f"{allowed}, not {name!r}{suggest(name, BLOCK_FORMATS)}")


def any_format(name: str | Format | BlockFormat) -> Format | BlockFormat:
    """The scalar or block format of that name.

    Raises
    ------
    TypeError
        ``name`` is neither a string nor a format.
    ParameterError
        There is no such format; the message suggests the nearest names.

    Examples
    --------
    >>> golden.any_format("mxfp4").block_size, golden.any_format("int8").width
    (32, 8)
    """
    if isinstance(name, Format | BlockFormat):
        return name
    if not isinstance(name, str):
        raise TypeError(f"format must be a name, a Format or a BlockFormat, not {name!r}")
    if found := _find_scalar(name) or BLOCK_FORMATS.get(name):
        return found
    raise ParameterError(
        f"format must be one of {_scalar_names()}, or of the block formats {', '.join(BLOCK_FORMATS)}, not {name!r}"
        f"{suggest(name, [*FORMATS, *BLOCK_FORMATS])}"
    )


def register(fmt: Format | BlockFormat) -> Format | BlockFormat:
    """Add a format to the catalogue of this process, so that its name works wherever a name does; return it.

    A format that is registered already with the same data is left alone. Another process must register it too, or read
    it from a file of POLYMAC_FORMATS.

    Raises
    ------
    TypeError
        ``fmt`` is no format.
    ParameterError
        Its name is no identifier, or another format has it.

    Examples
    --------
    >>> golden.register(golden.Format("doc_q6", "fixed", width=6, frac_bits=4)).name
    'doc_q6'
    >>> golden.decode([0x10], "doc_q6").item()
    1.0
    """
    if not isinstance(fmt, Format | BlockFormat):
        raise TypeError(f"fmt must be a Format or a BlockFormat, not {fmt!r}")
    known = _catalogued(fmt.name)
    if known == fmt:
        return fmt
    if known is not None or any(re.fullmatch(pattern, fmt.name) for pattern in _PARAMETRIC):
        raise ParameterError(f"name must be new, not {fmt.name!r}, which is another format")
    if not re.fullmatch(_NAME, fmt.name):
        raise ParameterError(f"name must be a letter and up to 39 letters, digits and _, not {fmt.name!r}")
    if isinstance(fmt, Format):
        FORMATS[fmt.name] = fmt
    else:
        BLOCK_FORMATS[fmt.name] = fmt
    return fmt


def load_formats(path: str | Path) -> list[Format | BlockFormat]:
    """Register the formats of a TOML file and return them; :mod:`.toml` describes the file.

    Raises
    ------
    ParameterError
        The file cannot be read, or says something that is no format; none of its formats is registered then.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "formats.toml")
    ...     _ = file.write_text('doc_e5m2 = {kind = "float", width = 8, frac_bits = 2, bias = 17}')
    ...     print(golden.load_formats(file)[0].max)
    28672
    """
    formats = read_formats(Path(path), _find_scalar)
    added: list[str] = []
    try:
        for fmt in formats:
            added += [] if _catalogued(fmt.name) else [fmt.name]
            register(fmt)
    except ParameterError as error:
        for name in added:
            FORMATS.pop(name, None)
            BLOCK_FORMATS.pop(name, None)
        raise ParameterError(f"{path}: {error}") from None
    return formats


def load_environment() -> None:
    """Load the files that the environment variable POLYMAC_FORMATS names, if it has changed since the last time.

    Raises
    ------
    ParameterError
        One of them cannot be used.
    """
    global _environment
    value = os.environ.get(FORMATS_VARIABLE, "")
    if value == _environment:
        return
    before, _environment = _environment, value  # the files' own names are looked up meanwhile
    try:
        for path in filter(None, value.split(os.pathsep)):
            load_formats(path)
    except ParameterError as error:
        _environment = before
        raise ParameterError(f"{FORMATS_VARIABLE}: {error}") from None


def _catalogued(name: str) -> Format | BlockFormat | None:
    return FORMATS.get(name) or BLOCK_FORMATS.get(name)


def _find_scalar(name: str) -> Format | None:
    load_environment()
    if name in FORMATS:
        return FORMATS[name]
    for pattern, build in _PARAMETRIC.items():
        if match := re.fullmatch(pattern, name):
            return build(match)
    return None


def _scalar_names() -> str:
    return f"{', '.join(FORMATS)}, or {', '.join(FAMILIES)}"
