"""ABC, which comes with Yosys, as a prover of its own: behind Yosys in one job, with a script that asks the questions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from ...golden.formats import ParameterError
from .runner import Job

#: What ``print_status`` says: 1 proven, 0 not so, -1 neither.
STATUS = re.compile(r"^Status = (-?\d)", re.MULTILINE)

_PROGRAM, _SCRIPT = "yosys-abc", "prove.abc"


def abc_job(label: str, commands: Sequence[str], files: Mapping[str, str], script: str) -> Job:
    """The job in which Yosys' commands make graphs of the files, and ABC then runs a script over these.

    Raises
    ------
    ParameterError
        Yosys is the WebAssembly build, whose ABC cannot be run alone.
    """
    found = find_spec("pyosys")
    if found is None or found.origin is None:
        raise ParameterError("proofs must have native Yosys (pyosys), not WebAssembly")
    links = {_PROGRAM: Path(found.origin).with_name(_PROGRAM)}
    return Job(label, (*commands, f"exec -- ./{_PROGRAM} -f {_SCRIPT}"), {**files, _SCRIPT: script}, links)
