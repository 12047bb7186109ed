"""Recordings as LiveKit lists them, and requests for new ones, as frozen data. Pure.

Texts of an egress worker are never kept: they may contain a token or a credential. They only select one of
our error texts.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class EgressStatus(StrEnum):
    """LiveKit's names without their prefix."""

    STARTING = "STARTING"
    ACTIVE = "ACTIVE"
    ENDING = "ENDING"
    COMPLETE = "COMPLETE"
    FAILED = "FAILED"
    ABORTED = "ABORTED"
    LIMIT_REACHED = "LIMIT_REACHED"

    @property
    def ended(self) -> bool:
        return self not in (EgressStatus.STARTING, EgressStatus.ACTIVE, EgressStatus.ENDING)


class Layout(StrEnum):
    """The layouts of LiveKit that we use."""

    GRID = "grid"
    SPEAKER = "speaker"


@dataclass(frozen=True, slots=True)
class Egress:
    """One entry of ListEgress.

    `room` is the LiveKit room's name; `file` the requested output (a path as the worker sees it, or
    s3://BUCKET/KEY), '' if it is not a file. `layout` and `page` (custom_base_url) as requested.
    `recorded_from` is when the file begins, None while the worker is still starting.
    `updated` is the worker's last update, in nanoseconds of its own clock: compare it only with itself.
    `seconds` and `size` (bytes) are of the file, 0 until it exists. `error`: our text, or ''.
    """

    id: str
    room: str
    status: EgressStatus
    file: str = ""
    layout: str = ""
    page: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    updated: int = 0
    seconds: float = 0.0
    size: int = 0
    error: str = ""
    recorded_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class S3Access:
    """How the egress worker reaches a bucket; for '' the worker's AWS library uses its own defaults."""

    endpoint: str = ""
    region: str = ""
    access_key: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class RecordingRequest:
    """A room composite to start: `path` in `bucket`, or a file if that is ''.

    `page` is the template page to open, '' for LiveKit's own layouts; `preset` LiveKit's name of an encoding.
    """

    room: str
    layout: Layout
    path: str
    bucket: str = ""
    page: str = ""
    preset: str = "H264_720P_30"
    s3: S3Access = S3Access()
