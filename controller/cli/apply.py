"""roomctl apply: converge once, after a confirmation on a terminal."""

import signal
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.console import Exit, below, print_data, print_error, print_info
from controller.cli.flags import with_settings
from controller.cli.plan import invalid_files, plan_text
from controller.errors import RoomctlError
from controller.one_shot import ApplyReport
from controller.one_shot import apply as apply_now
from controller.plan.model import Plan
from controller.plan.saved import MAX_BYTES, SavedPlan, load
from controller.room import Purpose, derive_key, redact_key
from controller.settings import SettingGroup, Settings
from controller.text import format_age


def _may_ask(context: typer.Context, yes: bool) -> bool:
    if not yes and not sys.stdin.isatty():
        context.fail("no terminal for the confirmation prompt; run `roomctl apply --yes`")
    return yes


@with_settings(SettingGroup.ALL)
async def apply(
    settings: Settings,
    plan_file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="A plan from `plan --out`: do only what it has.", show_default=False
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", callback=_may_ask, help="Skip the confirmation prompt.")
    ] = False,
    allow_removals: Annotated[
        int | None,
        typer.Option(
            "--allow-removals",
            min=0,
            metavar="N",
            help="Allow the removal of up to N rooms that a safety check would block.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Apply the manifests once and exit.

    Shows the changes and asks for confirmation on a terminal. While a controller runs on the same database
    it applies the manifests itself: use `roomctl wait` then.
    """
    shown: list[Plan] = []

    def show(plan: Plan) -> None:
        print_data(plan_text(plan, below(settings.rooms_dir)))
        shown.append(plan)

    def confirm(plan: Plan) -> bool:
        show(plan)
        return yes or _is_confirmed()

    key = derive_key(settings.secret, Purpose.SAVED_PLAN)
    saved = None if plan_file is None else partial(_load, plan_file, key)
    report = await apply_now(
        settings, confirm=confirm, progress=_progress, allow_removals=allow_removals, saved=saved
    )
    if not report.confirmed:
        print_info("nothing changed")
        return Exit.FAILED
    if not shown:
        show(report.plan)
    return print_report(report, settings)


def _load(file: Path, key: bytes, store: str) -> SavedPlan:
    try:
        with file.open("rb") as opened:
            saved = load(opened.read(MAX_BYTES), store, key)
    except OSError as error:
        raise RoomctlError(f"{file}: cannot read the plan: {(error.strerror or '').lower()}") from None
    except ValueError as error:
        raise RoomctlError(f"{file}: {error}") from None
    age = format_age((datetime.now(UTC) - datetime.fromisoformat(saved.generated_at)).total_seconds())
    print_info(f"{file}: made {age} ago from revision {saved.revision[:12]}; only what it has is done")
    return saved


def _is_confirmed() -> bool:
    """The answer. Ctrl-C means no: asyncio's handler would only note it, and continue to wait."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return typer.confirm("Apply these changes?", err=True)
    finally:
        signal.signal(signal.SIGINT, before)


def _progress(key: str, action: str, outcome: str) -> None:
    print_info(f"  {redact_key(key)}: {action} {outcome}")


def print_report(report: ApplyReport, settings: Settings) -> Exit:
    """Print what failed and what was not applied, and return the exit code."""
    for key in report.granted:
        print_data(redact_key(key))
    if report.granted:
        print_info("Removal approved for 15 minutes. The running controller removes these rooms.")
    for key, message in sorted(report.failed.items()):
        print_error(f"{redact_key(key)}: {message}")
    for change in report.left:
        why = report.plan.wait_reason(change)
        print_info(f"not applied: {redact_key(change.key)}: {change.waiting} ({why})")
    for left in report.left_out:
        change = left.change
        print_info(f"not applied: {redact_key(change.key)}: {', '.join(change.action_names)} ({left.reason})")
    if report.plan.invalid:
        print_error(invalid_files(report.plan, below(settings.rooms_dir)))
    return apply_code(report)


def apply_code(report: ApplyReport) -> Exit:
    """1 if anything failed or is invalid, otherwise 3 if anything was deferred or blocked.

    0 if a running controller got an approval for removals, since nothing else was requested.
    """
    if report.granted:
        return Exit.FINE
    if report.failed or report.plan.invalid:
        return Exit.FAILED
    return Exit.LEFT if report.left or report.left_out else Exit.FINE
