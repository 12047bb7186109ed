"""What the verbs exit with (docs/cli.md#exit-codes). 1 beats 3 beats 2."""

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes; a verb that was interrupted ends with the shell's own 130."""

    FINE = 0
    FAILED = 1
    CHANGES = 2
    LEFT = 3
    TIMED_OUT = 4
    USAGE = 64
