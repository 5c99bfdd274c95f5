"""Vega-Lite specifications as SVG and PNG, without a browser or a network."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from ...golden.formats import ParameterError

#: Vega makes the points' links absolute, on a host that is not ours.
_LINK = re.compile(r'(<a [^>]*?)xlink:href="[^"]*?(#r\d+)"')


def svg(spec: Mapping[str, Any], *, links: bool = False) -> str:
    """The SVG of a specification: the same one gives the same text.

    Parameters
    ----------
    spec : mapping
        As :func:`.plots.charts` makes it.
    links : bool
        Whether points lead to ``#rN``, the record of row N on the page.

    Raises
    ------
    ParameterError
        vl-convert is not installed.
    """
    # No base URL is allowed, so that nothing is fetched, whatever a specification says.
    text = _convert().vegalite_to_svg(json.dumps(spec), allowed_base_urls=[])
    return _LINK.sub(r'\1href="\2"', text) if links else re.sub(r"</?a\b[^>]*>", "", text)


def png(spec: Mapping[str, Any], scale: float = 2) -> bytes:
    """The PNG of a specification, ``scale`` pixels for each of the specification's.

    Raises
    ------
    ParameterError
        vl-convert is not installed.
    """
    return _convert().svg_to_png(svg(spec), scale=scale)


def _convert() -> ModuleType:
    try:
        # Only here: it takes a second to load.
        import vl_convert
    except ModuleNotFoundError:
        raise ParameterError(
            "plots must be left out where vl-convert is not installed (pip install 'polymac[page]')"
        ) from None
    return vl_convert
