"""A verb's flags for the settings it uses, made from the table of settings."""

import functools
import inspect
import os
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from controller.cli.console import no_color
from controller.logs import configure
from controller.settings import SETTINGS, Setting, SettingGroup, load_settings

Verb = Callable[..., int]
"""Takes the settings, then what is its own; gives the exit code."""


def with_settings(groups: SettingGroup, *, chatty: bool = False) -> Callable[[Verb], Verb]:
    """Hand a verb the settings that `groups` names, read from its flags and the environment.

    Only a `chatty` verb logs what it does as it goes; the others have an output of their own, and log
    warnings, unless they are asked for more.
    """
    offered = [
        setting for setting in SETTINGS if setting.flag and setting.part & (groups | SettingGroup.LOGS)
    ]

    def wrap(verb: Verb) -> Verb:
        @functools.wraps(verb)
        def command(**given: Any) -> int:
            flags = {setting.variable: given.pop(setting.attribute) or "" for setting in offered}
            settings = load_settings(flags, os.environ, groups)
            quiet = not chatty and settings.log_level == "info"
            configure(settings.log_format, "warning" if quiet else settings.log_level, no_color=no_color())
            return verb(settings, **given)

        _describe(command, [*list(inspect.signature(verb).parameters.values())[1:], *map(_option, offered)])
        return command

    return wrap


def _option(setting: Setting) -> inspect.Parameter:
    option = typer.Option(setting.flag, metavar=setting.variable, help=setting.help, show_default=False)
    return inspect.Parameter(
        setting.attribute,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[str | None, option],
    )


def _describe(command: Any, parameters: list[inspect.Parameter]) -> None:
    """Make `command` look to typer as if it had been written with `parameters`."""
    shown = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    command.__signature__ = inspect.Signature(shown, return_annotation=int)
    hints: Mapping[str, Any] = {parameter.name: parameter.annotation for parameter in shown}
    command.__annotations__ = {**hints, "return": int}
