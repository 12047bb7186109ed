"""roomctl plan: what apply would do now. Changes nothing."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from controller.cli.console import Exit, below, print_data, print_error, print_info
from controller.cli.flags import OUTPUT, strict_settings, with_settings
from controller.cli.table import styled
from controller.errors import RoomctlError, RoomsDirError
from controller.manifests.load import load
from controller.manifests.report import Place
from controller.manifests.snapshot import Desired, RoomsDirState
from controller.one_shot import make_plan
from controller.plan.markdown import as_markdown
from controller.plan.model import Plan
from controller.plan.offline import compare_manifests
from controller.plan.render import as_json, as_text
from controller.plan.saved import save
from controller.room import Purpose, derive_key
from controller.settings import SettingGroup, Settings
from controller.text import pluralize

LINE_STYLES = {
    "+": "green",
    "~": "yellow",
    "-": "red",
    "±": "magenta",
    "!": "bold red",
    "P": "bold",
    "N": "bold",
}
"""By the first character of a line: the signs, and the last line."""


PlanFormat = Literal["text", "json", "markdown"]


@with_settings(SettingGroup.ALL, tolerant=True)
async def plan(
    settings: Settings,
    problems: Mapping[str, str],
    unknown: Mapping[str, str],
    *,
    output: Annotated[PlanFormat, OUTPUT] = "text",
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with code 2 if there are changes.")
    ] = False,
    base: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Compare with these manifests instead; needs no servers.", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save the plan, for apply.", show_default=False)
    ] = None,
) -> int:
    """Show the changes that apply would make."""
    if base is not None and out is not None:
        raise typer.BadParameter("it cannot be used with --base", param_hint="--out")
    now = datetime.now(UTC)
    if base is not None:
        made, store = compare_manifests(read_base(base), load(settings.rooms_dir), now), ""
    else:
        settings = strict_settings(settings, problems, unknown)
        made, store = await make_plan(settings)
    _show(made, output, below(settings.rooms_dir), now)
    if out is not None:
        _write(out, save(made, store, now, derive_key(settings.secret, Purpose.SAVED_PLAN)))
    if made.invalid:
        print_error(invalid_files(made, below(settings.rooms_dir)))
    return plan_code(made, detailed=detailed_exitcode)


def _write(out: Path, text: str) -> None:
    try:
        out.write_text(text)
    except OSError as error:
        raise RoomctlError(f"--out: cannot write {out}: {(error.strerror or '').lower()}") from None


def read_base(folder: Path) -> Desired:
    """The manifests to compare with. RoomsDirError if they cannot be read."""
    base = load(folder)
    if base.state in (RoomsDirState.MISSING, RoomsDirState.UNREADABLE):
        raise RoomsDirError(f"--base: {base.problem}")
    return base


def _show(made: Plan, output: PlanFormat, place: Place, now: datetime) -> None:
    match output:
        case "json":
            print_data(as_json(made, now, place))
        case "markdown":
            print_data(as_markdown(made, place))
        case "text":
            print_data(plan_text(made, place))
            if made.commit is not None:
                print_info(f"revision {made.revision[:12]}, {made.commit.describe(now)}")


def plan_code(made: Plan, *, detailed: bool) -> Exit:
    """1 if a manifest is invalid; otherwise 2 if `detailed` and anything would change."""
    if made.invalid:
        return Exit.FAILED
    return Exit.CHANGES if detailed and made.changes else Exit.FINE


def plan_text(made: Plan, place: Place) -> str:
    """The plan as text, each room's line in the colour of its sign."""
    return "\n".join(
        styled(line, LINE_STYLES.get(line[:1], "")) for line in as_text(made, place).splitlines()
    )


def invalid_files(made: Plan, place: Place) -> str:
    """The invalid files, because of which the plan is incomplete."""
    files = sorted({place(error.file) for error in made.invalid})
    return f"{pluralize(len(files), 'manifest file is', 'manifest files are')} invalid: {', '.join(files)}"
