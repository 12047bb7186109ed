"""What LiveKit shows of recordings, and what it is asked for, as frozen data of ours. Pure.

The texts of an egress worker are never kept: they may hold a token or a credential. What went wrong is told
in a sentence of ours, chosen by what they say.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class EgressStatus(StrEnum):
    """LiveKit's own, without its prefix."""

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
    """LiveKit's layouts that we ask for."""

    GRID = "grid"
    SPEAKER = "speaker"


@dataclass(frozen=True, slots=True)
class Egress:
    """One entry of ListEgress.

    `room` is the LiveKit room's name; `file` where it is written, as was asked for (a path as the worker sees
    it, or s3://BUCKET/KEY), '' where it is no file. `layout` and `page` (custom_base_url) as asked for.
    `recorded_from` is when the file begins, None while the worker is still starting.
    `updated` is when the worker last spoke, in nanoseconds of its own clock: compare it with itself alone.
    `seconds` and `size` (bytes) are of the file, 0 until it is there. `error`: our sentence, or ''.
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
    """How the egress worker reaches a bucket; '' is left to what AWS's library finds there."""

    endpoint: str = ""
    region: str = ""
    access_key: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class RecordingRequest:
    """A room composite to be started: `path` in `bucket`, or a file where that is ''.

    `page` is the template page to open, '' for LiveKit's own layouts; `preset` LiveKit's name of an encoding.
    """

    room: str
    layout: Layout
    path: str
    bucket: str = ""
    page: str = ""
    preset: str = "H264_720P_30"
    s3: S3Access = S3Access()
