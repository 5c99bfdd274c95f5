"""The ``polymac`` command as a whole: its subcommands, and what each kind of error becomes."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
from collections.abc import Sequence

import click

from ..golden import ParameterError
from ..sim.engine.simulators import SimulationError
from ..synth import SynthesisError
from .compare import compare
from .formats import formats
from .generate import generate
from .options import Choices, flag
from .presets import presets
from .report import report
from .run import run as run_dataset
from .sweep import sweep
from .verify import verify

#: Exit statuses: a check or a tool failed; a wrong argument or input.
FAILED, WRONG_INPUT = 1, 2

_FIRST_STEPS = """polymac: multiply-accumulate hardware in any number format, generated, proven bit for bit, priced.

Begin with one of these:
  polymac run digits                           an int8 systolic array classifies handwritten digits
  polymac formats                              the number formats
  polymac presets                              the dot products of known accelerators
  polymac generate multiplier --a fp16         Verilog of a multiplier, in build/
  polymac verify multiplier --a int8           simulate all its operands against the NumPy model
  polymac compare --formats int8,fp8_e4m3      area and delay of multipliers, side by side
  polymac sweep formats.toml                   the figures of thousands of units, as a file lists them
  polymac report results.json --html results.html   a page of results, with plots

`polymac COMMAND --help` explains a command and has examples."""


@click.group(
    cls=Choices,
    choice="command",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n  polymac\n  polymac --version\n  polymac formats --help",
)
@click.version_option(package_name="polymac", message="polymac %(version)s")
@click.pass_context
def polymac(context: click.Context) -> None:
    """Multiply-accumulate hardware for machine learning in any number format: generated, proven bit for bit, priced.

    Exit status: 0 done, 1 a check or a tool failed, 2 a wrong argument or input, 130 interrupted.
    """
    if context.invoked_subcommand is None:
        click.echo(_FIRST_STEPS)


for _command in (formats, presets, generate, verify, compare, sweep, report, run_dataset):
    polymac.add_command(_command)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit status; an error of the user's becomes one line on stderr.

    Any other exception is a defect of polymac and goes on to the caller.
    """
    try:
        with polymac.make_context("polymac", list(arguments)) as context:
            polymac.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.UsageError as error:
        where = f" (see `{error.ctx.command_path} --help`)" if error.ctx else ""
        return _fail(f"{' '.join(error.format_message().split())}{where}", WRONG_INPUT)
    except ParameterError as error:
        return _fail(_with_options(str(error)), WRONG_INPUT)
    except (SimulationError, SynthesisError) as error:
        return _fail(str(error), FAILED)
    except BrokenPipeError:
        _discard_stdout()
        return 128 + signal.SIGPIPE
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _discard_stdout()
        place = error.filename or "standard output or a temporary file"
        return _fail(f"output must be where there is room, not {place}: {error.strerror}", WRONG_INPUT)
    return 0


def _with_options(message: str) -> str:
    """A library's message with the switches of the command line in place of Python's arguments."""
    return re.sub(r"\bunless (\w+) is True\b", lambda found: f"unless {flag(found[1])} is given", message)


def _fail(message: str, status: int) -> int:
    click.echo(f"polymac: {message}", err=True)
    return status


def _discard_stdout() -> None:
    """Discard what is still buffered for stdout: writing it would fail again when Python ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
