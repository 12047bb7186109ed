"""Every setting, once (docs/settings.md): its variable, its default, how its text is read, its help.

The class is the table: loading, the flags of the verbs and their help all come from it. Values are read from
flags and from a mapping of environment variables, never from the environment itself.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import Flag, auto
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, TypeVar

from controller import settings_parsers as read
from controller.recording_output import RecordingOutput
from controller.settings_parsers import ApiKey
from controller.text import closest_match

_MAX_SECRET_FILE_BYTES: Final = 64 * 1024
_EMBEDDED: Final = "secantus"
_PREFIX: Final = "ROOMCTL_"
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
_PUBLIC_LISTEN: Final = "127.0.0.1:8080"
_WORKER_CREDENTIALS: Final = "AWS credentials of the egress worker"

T = TypeVar("T")


class SettingGroup(Flag):
    """The parts of the settings that a verb uses; only these are checked."""

    NOTHING = 0
    ROOMS = auto()
    DATABASE = auto()
    LIVEKIT = auto()
    SIDECAR = auto()
    LOGS = auto()
    INVITES = auto()
    EVENTS = auto()
    ALL = ROOMS | DATABASE | LIVEKIT | SIDECAR | LOGS | EVENTS

    def setting(self, metavar: str, read: Callable[[str], T], about: str, default: str) -> T:
        """The field of a setting whose default value is `read(default)`."""
        return self.unset(metavar, read, about, default, value=read(default))

    def unset(
        self,
        metavar: str,
        read: Callable[[str], T],
        about: str,
        default: str = "",
        *,
        value: T,
        example: str = "",
        secret: bool = False,
    ) -> T:
        """The same for one that is `value` if it is not set; `default` describes that."""
        row = (self, metavar, read, about, default, example, secret)
        return field(default=value, repr=not secret, metadata={"row": row})

    def secret(
        self, about: str, default: str = "", read: Callable[[str], str] = str, example: str = ""
    ) -> str:
        return self.unset("", read, about, default, value="", example=example, secret=True)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `read` turns its text into its value; its ValueError has the problem and the fix.

    `default` describes the default value. A required setting has none, and has an `example` instead.
    `metavar` is the placeholder in the help of its flag; a secret has no flag.
    """

    attribute: str
    groups: SettingGroup
    metavar: str
    read: Callable[[str], Any]
    help: str
    default: str = ""
    example: str = ""
    secret: bool = False

    @property
    def variable(self) -> str:
        foreign = self.attribute.startswith(("livekit_", "mongodb_"))
        return ("" if foreign else _PREFIX) + self.attribute.upper()

    @property
    def variables(self) -> tuple[str, ...]:
        """Its variables: for a secret also the one with the path of its file."""
        return (self.variable, self.variable + "_FILE") if self.secret else (self.variable,)

    @property
    def exact(self) -> bool:
        """Whether every character counts, so that an invisible one at the start or end is an error."""
        return self.secret or self.metavar in ("KEY", "URL")

    @property
    def flag(self) -> str:
        """The flag of the same name; a secret has none."""
        return "" if self.secret else "--" + self.attribute.replace("_", "-")


_ROOMS, _DATABASE, _LIVEKIT = SettingGroup.ROOMS, SettingGroup.DATABASE, SettingGroup.LIVEKIT
_SIDECAR, _LOGS, _INVITES = SettingGroup.SIDECAR, SettingGroup.LOGS, SettingGroup.INVITES
_EVENTS = SettingGroup.EVENTS


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, read and checked. `livekit_url` is http(s), `livekit_public_url` ws(s); no URL ends in /.

    `mongodb_uri` is '' for the embedded server, `log_format` '' for console on a terminal, else json.
    """

    livekit_url: str = _LIVEKIT.unset(
        "URL",
        read.http_url,
        "LiveKit server URL: http, https, ws or wss",
        value="",
        example="the URL of the LiveKit server, for example wss://livekit.example.com",
    )
    livekit_api_key: str = _LIVEKIT.unset(
        "KEY", read.word, "LiveKit API key", value="", example="the API key of the LiveKit server"
    )
    livekit_api_secret: str = _LIVEKIT.secret(
        "Secret of the LiveKit API key",
        example="the secret of the API key, or set LIVEKIT_API_SECRET_FILE to the path of a file",
    )
    livekit_public_url: str = _LIVEKIT.unset(
        "URL", read.ws_url, "LiveKit URL for browsers", "LIVEKIT_URL as ws or wss", value=""
    )
    mongodb_uri: str = _DATABASE.secret("MongoDB connection string", "the embedded store", read.mongodb_text)
    mongodb_database: str = _DATABASE.setting("NAME", read.database_name, "Database name", "roomctl")
    secret: str = (_LIVEKIT | _INVITES).secret(
        "Key for room ids, invites and egress tokens", "LIVEKIT_API_SECRET"
    )
    livekit_api_key_previous: str = _SIDECAR.unset(
        "KEY", read.word, "API key before a rotation, still accepted", "LIVEKIT_API_KEY", value=""
    )
    livekit_api_secret_previous: str = _SIDECAR.secret(
        "Secret of the API key before a rotation, still accepted", "none"
    )
    secret_previous: str = _SIDECAR.secret(
        "ROOMCTL_SECRET before a rotation, still accepted",
        "LIVEKIT_API_SECRET_PREVIOUS if ROOMCTL_SECRET is not set, else none",
    )
    rooms_dir: Path = _ROOMS.setting("DIR", Path, "Directory with the manifests", "rooms.d")
    data_dir: Path = _DATABASE.setting("DIR", Path, "Data directory of the embedded store", ".roomctl")
    instance: str = _DATABASE.setting(
        "NAME", read.instance_name, "Owner name on LiveKit rooms, unique per installation", "default"
    )
    public_listen: read.Address = (_SIDECAR | _INVITES).setting(
        "HOST:PORT", read.listen_address, "Listen address of the public HTTP server", _PUBLIC_LISTEN
    )
    private_listen: read.Address = _SIDECAR.setting(
        "HOST:PORT",
        read.listen_address,
        "Listen address of the private HTTP server: API, webhook, metrics",
        "127.0.0.1:8081",
    )
    private_hosts: tuple[str, ...] = _SIDECAR.unset(
        "NAME,...",
        read.host_names,
        "Host names of the private HTTP server, besides localhost",
        "on a loopback address only localhost and IP addresses; elsewhere no check",
        value=(),
    )
    public_url: str = (_SIDECAR | _INVITES).unset(
        "URL", read.web_url, "Base URL of join links", "http:// and ROOMCTL_PUBLIC_LISTEN", value=""
    )
    resync_seconds: float = _LIVEKIT.setting(
        "SECONDS", read.seconds(0.1, 3600), "Seconds between full resyncs", "5"
    )
    token_ttl_seconds: int = _SIDECAR.setting(
        "SECONDS", read.whole(60, 600), "Lifetime of participant tokens, 60 to 600", "300"
    )
    hidden_requires_token: bool = _SIDECAR.setting(
        "true|false", read.flag, "Require an egress_mode_token for hidden participants in all rooms", "false"
    )
    identity_takeover: str = _SIDECAR.setting(
        "prove|allow",
        read.choice("prove", "allow"),
        "Reuse of a connected identity: only with proof, or by anyone",
        "prove",
    )
    room_tokens_per_second: int = _SIDECAR.setting(
        "N", read.whole(0, 1000000), "Rate limit for tokens per room; 0 disables it", "200"
    )
    address_requests_per_second: int = _SIDECAR.setting(
        "N", read.whole(0, 1000000), "Rate limit for requests per client address; 0 disables it", "500"
    )
    trusted_proxies: tuple[str, ...] = _SIDECAR.unset(
        "CIDR,...", read.networks, "Proxies whose X-Forwarded-For header is trusted", "none", value=()
    )
    cors_origins: tuple[str, ...] = _SIDECAR.unset(
        "ORIGIN,...", read.origins, "Origins allowed by CORS, or * for all", "none", value=()
    )
    embed_origins: tuple[str, ...] = _SIDECAR.unset(
        "ORIGIN,...", read.exact_origins, "Origins whose pages can show the join page", "none", value=()
    )
    brand_dir: Path | None = _SIDECAR.unset(
        "DIR", Path, "Directory with brand.css, logo.svg and brand.json of the join page", "none", value=None
    )
    access_tokens_file: Path | None = _SIDECAR.unset(
        "FILE",
        Path,
        "YAML file with access tokens for the private API",
        "none: the API answers 401",
        value=None,
    )
    recording_output: RecordingOutput | None = _LIVEKIT.unset(
        "URL",
        RecordingOutput.read,
        "Recording destination, file:///PATH.mp4 or s3://BUCKET/PATH.mp4; "
        "placeholders {key} {room_id} {start} {id}",
        "recording is disabled",
        value=None,
    )
    recording_s3_endpoint: str = _LIVEKIT.unset(
        "URL", read.web_url, "Endpoint URL of an S3-compatible service", "Amazon S3", value=""
    )
    recording_s3_region: str = _LIVEKIT.unset(
        "REGION", read.word, "Region of the bucket", "looked up on Amazon S3; us-east-1 elsewhere", value=""
    )
    recording_s3_access_key: str = _LIVEKIT.secret("S3 access key", _WORKER_CREDENTIALS, read.word)
    recording_s3_secret: str = _LIVEKIT.secret("S3 secret key", _WORKER_CREDENTIALS, read.word)
    recording_idle_seconds: float = _LIVEKIT.setting(
        "SECONDS", read.seconds(0, 86400), "Seconds to keep recording after the last participant leaves", "60"
    )
    recording_preset: str = _LIVEKIT.setting(
        "PRESET", read.choice(*PRESETS), "LiveKit encoding preset", "H264_720P_30"
    )
    recording_page_url: str = _LIVEKIT.unset(
        "URL",
        read.web_url,
        "URL of the public HTTP server as the egress worker sees it",
        "ROOMCTL_PUBLIC_URL",
        value="",
    )
    events_url: str = _EVENTS.unset(
        "URL",
        read.receiver_url,
        "URL that gets each event as a signed CloudEvent",
        "events are not sent",
        value="",
    )
    events_secret: bytes = _EVENTS.unset(
        "",
        read.signing_key,
        "Secret that signs these events: whsec_ and base64",
        "events are not sent",
        value=b"",
        secret=True,
    )
    log_format: str = _LOGS.unset(
        "console|json",
        read.choice("console", "json"),
        "Log format",
        "console on a terminal, else json",
        value="",
    )
    log_level: str = _LOGS.setting(
        "LEVEL",
        read.choice("debug", "info", "warning", "error"),
        "Log level: debug, info, warning or error",
        "info",
    )

    @property
    def livekit_keys(self) -> tuple[ApiKey, ...]:
        """The API key, with which tokens are signed, then the previous one, if it is still accepted."""
        current = ApiKey(self.livekit_api_key, self.livekit_api_secret)
        if not self.livekit_api_secret_previous:
            return (current,)
        name = self.livekit_api_key_previous or self.livekit_api_key
        return (current, ApiKey(name, self.livekit_api_secret_previous))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secret, with which invites are signed, then the previous one, if it is still accepted."""
        return (self.secret, self.secret_previous) if self.secret_previous else (self.secret,)


SETTINGS: Final = tuple(Setting(each.name, *each.metadata["row"]) for each in fields(Settings))
"""All settings, in the order of docs/settings.md."""


def check_settings(
    flags: Mapping[str, str], environ: Mapping[str, str], groups: SettingGroup
) -> tuple[Settings, dict[str, str]]:
    """Settings from `flags` (by variable; they take precedence) and `environ`, and problems by variable.

    A missing or invalid setting has its default. Within `groups` it is a problem, in one line that never
    shows the value of a secret.
    """
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for setting in SETTINGS:
        checked = bool(setting.groups & groups) or bool(flags.get(setting.variable))
        try:
            text = _text(setting, flags, environ)
            if text:
                values[setting.attribute] = _value(setting, text)
            elif setting.example and checked:
                problems[setting.variable] = f"{setting.variable}: required; set it to {setting.example}"
        except ValueError as error:
            if checked:
                problems[setting.variable] = f"{_named(setting, flags)}: {error}"
    settings = Settings(**_with_derived_defaults(values))
    for problem in _cross_setting_errors(settings, environ, groups):
        problems.setdefault(problem.partition(":")[0], problem)
    return settings, problems


def _value(setting: Setting, text: str) -> Any:
    if setting.exact:
        read.check_edges(text)
    return setting.read(text)


def unknown_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Unknown variables that begin with ROOMCTL_, each with a fix.

    The variables that Kubernetes sets for a Service named roomctl-… are not meant for roomctl.
    """
    names = [name for setting in SETTINGS for name in setting.variables]
    of_services = tuple(
        name.removesuffix("SERVICE_HOST") + kind
        for name in environ
        if name.endswith("_SERVICE_HOST")
        for kind in ("SERVICE_", "PORT")
    )
    unknown = (
        n for n in environ if n.startswith(_PREFIX) and n not in names and not n.startswith(of_services)
    )
    return {name: _suggested(name, names) for name in unknown}


def _suggested(name: str, names: Sequence[str]) -> str:
    """The nearest known name, compared without the common prefix."""
    known = {each.removeprefix(_PREFIX): each for each in names}
    near = closest_match(name.removeprefix(_PREFIX), known)
    return f"did you mean {known[near]}?" if near else "remove it; `roomctl run --help` lists the settings"


def restore_secret(settings: Settings) -> str:
    """What to do if the records were made with another ROOMCTL_SECRET."""
    if settings.secret == settings.livekit_api_secret:
        return (
            "ROOMCTL_SECRET is not set and LIVEKIT_API_SECRET has changed; "
            "set ROOMCTL_SECRET to the old LIVEKIT_API_SECRET, or to its own previous value"
        )
    return (
        "restore the previous ROOMCTL_SECRET if this was not intended; else set ROOMCTL_SECRET_PREVIOUS to it"
    )


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
    """A secret from its file, without one final line break."""
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
    """Adds defaults that depend on other settings."""
    if "livekit_url" in values:
        values.setdefault("livekit_public_url", read.ws_url(values["livekit_url"]))
    if "livekit_api_secret" in values and "secret" not in values:
        values["secret"] = values["livekit_api_secret"]
        values.setdefault("secret_previous", values.get("livekit_api_secret_previous", ""))
    values.setdefault("public_url", f"http://{values.get('public_listen', _PUBLIC_LISTEN)}")
    values.setdefault("recording_page_url", values["public_url"])
    return values


def _cross_setting_errors(
    settings: Settings, environ: Mapping[str, str], groups: SettingGroup
) -> Iterator[str]:
    """Errors in combination with another setting: the variable, a colon, and the problem."""
    unset = not (environ.get("MONGODB_URI") or environ.get("MONGODB_URI_FILE"))
    if groups & SettingGroup.DATABASE and unset and find_spec(_EMBEDDED) is None:
        yield (
            "MONGODB_URI: required, because the embedded store is not installed; "
            "set it to mongodb://HOST:PORT, or run pip install '.[embedded]'"
        )
    if groups & SettingGroup.INVITES and not settings.secret:
        yield (
            "ROOMCTL_SECRET: required (it defaults to LIVEKIT_API_SECRET, which is not set either); "
            "use the same value as `roomctl run`"
        )
    if groups & SettingGroup.LIVEKIT and bool(settings.recording_s3_access_key) != bool(
        settings.recording_s3_secret
    ):
        yield (
            "ROOMCTL_RECORDING_S3_SECRET: must be set together with ROOMCTL_RECORDING_S3_ACCESS_KEY; "
            f"set both, or neither to use the {_WORKER_CREDENTIALS}"
        )
    if groups & SettingGroup.EVENTS and bool(settings.events_url) != bool(settings.events_secret):
        yield (
            "ROOMCTL_EVENTS_SECRET: must be set together with ROOMCTL_EVENTS_URL; "
            "set both, or neither to send no events"
        )
    lonely = settings.livekit_api_key_previous and not settings.livekit_api_secret_previous
    if groups & SettingGroup.SIDECAR and lonely:
        yield "LIVEKIT_API_SECRET_PREVIOUS: required with LIVEKIT_API_KEY_PREVIOUS; set it to its secret"
    same = settings.public_listen == settings.private_listen and settings.public_listen.port
    if groups & SettingGroup.SIDECAR and same:
        yield (
            "ROOMCTL_PRIVATE_LISTEN: must differ from ROOMCTL_PUBLIC_LISTEN "
            f"({settings.public_listen}); use another port"
        )
