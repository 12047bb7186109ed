"""The group of all verbs. A verb's module is imported when it is used: `validate` needs no MongoDB."""

from importlib import import_module, metadata
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command

from controller.cli.console import print_data
from controller.text import quote_excerpt, suggestion

VERBS: Final = (
    *("run", "validate", "plan", "apply", "get", "wait", "status", "describe", "events", "recordings"),
    *("participants", "invite", "revoke", "kick", "hold", "release", "import", "schema", "doctor"),
)
_MODULES: Final = {"import": "import_rooms"}
"""Where a verb cannot have a module of its name, since that is a word of Python."""

_PLAIN: Final[dict[str, Any]] = {
    "add_completion": False,
    "rich_markup_mode": None,  # help is plain text: no boxes, no colours in a pipe
    "pretty_exceptions_enable": False,
}


class Verbs(TyperGroup):
    """A group whose verbs are the modules of this folder, each with a function of its own name."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the parent's signature
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        app = typer.Typer(**_PLAIN)
        module = _MODULES.get(cmd_name, cmd_name)
        verb = getattr(import_module(f"controller.cli.{module}"), module)
        app.command(cmd_name, epilog=getattr(verb, "epilog", None))(verb)
        return get_command(app)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if name not in VERBS and not name.startswith("-"):
            hint = suggestion(name, VERBS, "run `roomctl --help` to list the commands")
            ctx.fail(f"unknown command {quote_excerpt(name)}; {hint}")
        return super().resolve_command(ctx, args)


def command() -> Any:
    """The whole command line."""
    app = typer.Typer(name="roomctl", cls=Verbs, no_args_is_help=True, **_PLAIN)
    app.callback()(_roomctl)
    return get_command(app)


def _version(asked: bool) -> None:
    if asked:
        print_data(f"roomctl {metadata.version('roomctl')}")
        raise typer.Exit


def _roomctl(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Manage LiveKit rooms from manifests in Git."""
