"""A verb's flags for the settings it uses, made from the table of settings."""

import asyncio
import functools
import inspect
import os
from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any, Final, TypeVar

import typer

from controller.cli.console import no_color
from controller.errors import SettingsError
from controller.log_sink import stderr_sink
from controller.logs import configure, get_logger
from controller.settings import (
    SETTINGS,
    Setting,
    SettingGroup,
    Settings,
    check_settings,
    unknown_variables,
)

T = TypeVar("T")

log = get_logger()

Verb = Callable[..., int | Coroutine[Any, Any, int]]
"""Takes the settings, then its own arguments; returns the exit code."""
OUTPUT: Final = typer.Option("--output", "-o", help="Output format.")
EPILOG: Final = "epilog"
"""The attribute of a verb with the text below its help."""


def with_settings(
    groups: SettingGroup, *, chatty: bool = False, tolerant: bool = False
) -> Callable[[Verb], Callable[..., int]]:
    """Pass a verb the settings in `groups`, read from its flags and the environment.

    Only a `chatty` verb logs its progress; the others print their output, and log only warnings unless
    ROOMCTL_LOG_LEVEL is set. A `tolerant` verb also gets the problems of its settings and the unknown
    variables, both by variable; for others a problem is a SettingsError, and an unknown variable a warning.
    """
    offered = [
        setting for setting in SETTINGS if setting.flag and setting.groups & (groups | SettingGroup.LOGS)
    ]

    def wrap(verb: Verb) -> Callable[..., int]:
        @functools.wraps(verb)
        def command(**given: Any) -> int:
            flags = {setting.variable: given.pop(setting.attribute) or "" for setting in offered}
            settings, problems = check_settings(flags, os.environ, groups)
            quiet = not chatty and settings.log_level == "info"
            level = "warning" if quiet else settings.log_level
            sink = stderr_sink() if chatty else None
            configure(settings.log_format, level, stream=sink, no_color=no_color())
            unknown = unknown_variables(os.environ)
            code = (
                verb(settings, problems, unknown, **given)
                if tolerant
                else verb(strict_settings(settings, problems, unknown), **given)
            )
            return code if isinstance(code, int) else asyncio.run(code)

        own = list(inspect.signature(verb).parameters.values())[3 if tolerant else 1 :]
        _describe(command, [*own, *map(_option, offered)])
        vars(command)[EPILOG] = _secrets(groups)
        return command

    return wrap


def strict_settings(settings: Settings, problems: Mapping[str, str], unknown: Mapping[str, str]) -> Settings:
    """`settings`, if they are valid. A misspelled name may be the cause of a problem."""
    for variable, hint in unknown.items():
        log.warning("unknown setting", variable=variable, hint=hint)
    if problems:
        raise SettingsError(tuple(problems.values()))
    return settings


def read_option(read: Callable[[str], T], text: str, option: str | None = None) -> T:
    """What `read` makes of an option's text. Its ValueError is a usage error of that option."""
    try:
        return read(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def rooms_argument(text: str) -> Any:
    """The argument for any number of rooms."""
    return typer.Argument(metavar="KEY|ID", help=text, show_default=False)


def _secrets(groups: SettingGroup) -> str:
    """The help text on the secrets that a verb uses, which have no flag."""
    names = [setting.variable for setting in SETTINGS if setting.secret and setting.groups & groups]
    if not names:
        return ""
    return (
        "Secrets have no flag. Set the environment variable, or set NAME_FILE to the path of a file: "
        f"{', '.join(names)}."
    )


def _option(setting: Setting) -> inspect.Parameter:
    default = f"[default: {setting.default}]" if setting.default else "[required]"
    text = f"{setting.help} [env: {setting.variable}] {default}"
    option = typer.Option(setting.flag, metavar=setting.metavar, help=text, show_default=False)
    return inspect.Parameter(
        setting.attribute,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[str | None, option],
    )


def _describe(command: Any, parameters: list[inspect.Parameter]) -> None:
    """Give `command` these parameters as its signature, for typer."""
    shown = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    command.__signature__ = inspect.Signature(shown, return_annotation=int)
    hints: Mapping[str, Any] = {parameter.name: parameter.annotation for parameter in shown}
    command.__annotations__ = {**hints, "return": int}
