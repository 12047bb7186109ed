"""Settings as a test gives them."""

from collections.abc import Mapping

from controller.errors import SettingsError
from controller.settings import SettingGroup, Settings, check_settings


def load_settings(flags: Mapping[str, str], environ: Mapping[str, str], groups: SettingGroup) -> Settings:
    """SettingsError names all that is missing or wrong within `groups`."""
    settings, problems = check_settings(flags, environ, groups)
    if problems:
        raise SettingsError(tuple(problems.values()))
    return settings
