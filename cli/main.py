"""The entry point of the ``polymac`` command."""

from __future__ import annotations

import signal
import sys
import warnings
from types import FrameType


def main() -> None:
    """Run the command line of this process and exit with its status; 130 after Ctrl-C, 143 after SIGTERM."""
    # Ended by SIGTERM, a process would leave its workers behind, which live in sessions of their own.
    signal.signal(signal.SIGTERM, _terminate)
    try:
        # Imported here, so that Ctrl-C while NumPy and Amaranth load ends as quietly as later.
        from .application import run

        status = run(sys.argv[1:])
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Amaranth warns of modules that were never converted, as those of a design broken off are.
        warnings.simplefilter("ignore")
        print("polymac: interrupted", file=sys.stderr)
        status = 128 + signal.SIGINT
    sys.exit(status)


def _terminate(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
