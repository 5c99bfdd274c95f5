"""A picture of the values of formats on a number line, as SVG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..golden.formats import BlockFormat, Format, ParameterError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Lines of more values would run into one another.
MAX_CODES = 1 << 10
_NORMAL, _SUBNORMAL = "#1f5fa8", "#d95f02"


def draw(formats: Sequence[Format | BlockFormat]) -> str:
    """The SVG of one row for each format: all finite values on a linear axis, the positive ones on a logarithmic one.

    Of a block format the elements are drawn. The same formats give the same text.

    Raises
    ------
    ParameterError
        A format has too many codes, or matplotlib is not installed.
    """
    for item in formats:
        element = _element(item)
        if element.code_count > MAX_CODES:
            raise ParameterError(
                f"--plot must be of formats of at most {MAX_CODES} codes, not {item} ({element.code_count})"
            )
    try:
        # Only here: it takes long to load, and only pictures need it.
        import matplotlib
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise ParameterError(
            "--plot must be left out where matplotlib is not installed (pip install 'polymac[plot]')"
        ) from None
    with matplotlib.rc_context({"svg.hashsalt": "polymac", "font.size": 9}):
        figure = Figure(figsize=(11, 0.7 + 1.15 * len(formats)), layout="constrained")
        for row, axes in zip(formats, figure.subplots(len(formats), 2, squeeze=False), strict=True):
            _draw_row(row, *axes)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def _element(item: Format | BlockFormat) -> Format:
    return item.element if isinstance(item, BlockFormat) else item


def _draw_row(item: Format | BlockFormat, linear: Axes, logarithmic: Axes) -> None:
    fmt = _element(item)
    groups: dict[str, list[float]] = {_NORMAL: [], _SUBNORMAL: []}
    for code in range(fmt.code_count):
        if fmt.text(code) not in ("nan", "inf", "-inf"):
            magnitude = code & fmt.magnitude_mask
            subnormal = fmt.exp_bits and fmt.subnormals and 0 < magnitude < 1 << fmt.frac_bits
            groups[_SUBNORMAL if subnormal else _NORMAL].append(float(fmt.fraction(code)))
    for axes, label in ((linear, "values"), (logarithmic, "positive values, logarithmic")):
        for color, name in ((_NORMAL, "normal"), (_SUBNORMAL, "subnormal")):
            values = [value for value in groups[color] if axes is linear or value > 0]
            if values:
                axes.vlines(values, 0, 1, color=color, linewidth=0.8, label=name)
        axes.set_yticks([])
        axes.spines[["left", "right", "top"]].set_visible(False)
        axes.set_title(f"{_caption(item)}: {label}" if axes is linear else label, loc="left", fontsize=9)
    logarithmic.set_xscale("log", base=2)
    if groups[_SUBNORMAL]:
        logarithmic.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, fontsize=8)


def _caption(item: Format | BlockFormat) -> str:
    return f"elements of {item} ({item.element})" if isinstance(item, BlockFormat) else item.name
