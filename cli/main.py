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
    except ValueError as error:
        # A bad file in POLYMAC_FORMATS is an error of the first look-up of a name, and that is while modules load, before
        # `run` could report it. Its class cannot be imported here for the same reason.
        if type(error).__name__ != "ParameterError":
            raise
        print(f"polymac: {error}", file=sys.stderr)
        status = 2
    sys.exit(status)


def _terminate(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
