"""Results of comparisons for readers: one HTML page, plots, and tables in Markdown and LaTeX."""

from .draw import png, svg
from .groups import Group, groups
from .plots import PLOTS, Chart, charts
from .render import page
from .tables import latex, markdown

__all__ = ["PLOTS", "Chart", "Group", "charts", "groups", "latex", "markdown", "page", "png", "svg"]
