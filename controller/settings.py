"""Every setting, once (docs/settings.md): its variable, its default, how its text is read, what it is for.

The class is the table: loading, the flags of the verbs and their help all come from it. Values are read from
flags and from a mapping that stands for the environment, never from the environment itself.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Flag, auto
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Final, get_type_hints

from controller.errors import SettingsError
from controller.recording_output import RecordingOutput
from controller.settings_parsers import (
    Address,
    as_public,
    choice,
    database_name,
    flag,
    http_url,
    instance_name,
    listen_address,
    mongodb_address,
    mongodb_text,
    networks,
    origins,
    seconds,
    web_url,
    whole,
    word,
    ws_url,
)

__all__ = [
    "SETTINGS",
    "USE_S3",
    "Address",
    "Setting",
    "SettingGroup",
    "Settings",
    "load_settings",
    "mongodb_address",
    "unused_s3_settings",
]

_MAX_SECRET_FILE_BYTES: Final = 64 * 1024
_EMBEDDED: Final = "secantus"
PRESETS: Final = (
    "H264_720P_30",
    "H264_720P_60",
    "H264_1080P_30",
    "H264_1080P_60",
    "PORTRAIT_H264_720P_30",
    "PORTRAIT_H264_720P_60",
    "PORTRAIT_H264_1080P_30",
    "PORTRAIT_H264_1080P_60",
)
"""LiveKit's names of its encodings."""
USE_S3: Final = "write s3://BUCKET/{key}/{start}-{id}.mp4 into ROOMCTL_RECORDING_OUTPUT, or unset them"
PUBLIC_LISTEN: Final = Address("127.0.0.1", 8080)
PRIVATE_LISTEN: Final = Address("127.0.0.1", 8081)


class SettingGroup(Flag):
    """The parts of the settings a verb uses: what it does not use, it does not check."""

    NOTHING = 0
    ROOMS = auto()
    DATABASE = auto()
    LIVEKIT = auto()
    SIDECAR = auto()
    LOGS = auto()
    INVITES = auto()
    ALL = ROOMS | DATABASE | LIVEKIT | SIDECAR | LOGS


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `read` turns its text into its value; its ValueError says what is wrong and what to write.

    `example` is what to write where it is missing, '' where it may be; `help` ends with the [default].
    """

    variable: str
    part: SettingGroup
    read: Callable[[str], Any]
    help: str
    secret: bool = False
    example: str = ""

    @property
    def attribute(self) -> str:
        return self.variable.removeprefix("ROOMCTL_").lower()

    @property
    def flag(self) -> str:
        """The flag of the same name; a secret has none."""
        return "" if self.secret else "--" + self.attribute.replace("_", "-")


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, read and checked. `livekit_url` is http(s), `livekit_public_url` ws(s); no URL ends in /.

    `mongodb_uri` is '' for the embedded server, `log_format` '' for console on a terminal, else json.
    """

    livekit_url: Annotated[
        str,
        Setting(
            "LIVEKIT_URL",
            SettingGroup.LIVEKIT,
            http_url,
            "LiveKit's address; http(s) and ws(s) are the same",
            example="the server's address, such as wss://livekit.example.com",
        ),
    ] = ""
    livekit_api_key: Annotated[
        str,
        Setting(
            "LIVEKIT_API_KEY",
            SettingGroup.LIVEKIT,
            word,
            "LiveKit's API key",
            example="the key of the LiveKit server",
        ),
    ] = ""
    livekit_api_secret: Annotated[
        str,
        Setting(
            "LIVEKIT_API_SECRET",
            SettingGroup.LIVEKIT,
            str,
            "the API key's secret",
            secret=True,
            example="the key's secret, or its file's path as LIVEKIT_API_SECRET_FILE",
        ),
    ] = field(default="", repr=False)
    livekit_public_url: Annotated[
        str,
        Setting(
            "LIVEKIT_PUBLIC_URL",
            SettingGroup.LIVEKIT,
            ws_url,
            "what a browser connects to [LIVEKIT_URL as ws(s)]",
        ),
    ] = ""
    mongodb_uri: Annotated[
        str,
        Setting(
            "MONGODB_URI",
            SettingGroup.DATABASE,
            mongodb_text,
            "the database [the embedded server]",
            secret=True,
        ),
    ] = field(default="", repr=False)
    mongodb_database: Annotated[
        str,
        Setting("MONGODB_DATABASE", SettingGroup.DATABASE, database_name, "the database's name [roomctl]"),
    ] = "roomctl"
    secret: Annotated[
        str,
        Setting(
            "ROOMCTL_SECRET",
            SettingGroup.LIVEKIT | SettingGroup.INVITES,
            str,
            "what ids are derived from, and invites signed with [LIVEKIT_API_SECRET]",
            secret=True,
        ),
    ] = field(default="", repr=False)
    rooms_dir: Annotated[
        Path, Setting("ROOMCTL_ROOMS_DIR", SettingGroup.ROOMS, Path, "the folder of the manifests [rooms.d]")
    ] = Path("rooms.d")
    data_dir: Annotated[
        Path,
        Setting("ROOMCTL_DATA_DIR", SettingGroup.DATABASE, Path, "the embedded server's folder [.roomctl]"),
    ] = Path(".roomctl")
    instance: Annotated[
        str,
        Setting(
            "ROOMCTL_INSTANCE", SettingGroup.DATABASE, instance_name, "the owner mark on live rooms [default]"
        ),
    ] = "default"
    public_listen: Annotated[
        Address,
        Setting(
            "ROOMCTL_PUBLIC_LISTEN",
            SettingGroup.SIDECAR | SettingGroup.INVITES,
            listen_address,
            "where guests are answered [127.0.0.1:8080]",
        ),
    ] = PUBLIC_LISTEN
    private_listen: Annotated[
        Address,
        Setting(
            "ROOMCTL_PRIVATE_LISTEN",
            SettingGroup.SIDECAR,
            listen_address,
            "where operators and webhooks are answered [127.0.0.1:8081]",
        ),
    ] = PRIVATE_LISTEN
    public_url: Annotated[
        str,
        Setting(
            "ROOMCTL_PUBLIC_URL",
            SettingGroup.SIDECAR | SettingGroup.INVITES,
            web_url,
            "the base of links handed out [http:// and ROOMCTL_PUBLIC_LISTEN]",
        ),
    ] = ""
    resync_seconds: Annotated[
        float,
        Setting(
            "ROOMCTL_RESYNC_SECONDS",
            SettingGroup.LIVEKIT,
            seconds(0.1, 3600),
            "a full look at everything this often [5]",
        ),
    ] = 5
    token_ttl_seconds: Annotated[
        int,
        Setting(
            "ROOMCTL_TOKEN_TTL_SECONDS",
            SettingGroup.SIDECAR,
            whole(60, 600),
            "how long a token is good, 60 to 600 [300]",
        ),
    ] = 300
    hidden_requires_token: Annotated[
        bool,
        Setting(
            "ROOMCTL_HIDDEN_REQUIRES_TOKEN",
            SettingGroup.SIDECAR,
            flag,
            "true: a hidden participant needs an egress_mode_token in any room [false]",
        ),
    ] = False
    identity_takeover: Annotated[
        str,
        Setting(
            "ROOMCTL_IDENTITY_TAKEOVER",
            SettingGroup.SIDECAR,
            choice("prove", "allow"),
            "who may take a connected identity: prove or allow [prove]",
        ),
    ] = "prove"
    room_tokens_per_second: Annotated[
        int,
        Setting(
            "ROOMCTL_ROOM_TOKENS_PER_SECOND",
            SettingGroup.SIDECAR,
            whole(0, 1_000_000),
            "tokens for one room; 0 is off [200]",
        ),
    ] = 200
    address_requests_per_second: Annotated[
        int,
        Setting(
            "ROOMCTL_ADDRESS_REQUESTS_PER_SECOND",
            SettingGroup.SIDECAR,
            whole(0, 1_000_000),
            "requests from one address; 0 is off [500]",
        ),
    ] = 500
    trusted_proxies: Annotated[
        tuple[str, ...],
        Setting(
            "ROOMCTL_TRUSTED_PROXIES",
            SettingGroup.SIDECAR,
            networks,
            "proxies whose X-Forwarded-For is believed, with commas between [none]",
        ),
    ] = ()
    cors_origins: Annotated[
        tuple[str, ...],
        Setting(
            "ROOMCTL_CORS_ORIGINS",
            SettingGroup.SIDECAR,
            origins,
            "origins that may call, with commas between, or * alone [none]",
        ),
    ] = ()
    access_tokens_file: Annotated[
        Path | None,
        Setting(
            "ROOMCTL_ACCESS_TOKENS_FILE", SettingGroup.SIDECAR, Path, "who may use the private API [nobody]"
        ),
    ] = None
    recording_output: Annotated[
        RecordingOutput | None,
        Setting(
            "ROOMCTL_RECORDING_OUTPUT",
            SettingGroup.LIVEKIT,
            RecordingOutput.read,
            "where recordings go: file:///PATH.mp4 or s3://BUCKET/PATH.mp4, with {key} {room_id} {start} "
            "{id} [nothing is recorded]",
        ),
    ] = None
    recording_s3_endpoint: Annotated[
        str,
        Setting(
            "ROOMCTL_RECORDING_S3_ENDPOINT",
            SettingGroup.LIVEKIT,
            web_url,
            "the S3 host, where it is not Amazon's [Amazon's]",
        ),
    ] = ""
    recording_s3_region: Annotated[
        str,
        Setting(
            "ROOMCTL_RECORDING_S3_REGION",
            SettingGroup.LIVEKIT,
            word,
            "the bucket's region [asked of Amazon; us-east-1 at another host]",
        ),
    ] = ""
    recording_s3_access_key: Annotated[
        str,
        Setting(
            "ROOMCTL_RECORDING_S3_ACCESS_KEY",
            SettingGroup.LIVEKIT,
            word,
            "the access key for it [AWS's own search at the egress worker: its environment, its role]",
            secret=True,
        ),
    ] = field(default="", repr=False)
    recording_s3_secret: Annotated[
        str,
        Setting(
            "ROOMCTL_RECORDING_S3_SECRET",
            SettingGroup.LIVEKIT,
            word,
            "the access key's secret [as the access key]",
            secret=True,
        ),
    ] = field(default="", repr=False)
    recording_idle_seconds: Annotated[
        float,
        Setting(
            "ROOMCTL_RECORDING_IDLE_SECONDS",
            SettingGroup.LIVEKIT,
            seconds(0, 86_400),
            "a recording ends so long after the last one left [60]",
        ),
    ] = 60
    recording_preset: Annotated[
        str,
        Setting(
            "ROOMCTL_RECORDING_PRESET",
            SettingGroup.LIVEKIT,
            choice(*PRESETS),
            "LiveKit's name of an encoding [H264_720P_30]",
        ),
    ] = PRESETS[0]
    recording_page_url: Annotated[
        str,
        Setting(
            "ROOMCTL_RECORDING_PAGE_URL",
            SettingGroup.LIVEKIT,
            web_url,
            "where the egress worker reaches the public listener [ROOMCTL_PUBLIC_URL]",
        ),
    ] = ""
    log_format: Annotated[
        str,
        Setting(
            "ROOMCTL_LOG_FORMAT",
            SettingGroup.LOGS,
            choice("console", "json"),
            "console or json [console on a terminal, else json]",
        ),
    ] = ""
    log_level: Annotated[
        str,
        Setting(
            "ROOMCTL_LOG_LEVEL",
            SettingGroup.LOGS,
            choice("debug", "info", "warning", "error"),
            "debug, info, warning or error [info]",
        ),
    ] = "info"


SETTINGS: Final[tuple[Setting, ...]] = tuple(
    hint.__metadata__[0] for hint in get_type_hints(Settings, include_extras=True).values()
)
"""All of them, in the order of docs/settings.md."""


def load_settings(flags: Mapping[str, str], environ: Mapping[str, str], groups: SettingGroup) -> Settings:
    """Settings from `flags` (by variable; they win) and `environ`.

    What lies outside `groups` and is missing or wrong has its default. SettingsError names all that is
    missing or wrong within, one line each, and never shows the value of a secret.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for setting in SETTINGS:
        checked = bool(setting.part & groups) or bool(flags.get(setting.variable))
        try:
            text = _text(setting, flags, environ)
            if text:
                values[setting.attribute] = setting.read(text)
            elif setting.example and checked:
                problems.append(f"{setting.variable}: missing; write {setting.example}")
        except ValueError as error:
            if checked:
                problems.append(f"{_named(setting, flags)}: {error}")
    settings = Settings(**_with_derived_defaults(values))
    problems.extend(_cross_setting_errors(settings, environ, groups))
    if problems:
        raise SettingsError(problems)
    return settings


def unused_s3_settings(settings: Settings) -> tuple[str, ...]:
    """The variables that say how to reach S3 while ROOMCTL_RECORDING_OUTPUT is none there."""
    if settings.recording_output is not None and settings.recording_output.bucket:
        return ()
    about_s3 = (setting for setting in SETTINGS if setting.variable.startswith("ROOMCTL_RECORDING_S3_"))
    return tuple(setting.variable for setting in about_s3 if getattr(settings, setting.attribute))


def _named(setting: Setting, flags: Mapping[str, str]) -> str:
    return f"{setting.variable} ({setting.flag})" if flags.get(setting.variable) else setting.variable


def _text(setting: Setting, flags: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """What is written for `setting`, '' where nothing is."""
    text = flags.get(setting.variable) or environ.get(setting.variable) or ""
    path = (environ.get(setting.variable + "_FILE") or "") if setting.secret else ""
    if text and path:
        raise ValueError(f"{setting.variable}_FILE is set as well; keep one of the two")
    if path:
        return _from_file(setting.variable + "_FILE", Path(path))
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("is no UTF-8; write it in UTF-8") from None
    return text


def _from_file(variable: str, path: Path) -> str:
    """A secret from its file, without one trailing newline."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_SECRET_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        why = (error.strerror or "").lower() if isinstance(error, OSError) else "no path"
        raise ValueError(
            f"the file that {variable} names cannot be read: {why}; write a readable file's path"
        ) from None
    if len(content) > _MAX_SECRET_FILE_BYTES:
        raise ValueError(
            f"the file that {variable} names is over 64 KiB; write the path of the secret's file"
        )
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ValueError(f"the file that {variable} names is no UTF-8; write the secret as text") from None
    text = text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")
    if not text:
        raise ValueError(f"the file that {variable} names is empty; write the secret into it")
    return text


def _with_derived_defaults(values: dict[str, Any]) -> dict[str, Any]:
    """Defaults that follow from other settings."""
    if "livekit_url" in values:
        values.setdefault("livekit_public_url", as_public(values["livekit_url"]))
    if "livekit_api_secret" in values:
        values.setdefault("secret", values["livekit_api_secret"])
    values.setdefault("public_url", f"http://{values.get('public_listen', PUBLIC_LISTEN)}")
    values.setdefault("recording_page_url", values["public_url"])
    return values


def _cross_setting_errors(
    settings: Settings, environ: Mapping[str, str], groups: SettingGroup
) -> Iterator[str]:
    """What is wrong only with another setting beside it."""
    unset = not (environ.get("MONGODB_URI") or environ.get("MONGODB_URI_FILE"))
    if groups & SettingGroup.DATABASE and unset and find_spec(_EMBEDDED) is None:
        yield (
            "MONGODB_URI: missing, and the embedded store is not installed; "
            "write mongodb://HOST:PORT, or install roomctl with it: pip install '.[embedded]'"
        )
    if groups & SettingGroup.INVITES and not settings.secret:
        yield (
            "ROOMCTL_SECRET: missing, and so is LIVEKIT_API_SECRET, which stands in for it; "
            "write the one that `roomctl run` has"
        )
    if groups & SettingGroup.LIVEKIT and bool(settings.recording_s3_access_key) != bool(
        settings.recording_s3_secret
    ):
        yield (
            "ROOMCTL_RECORDING_S3_SECRET: it and ROOMCTL_RECORDING_S3_ACCESS_KEY go together; "
            "set both, or neither where the egress worker's environment or role opens the bucket"
        )
    same = settings.public_listen == settings.private_listen and settings.public_listen.port
    if groups & SettingGroup.SIDECAR and same:
        yield (
            f"ROOMCTL_PRIVATE_LISTEN: {settings.private_listen} is ROOMCTL_PUBLIC_LISTEN as well; "
            "write another port for one of them"
        )
