"""The verbs: each parses its arguments, calls the other packages, prints the result, returns an exit code."""

import os
import re
import sys
import traceback
import warnings
from io import TextIOWrapper

import typer

from controller.cli.console import Exit, print_error, print_info
from controller.cli.verbs import command
from controller.errors import LeaseHeldError, RoomctlError
from controller.text import quote_excerpt


def main() -> None:
    """The program `roomctl`: exits the process, and shows no traceback."""
    warnings.filterwarnings("ignore", message=".*HMAC key")  # the secret of LiveKit's `--dev` is short
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run_verb(sys.argv[1:]))


def _open_closed_streams() -> None:
    """Open streams that the caller closed: otherwise the next opened file would get their number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))


def run_verb(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        return int(
            command().main(arguments, prog_name="roomctl", complete_var="", standalone_mode=False)
            or Exit.FINE
        )
    except typer.TyperException as error:
        if arguments:
            print_error(_usage(error.format_message()))
        else:
            print_info(error.format_message())  # the help
        return Exit.USAGE
    except typer.Abort:
        print_info("")
        return Exit.FAILED
    except LeaseHeldError as error:
        print_error(str(error))
        return Exit.LEFT
    except RoomctlError as error:
        print_error(str(error))
        return Exit.FAILED
    except Exception as error:  # noqa: BLE001 - no traceback reaches a user: its message may hold anything
        print_error(_unexpected(error))
        return Exit.FAILED


def _unexpected(error: Exception) -> str:
    """The text of an unexpected error. A missing permission is not our bug."""
    if isinstance(error, PermissionError):
        what = quote_excerpt(str(error.filename)) if error.filename else "a file or an address"
        return f"cannot access {what}: permission denied"
    return f"internal error: {type(error).__name__} at {_where(error)}; please report this bug"


def _where(error: Exception) -> str:
    """File and line of the error, innermost last; never its message."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    return ", ".join(f"{frame.filename}:{frame.lineno}" for frame in frames)


def _usage(message: str) -> str:
    """Typer's message in one line, without the terms of its library for types."""
    line = " ".join(message.split())
    line = re.sub(r"Input should be a valid integer.*", "must be an integer", line)
    line = re.sub(r"No such option: (\S+)", r"unknown option \1", line)
    line = re.sub(r" \(Possible options: (.*)\)", r"; did you mean \1?", line)
    return line.replace("Value error, ", "").replace("Input should", "must")
