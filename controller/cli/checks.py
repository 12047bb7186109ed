"""Results of checks, a line each: what `doctor` and `status` print."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final

from controller.cli.console import Exit, print_data
from controller.cli.table import painted


class Severity(StrEnum):
    """The result of a check. SKIP: another check has to succeed first. HELD: left as it is on purpose."""

    OK = "ok"
    WARN = "warn"
    SKIP = "skip"
    HELD = "held"
    FAIL = "FAIL"


_STYLES: Final = {
    Severity.OK: "green",
    Severity.WARN: "yellow",
    Severity.SKIP: "cyan",
    Severity.HELD: "yellow",
    Severity.FAIL: "bold red",
}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line: what was checked, and the result, with a fix if there is one."""

    severity: Severity
    about: str
    text: str


ok = partial(CheckResult, Severity.OK)
warn = partial(CheckResult, Severity.WARN)
skip = partial(CheckResult, Severity.SKIP)
held = partial(CheckResult, Severity.HELD)
fail = partial(CheckResult, Severity.FAIL)


def print_check(result: CheckResult) -> None:
    """One line, its first word in the colour of the severity."""
    severity = painted(f"{result.severity:<4}", _STYLES[result.severity])
    print_data(f"{severity}  {result.about:<10}  {result.text}")


def checks_code(severities: Iterable[Severity]) -> Exit:
    """1 where anything is wrong, else 3 where anything is left on purpose."""
    given = set(severities)
    if Severity.FAIL in given:
        return Exit.FAILED
    return Exit.LEFT if Severity.HELD in given else Exit.FINE
