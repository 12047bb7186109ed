"""roomctl plan: what apply would do now. Changes nothing."""

from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from controller.cli.console import Exit, below, print_data, print_error, print_info
from controller.cli.flags import OUTPUT, with_settings
from controller.cli.table import styled
from controller.manifests.report import Place
from controller.one_shot import make_plan
from controller.plan.model import Plan
from controller.plan.render import as_json, as_text
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


@with_settings(SettingGroup.ALL)
async def plan(
    settings: Settings,
    output: Annotated[Literal["text", "json"], OUTPUT] = "text",
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with code 2 if there are changes.")
    ] = False,
) -> int:
    """Show the changes that apply would make."""
    made, place = await make_plan(settings), below(settings.rooms_dir)
    print_data(plan_text(made, place) if output == "text" else as_json(made, datetime.now(UTC), place))
    if output == "text" and made.commit is not None:
        print_info(f"revision {made.revision[:12]}, {made.commit.describe(datetime.now(UTC))}")
    if made.invalid:
        print_error(invalid_files(made, place))
    return plan_code(made, detailed=detailed_exitcode)


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
