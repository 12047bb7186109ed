"""Every setting, once (docs/settings.md): its variable, its default, how its text is read, its help.

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
USE_S3: Final = "set ROOMCTL_RECORDING_OUTPUT to s3://BUCKET/{key}/{start}-{id}.mp4, or unset them"
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
    """One setting. `read` turns its text into its value; its ValueError says what is wrong and how to fix it.

    `default` describes the default value. A required setting has none, and has an `example` instead.
    `metavar` stands for the value in the help of its flag; a secret has no flag.
    """

    variable: str
    part: SettingGroup
    read: Callable[[str], Any]
    help: str
    default: str = ""
    metavar: str = ""
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
            "LiveKit server URL: http, https, ws or wss",
            metavar="URL",
            example="the URL of the LiveKit server, for example wss://livekit.example.com",
        ),
    ] = ""
    livekit_api_key: Annotated[
        str,
        Setting(
            "LIVEKIT_API_KEY",
            SettingGroup.LIVEKIT,
            word,
            "LiveKit API key",
            metavar="KEY",
            example="the API key of the LiveKit server",
        ),
    ] = ""
    livekit_api_secret: Annotated[
        str,
        Setting(
            "LIVEKIT_API_SECRET",
            SettingGroup.LIVEKIT,
            str,
            "Secret of the LiveKit API key",
            secret=True,
            example="the secret of the API key, or set LIVEKIT_API_SECRET_FILE to the path of a file",
        ),
    ] = field(default="", repr=False)
    livekit_public_url: Annotated[
        str,
        Setting(
            "LIVEKIT_PUBLIC_URL",
            SettingGroup.LIVEKIT,
            ws_url,
            "LiveKit URL for browsers",
            default="LIVEKIT_URL as ws or wss",
            metavar="URL",
        ),
    ] = ""
    mongodb_uri: Annotated[
        str,
        Setting(
            "MONGODB_URI",
            SettingGroup.DATABASE,
            mongodb_text,
            "MongoDB connection string",
            default="the embedded store",
            secret=True,
        ),
    ] = field(default="", repr=False)
    mongodb_database: Annotated[
        str,
        Setting(
            "MONGODB_DATABASE",
            SettingGroup.DATABASE,
            database_name,
            "Database name",
            default="roomctl",
            metavar="NAME",
        ),
    ] = "roomctl"
    secret: Annotated[
        str,
        Setting(
            "ROOMCTL_SECRET",
            SettingGroup.LIVEKIT | SettingGroup.INVITES,
            str,
            "Key for room ids, invites and egress tokens",
            default="LIVEKIT_API_SECRET",
            secret=True,
        ),
    ] = field(default="", repr=False)
    rooms_dir: Annotated[
        Path,
        Setting(
            "ROOMCTL_ROOMS_DIR",
            SettingGroup.ROOMS,
            Path,
            "Directory with the manifests",
            default="rooms.d",
            metavar="DIR",
        ),
    ] = Path("rooms.d")
    data_dir: Annotated[
        Path,
        Setting(
            "ROOMCTL_DATA_DIR",
            SettingGroup.DATABASE,
            Path,
            "Data directory of the embedded store",
            default=".roomctl",
            metavar="DIR",
        ),
    ] = Path(".roomctl")
    instance: Annotated[
        str,
        Setting(
            "ROOMCTL_INSTANCE",
            SettingGroup.DATABASE,
            instance_name,
            "Owner name on LiveKit rooms, unique per installation",
            default="default",
            metavar="NAME",
        ),
    ] = "default"
    public_listen: Annotated[
        Address,
        Setting(
            "ROOMCTL_PUBLIC_LISTEN",
            SettingGroup.SIDECAR | SettingGroup.INVITES,
            listen_address,
            "Listen address of the public HTTP server",
            default="127.0.0.1:8080",
            metavar="HOST:PORT",
        ),
    ] = PUBLIC_LISTEN
    private_listen: Annotated[
        Address,
        Setting(
            "ROOMCTL_PRIVATE_LISTEN",
            SettingGroup.SIDECAR,
            listen_address,
            "Listen address of the private HTTP server: API, webhook, metrics",
            default="127.0.0.1:8081",
            metavar="HOST:PORT",
        ),
    ] = PRIVATE_LISTEN
    public_url: Annotated[
        str,
        Setting(
            "ROOMCTL_PUBLIC_URL",
            SettingGroup.SIDECAR | SettingGroup.INVITES,
            web_url,
            "Base URL of join links",
            default="http:// and ROOMCTL_PUBLIC_LISTEN",
            metavar="URL",
        ),
    ] = ""
    resync_seconds: Annotated[
        float,
        Setting(
            "ROOMCTL_RESYNC_SECONDS",
            SettingGroup.LIVEKIT,
            seconds(0.1, 3600),
            "Seconds between full resyncs",
            default="5",
            metavar="SECONDS",
        ),
    ] = 5
    token_ttl_seconds: Annotated[
        int,
        Setting(
            "ROOMCTL_TOKEN_TTL_SECONDS",
            SettingGroup.SIDECAR,
            whole(60, 600),
            "Lifetime of participant tokens, 60 to 600",
            default="300",
            metavar="SECONDS",
        ),
    ] = 300
    hidden_requires_token: Annotated[
        bool,
        Setting(
            "ROOMCTL_HIDDEN_REQUIRES_TOKEN",
            SettingGroup.SIDECAR,
            flag,
            "Require an egress_mode_token for hidden participants in all rooms",
            default="false",
            metavar="true|false",
        ),
    ] = False
    identity_takeover: Annotated[
        str,
        Setting(
            "ROOMCTL_IDENTITY_TAKEOVER",
            SettingGroup.SIDECAR,
            choice("prove", "allow"),
            "Reuse of a connected identity: only with proof, or by anyone",
            default="prove",
            metavar="prove|allow",
        ),
    ] = "prove"
    room_tokens_per_second: Annotated[
        int,
        Setting(
            "ROOMCTL_ROOM_TOKENS_PER_SECOND",
            SettingGroup.SIDECAR,
            whole(0, 1000000),
            "Rate limit for tokens per room; 0 disables it",
            default="200",
            metavar="N",
        ),
    ] = 200
    address_requests_per_second: Annotated[
        int,
        Setting(
            "ROOMCTL_ADDRESS_REQUESTS_PER_SECOND",
            SettingGroup.SIDECAR,
            whole(0, 1000000),
            "Rate limit for requests per client address; 0 disables it",
            default="500",
            metavar="N",
        ),
    ] = 500
    trusted_proxies: Annotated[
        tuple[str, ...],
        Setting(
            "ROOMCTL_TRUSTED_PROXIES",
            SettingGroup.SIDECAR,
            networks,
            "Proxies whose X-Forwarded-For header is trusted",
            default="none",
            metavar="CIDR,...",
        ),
    ] = ()
    cors_origins: Annotated[
        tuple[str, ...],
        Setting(
            "ROOMCTL_CORS_ORIGINS",
            SettingGroup.SIDECAR,
            origins,
            "Origins allowed by CORS, or * for all",
            default="none",
            metavar="ORIGIN,...",
        ),
    ] = ()
    access_tokens_file: Annotated[
        Path | None,
        Setting(
            "ROOMCTL_ACCESS_TOKENS_FILE",
            SettingGroup.SIDECAR,
            Path,
            "YAML file with access tokens for the private API",
            default="none: the API answers 401",
            metavar="FILE",
        ),
    ] = None
    recording_output: Annotated[
        RecordingOutput | None,
        Setting(
            "ROOMCTL_RECORDING_OUTPUT",
            SettingGroup.LIVEKIT,
            RecordingOutput.read,
            "Recording destination, file:///PATH.mp4 or s3://BUCKET/PATH.mp4; "
            "placeholders {key} {room_id} {start} {id}",
            default="recording is disabled",
            metavar="URL",
        ),
    ] = None
    recording_s3_endpoint: Annotated[
        str,
        Setting(
            "ROOMCTL_RECORDING_S3_ENDPOINT",
            SettingGroup.LIVEKIT,
            web_url,
            "Endpoint URL of an S3-compatible service",
            default="Amazon S3",
            metavar="URL",
        ),
    ] = ""
    recording_s3_region: Annotated[
        str,
        Setting(
            "ROOMCTL_RECORDING_S3_REGION",
            SettingGroup.LIVEKIT,
            word,
            "Region of the bucket",
            default="looked up on Amazon S3; us-east-1 elsewhere",
            metavar="REGION",
        ),
    ] = ""
    recording_s3_access_key: Annotated[
        str,
        Setting(
            "ROOMCTL_RECORDING_S3_ACCESS_KEY",
            SettingGroup.LIVEKIT,
            word,
            "S3 access key",
            default="AWS credentials of the egress worker",
            secret=True,
        ),
    ] = field(default="", repr=False)
    recording_s3_secret: Annotated[
        str,
        Setting(
            "ROOMCTL_RECORDING_S3_SECRET",
            SettingGroup.LIVEKIT,
            word,
            "S3 secret key",
            default="AWS credentials of the egress worker",
            secret=True,
        ),
    ] = field(default="", repr=False)
    recording_idle_seconds: Annotated[
        float,
        Setting(
            "ROOMCTL_RECORDING_IDLE_SECONDS",
            SettingGroup.LIVEKIT,
            seconds(0, 86400),
            "Seconds to keep recording after the last participant leaves",
            default="60",
            metavar="SECONDS",
        ),
    ] = 60
    recording_preset: Annotated[
        str,
        Setting(
            "ROOMCTL_RECORDING_PRESET",
            SettingGroup.LIVEKIT,
            choice(*PRESETS),
            "LiveKit encoding preset",
            default="H264_720P_30",
            metavar="PRESET",
        ),
    ] = PRESETS[0]
    recording_page_url: Annotated[
        str,
        Setting(
            "ROOMCTL_RECORDING_PAGE_URL",
            SettingGroup.LIVEKIT,
            web_url,
            "URL of the public HTTP server as the egress worker sees it",
            default="ROOMCTL_PUBLIC_URL",
            metavar="URL",
        ),
    ] = ""
    log_format: Annotated[
        str,
        Setting(
            "ROOMCTL_LOG_FORMAT",
            SettingGroup.LOGS,
            choice("console", "json"),
            "Log format",
            default="console on a terminal, else json",
            metavar="console|json",
        ),
    ] = ""
    log_level: Annotated[
        str,
        Setting(
            "ROOMCTL_LOG_LEVEL",
            SettingGroup.LOGS,
            choice("debug", "info", "warning", "error"),
            "Log level: debug, info, warning or error",
            default="info",
            metavar="LEVEL",
        ),
    ] = "info"


SETTINGS: Final[tuple[Setting, ...]] = tuple(
    hint.__metadata__[0] for hint in get_type_hints(Settings, include_extras=True).values()
)
"""All of them, in the order of docs/settings.md."""


def load_settings(flags: Mapping[str, str], environ: Mapping[str, str], groups: SettingGroup) -> Settings:
    """The same as `check_settings`. SettingsError names all that is missing or wrong within `groups`."""
    settings, problems = check_settings(flags, environ, groups)
    if problems:
        raise SettingsError(tuple(problems.values()))
    return settings


def check_settings(
    flags: Mapping[str, str], environ: Mapping[str, str], groups: SettingGroup
) -> tuple[Settings, dict[str, str]]:
    """Settings from `flags` (by variable; they win) and `environ`, and the problems by variable.

    A setting that is missing or wrong has its default. Within `groups` it is a problem, in one line that
    never shows the value of a secret.
    """
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for setting in SETTINGS:
        checked = bool(setting.part & groups) or bool(flags.get(setting.variable))
        try:
            text = _text(setting, flags, environ)
            if text:
                values[setting.attribute] = setting.read(text)
            elif setting.example and checked:
                problems[setting.variable] = f"{setting.variable}: required; set it to {setting.example}"
        except ValueError as error:
            if checked:
                problems[setting.variable] = f"{_named(setting, flags)}: {error}"
    settings = Settings(**_with_derived_defaults(values))
    for variable, problem in _cross_setting_errors(settings, environ, groups):
        problems.setdefault(variable, f"{variable}: {problem}")
    return settings, problems


def unused_s3_settings(settings: Settings) -> tuple[str, ...]:
    """The S3 settings that are set although ROOMCTL_RECORDING_OUTPUT is not an S3 URL."""
    if settings.recording_output is not None and settings.recording_output.bucket:
        return ()
    about_s3 = (setting for setting in SETTINGS if setting.variable.startswith("ROOMCTL_RECORDING_S3_"))
    return tuple(setting.variable for setting in about_s3 if getattr(settings, setting.attribute))


def _named(setting: Setting, flags: Mapping[str, str]) -> str:
    return f"{setting.variable} ({setting.flag})" if flags.get(setting.variable) else setting.variable


def _text(setting: Setting, flags: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """The text of `setting`, '' if it is not set."""
    text = flags.get(setting.variable) or environ.get(setting.variable) or ""
    path = (environ.get(setting.variable + "_FILE") or "") if setting.secret else ""
    if text and path:
        raise ValueError(f"set either {setting.variable} or {setting.variable}_FILE, not both")
    if path:
        return _from_file(setting.variable + "_FILE", Path(path))
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("invalid UTF-8; use UTF-8") from None
    return text


def _from_file(variable: str, path: Path) -> str:
    """A secret from its file, without one trailing newline."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_SECRET_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        why = (error.strerror or "").lower() if isinstance(error, OSError) else "invalid path"
        raise ValueError(f"cannot read the file in {variable}: {why}") from None
    if len(content) > _MAX_SECRET_FILE_BYTES:
        raise ValueError(
            f"the file in {variable} is larger than 64 KiB; set it to the path of the secret's file"
        )
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ValueError(f"the file in {variable} is not valid UTF-8; save the secret as text") from None
    text = text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")
    if not text:
        raise ValueError(f"the file in {variable} is empty")
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
) -> Iterator[tuple[str, str]]:
    """What is wrong only in combination with another setting: the variable, and the problem."""
    unset = not (environ.get("MONGODB_URI") or environ.get("MONGODB_URI_FILE"))
    if groups & SettingGroup.DATABASE and unset and find_spec(_EMBEDDED) is None:
        yield (
            "MONGODB_URI",
            (
                "required, because the embedded store is not installed; "
                "set it to mongodb://HOST:PORT, or run pip install '.[embedded]'"
            ),
        )
    if groups & SettingGroup.INVITES and not settings.secret:
        yield (
            "ROOMCTL_SECRET",
            (
                "required (it defaults to LIVEKIT_API_SECRET, which is not set either); "
                "use the same value as `roomctl run`"
            ),
        )
    if groups & SettingGroup.LIVEKIT and bool(settings.recording_s3_access_key) != bool(
        settings.recording_s3_secret
    ):
        yield (
            "ROOMCTL_RECORDING_S3_SECRET",
            (
                "must be set together with ROOMCTL_RECORDING_S3_ACCESS_KEY; "
                "set both, or neither to use the AWS credentials of the egress worker"
            ),
        )
    same = settings.public_listen == settings.private_listen and settings.public_listen.port
    if groups & SettingGroup.SIDECAR and same:
        yield (
            "ROOMCTL_PRIVATE_LISTEN",
            f"must differ from ROOMCTL_PUBLIC_LISTEN ({settings.public_listen}); use another port",
        )
