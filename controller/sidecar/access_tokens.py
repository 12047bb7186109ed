"""The callers in the access tokens' file (docs/http-api.md#access-tokens), reloaded when it changes.

Only the SHA-256 of a token is kept; the last valid file stays in use while a newer one is invalid.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.errors import SettingsError
from controller.logs import get_logger
from controller.records.record import RoomRecord
from controller.sidecar.token_file import FILE_LIMIT, TokenFileError, read_tokens

ACCESS_TOKEN: Final = "x-access-token"  # noqa: S105 - the name of a header
VARIABLE: Final = "ROOMCTL_ACCESS_TOKENS_FILE"
RELOAD_INTERVAL_SECONDS: Final = 1.0
"""Minimum seconds between two checks of the file."""

_UNSEEN: Final = (0, 0, 0, 0)

log = get_logger()


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """The user of a known access token. An admin owns every room."""

    user_id: str
    admin: bool = False

    def owns(self, record: RoomRecord) -> bool:
        """Whether the caller may see and change the room."""
        return self.admin or record.spec.user_id == self.user_id


class AccessTokens:
    """The callers by the hash of their tokens. `clock` is monotonic, in seconds.

    SettingsError if the file is invalid at the start; later the last valid one stays in use.
    """

    def __init__(self, path: Path | None, clock: Callable[[], float]) -> None:
        self._path, self._clock = path, clock
        self._by_hash: Mapping[bytes, ApiCaller] = {}
        self._seen, self._checked_at, self._logged = _UNSEEN, clock(), ""
        if path is not None:
            try:
                self._seen = _file_stamp(path.stat())
                self._by_hash = _load(path)
            except (OSError, ValueError) as error:
                raise SettingsError([f"{VARIABLE}: {_reason(error)}"]) from None

    def __len__(self) -> int:
        """How many tokens are known."""
        return len(self._by_hash)

    def authenticate(self, headers: Mapping[str, str]) -> ApiCaller | None:
        """The caller who sent these headers; None without a known token."""
        token = headers.get(ACCESS_TOKEN)
        if not token:
            return None
        self._reload_if_changed()
        return self._by_hash.get(hashlib.sha256(token.encode(errors="surrogateescape")).digest())

    def _reload_if_changed(self) -> None:
        """Read the file again if it has changed."""
        now = self._clock()
        if self._path is None or now - self._checked_at < RELOAD_INTERVAL_SECONDS:
            return
        self._checked_at = now
        try:
            stamp = _file_stamp(self._path.stat())  # before reading: a write meanwhile changes it
            if stamp != self._seen:
                self._seen = stamp
                self._by_hash, self._logged = _load(self._path), ""
                log.info("access tokens reloaded", count=len(self._by_hash))
        except TokenFileError as wrong:
            self._log_error(_reason(wrong))
        except (OSError, ValueError) as error:
            self._seen = _UNSEEN  # the cause may end without a new stamp
            self._log_error(_reason(error))

    def _log_error(self, wrong: str) -> None:
        """Logged once for each error, which lasts until the file is corrected."""
        if wrong != self._logged:
            self._logged = wrong
            log.error("access tokens file invalid", error=wrong, hint="the previous tokens stay in force")


FileStamp = tuple[int, int, int, int]


def _file_stamp(status: os.stat_result) -> FileStamp:
    """Identifies a state of a file, through any link."""
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def _load(path: Path) -> Mapping[bytes, ApiCaller]:
    """The callers in the file. TokenFileError has the problem."""
    if not stat.S_ISREG(path.stat().st_mode):  # opening a FIFO would block
        raise TokenFileError("not a regular file; set it to the path of a YAML file")
    with path.open("rb") as file:
        content = file.read(FILE_LIMIT + 1)
    return {digest: ApiCaller(*owner) for digest, owner in read_tokens(content).items()}


def _reason(error: Exception) -> str:
    """The problem, without the path: the error names the setting's variable."""
    if isinstance(error, TokenFileError):
        return str(error)
    why = (error.strerror or "").lower() if isinstance(error, OSError) else "invalid path"
    return f"cannot read the file: {why}; set it to the path of a readable YAML file"
