"""The operator's own look of the join page: the files of ROOMCTL_BRAND_DIR (docs/join-page.md#branding).

They are read again when they change; the last valid ones stay in use while newer ones are invalid.
"""

import json
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import structlog

from controller.errors import SettingsError
from controller.sidecar.pages.assets import Asset
from controller.text import suggestion

VARIABLE: Final = "ROOMCTL_BRAND_DIR"
STYLE, LOGO, FACTS = "brand.css", "logo.svg", "brand.json"
_LIMITS: Final = {STYLE: 64 * 1024, LOGO: 256 * 1024, FACTS: 16 * 1024}
"""The files, none of which has to be there, and how many bytes each may have."""

_KEYS: Final = ("name", "leave_url")
_USE: Final = "use name and leave_url"
_MAX_NAME: Final = 64
_MAX_URL: Final = 2048
_IMAGE_ONLY: Final = "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; sandbox\r\n"
"""An SVG that somebody opens as a page runs no script and loads nothing."""

RELOAD_INTERVAL_SECONDS: Final = 1.0
"""Minimum seconds between two checks of the files."""

Stamps = Sequence[tuple[int, int, int, int] | None]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Brand:
    """What the page has of its operator. After leaving, a participant is sent to `leave_url`."""

    name: str = ""
    leave_url: str = ""
    assets: Mapping[str, Asset] = field(default_factory=dict)

    @property
    def style_link(self) -> str:
        """The HTML that loads the style sheet, if there is one."""
        return f'<link rel="stylesheet" href="{self._url(STYLE)}">' if STYLE in self.assets else ""

    @property
    def sign(self) -> str:
        """The HTML of the logo, or of the name without a logo."""
        name = escape(self.name)
        if LOGO in self.assets:
            return f'<img id="brand" src="{self._url(LOGO)}" alt="{name}">'
        return f'<p id="brand">{name}</p>' if name else ""

    def _url(self, name: str) -> str:
        return f"assets/{name}?v={self.assets[name].tag}"


class BrandFiles:
    """The brand in `folder`. `clock` is monotonic, in seconds. SettingsError if it is invalid.

    Only at the start: later the last valid one stays in use.
    """

    def __init__(self, folder: Path | None, clock: Callable[[], float]) -> None:
        self._folder, self._clock = folder, clock
        self._brand, self._checked_at, self._logged = Brand(), clock(), ""
        self._stamps: Stamps = ()
        if folder is not None:
            try:
                self._stamps = _stamps(folder)
                self._brand = read_brand(folder)
            except (OSError, ValueError) as error:
                raise SettingsError([f"{VARIABLE}: {_reason(error)}"]) from None

    def current(self) -> Brand:
        """The brand, read again if a file has changed."""
        now = self._clock()
        if self._folder is not None and now - self._checked_at >= RELOAD_INTERVAL_SECONDS:
            self._checked_at = now
            self._reload(self._folder)
        return self._brand

    def _reload(self, folder: Path) -> None:
        stamps = _stamps(folder)  # before reading: a write meanwhile changes them
        if stamps == self._stamps:
            return
        try:
            self._brand, self._stamps, self._logged = read_brand(folder), stamps, ""
            log.info("brand reloaded")
        except (OSError, ValueError) as error:
            self._log_error(_reason(error))

    def _log_error(self, reason: str) -> None:
        """Logged once for each error, which lasts until the files are corrected."""
        if reason != self._logged:
            self._logged = reason
            log.error("brand invalid", error=reason, hint=f"correct the files in {VARIABLE}")


def read_brand(folder: Path) -> Brand:
    """The brand in `folder`. ValueError has the file and the problem; OSError if something cannot be read."""
    if not folder.is_dir():
        raise ValueError("no such directory; set it to the path of a directory")
    contents = {name: _content(folder, name) for name in _LIMITS if os.path.lexists(folder / name)}
    facts = _facts(contents.pop(FACTS, b"{}"))
    headers = {LOGO: _IMAGE_ONLY}
    assets = {name: Asset.of(name, content, headers.get(name, "")) for name, content in contents.items()}
    return Brand(facts.get("name", ""), facts.get("leave_url", ""), assets)


def _content(folder: Path, name: str) -> bytes:
    """A regular file of limited size. Kubernetes mounts files as links inside of the directory."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"{name}: is a link out of the directory; copy the file instead")
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError(f"{name}: is not a regular file; replace it")
    with path.open("rb") as file:
        content = file.read(_LIMITS[name] + 1)
    if len(content) > _LIMITS[name]:
        raise ValueError(f"{name}: is longer than {_LIMITS[name] // 1024} KiB; make it smaller")
    return content


def _facts(content: bytes) -> Mapping[str, str]:
    """The keys of brand.json, checked."""
    try:
        facts: Any = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise ValueError(f"{FACTS}: invalid JSON at line {error.lineno}, column {error.colno}") from None
    except UnicodeError:
        raise ValueError(f"{FACTS}: not UTF-8 text; save it as UTF-8") from None
    if type(facts) is not dict:
        raise ValueError(f'{FACTS}: must be an object, for example {{"name": "Example"}}')
    for key, value in facts.items():
        _check(key, value)
    return facts


def _check(key: str, value: object) -> None:
    if key not in _KEYS:
        raise ValueError(f"{FACTS}: unknown key; {suggestion(key, _KEYS, _USE)}")
    if type(value) is not str or not value.isprintable():
        raise ValueError(f"{FACTS}: {key} must be a string without control characters")
    if key == "name" and not 1 <= len(value) <= _MAX_NAME:
        raise ValueError(f"{FACTS}: name must be 1 to {_MAX_NAME} characters")
    if key == "leave_url" and not _is_web_url(value):
        raise ValueError(f"{FACTS}: leave_url must be an http or https URL, for example https://example.com")


def _is_web_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
    return is_web and " " not in text and len(text) <= _MAX_URL


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    facts = dict(pairs)
    if len(facts) != len(pairs):
        raise ValueError(f"{FACTS}: a key is there twice; remove one")
    return facts


def _stamps(folder: Path) -> Stamps:
    return tuple(_stamp(folder / name) for name in _LIMITS)


def _stamp(path: Path) -> tuple[int, int, int, int] | None:
    """Identifies a state of a file, through any link; None without one."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def _reason(error: Exception) -> str:
    """The problem, without the path: the error names the variable."""
    if isinstance(error, OSError):
        return f"cannot read a file: {(error.strerror or '').lower()}; make it readable"
    return str(error)
