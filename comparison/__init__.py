"""What number formats cost beside what they do to accuracy: rows of figures, for tables, files and a page."""

from .activity import SOURCES, streams
from .figures import FIGURES, Figure
from .matched import MATCHED, Matched, matched
from .measure import measure
from .plan import Options
from .request import Request
from .row import SCHEMA, Row

__all__ = [
    "FIGURES",
    "MATCHED",
    "SCHEMA",
    "SOURCES",
    "Figure",
    "Matched",
    "Options",
    "Request",
    "Row",
    "matched",
    "measure",
    "streams",
]
