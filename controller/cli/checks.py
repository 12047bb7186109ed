"""Results of checks, a line each: what `doctor` and `status` print."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Final

from controller.cli.console import Exit, print_data
from controller.cli.table import styled
from controller.clock import CLOCK_WARNING_SECONDS
from controller.records.replicas import Replica
from controller.text import format_age


class Severity(StrEnum):
    """The result of a check. SKIP: another check has to succeed first. HELD: not changed on purpose."""

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
    """One line; its first word has the colour of the severity."""
    severity = styled(f"{result.severity:<4}", _STYLES[result.severity])
    print_data(f"{severity}  {result.about:<10}  {result.text}")


def checks_code(severities: Iterable[Severity]) -> Exit:
    """1 if anything is wrong, otherwise 3 if anything is not changed on purpose."""
    given = set(severities)
    if Severity.FAIL in given:
        return Exit.FAILED
    return Exit.LEFT if Severity.HELD in given else Exit.FINE


def about_clock(ahead_s: float | None, whose: str = "the clock of this host") -> CheckResult:
    """A clock compared with LiveKit's; None if no response of LiveKit had a Date."""
    if ahead_s is None:
        return skip("clock", "not checked; LiveKit has given no response with a Date header")
    if is_clock_wrong(ahead_s):
        apart = f"{abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} LiveKit's"
        text = f"{whose} is {apart}, so LiveKit may reject tokens; synchronize both hosts with NTP"
        return fail("clock", text)
    return ok("clock", f"within {max(1, round(abs(ahead_s)))} s of LiveKit's clock")


def is_clock_wrong(ahead_s: float | None) -> bool:
    """Whether it is so far from LiveKit's that a warning is due."""
    return ahead_s is not None and abs(ahead_s) > CLOCK_WARNING_SECONDS


def about_webhook(replicas: Sequence[Replica], now: datetime) -> CheckResult:
    """When a controller received its last webhook signed with our key."""
    if not replicas:
        return skip("webhook", "not checked; no controller is running")
    age = last_webhook_age(replicas, now)
    if age is None:
        return warn(
            "webhook", "none received; set `webhook.urls` in LiveKit's configuration, with our API key"
        )
    return ok("webhook", f"last one {format_age(age)} ago")


def last_webhook_age(replicas: Sequence[Replica], now: datetime) -> float | None:
    """How long ago any replica received a webhook, in seconds; None: never."""
    ages = (each.aged(each.webhook_age_s, now) for each in replicas)
    return min((age for age in ages if age is not None), default=None)


def about_proxies(replicas: Sequence[Replica], now: datetime) -> Iterator[CheckResult]:
    """A line for each address that sent a controller X-Forwarded-For without being a trusted proxy."""
    seen = {each.untrusted_proxy: each.aged(each.untrusted_proxy_age_s, now) for each in replicas}
    for address, age in sorted(seen.items()):
        if address and age is not None:
            yield warn(
                "proxies",
                f"X-Forwarded-For from {address} is ignored, last {format_age(age)} ago; "
                "if that is your reverse proxy, add it to ROOMCTL_TRUSTED_PROXIES: "
                "all participants behind it count as one address",
            )
