"""Liberty files: where they are, what they are called, and which bytes were measured."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np

from ...golden.formats import ParameterError
from ..liberty.boolean import BooleanFunction
from ..liberty.groups import Group, read_library

_LIBRARY_NAME = re.compile(rb'\blibrary\s*\(\s*(?:"([^"\n]+)"|([^\s")]+))')


@dataclass(frozen=True)
class LibertyFile:
    """A cell library in the Liberty format.

    Parameters
    ----------
    path : str
        The file; below ``package``'s folder where a package is named.
    package : str
        A top-level package (found without importing it) that holds the file, or empty.
    distribution : str
        What has to be installed for that package to be there.

    Examples
    --------
    >>> library = synth.target("nangate45").liberty
    >>> library.name
    'NangateOpenCellLibrary'
    """

    path: str
    package: str = ""
    distribution: str = ""

    def missing(self) -> str:
        """Why the file cannot be used; empty where it is there."""
        if self.package and self._in_package() is None:
            return f"{self.path} of the Python package {self.distribution} is not installed"
        return ""

    def locate(self) -> Path:
        """The file on this machine.

        Raises
        ------
        ParameterError
            There is no such file.
        """
        if not self.package:
            return Path(self.path).resolve()
        found = self._in_package()
        if found is None:
            raise ParameterError(f"liberty must be an installed file, but {self.missing()}")
        return found

    def _in_package(self) -> Path | None:
        spec = find_spec(self.package)
        folders = spec.submodule_search_locations if spec is not None else None
        candidates = (Path(folder, self.path) for folder in folders or ())
        return next((path for path in candidates if path.is_file()), None)

    @cached_property
    def content(self) -> bytes:
        """The file's bytes.

        Raises
        ------
        ParameterError
            The file cannot be read.
        """
        try:
            return self.locate().read_bytes()
        except OSError as error:
            raise ParameterError(
                f"liberty must be a readable Liberty file, not {self.path!r}: {error.strerror}"
            ) from None

    @cached_property
    def name(self) -> str:
        """The name that the library gives itself.

        Raises
        ------
        ParameterError
            The file cannot be read, or is not Liberty.
        """
        match = _LIBRARY_NAME.search(self.content)
        if match is None:
            raise ParameterError(f"liberty must be a Liberty file, not {self.path!r}: it holds no 'library (NAME)'")
        return (match[1] or match[2]).decode("utf-8", "replace")

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the file's bytes, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    def lacks(self) -> str:
        """What synthesis needs and the library has not, in a few words; empty where nothing is seen to be missing.

        Raises
        ------
        ParameterError
            The file cannot be read, or is not a whole Liberty file.
        """
        library = read_library(self.content.decode("utf-8", "replace"), self.path)
        cells = list(library.all("cell"))
        if not cells:
            return "it holds no cells"
        if not any(any(pin.all("timing")) for cell in cells for pin in cell.all("pin")):
            return "it holds no timing, by which ABC maps"
        found = {kind for cell in cells for kind in _kinds(cell)}
        missing = [kind for kind in _NEEDED if kind not in found]
        return f"it holds no {', no '.join(missing)}" if missing else ""


#: What every design needs.
_NEEDED = ("buffer", "inverter", "two-input NAND", "D flip-flop")


def _kinds(cell: Group) -> list[str]:
    """Which of the needed kinds a cell is of."""
    if any("clocked_on" in group.values and "next_state" in group.values for group in cell.all("ff")):
        return ["D flip-flop"]
    found = []
    for pin in cell.all("pin"):
        try:
            function = BooleanFunction(pin.values.get("function", ""))
        except ParameterError:
            continue
        inputs = function.names
        states = np.array(list(product((False, True), repeat=min(len(inputs), 2)))).T
        if len(inputs) in (1, 2):
            table = tuple(map(bool, function(dict(zip(inputs, states, strict=True)))))
            found += [kind for kind, wanted in _TABLES.items() if table == wanted]
    return found


#: The truth tables of gates.
_TABLES = {
    "buffer": (False, True),
    "inverter": (True, False),
    "two-input NAND": (True, True, True, False),
}
