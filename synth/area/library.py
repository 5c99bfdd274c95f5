"""Liberty files: where they are, what they are called, and which bytes were measured."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from ...golden.formats import ParameterError

_LIBRARY_NAME = re.compile(rb"\blibrary\s*\(\s*\"?([^\s\")]+)")


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
        return match[1].decode("utf-8", "replace")

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the file's bytes, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()
