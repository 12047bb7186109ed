"""Since when the database is away: a verb that never reached it asks the controller on this machine."""

import re
from contextlib import closing
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from typing import Final

from controller.room import format_time
from controller.settings_parsers import Address

TIMEOUT_SECONDS: Final = 1.0
MAX_BYTES: Final = 2**20
_UP: Final = re.compile(r'^roomctl_dependency_up\{dependency="mongodb"\} (\S+)$', re.MULTILINE)
_SEEN: Final = re.compile(
    r'^roomctl_dependency_last_success_timestamp_seconds\{dependency="mongodb"\} (\S+)$', re.MULTILINE
)


def explain_outage(listen: Address) -> str:
    """What the controller whose private server listens there has seen of its database. Blocks for seconds."""
    try:
        metrics = _read_metrics(listen)
        up, seen = _UP.search(metrics), _SEEN.search(metrics)
        since = format_time(datetime.fromtimestamp(float(seen[1]), UTC)) if seen is not None else None
    except (OSError, HTTPException, ValueError, OverflowError):
        up = None
    if up is None:
        return f"since when is unknown, because no controller answers at {listen}"
    if up[1] != "0.0":
        return f"the controller at {listen} reaches its database"
    return f"the controller at {listen} has had no answer since {since or 'its start'}"


def _read_metrics(listen: Address) -> str:
    with closing(HTTPConnection(listen.host, listen.port, timeout=TIMEOUT_SECONDS)) as connection:
        connection.request("GET", "/metrics")
        return connection.getresponse().read(MAX_BYTES).decode()
