"""What each `roomctl run` on a database reports: whether it could lead, and what it sees.

Ages are seconds by the writer's clock at the time of writing: the clocks of two hosts may differ.
"""

from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict

from controller.git import Commit

FORGET_AFTER: Final = timedelta(hours=1)
"""A replica that has written nothing for this long was killed, and its document is deleted."""


class Replica(BaseModel):
    """One replica. What a newer release adds is ignored, what an older one lacks has its default.

    Each write raises `number`. `revision` is of the manifests that it read last ('': not yet).
    `rooms_dir` is ok, empty, missing or unreadable; `rooms_dir_problem` says why it cannot be read.
    `manifests_withheld`: it does not act on manifests, because another replica may have newer ones.
    `livekit_age_s` and `webhook_age_s` count from the last successful ListRooms and the last verified webhook
    (None: none so far). `clock_ahead_s`: how far its clock is ahead of LiveKit's, None where unknown.
    `changes_read` is the number of the last change of the records that it has read (None: an older release).
    `untrusted_proxy`: the address that last sent it X-Forwarded-For without being a trusted proxy ('': none),
    `untrusted_proxy_age_s` ago.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    host: str
    pid: int
    verb: str = "run"
    release: str = ""
    started: datetime
    written: datetime
    number: int = 0
    revision: str = ""
    commit: Commit | None = None
    rooms_dir: str = "ok"
    rooms_dir_problem: str = ""
    manifests_withheld: bool = False
    livekit_age_s: float | None = None
    livekit_error: str = ""
    clock_ahead_s: float | None = None
    webhook_age_s: float | None = None
    changes_read: int | None = None
    untrusted_proxy: str = ""
    untrusted_proxy_age_s: float | None = None

    def aged(self, age_s: float | None, now: datetime) -> float | None:
        """One of its ages at `now`, by the reader's clock."""
        return None if age_s is None else age_s + max(0.0, (now - self.written).total_seconds())

    def __str__(self) -> str:
        return f"`roomctl {self.verb}`, pid {self.pid} on {self.host}"
