"""Vega-Lite specifications as SVG and PNG, without a browser or a network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from ...golden.formats import ParameterError


def svg(spec: Mapping[str, Any]) -> str:
    """The SVG of a specification: the same one gives the same text.

    Raises
    ------
    ParameterError
        vl-convert is not installed.
    """
    # No base URL is allowed, so that nothing is fetched, whatever a specification says.
    return _convert().vegalite_to_svg(json.dumps(spec), allowed_base_urls=[])


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
